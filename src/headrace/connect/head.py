"""
The head of a request to a proxy, read strictly.

What is read here is written anew for whoever it is passed on to, so that the two cannot disagree about where the body
ends: it has a length, and nothing else says how long it is.
"""

import asyncio
import re
from dataclasses import dataclass

from headrace.connect.url import Target

#: A head longer than this is refused; it is the limit of the stream that a head is read from.
LONGEST = 64 * 1024

_REQUEST_LINE = re.compile(rb"([A-Z]+) ([\x21-\x7e]+) HTTP/1\.1")
_FIELD = re.compile(rb"([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*([^\x00\r\n]*)")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_NOT_PASSED_ON = (b"proxy-authorization", b"proxy-connection", b"host")


class NoHead(Exception):
    """What came is not the head of a request, or of none that a proxy carries."""


@dataclass(frozen=True, slots=True)
class Head:
    """A request line and its fields, with names in lower case."""

    method: str
    target: str
    fields: tuple[tuple[bytes, bytes], ...]
    length: int

    @classmethod
    async def read(cls, reader: asyncio.StreamReader) -> "Head | None":
        """
        Read the next head; None where the connection ends before one begins.

        Raises:
            NoHead: it is too long, cut short, or could be read in two ways.
        """
        try:
            return cls.parse((await reader.readuntil(b"\r\n\r\n"))[:-4])
        except asyncio.IncompleteReadError as error:
            if not error.partial:
                return None
            raise NoHead("The request is cut short.") from None
        except asyncio.LimitOverrunError:
            raise NoHead("The request's head is too long.") from None

    @classmethod
    def parse(cls, text: bytes) -> "Head":
        """
        Read a head without the empty line at its end.

        Raises:
            NoHead: it could be read in two ways.
        """
        first, *rest = text.split(b"\r\n")
        line = _REQUEST_LINE.fullmatch(first)
        found = [_FIELD.fullmatch(each) for each in rest]
        if line is None or not all(found):
            raise NoHead("The request is not HTTP/1.1.")
        fields = tuple((match[1].lower(), match[2].rstrip(b" \t")) for match in found if match is not None)
        return cls(line[1].decode(), line[2].decode(), fields, _length_of(fields))

    def field(self, name: bytes) -> bytes:
        """Return the first value under this name, else nothing."""
        return next((value for key, value in self.fields if key == name), b"")

    def for_origin(self, target: Target) -> bytes:
        """Write the head as the server itself expects it, without what was for the proxy."""
        lines = [f"{self.method} {target.path_and_query} HTTP/1.1".encode(), b"host: " + target.authority.encode()]
        lines += [key + b": " + value for key, value in self.fields if key not in _NOT_PASSED_ON]
        return b"\r\n".join(lines) + b"\r\n\r\n"


def _length_of(fields: tuple[tuple[bytes, bytes], ...]) -> int:
    if any(key in (b"transfer-encoding", b"upgrade", b"te") for key, _ in fields):
        raise NoHead("A request through the guard says its length with Content-Length alone.")
    lengths = [value for key, value in fields if key == b"content-length"]
    if len(lengths) > 1 or not all(_LENGTH.fullmatch(value) for value in lengths):
        raise NoHead("The request's Content-Length is not one number.")
    return int(lengths[0]) if lengths else 0
