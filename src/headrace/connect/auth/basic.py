"""Sign in with a user name and a password."""

from headrace.connect.auth.scheme import Flow, Params, schemes
from headrace.connect.auth.signature import basic, signed
from headrace.connect.secrets import Secret
from headrace.errors import AccountError
from headrace.model.http import Request

USERNAME, PASSWORD = "username", "password"


@schemes.register("BASIC")
class Basic:
    """Adds ``Authorization: Basic …`` to every request that does not bring an ``Authorization`` of its own."""

    def __init__(self, params: Params) -> None:
        user, password = (_plain(params, name) for name in (USERNAME, PASSWORD))
        if ":" in user:
            raise AccountError("The account's user name holds a colon, which ends a user name in HTTP Basic.")
        if not (_is_line(user) and _is_line(password)):
            raise AccountError("The account's user name or password holds a character that nobody can type.")
        self._signature = Secret(basic(user, password))

    def auth_flow(self, request: Request) -> Flow:
        """Sign the request and send it; there is nothing to renew."""
        yield signed(request, self._signature.reveal())


def _plain(params: Params, name: str) -> str:
    value = params.get(name) or ""
    text = value.reveal() if isinstance(value, Secret) else value
    if not text:
        raise AccountError(f"The account has no {_WORDS[name]}; give it as '{name}'.")
    return text


def _is_line(text: str) -> bool:
    """Say whether a text can stand in the header: no control character, no half of a surrogate pair."""
    return not any(sign < " " or sign == "\x7f" or "\ud800" <= sign <= "\udfff" for sign in text)


_WORDS = {USERNAME: "user name", PASSWORD: "password"}
