"""Signing accounts in at their partners, and revoking that: what the flow service's API has of ours for it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse

from headrace.api.doors import Handed, allowed
from headrace.api.flows import FlowServiceRoute
from headrace.api.loopback import is_loopback
from headrace.clock import iso
from headrace.services import browser_sign_in, declared
from headrace.services.browser_sign_in import CALLBACK, LIFE
from headrace.services.caller import Caller

router = APIRouter(prefix="/data/foundation/flowservice/connections", tags=["activation"], route_class=FlowServiceRoute)

Operator = Annotated[Caller, Depends(allowed("activation:write", sandbox="prod"))]
OURS = {"x-headrace": True}


@router.post("/{id}/authorize", summary="Begin to sign an account in at the partner's page", openapi_extra=OURS)
async def authorize(id: str, request: Request, caller: Operator, handed: Handed) -> JSONResponse:  # noqa: A002
    await handed.call_limit.admit(caller)
    redirect_uri = handed.settings.browser_url + CALLBACK
    departure = await browser_sign_in.begin(
        handed.store, handed.clock, handed.keyring, handed.partners, caller, id, redirect_uri
    )
    body = {"authorizationUrl": departure.url, "expiresAt": iso(departure.expires_at)}
    answer = JSONResponse(body, headers={"Cache-Control": "no-store"})
    if departure.browser is not None:
        answer.set_cookie(
            departure.cookie,
            departure.browser,
            max_age=LIFE // 1000,
            path=CALLBACK,
            httponly=True,
            samesite="lax",  # The way back begins at the partner's.
            secure=not (is_loopback(handed.settings.host) and request.scope["scheme"] == "http"),
        )
    return answer


@router.post("/{id}/action", summary="Revoke an account's credentials, for good", openapi_extra=OURS)
async def act_on_account(
    id: str,  # noqa: A002
    caller: Operator,
    handed: Handed,
    op: Annotated[str, Query(pattern="^revoke$", description="`revoke`.")],
) -> dict[str, Any]:
    del op
    account = await handed.revoking.revoke(caller, id)
    handed.runs.wake()
    return {"id": account.id, "etag": declared.etag(account)}
