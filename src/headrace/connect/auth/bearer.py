"""Sign in with a token that the operator has got from the partner."""

from headrace.connect.auth.scheme import Flow, Params, schemes
from headrace.connect.auth.signature import is_token, signed
from headrace.connect.secrets import Secret
from headrace.errors import AccountError
from headrace.model.http import Request

NAMES = ("token", "accessToken", "bearerToken")


@schemes.register("BEARER")
class Bearer:
    """Adds ``Authorization: Bearer …`` to every request that does not bring an ``Authorization`` of its own."""

    def __init__(self, params: Params) -> None:
        given = next((params[name] for name in NAMES if params.get(name)), None)
        token = (given.reveal() if isinstance(given, Secret) else given or "").strip()
        if not token:
            raise AccountError(f"The account has no token; give it as '{NAMES[0]}'.")
        if not is_token(token):
            raise AccountError("The account's token holds white space or other characters that no token has.")
        self._token = Secret(token)

    def auth_flow(self, request: Request) -> Flow:
        """Sign the request and send it; there is nothing to renew."""
        yield signed(request, f"Bearer {self._token.reveal()}")
