"""What Azure's storages share: blobs that are put at once or block by block, and become files by a list of blocks."""

import asyncio
import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from secrets import token_hex
from urllib.parse import parse_qsl

from headrace.connect.storage.calls import Calls, Sign, Told, cause_of_status
from headrace.connect.storage.objects import Seen, absent_is_fine
from headrace.connect.storage.sigv4 import escaped, query_of
from headrace.connect.storage.storage import Cause, NotStored
from headrace.connect.transport import Transport
from headrace.connect.url import parse_url
from headrace.errors import AuthoringError
from headrace.model.http import Headers, Request, Response

VERSION = "2021-12-02"
_FOR_A_PART = 120.0
#: The name of the mark, which is of letters, digits and low lines here.
_MARK = "x-ms-meta-headrace_write"
_CONTAINER = re.compile(r"\$root|\$web|[a-z0-9](?:-?[a-z0-9]){2,62}")
_SAID = re.compile(r"[A-Za-z0-9]{1,64}")
_CODE = re.compile(rb"<Code>([A-Za-z0-9]{1,64})</Code>")
_CAUSES: Mapping[str, Cause] = {
    "ContainerNotFound": "no-place",
    "ContainerBeingDeleted": "no-place",
    "FilesystemNotFound": "no-place",
    "ResourceNotFound": "no-place",
    "AccountIsDisabled": "denied",
    "InvalidAuthenticationInfo": "denied",
    "BlobAlreadyExists": "exists",
    "ConditionNotMet": "exists",
    "InvalidBlockList": "gone",
    "InsufficientAccountPermissions": "denied",
    "Md5Mismatch": "busy",
    "OperationTimedOut": "busy",
    "ServerBusy": "busy",
    "LeaseIdMissing": "refused",
}


class Blobs:
    """The blobs of a container."""

    at_once = 2

    def __init__(self, calls: Calls, url: str) -> None:
        self._calls = calls
        self._url = url

    async def put(self, key: str, data: bytes, mark: str, *, replaces: bool) -> str:
        headers = (("x-ms-blob-type", "BlockBlob"), _of_type("application/octet-stream"), _md5(data), (_MARK, mark))
        request = Request("PUT", self._of(key), (*headers, *_condition(replaces)), data)
        return _tag(await self._calls.ask(request, within=_FOR_A_PART))

    async def begin(self, key: str, mark: str, *, replaces: bool) -> "BlockUpload":
        return BlockUpload(self._calls, self._of(key), mark)

    async def look(self, key: str) -> Seen | None:
        try:
            answer = await self._calls.ask(Request("HEAD", self._of(key)))
        except NotStored as error:
            if error.cause == "gone":
                return None
            raise
        return Seen(int(answer.header("content-length") or 0), _tag(answer), answer.header(_MARK) or "")

    async def remove(self, key: str) -> None:
        await absent_is_fine(self._calls.ask(Request("DELETE", self._of(key))))

    async def clear(self, key: str) -> None:
        """Blocks that were never listed cannot be removed; Azure forgets them a week after the last."""

    def _of(self, key: str) -> str:
        return f"{self._url}/{escaped(key)}"


class BlockUpload:
    """
    Blocks of one blob that nobody has listed yet. Their names are of this upload alone: who writes a blob of the same
    name at the same time has others.
    """

    def __init__(self, calls: Calls, url: str, mark: str) -> None:
        self._calls = calls
        self._url = url
        self._mark = mark
        self._prefix = token_hex(8)
        self._most = 0

    async def part(self, number: int, data: bytes) -> None:
        self._most = max(self._most, number)
        query = query_of({"comp": "block", "blockid": self._name(number)})
        headers = (await asyncio.to_thread(_md5, data), _of_type("application/octet-stream"))
        await self._calls.ask(Request("PUT", f"{self._url}?{query}", headers, data), within=_FOR_A_PART)

    async def finish(self, *, replaces: bool) -> str:
        names = "".join(f"<Latest>{self._name(number)}</Latest>" for number in range(1, self._most + 1))
        body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{names}</BlockList>'.encode()
        kind = ("x-ms-blob-content-type", "application/octet-stream")
        headers = (_md5(body), _of_type("application/xml"), kind, (_MARK, self._mark), *_condition(replaces))
        return _tag(await self._calls.ask(Request("PUT", f"{self._url}?comp=blocklist", headers, body)))

    async def abort(self) -> None:
        """Nobody can list these blocks any more; for the rest, see ``Blobs.clear``."""

    def _name(self, number: int) -> str:
        return b64encode(f"{self._prefix}{number:08}".encode()).decode()


def blobs_at(transport: Transport, endpoint: str, container: str, sign: Sign, of_credentials: str = "") -> Blobs:
    """
    Make the blobs of a container at an endpoint, and nowhere else; ``of_credentials`` is told where they are refused.

    Raises:
        AuthoringError: it is no container.
    """
    if not _CONTAINER.fullmatch(container):
        raise AuthoringError("The container's name has 3 to 63 small letters, digits and single hyphens.")
    origin = parse_url(endpoint).origin
    told = Told(origin, f"the container '{container}'", of_credentials)
    calls = Calls(transport, frozenset({origin}), sign, _judge(told))
    return Blobs(calls, f"{endpoint}/{container}")


def stamped(request: Request) -> Request:
    """Return a request with the version it is meant in, and the time."""
    now = format_datetime(datetime.now(UTC), usegmt=True)
    headers = (*request.headers, ("x-ms-version", VERSION), ("x-ms-date", now))
    return Request(request.method, request.url, headers, request.body)


def signed_by_key(request: Request, account: str, key: bytes) -> Request:
    """Return a request that carries a signature by the account's key."""
    said = {name.lower(): value for name, value in request.headers}
    names = ("content-encoding", "content-language", "content-length", "content-md5", "content-type", "date")
    conditions = ("if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range")
    said["content-length"] = str(len(request.body) or "")
    plain = "".join(f"{said.get(name, '')}\n" for name in (*names, *conditions))
    ours = "".join(f"{name}:{said[name]}\n" for name in sorted(said) if name.startswith("x-ms-"))
    path, _, query = parse_url(request.url).path_and_query.partition("?")
    asked = "".join(f"\n{name.lower()}:{value}" for name, value in sorted(parse_qsl(query, keep_blank_values=True)))
    text = f"{request.method}\n{plain}{ours}/{account}{path}{asked}"
    signature = b64encode(hmac.new(key, text.encode(), "sha256").digest()).decode()
    shown = ("authorization", f"SharedKey {account}:{signature}")
    return Request(request.method, request.url, (*request.headers, shown), request.body)


def _judge(told: Told) -> Callable[[Response], NotStored | None]:
    def wrong(answer: Response) -> NotStored | None:
        if answer.status < 300:
            return None
        found = _CODE.search(answer.body)
        said = answer.header("x-ms-error-code") or (found[1].decode() if found is not None else "")
        said = said if _SAID.fullmatch(said) else f"status {answer.status}"
        return told.refused(_CAUSES.get(said) or cause_of_status(answer.status), said)

    return wrong


def _of_type(kind: str) -> tuple[str, str]:
    return ("content-type", kind)


def _md5(data: bytes) -> tuple[str, str]:
    return ("content-md5", b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode())


def _condition(replaces: bool) -> Headers:
    return () if replaces else (("if-none-match", "*"),)


def _tag(answer: Response) -> str:
    return (answer.header("etag") or "").strip('"')
