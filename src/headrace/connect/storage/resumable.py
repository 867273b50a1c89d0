"""
Google's resumable uploads, which both of its interfaces have: pieces one after the other, and a file with the last.

Where nothing was heard of a piece, Google is asked how far it came, and goes on from there.
"""

import asyncio
from collections.abc import Callable

from headrace.connect.storage.calls import Calls, Lost, waits
from headrace.connect.storage.objects import absent_is_fine
from headrace.connect.storage.storage import PASSES, NotStored
from headrace.model.http import Headers, Request, Response

FOR_A_PART = 120.0
#: A piece that is not the last is a whole number of these.
_UNIT = 256 << 10


class ResumableUpload:
    """One upload. The end of what came is held back, for the last piece is sent in another way."""

    def __init__(self, calls: Calls, url: str, tag_of: Callable[[Response], str]) -> None:
        self._calls = calls
        self._url = url
        self._tag_of = tag_of
        self._held = b""
        self._start = 0

    async def part(self, number: int, data: bytes) -> None:
        come = memoryview(self._held + data)
        ready = (len(come) - 1) // _UNIT * _UNIT if len(come) > 2 * _UNIT else 0
        self._held = bytes(come[ready:])
        if ready:
            await self._send(bytes(come[:ready]), is_last=False)
            self._start += ready

    async def finish(self, *, replaces: bool) -> str:
        return self._tag_of(await self._send(self._held, is_last=True))

    async def abort(self) -> None:
        await absent_is_fine(self._calls.ask(Request("DELETE", self._url)))

    async def _send(self, data: bytes, *, is_last: bool) -> Response:
        """Send what is not there yet, until it is."""
        end = self._start + len(data)
        total = str(end) if is_last else "*"
        came, is_lost = self._start, False
        failure = NotStored("unreached", "It was not tried.")
        for wait in waits():
            await asyncio.sleep(wait)
            try:
                answer = await self._ask(data, came, end, total)
                if answer.status != 308:
                    return answer
                came = _came(answer)
                if not is_last and came >= end:
                    return answer
                if came < self._start:
                    raise NotStored("gone", "The storage has lost what it had of this file.")
            except NotStored as error:
                failure, is_lost = error, is_lost or isinstance(error, Lost)
                if error.cause not in PASSES:
                    break
                came = -1  # Ask first.
        raise (Lost if is_lost else NotStored)(failure.cause, failure.message) from None

    async def _ask(self, data: bytes, came: int, end: int, total: str) -> Response:
        if came < 0 or came >= end:
            return await self._calls.ask(self._put(f"bytes */{total}", b""), again=False)
        part = data[came - self._start :]
        return await self._calls.ask(self._put(f"bytes {came}-{end - 1}/{total}", part), within=FOR_A_PART, again=False)

    def _put(self, said: str, data: bytes) -> Request:
        headers: Headers = (("content-range", said),)
        return Request("PUT", self._url, headers, data)


def _came(answer: Response) -> int:
    """Read how many bytes there are: ``Range: bytes=0-99`` are a hundred."""
    last = (answer.header("range") or "").rpartition("-")[2]
    return int(last) + 1 if last.isdecimal() else 0
