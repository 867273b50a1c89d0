"""
A request as it leaves and an answer as it came: plain values, known to whoever composes, signs in or sends.

They are structs because two are made for every message: a frozen dataclass takes eight times as long to make, and what
holds texts alone need not be looked at by the garbage collector.
"""

import msgspec

Headers = tuple[tuple[str, str], ...]


class Request(msgspec.Struct, frozen=True, gc=False):
    """One request as it is to be sent. Host, length, connection and encoding headers are the transport's to write."""

    method: str
    url: str
    headers: Headers = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The first value under this name, whatever its case."""
        return _first(self.headers, name)


class Response(msgspec.Struct, frozen=True, gc=False):
    """The partner's answer. ``truncated`` says that the body went on after the part that is kept here."""

    status: int
    headers: Headers = ()
    body: bytes = b""
    truncated: bool = False

    def header(self, name: str) -> str | None:
        """The first value under this name, whatever its case."""
        return _first(self.headers, name)


def _first(headers: Headers, name: str) -> str | None:
    wanted = name.lower()
    return next((value for key, value in headers if key.lower() == wanted), None)
