"""The application of all routes."""

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import cache

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headrace import __version__
from headrace.api import (
    access,
    activations,
    alerts,
    audiences,
    auditing,
    authoring,
    backups,
    blobs,
    bodies,
    connections,
    consent_policies,
    datasets,
    erasures,
    exporting,
    flows,
    governance,
    keys,
    landing,
    mapping_sets,
    namespaces,
    operations,
    parked,
    partner_audiences,
    policies,
    problems,
    publishing,
    quotas,
    runs,
    sending_again,
    sessions,
    sign_in_pages,
    signing_in,
    tracing,
    ups,
    versions,
)
from headrace.api.doors import Doors
from headrace.api.paths import LenientPaths
from headrace.api.reference import reference
from headrace.errors import HeadraceError
from headrace.services.landing.zones import PREFIX

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


#: Paths whose bodies are files, which go to the disk as they come.
_UPLOADS = "/audiences/[^/]+/upload$"


def application(doors: Doors, lifespan: Lifespan) -> FastAPI:
    """Make the ASGI application; ``lifespan`` starts and ends what runs beside it."""
    app = FastAPI(
        title="Headrace",
        version=__version__,
        summary="The open, self-hosted Destination SDK.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.doors = doors
    for router in (
        publishing.submitting,  # before what would take `publish` for an id
        publishing.reviewing,
        versions.router,
        authoring.router,
        connections.router,
        flows.router,
        exporting.router,
        activations.router,
        mapping_sets.router,
        policies.router,
        governance.router,
        signing_in.router,
        sign_in_pages.router,
        partner_audiences.router,
        tracing.router,
        access.router,
        sessions.router,
        auditing.router,
        keys.router,
        backups.router,
        quotas.router,
        namespaces.router,
        operations.router,
        parked.router,
        runs.router,
        datasets.router,
        consent_policies.router,
        alerts.router,
        sending_again.router,
        erasures.router,
        audiences.router,
        ups.router,
        landing.router,
    ):
        app.include_router(router)
    app.mount(PREFIX, blobs.Blobs(doors.landing, doors.board))
    app.add_exception_handler(problems.GatewayError, problems.gateway)
    app.add_exception_handler(HeadraceError, problems.ours)
    app.add_exception_handler(RequestValidationError, problems.wrong_request)
    app.add_exception_handler(HTTPException, problems.plain)
    app.add_exception_handler(Exception, problems.Unexpected(doors.board))
    app.openapi = cache(lambda: reference(app))  # type: ignore[method-assign]
    app.add_middleware(LimitedBody, most=bodies.LARGEST, where=re.compile(re.escape(authoring.PREFIX)))
    app.add_middleware(PossiblePaths)
    app.add_middleware(LimitedBody, most=doors.settings.max_upload_bytes, where=re.compile(_UPLOADS))
    app.add_middleware(LimitedBody, most=doors.settings.max_request_bytes, where=re.compile(f"(?!{_UPLOADS})"))
    app.add_middleware(LenientPaths)
    return app


class PossiblePaths:
    """Answers 404 where a path names something by the character U+0000: nothing that is kept has it in its name."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and "\0" in scope["path"]:
            answer = problems.problem(404, "NotFound", "nothing has a name with the character U+0000", "not-found")
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)


class LimitedBody:
    """Ends requests whose body is larger than what is read at some paths, as soon as that is known."""

    def __init__(self, app: ASGIApp, most: int, where: re.Pattern[str]) -> None:
        self._app = app
        self._most = most
        self._where = where

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._where.match(scope["path"]):
            await self._app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._most:
            answer = await problems.ours(Request(scope), self._too_large())
            await answer(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._most:
                raise self._too_large()
            return message

        await self._app(scope, counted, send)

    def _too_large(self) -> problems.TooLarge:
        return problems.TooLarge(f"the body is larger than {self._most} bytes; send it in parts")
