"""Signing in with a password: for pages, which keep a cookie that no script can read."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from headrace.api.access import shown_user
from headrace.api.doors import (
    SESSION_COOKIE,
    Doors,
    Handed,
    JsonBody,
    open_to_everybody,
    open_to_signed_in,
    refuse_foreign_origin,
)
from headrace.api.loopback import is_loopback
from headrace.services import keys, sessions, users
from headrace.services.caller import Principal
from headrace.services.sessions import SignedIn

router = APIRouter(prefix="/access", tags=["access"])

Anybody = Annotated[Principal, Depends(open_to_signed_in("Everybody may see and end what is their own."))]
Object = dict[str, Any]
OURS = {"x-headrace": True}
_SIGN_IN = open_to_everybody("This is where users sign in.")


@router.post(
    "/sessions",
    summary="Sign in with e-mail and password",
    openapi_extra=OURS,
    dependencies=[Depends(_SIGN_IN), Depends(refuse_foreign_origin)],
)
async def begin(request: Request, body: JsonBody, handed: Handed) -> Response:
    secret, signed_in = await sessions.begin(handed.store, handed.clock, handed.passwords, body)
    answer = _shown(signed_in, secret)
    answer.set_cookie(
        SESSION_COOKIE,
        secret,
        max_age=sessions.ABSOLUTE // 1000,
        httponly=True,
        samesite="strict",
        secure=_is_secure(request, handed),
    )
    return answer


@router.get("/sessions/current", summary="Read the session one asks through", openapi_extra=OURS)
async def current(request: Request, principal: Anybody, handed: Handed) -> Response:
    signed_in = await sessions.current(handed.store, principal)
    return _shown(signed_in, request.cookies[SESSION_COOKIE])


@router.delete(
    "/sessions/current", summary="Sign out: end the session one asks through", status_code=204, openapi_extra=OURS
)
async def end(request: Request, principal: Anybody, handed: Handed) -> Response:
    await sessions.end(handed.store, handed.clock, principal)
    answer = Response(status_code=204)
    answer.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict", secure=_is_secure(request, handed))
    return answer


@router.put(
    "/me/password",
    summary="Change one's own password; ends all one's other sessions",
    status_code=204,
    openapi_extra=OURS,
)
async def change_password(principal: Anybody, body: JsonBody, handed: Handed) -> Response:
    await users.change_password(handed.store, handed.clock, handed.passwords, principal, body)
    return Response(status_code=204)


def _shown(signed_in: SignedIn, secret: str) -> JSONResponse:
    names = {tenant.tenant: tenant.sandbox for tenant, _ in signed_in.sandboxes}
    grants = signed_in.principal.grants
    organization = signed_in.principal.organization
    body: Object = {
        "user": shown_user(signed_in.user, names),
        "organization": {"name": organization.name, "isHost": organization.is_host},
        "sandboxes": [
            {
                "name": tenant.sandbox,
                "id": tenant.sandbox_id,
                "roles": list(roles),
                "permissions": sorted(grants.at(tenant.tenant)),
            }
            for tenant, roles in signed_in.sandboxes
        ],
        "permissions": sorted(grants.everywhere),
        "csrfToken": keys.csrf_token_of(secret),
    }
    return JSONResponse(body, headers={"Cache-Control": "no-store"})


def _is_secure(request: Request, handed: Doors) -> bool:
    """Say whether the cookie travels by TLS alone: always, but on this machine itself."""
    return not (is_loopback(handed.settings.host) and request.scope["scheme"] == "http")
