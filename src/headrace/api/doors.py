"""What every route stands on: the services' needs in one place, and who is let in."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import Depends, Request

from headrace.api.problems import BadRequestError, GatewayError, problem
from headrace.clock import Clock
from headrace.connect.keyring import Keyring
from headrace.errors import Forbidden, Unauthorized
from headrace.events import Board
from headrace.services import access
from headrace.services.access import PERMISSIONS
from headrace.services.caller import Caller
from headrace.services.ingestion import Ingestion
from headrace.settings import Settings
from headrace.store.database import Store

__all__ = ["Doors", "JsonBody", "allowed", "json_body", "problem"]


@dataclass(frozen=True, slots=True)
class Doors:
    """What the routes need, handed in by the composition root."""

    store: Store
    clock: Clock
    keyring: Keyring
    ingestion: Ingestion
    board: Board
    settings: Settings
    wake: Callable[[int], Coroutine[Any, Any, None]]


Admit = Callable[[Request], Coroutine[Any, Any, Caller]]


def doors(request: Request) -> Doors:
    """Return what the application was made with."""
    handed: Doors = request.app.state.doors
    return handed


def allowed(permission: str, *, sandbox: str | None = None) -> Admit:
    """
    Make the dependency that admits callers who hold a permission, by the four headers of the original.

    ``sandbox`` is the one that a request without ``x-sandbox-name`` means; without it the header is needed.
    """
    assert permission in PERMISSIONS, permission

    async def admit(request: Request) -> Caller:
        handed, headers = doors(request), request.headers
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise GatewayError(403, "403010", "Oauth token is missing.")
        api_key, organization = headers.get("x-api-key"), headers.get("x-gw-ims-org-id")
        try:
            client = await access.client_of(handed.store, handed.clock, token.strip())
        except Unauthorized as error:
            raise GatewayError(401, "401013", error.message) from None
        if not api_key:
            raise GatewayError(403, "403000", "Api Key is required")
        if api_key != client.client_id:
            raise GatewayError(403, "403003", "Api Key is invalid")
        if not organization:
            raise GatewayError(400, "400003", "Missing header")
        name = headers.get("x-sandbox-name") or sandbox
        if not name:
            raise GatewayError(400, "400003", "Missing header: x-sandbox-name")
        try:
            caller = await access.admit(handed.store, client, organization, name)
        except Forbidden as error:
            raise GatewayError(403, "403025", error.message) from None
        if permission not in caller.permissions:
            raise Forbidden(f"this client does not have the permission {permission!r}")
        return caller

    admit.permission = permission  # type: ignore[attr-defined]
    return admit


async def json_body(request: Request) -> Any:
    """
    Read the body as JSON.

    Raises:
        BadRequestError: it is not JSON, or not said to be.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise BadRequestError("A valid content-type must be specified")
    try:
        return orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise BadRequestError(f"the body is not JSON: {error}") from None


JsonBody = Annotated[Any, Depends(json_body)]
