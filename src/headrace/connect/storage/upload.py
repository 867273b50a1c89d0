"""
A file on its way to a server of SFTP, under a name that nobody takes for a file: see ``unseen``.

What is sent stays in memory until the server has acknowledged it and everything before it: a few megabytes, whatever
the file's size. Where the connection breaks off, those are sent again over the next one, to the place they had.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Final

import asyncssh

from headrace.connect.storage.line import BROKEN, STEP, WAITS, Line, told
from headrace.connect.storage.storage import NotStored

#: The most bytes that are sent as one, and that are under way together.
BLOCK: Final = 128 * 1024
WINDOW: Final = 32 * BLOCK
#: Seconds that the server may take to have the file on its disk.
_SYNC = 600.0
_CHANGED = "What the server has of the file is not what was sent, after the connection broke off; send it once more."
_SHORT = "The server has {} of the {} bytes that were sent; send the file once more."
_FULL = "The server takes no more of the file, as one does that is full or whose quota for this user is used up."


@dataclass(frozen=True, slots=True)
class Mark:
    """What tells a file apart from another under the same name."""

    size: int
    modified: int | None


@dataclass(slots=True)
class _Sent:
    offset: int
    data: bytes
    task: "asyncio.Task[None]"


class Upload:
    """One file; ``size`` is what was sent of it."""

    def __init__(self, line: Line, path: str) -> None:
        self._line = line
        self.path = path
        self.size = 0
        self._sent: deque[_Sent] = deque()
        self._last: tuple[int, bytes] | None = None
        self._file: asyncssh.SFTPClientFile | None = None
        self._client: asyncssh.SFTPClient | None = None
        self._tries = 0
        self._block = BLOCK

    async def send(self, pieces: AsyncIterable[bytes | memoryview]) -> None:
        """
        Send everything, and return when the server has acknowledged it.

        Raises:
            NotStored: it did not.
        """
        await self._line.steadily(self._begin)
        async for block in blocks(pieces, self._block):
            self._sent.append(_Sent(self.size, block, self._started(self.size, block)))
            self.size += len(block)
            while self.size - self._arrived >= WINDOW:
                await self._acknowledged()
        while self._sent:
            await self._acknowledged()

    async def seal(self) -> Mark:
        """
        Have the server put the file on its disk, where it offers that, and see that all of it is there.

        Raises:
            NotStored: it is not.
        """
        attributes = await self._line.steadily(self._sealed, within=_SYNC)
        if attributes.size != self.size:
            raise NotStored("unreached", _SHORT.format(attributes.size, self.size))
        return Mark(self.size, attributes.mtime)

    async def give_up(self) -> None:
        """Stop sending, and remove what there is of it if the connection is still there."""
        await self._stop()
        await self._line.quietly(self._remove)

    async def _remove(self, client: asyncssh.SFTPClient) -> None:
        if self._file is not None and self._client is client:
            await self._file.close()  # A file that is open keeps its room even without a name.
        await client.remove(self.path)

    async def _begin(self, client: asyncssh.SFTPClient) -> None:
        flags = asyncssh.FXF_WRITE | asyncssh.FXF_CREAT | asyncssh.FXF_TRUNC
        self._client, self._file = client, await _opened(client, self.path, flags)
        self._block = min(BLOCK, client.limits.max_write_len)

    def _started(self, offset: int, block: bytes) -> "asyncio.Task[None]":
        assert self._file is not None, "it has begun"
        return asyncio.create_task(self._write(self._file, offset, block))

    async def _write(self, file: asyncssh.SFTPClientFile, offset: int, block: bytes) -> None:
        try:
            await file.write(block, offset)
        except BROKEN:
            raise
        except asyncssh.SFTPFailure:
            raise NotStored("full", _FULL) from None
        except asyncssh.SFTPError as error:
            raise told(error, self._line.where) from None

    async def _acknowledged(self) -> None:
        """Wait until the oldest block has arrived; where it cannot arrive any more, begin again from there."""
        first = self._sent[0]
        done, _ = await asyncio.wait({first.task}, timeout=STEP)
        error = first.task.exception() if done else TimeoutError()
        if error is None:
            self._last = (first.offset, first.data)
            self._sent.popleft()
            self._tries = 0
        elif isinstance(error, NotStored):
            raise error
        else:
            await self._resume()

    async def _resume(self) -> None:
        """Send again what was not acknowledged, over a new connection, after comparing the last that was."""
        await self._stop()
        if self._client is not None:
            self._line.drop(self._client)
        if self._tries > len(WAITS):
            raise NotStored("unreached", "The connection breaks off again and again, and nothing gets through.")
        self._tries += 1
        await self._line.steadily(self._open_again)
        for sent in self._sent:
            sent.task = self._started(sent.offset, sent.data)

    async def _open_again(self, client: asyncssh.SFTPClient) -> None:
        flags = asyncssh.FXF_READ | asyncssh.FXF_WRITE
        try:
            file = await _opened(client, self.path, flags)
            there = (await file.stat()).size or 0
            is_same = there >= self._arrived and await self._is_last_of(file)
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPPermissionDenied):
            is_same = False
        if not is_same:
            raise NotStored("unreached", _CHANGED)
        self._client, self._file = client, file

    @property
    def _arrived(self) -> int:
        return self._sent[0].offset if self._sent else self.size

    async def _is_last_of(self, file: asyncssh.SFTPClientFile) -> bool:
        if self._last is None:
            return True
        offset, data = self._last
        read = b""
        while len(read) < len(data) and (part := await file.read(len(data) - len(read), offset + len(read))):
            read += part if isinstance(part, bytes) else part.encode()
        return read == data

    async def _sealed(self, client: asyncssh.SFTPClient) -> asyncssh.SFTPAttrs:
        if self._client is not client:
            await self._open_again(client)
        assert self._file is not None, "it has begun"
        try:
            await self._file.fsync()
        except asyncssh.SFTPOpUnsupported:
            pass  # It is in the server's hands then, as the documentation says.
        except asyncssh.SFTPFailure:
            raise NotStored("full", _FULL) from None
        self._client = None  # A handle is closed once.
        await self._file.close()
        return await client.stat(self.path)

    async def _stop(self) -> None:
        for sent in self._sent:
            sent.task.cancel()
        await asyncio.gather(*(sent.task for sent in self._sent), return_exceptions=True)


async def _opened(client: asyncssh.SFTPClient, path: str, flags: int) -> asyncssh.SFTPClientFile:
    """Open a file each write of which is one request: asyncssh's own way of several leaves tasks behind."""
    return await client.open(path, flags, encoding=None, block_size=None)


async def blocks(pieces: AsyncIterable[bytes | memoryview], size: int) -> AsyncIterator[bytes]:
    """Cut what comes into blocks of one size, copied: whoever makes the pieces may use their memory again."""
    held = bytearray()
    async for piece in pieces:
        left = memoryview(piece).cast("B")
        while left.nbytes:
            part = left[: size - len(held)]
            held += part
            left = left[part.nbytes :]
            if len(held) == size:
                yield bytes(held)
                held.clear()
    if held:
        yield bytes(held)
