"""What a way of signing in is, and where each is registered."""

from collections.abc import Generator, Mapping
from typing import Protocol

from headrace.connect.secrets import Secret
from headrace.model.http import Request, Response
from headrace.registry import Registry

Params = Mapping[str, str | Secret]
Flow = Generator[Request, Response, None]


class Scheme(Protocol):
    """
    A way of signing in, held as a conversation.

    ``auth_flow`` yields the request it wants sent and is handed the answer, as often as it takes: the last answer is
    the one to the request it was given. It owns no connection and does not wait, so it is tested without either. One
    scheme is made for each account and may remember what it learnt, such as a token.
    """

    def auth_flow(self, request: Request) -> Flow:
        """Sign the request, sending others before or after it if the scheme needs them."""
        ...


class MakesScheme(Protocol):
    """Builds a scheme from what the operator gave for the account; ``AccountError`` if something is missing."""

    def __call__(self, params: Params) -> Scheme: ...


schemes: Registry[MakesScheme] = Registry("way of signing in")
