"""Sign in with the token of this moment, and with the next one where the partner takes it no more."""

import re
from collections.abc import Generator

from headrace.connect.auth.scheme import Flow, Params, TokenWanted, schemes
from headrace.connect.auth.signature import is_token, signed
from headrace.connect.auth.token import Token
from headrace.errors import AccountError
from headrace.model.http import Request, Response

_KIND = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_UNAUTHORIZED = 401


@schemes.register("OAUTH2")
class OAuth2:
    """
    Adds ``Authorization`` with the account's access token, which it asks for when it needs it.

    Refused with 401, it asks once for another token, and sends the request once more if it gets one. A request that
    brings an ``Authorization`` of its own is sent as it is: what it was made of may be the refused token, so whoever
    made it has to make it anew.
    """

    def __init__(self, params: Params) -> None:
        del params  # What the operator gave is used to get a token, which is not this scheme's to do.

    def auth_flow(self, request: Request) -> Flow:
        """Sign the request and send it, twice if the token is refused and there is another."""
        if request.header("Authorization") is not None:
            yield request
            return
        token = yield from _token(TokenWanted())
        answer = yield signed(request, _signature(token))
        assert isinstance(answer, Response), "a request is answered by a response"
        if answer.status != _UNAUTHORIZED:
            return
        newer = yield from _token(TokenWanted(refused=token))
        if newer.access_token != token.access_token:
            yield signed(request, _signature(newer))


def _token(wish: TokenWanted) -> Generator[Request | TokenWanted, Response | Token, Token]:
    token = yield wish
    assert isinstance(token, Token), "a wish for a token is answered by a token"
    return token


def _signature(token: Token) -> str:
    text = token.access_token.reveal()
    if not is_token(text):
        raise AccountError("The account's access token holds white space or other characters that no token has.")
    return f"{_kind(token)} {text}"


def _kind(token: Token) -> str:
    """Return the word before the token: what the partner said of it, if it can stand in a header."""
    kind = token.fields["tokenType"].reveal() if "tokenType" in token.fields else ""
    return kind if _KIND.fullmatch(kind) and kind.lower() != "bearer" else "Bearer"
