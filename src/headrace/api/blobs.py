"""
Landing zones as Azure's blob service shows containers, for reading alone: `/landing/<account>/<container>/<blob>`.

This door is not in the OpenAPI document: its form is Azure's, and what lets in is the signature in the query, which was
handed out by the API's own door.
"""

import asyncio
import base64
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from headrace.api import blob_answers, blob_ranges
from headrace.api.blob_answers import BlobError
from headrace.connect.storage import served
from headrace.connect.storage.served import Opened, Seen, Wanted
from headrace.errors import OperationError
from headrace.events import Announce, LandingRefused, RequestFailed, told
from headrace.services.landing import sas
from headrace.services.landing.zones import ACCOUNT, PREFIX, Admitted, LandingZones
from headrace.store.database import StoreUnavailable

#: Requests that are answered at a time, and of these for one container; further ones are told to come back.
AT_ONCE, AT_ONCE_EACH = 64, 32
#: Lists that are made at a time: one of a large folder takes a thread for long.
_LISTS_AT_ONCE = 2
#: Files that are listed at a time, as the service does.
MOST_LISTED = 5000
#: Bytes that are read and sent at a time, and seconds in which a client has to take them.
_PIECE, _PATIENCE = 256 << 10, 60.0
_READING, _WRITING = ("GET", "HEAD"), ("PUT", "POST", "DELETE", "PATCH")
Query = list[tuple[str, str]]
#: Versions of a file, of which there are none but the one.
_OTHERS = ("snapshot", "versionid")


class Blobs:
    """The door, as an ASGI application."""

    def __init__(self, zones: LandingZones, announce: Announce) -> None:
        self._zones = zones
        self._announce = announce
        self._places = asyncio.Semaphore(AT_ONCE)
        self._lists = asyncio.Semaphore(_LISTS_AT_ONCE)
        self._busy = Counter[Path]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await WebSocketClose()(scope, receive, send)
            return
        if self._places.locked():
            await self._refused(Request(scope), BlobError("ServerBusy"))(scope, receive, send)
            return
        request, query = Request(scope), _query(scope)
        async with self._places, AsyncExitStack() as held:
            answer = await self._answered(request, query, held)
            await answer(scope, receive, send)

    async def _answered(self, request: Request, query: Query, held: AsyncExitStack) -> "Response | _File":
        try:
            container, blob = _named(request.scope["path"])
            admitted = await self._admitted(container, query)
            held.enter_context(self._counted(admitted.directory))
            return await self._asked(_Asking(request, dict(query), admitted), container, blob)
        except BlobError as refused:
            return self._refused(request, refused)
        except (StoreUnavailable, OperationError):
            return self._refused(request, BlobError("ServerBusy"))
        except Exception as error:  # Azure's clients read no other form.
            self._announce(RequestFailed(method=request.method, path=request.url.path, error=told(error)))
            return self._refused(request, BlobError("InternalError"))

    async def _asked(self, asking: "_Asking", container: str, blob: str) -> "Response | _File":
        if asking.method not in _READING:
            raise BlobError("AuthorizationPermissionMismatch" if asking.method in _WRITING else "UnsupportedHttpVerb")
        if blob:
            return await asking.file(blob)
        async with self._lists:
            return await asking.files(container)

    @contextmanager
    def _counted(self, directory: Path) -> Iterator[None]:
        """Hold a place of a container: who is slow with one leaves room for the others."""
        if self._busy[directory] >= AT_ONCE_EACH:
            raise BlobError("ServerBusy")
        self._busy[directory] += 1
        try:
            yield
        finally:
            self._busy[directory] -= 1
            self._busy += Counter()  # Forgets those that are at nought.

    async def _admitted(self, container: str, query: Query) -> Admitted:
        try:
            return await self._zones.admit(container, query)
        except sas.Refused as refused:
            raise BlobError("AuthenticationFailed", refused.reason) from None

    def _refused(self, request: Request, refused: BlobError) -> Response:
        self._announce(LandingRefused(code=refused.code))
        answer = blob_answers.error(refused)
        answer.headers.update(blob_answers.common(request))
        return answer


@dataclass(frozen=True, slots=True)
class _Asking:
    """One request of somebody who was let in."""

    _request: Request
    _query: dict[str, str]
    _admitted: Admitted

    @property
    def method(self) -> str:
        return self._request.method

    async def file(self, name: str) -> "Response | _File":
        """Answer a file, or what it is."""
        self._must_have(sas.READ)
        if "comp" in self._query:
            raise BlobError("InvalidQueryParameterValue")
        opened = None
        if not self._query.keys() & set(_OTHERS):
            opened = await asyncio.to_thread(served.open_file, self._admitted.directory, name)
        if opened is None:
            raise BlobError("BlobNotFound")
        try:
            return self._file(opened)
        except BaseException:
            os.close(opened.handle)
            raise

    def _file(self, opened: Opened) -> "Response | _File":
        request, seen = self._request, opened.seen
        common = blob_answers.common(request)
        if blob_ranges.is_unchanged(request.headers, seen):
            os.close(opened.handle)
            answer = blob_answers.not_modified(seen)
            answer.headers.update(common)
            return answer
        part = blob_ranges.range_of(request.headers, seen) if request.method == "GET" else None
        return _File(opened, part, {**common, **blob_answers.properties(seen)})

    async def files(self, container: str) -> Response:
        """Answer the files of a container, a page of them."""
        if self._query.get("restype") != "container" or self._query.get("comp") != "list":
            raise BlobError("AuthorizationFailure")
        self._must_have(sas.LIST)
        most, wanted = self._most(), self._wanted()
        try:
            found, is_more = await asyncio.to_thread(served.page, self._admitted.directory, wanted, most)
        except OSError:
            raise BlobError("ContainerNotFound") from None
        asked = {name: self._query.get(name.lower(), "") for name in ("Prefix", "Marker", "MaxResults", "Delimiter")}
        service = f"{str(self._request.base_url).rstrip('/')}/{ACCOUNT}/"
        answer = blob_answers.listed(service, container, asked, found, _marker(found) if is_more else "")
        answer.headers.update(blob_answers.common(self._request))
        return answer

    def _must_have(self, permission: str) -> None:
        if permission not in self._admitted.permissions:
            raise BlobError("AuthorizationPermissionMismatch")

    def _most(self) -> int:
        text = self._query.get("maxresults") or str(MOST_LISTED)
        if not text.isascii() or not text.isdigit():
            raise BlobError("InvalidQueryParameterValue")
        if not text.strip("0"):
            raise BlobError("OutOfRangeQueryParameterValue")
        return min(int(text[:20]), MOST_LISTED)

    def _wanted(self) -> Wanted:
        delimiter = self._query.get("delimiter", "")
        if delimiter not in ("", "/"):
            raise BlobError("InvalidQueryParameterValue")
        return Wanted(self._query.get("prefix", ""), _after(self._query.get("marker", "")), bool(delimiter))


class _File:
    """A file, or a part of it, as it is sent: closed whatever happens."""

    def __init__(self, opened: Opened, part: tuple[int, int] | None, headers: dict[str, str]) -> None:
        self._opened = opened
        self._at, self._end = part or (0, opened.seen.size)
        self._is_part = part is not None
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        left = asyncio.create_task(_until_left(receive))
        try:
            await send({"type": "http.response.start", "status": 206 if self._is_part else 200, "headers": self._raw()})
            while scope["method"] != "HEAD" and self._at < self._end and not left.done():
                await self._send_piece(send)
            if scope["method"] == "HEAD" or self._at == self._end:
                await send({"type": "http.response.body", "body": b""})
        except TimeoutError:  # The server breaks off what is not whole.
            return
        finally:
            os.close(self._opened.handle)
            left.cancel()
            await asyncio.gather(left, return_exceptions=True)

    async def _send_piece(self, send: Send) -> None:
        wanted = min(_PIECE, self._end - self._at)
        piece = await asyncio.to_thread(os.pread, self._opened.handle, wanted, self._at)
        if not piece:
            raise OSError("the file has become shorter than it was")
        self._at += len(piece)
        async with asyncio.timeout(_PATIENCE):
            await send({"type": "http.response.body", "body": piece, "more_body": True})

    def _raw(self) -> list[tuple[bytes, bytes]]:
        headers = {**self._headers, "Content-Length": str(self._end - self._at)}
        if self._is_part:
            headers["Content-Range"] = f"bytes {self._at}-{self._end - 1}/{self._opened.seen.size}"
        return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]


async def _until_left(receive: Receive) -> None:
    """Return once the client is gone, or sends more than it may."""
    with suppress(Exception):
        while (await receive())["type"] != "http.disconnect":
            pass


def _query(scope: Scope) -> Query:
    return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)


def _named(path: str) -> tuple[str, str]:
    """Return the container and the blob, if there is one, that a path names."""
    account, _, rest = path.removeprefix(f"{PREFIX}/").partition("/")
    container, _, blob = rest.partition("/")
    if account != ACCOUNT or not container:
        raise BlobError("InvalidUri")
    return container, blob


def _marker(found: list[Seen]) -> str:
    return base64.urlsafe_b64encode(found[-1].name.encode()).decode()


def _after(marker: str) -> str:
    try:
        return base64.b64decode(marker.encode(), b"-_", validate=True).decode()
    except ValueError:
        raise BlobError("InvalidQueryParameterValue") from None
