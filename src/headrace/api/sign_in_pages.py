"""The page to which partners send browsers back: it says what happened and what to do, and nothing of the partner's."""

from html import escape
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse

from headrace.api.doors import Handed, open_to_everybody
from headrace.services import browser_sign_in
from headrace.services.browser_sign_in import CALLBACK, Completion, NotCompleted, Return

router = APIRouter(tags=["activation"])

_OPEN = open_to_everybody(
    "Partners send browsers here, without a token of ours; `state` and a cookie say which sign-in this is the end of."
)
#: Nothing is loaded, run, framed or sent on, and the address, which has the code in it, is told to nobody.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title} - Headrace</title></head>
<body><main><h1>{title}</h1><p>{text}</p></main></body>
</html>
"""
_DONE = "The account is signed in at the partner, and what waited for it is on its way. You can close this page."
Given = Annotated[str | None, Query()]


@router.get(
    CALLBACK, summary="Come back from a partner's page", response_class=HTMLResponse, dependencies=[Depends(_OPEN)]
)
async def come_back(
    request: Request,
    handed: Handed,
    state: Given = None,
    code: Given = None,
    error: Given = None,
    iss: Given = None,
) -> HTMLResponse:
    completion = Completion(handed.store, handed.clock, handed.keyring, handed.partners, handed.tokens, handed.board)
    cookie = browser_sign_in.cookie_of(state or "")
    try:
        await completion.complete(Return(state, code, error, iss), request.cookies.get(cookie))
    except NotCompleted as failed:
        return _page("Not signed in", failed.message, 400)
    answer = _page("Signed in", _DONE, 200)
    answer.delete_cookie(cookie, path=CALLBACK, httponly=True, samesite="lax")
    return answer


def _page(title: str, text: str, status: int) -> HTMLResponse:
    return HTMLResponse(_PAGE.format(title=escape(title), text=escape(text)), status, headers=_HEADERS)
