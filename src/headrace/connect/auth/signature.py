"""The header that tells who sends a request."""

import base64

from msgspec.structs import replace

from headrace.model.http import Request


def signed(request: Request, value: str) -> Request:
    """Add the header ``Authorization``; one that the request brings stands, for its author knows better."""
    if request.header("Authorization") is not None:
        return request
    return replace(request, headers=(*request.headers, ("Authorization", value)))


def basic(user: str, password: str) -> str:
    """
    Write a user's name and password as HTTP Basic has them, in UTF-8.

    >>> basic("Aladdin", "open sesame")
    'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=='
    """
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def is_token(text: str) -> bool:
    """Say whether a text can be a token: it has no white space and nothing beyond ASCII."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text
