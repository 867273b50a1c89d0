"""
Shared access signatures for a container, as Azure's storage has them: what may be done until when, signed in a query.

The text that is signed is that of version 2020-12-06: every field a line, in this order, empty where there is none.
"""

import base64
import hashlib
import hmac
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

VERSION = "2020-12-06"
#: What may be asked for: to read a file, and to list them.
READ, LIST = "r", "l"
_RESOURCE = ""
_LINES = (
    *("sp", "st", "se", _RESOURCE, "si", "sip", "spr", "sv", "sr"),
    *("snapshot", "ses", "rscc", "rscd", "rsce", "rscl", "rsct"),
)
_FIELDS = frozenset(_LINES) - {_RESOURCE, "snapshot"} | {"sig"}
_CONTAINER = "c"
_TIME = "%Y-%m-%dT%H:%M:%SZ"


class Refused(Exception):
    """A signature is not good; ``reason`` is what its holder may be told."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def signed(key: bytes, resource: str, *, permissions: str, starts_at: int, ends_at: int, protocols: str) -> str:
    """
    Return the query that allows something at a container for a while; moments are cut to seconds.

    ``resource`` is ``/blob/<account>/<container>``. ``protocols`` may be empty: any.
    """
    fields = {
        "sv": VERSION,
        "st": _time(starts_at),
        "se": _time(ends_at),
        "sr": _CONTAINER,
        "sp": permissions,
        **({"spr": protocols} if protocols else {}),
    }
    return urlencode({**fields, "sig": _signature(key, resource, fields)})


def permissions_of(key: bytes, resource: str, query: Iterable[tuple[str, str]], now: int) -> str:
    """
    Return what the query of a request may do at a container.

    Raises:
        Refused: nothing: it was not signed with this key for this container, or it is not its time.
    """
    given = [(name, value) for name, value in query if name in _FIELDS]
    fields = dict(given)
    if max(Counter(name for name, _ in given).values(), default=0) > 1 or not _is_genuine(key, resource, fields):
        raise Refused("Signature did not match.")
    if fields.get("sv") != VERSION or fields.get("sr") != _CONTAINER:
        raise Refused("Signature fields not well formed.")
    if not _moment(fields.get("st", "")) <= now < _moment(fields.get("se", "")):
        raise Refused("Signature not valid in the specified time frame.")
    return fields.get("sp", "")


def _is_genuine(key: bytes, resource: str, fields: Mapping[str, str]) -> bool:
    expected = _signature(key, resource, fields).encode()
    return hmac.compare_digest(expected, fields.get("sig", "").encode("utf-8", "surrogatepass"))


def _signature(key: bytes, resource: str, fields: Mapping[str, str]) -> str:
    text = "\n".join({**fields, _RESOURCE: resource}.get(name, "") for name in _LINES)
    digest = hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def _time(moment: int) -> str:
    return datetime.fromtimestamp(moment // 1000, UTC).strftime(_TIME)


def _moment(text: str) -> int:
    try:
        return int(datetime.strptime(text, _TIME).replace(tzinfo=UTC).timestamp()) * 1000
    except ValueError:
        raise Refused("Signature fields not well formed.") from None
