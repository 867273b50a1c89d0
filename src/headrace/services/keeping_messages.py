"""
What is kept of a message of which something is parked: as it was rendered and what was answered, without secrets.

What signing in added is not in it, for it is added later. What templates have read of an account is taken out, and so
are headers whose very purpose is to let somebody in.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from headrace.connect.secrets import MASK, without_ours
from headrace.model.exchange import Exchange
from headrace.model.http import Headers, Request, Response
from headrace.model.message import Settled
from headrace.model.outcome import Parked
from headrace.store.parked_messages import KeptMessage

#: The most that is kept, in bytes: of a request's body, of an answer's, of a URL, of a header; and of headers.
MOST_OF_REQUEST = 64 * 1024
MOST_OF_ANSWER = 2 * 1024
MOST_OF_URL = 8 * 1024
MOST_OF_HEADER = 1024
MOST_HEADERS = 64
#: Headers that let whoever has them in.
LETTING_IN = frozenset(
    {
        "api-key",
        "apikey",
        "authorization",
        "cookie",
        "proxy-authorization",
        "set-cookie",
        "set-cookie2",
        "x-amz-security-token",
        "x-api-key",
        "x-auth-token",
        "x-csrf-token",
    }
)


def kept_of(settled: Sequence[Settled]) -> list[KeptMessage]:
    """Return what is to be kept of the messages of a group: of those of which something was parked alone."""
    exchanges = {
        item.message: item.outcome.exchange
        for item in settled
        if isinstance(item.outcome, Parked) and item.message and item.outcome.exchange is not None
    }
    return [
        KeptMessage(
            message,
            tuple(sorted({item.entry.profile for item in settled if item.message == message})),
            orjson.dumps(content_of(exchange)),
        )
        for message, exchange in exchanges.items()
    ]


def content_of(exchange: Exchange) -> dict[str, Any]:
    """Return what is kept of one message, as the API shows it."""
    answer = exchange.answer
    return {
        "request": _request(exchange.request, exchange),
        "answer": None if answer is None else _answer(answer, exchange),
    }


def _request(request: Request, exchange: Exchange) -> dict[str, Any]:
    body, is_cut = _body(request.body, MOST_OF_REQUEST, exchange)
    return {
        "method": request.method,
        "url": _cut(_redacted(request.url, exchange), MOST_OF_URL)[0],
        "headers": _headers(request.headers, exchange),
        "body": body,
        "bytes": len(request.body),
        "truncated": is_cut,
    }


def _answer(answer: Response, exchange: Exchange) -> dict[str, Any]:
    body, is_cut = _body(answer.body, MOST_OF_ANSWER, exchange)
    return {
        "status": answer.status,
        "headers": _headers(answer.headers, exchange),
        "body": body,
        "truncated": is_cut or answer.truncated,
    }


def _headers(headers: Headers, exchange: Exchange) -> list[dict[str, str]]:
    return [
        {"name": _clean(name)[:MOST_OF_HEADER], "value": _header(name, value, exchange)}
        for name, value in headers[:MOST_HEADERS]
    ]


def _header(name: str, value: str, exchange: Exchange) -> str:
    if name.lower() in LETTING_IN:
        return MASK
    return _cut(_redacted(value, exchange), MOST_OF_HEADER)[0]


def _body(body: bytes, most: int, exchange: Exchange) -> tuple[str, bool]:
    """Return a body as text, cut only after secrets were taken out: half of one would not be found."""
    return _cut(_redacted(body.decode("utf-8", "backslashreplace"), exchange), most)


def _redacted(text: str, exchange: Exchange) -> str:
    return without_ours(exchange.redact(_clean(text)))


def _clean(text: str) -> str:
    """Return a text that can be written as UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


def _cut(text: str, most: int) -> tuple[str, bool]:
    written = text.encode()
    return (text, False) if len(written) <= most else (written[:most].decode("utf-8", "ignore"), True)
