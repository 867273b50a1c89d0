"""What every route stands on: the services' needs in one place, and who is let in."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Depends, Request

from headrace.api.problems import BadRequestError, GatewayError, problem
from headrace.clock import Clock
from headrace.connect.keyring import Keyring
from headrace.errors import Forbidden, Unauthorized
from headrace.events import Board
from headrace.model.roles import PERMISSIONS
from headrace.services import access, keys, sessions
from headrace.services.audiences.acting import Acting
from headrace.services.backing_up import BackingUp
from headrace.services.call_limit import CallLimit
from headrace.services.caller import Caller, Principal
from headrace.services.datasets import Datasets
from headrace.services.erasures import Erasures
from headrace.services.gauges import Gauges
from headrace.services.ingestion import Ingestion
from headrace.services.landing.zones import LandingZones
from headrace.services.live import LiveDataflows, Renderer
from headrace.services.looking_up import LookUps
from headrace.services.partners import Partners
from headrace.services.passwords import Passwords
from headrace.services.quotas import Quotas
from headrace.services.revoking import Revoking
from headrace.services.runs import Runs
from headrace.services.storage_trials import StorageTrials
from headrace.services.tokens import Tokens
from headrace.settings import Settings
from headrace.store.database import Store

__all__ = [
    "Doors",
    "Handed",
    "JsonBody",
    "allowed",
    "allowed_in_organization",
    "json_body",
    "open_to_everybody",
    "open_to_signed_in",
    "problem",
]

SESSION_COOKIE = "headrace_session"
_SAFE = {"GET", "HEAD", "OPTIONS"}

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Doors:
    """What the routes need, handed in by the composition root."""

    store: Store
    clock: Clock
    keyring: Keyring
    passwords: Passwords
    partners: Partners
    tokens: Tokens
    ingestion: Ingestion
    runs: Runs
    board: Board
    settings: Settings
    wake: Callable[[int], Coroutine[Any, Any, None]]
    lookups: LookUps
    call_limit: CallLimit
    revoking: Revoking
    datasets: Datasets
    renderers: Renderer
    erasures: Erasures
    audiences: Acting
    live: LiveDataflows
    gauges: Gauges
    backing_up: BackingUp
    quotas: Quotas
    trials: StorageTrials
    landing: LandingZones


@dataclass(frozen=True, slots=True)
class Needs:
    """What a route needs of whoever calls it: a permission, or a reason why none."""

    permission: str | None = None
    reason: str | None = None
    is_signed_in: bool = True
    in_sandbox: bool = False
    is_host: bool = False


Admit = Callable[[Request], Coroutine[Any, Any, Caller]]
AdmitPrincipal = Callable[[Request], Coroutine[Any, Any, Principal]]


def doors(request: Request) -> Doors:
    """Return what the application was made with."""
    handed: Doors = request.app.state.doors
    return handed


Handed = Annotated[Doors, Depends(doors)]


def allowed(permission: str, *, sandbox: str | None = None, host: bool = False) -> Admit:
    """
    Make the dependency that admits callers who hold a permission in the sandbox that they name.

    ``sandbox`` is the one that a request without ``x-sandbox-name`` means; without it the header is needed. With
    ``host``, only callers of the organization that runs the installation are admitted.
    """
    assert permission in PERMISSIONS, permission

    async def admit(request: Request) -> Caller:
        principal = await _principal(request)
        name = request.headers.get("x-sandbox-name") or sandbox
        if not name:
            raise GatewayError(400, "400003", "Missing header: x-sandbox-name")
        caller = await access.admit(doors(request).store, principal, name)
        _refuse_unless(permission, caller.permissions, caller, host=host)
        return caller

    return _needing(admit, Needs(permission, in_sandbox=True, is_host=host))


def allowed_in_organization(permission: str, *, host: bool = False) -> AdmitPrincipal:
    """
    Make the dependency that admits whoever holds a permission in all sandboxes of their organization.

    It is for what belongs to no sandbox; ``host`` as with :func:`allowed`.
    """
    assert permission in PERMISSIONS, permission

    async def admit(request: Request) -> Principal:
        principal = await _principal(request)
        _refuse_unless(permission, principal.grants.everywhere, principal, host=host)
        return principal

    return _needing(admit, Needs(permission, is_host=host))


def open_to_signed_in(reason: str) -> AdmitPrincipal:
    """Make the dependency of a route that needs no permission, only somebody who signed in, and say why."""

    async def admit(request: Request) -> Principal:
        return await _principal(request)

    return _needing(admit, Needs(reason=reason))


def open_to_everybody(reason: str) -> Callable[[], Coroutine[Any, Any, None]]:
    """Make the dependency of a route that lets everybody in, and say why."""

    async def admit() -> None:
        return None

    return _needing(admit, Needs(reason=reason, is_signed_in=False))


def refuse_foreign_origin(request: Request) -> None:
    """
    Refuse a request that a page of somebody else made a browser send.

    Only the host is compared, with its port: where TLS ends at a proxy, the scheme here is not the browser's.

    Raises:
        Forbidden: `Origin` names another host than the one that is asked.
    """
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
        raise Forbidden("this request was sent by a page of another origin")


async def _principal(request: Request) -> Principal:
    """Say who asks: by the session's cookie where there is one and nothing else, else by the original's headers."""
    if "authorization" not in request.headers and SESSION_COOKIE in request.cookies:
        return await _principal_of_session(request, request.cookies[SESSION_COOKIE])
    return await _principal_of_token(request)


async def _principal_of_session(request: Request, secret: str) -> Principal:
    handed = doors(request)
    principal = await sessions.principal_of_session(handed.store, handed.clock, secret)
    if request.method not in _SAFE:
        refuse_foreign_origin(request)
        if not keys.is_same(request.headers.get("x-csrf-token", ""), keys.csrf_token_of(secret)):
            raise Forbidden("X-CSRF-Token is missing or wrong; the answer to signing in has the right one")
    return _of_organization(principal, request.headers.get("x-gw-ims-org-id", principal.organization.name))


async def _principal_of_token(request: Request) -> Principal:
    handed, headers = doors(request), request.headers
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise GatewayError(403, "403010", "Oauth token is missing.")
    api_key, organization = headers.get("x-api-key"), headers.get("x-gw-ims-org-id")
    try:
        principal = await access.principal_of_token(handed.store, handed.clock, token.strip())
    except Unauthorized as error:
        raise GatewayError(401, "401013", error.message) from None
    if not api_key:
        raise GatewayError(403, "403000", "Api Key is required")
    if principal.actor != f"client:{api_key}":
        raise GatewayError(403, "403003", "Api Key is invalid")
    if not organization:
        raise GatewayError(400, "400003", "Missing header")
    return _of_organization(principal, organization)


def _of_organization(principal: Principal, name: str) -> Principal:
    if name != principal.organization.name:
        raise GatewayError(403, "403025", "Profile is not valid")
    return principal


def _refuse_unless(permission: str, held: frozenset[str], who: Principal | Caller, *, host: bool) -> None:
    if permission not in held:
        kind = who.actor.partition(":")[0]
        raise Forbidden(f"this {kind} does not have the permission {permission!r}")
    if host and not who.is_host:
        raise Forbidden("only the organization that runs this installation may do this")


def _needing(admit: F, needs: Needs) -> F:
    admit.needs = needs  # type: ignore[attr-defined]
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
