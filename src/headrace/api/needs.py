"""What every route of an application needs of whoever calls it, as the routes themselves declare it."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from headrace.api.doors import Needs


def routes_of(router: Any) -> Iterator[APIRoute]:
    """Yield the routes of a router or an application, and of the routers in it; not the framework's own."""
    for route in router.routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from routes_of(inner)
        elif isinstance(route, APIRoute):
            yield route


def needs_of(app: FastAPI) -> dict[tuple[str, str], Needs | None]:
    """Return what each operation needs, by method and path; ``None``: it does not say."""
    return {(method, route.path): _needs(route) for route in routes_of(app) for method in sorted(route.methods or ())}


def _needs(route: APIRoute) -> Needs | None:
    declared = (getattr(dependency.call, "needs", None) for dependency in route.dependant.dependencies)
    return next((needs for needs in declared if needs is not None), None)
