"""What a way of signing in is, and where each is registered."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Protocol

from headrace.connect.auth.token import Token
from headrace.connect.secrets import Secret
from headrace.model.http import Request, Response
from headrace.registry import Registry

Params = Mapping[str, str | Secret]


@dataclass(frozen=True, slots=True)
class TokenWanted:
    """A scheme's wish for the account's token: the one there is, or a newer one than that which was ``refused``."""

    refused: Token | None = None


#: A scheme yields a request and is handed its answer, or a wish for a token and is handed that.
Flow = Generator[Request | TokenWanted, Response | Token, None]


class Scheme(Protocol):
    """
    A way of signing in, held as a conversation.

    ``auth_flow`` yields the request it wants sent and is handed the answer, as often as it takes: the last answer is
    the one to the request it was given. It owns no connection and does not wait, so it is tested without either.
    """

    def auth_flow(self, request: Request) -> Flow:
        """Sign the request, sending others before or after it if the scheme needs them."""
        ...


class TokenSource(Protocol):
    """Where an account's tokens come from. Called by many tasks at once, which share one renewal."""

    async def token(self, refused: Token | None = None) -> Token:
        """
        Return the token there is, renewed if its time has come, or a newer one than that which was refused.

        Raises:
            AccountError: there is none and none can be got without the operator.
            PartnerError: the partner does not give one at this moment.
        """
        ...


class MakesScheme(Protocol):
    """Builds a scheme from what the operator gave for the account; ``AccountError`` if something is missing."""

    def __call__(self, params: Params) -> Scheme: ...


schemes: Registry[MakesScheme] = Registry("way of signing in")
