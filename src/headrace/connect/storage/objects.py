"""
What all storages of objects have in common: a large file is staged in parts, which become a file when it is published;
a small one waits in memory, and is put then.

Each file carries a mark of its own among its metadata. Where nobody knows whether the last step was done, the mark of
what is there says so, and it says whose file it is where two write at once.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Coroutine
from contextlib import aclosing, suppress
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, Protocol

from headrace.connect.storage.calls import Lost
from headrace.connect.storage.storage import NotStored, Staged, Stored, forgotten, where_allowed
from headrace.errors import AuthoringError

#: The name under which a file has its mark.
MARK = "headrace-write"
#: How large a part is; and after how many parts the next are twice as large, for storages count them.
PART = 5 << 20
_PARTS = 2500
#: Seconds in which what was begun is taken back.
_TO_UNDO = 20.0
#: The most bytes of small files that wait in memory; the others are uploaded as a single part.
_KEPT = 4 * PART
_NO_STORAGE = "What answers there is no storage of this kind; see that the endpoint is the storage's own."


@dataclass(frozen=True, slots=True)
class Seen:
    """An object as it is now."""

    size: int
    tag: str
    mark: str


class Upload(Protocol):
    """A file that is not one yet. Parts count from 1; several are under way at once where the storage takes that."""

    async def part(self, number: int, data: bytes) -> None:
        """Send a part; one of a number that was sent takes its place."""
        ...

    async def finish(self, *, replaces: bool) -> str:
        """Make it a file, and return its tag."""
        ...

    async def abort(self) -> None:
        """Take it back with all its parts; afterwards it becomes no file. One that is gone is fine."""
        ...


class Objects(Protocol):
    """One kind of storage of objects, by their whole keys. Raises ``NotStored``, and ``Lost`` where nobody knows."""

    at_once: int

    async def put(self, key: str, data: bytes, mark: str, *, replaces: bool) -> str:
        """Store an object at once, and return its tag."""
        ...

    async def begin(self, key: str, mark: str, *, replaces: bool) -> Upload:
        """Begin one of parts."""
        ...

    async def look(self, key: str) -> Seen | None:
        """Return an object; ``None``: there is none, and the place for it is there."""
        ...

    async def remove(self, key: str) -> None:
        """Remove an object, if there is one."""
        ...

    async def clear(self, key: str) -> None:
        """Take back what was begun of a key by us, as far as the storage tells."""
        ...


class ObjectStorage:
    """The ``Storage`` that is made of ``Objects``, below a folder."""

    def __init__(self, objects: Objects, folder: str) -> None:
        self._objects = objects
        self._folder = folder
        self._keeping = _Keeping()

    async def stage(self, path: str, pieces: AsyncIterable[bytes | memoryview], *, replaces: bool = False) -> Staged:
        """Upload a file, or keep it if it is small; see ``Storage``."""
        staged = self._new(path, replaces)
        await staged.refuse_another()
        return await self._staged(staged, pieces)

    async def write(self, path: str, pieces: AsyncIterable[bytes | memoryview], *, replaces: bool = False) -> Stored:
        """Store a file, by a single request if it is small; see ``Storage``."""
        staged = await self._staged(self._new(path, replaces), pieces)
        return await staged.publish()

    async def clear(self, path: str) -> None:
        """Take back what was being staged under a path; see ``Storage``."""
        with where_allowed():
            await self._objects.clear(key_of(self._folder, path))

    def _new(self, path: str, replaces: bool) -> "ObjectStaged":
        return ObjectStaged(self._objects, path, key_of(self._folder, path), replaces, self._keeping)

    async def _staged(self, staged: "ObjectStaged", pieces: AsyncIterable[bytes | memoryview]) -> "ObjectStaged":
        parts = cut(pieces)
        async with aclosing(parts):
            first, is_all = await anext(parts)
            if not (is_all and staged.keep(first)):
                await staged.upload(first, parts)
        return staged

    async def look(self, path: str) -> Stored | None:
        """Return a file; ``None``: there is none."""
        seen = await self._objects.look(key_of(self._folder, path))
        return None if seen is None else Stored(path, seen.size, seen.tag)

    async def remove(self, path: str) -> None:
        """Remove a file, if there is one."""
        await self._objects.remove(key_of(self._folder, path))

    async def check(self) -> None:
        """Look for a tiny file of a name that nobody else uses, write it, find it there, and remove it."""
        path = f"headrace-check-{token_hex(8)}-may-be-deleted"
        if await self.look(path) is not None:
            raise NotStored("refused", _NO_STORAGE)  # Such as a page of the web, which has whatever one asks for.
        try:
            await self.write(path, _one(b"headrace\n"))
            if await self.look(path) is None:
                raise NotStored("refused", _NO_STORAGE)
        finally:
            await self.remove(path)


@dataclass(slots=True)
class _Keeping:
    """How many bytes of small files wait in memory."""

    size: int = 0


class ObjectStaged:
    """A file that is parts, or bytes in memory; see ``Staged``."""

    def __init__(self, objects: Objects, path: str, key: str, replaces: bool, keeping: _Keeping) -> None:
        self.path = path
        self.size = 0
        self._objects = objects
        self._key = key
        self._mark = token_hex(16)
        self._replaces = replaces
        self._keeping = keeping
        self._kept: bytes | None = None
        self._upload: Upload | None = None

    async def publish(self) -> Stored:
        """See ``Staged``."""
        try:
            stored = await self._published()
        except BaseException as error:
            await self._take_back(may_be_there=isinstance(error, asyncio.CancelledError))
            raise
        self._let_go()
        return stored

    async def discard(self) -> None:
        """See ``Staged``."""
        await self._take_back(may_be_there=False)

    def keep(self, data: bytes) -> bool:
        """Keep a small file in memory, if there is room for it; say whether there is."""
        if self._keeping.size + len(data) > _KEPT:
            return False
        self._kept, self.size = data, len(data)
        self._keeping.size += self.size
        return True

    async def upload(self, first: bytes, rest: AsyncIterator[tuple[bytes, bool]]) -> None:
        """Upload a file in parts."""
        await self.refuse_another()
        self._upload = await self._begun()
        try:
            await self._send(self._upload, first, rest)
        except BaseException:
            await self.discard()
            raise

    async def refuse_another(self) -> None:
        """Spare the way where a file is there; that none comes in between is for the last step to see to."""
        if not self._replaces and await self._objects.look(self._key) is not None:
            raise _exists(self.path)

    async def _begun(self) -> Upload:
        """Begin; whoever is cancelled meanwhile waits until that is known which has to be taken back."""
        begun = asyncio.ensure_future(self._objects.begin(self._key, self._mark, replaces=self._replaces))
        try:
            return await asyncio.shield(begun)
        except asyncio.CancelledError:
            with suppress(NotStored, TimeoutError):
                async with asyncio.timeout(_TO_UNDO):
                    await (await begun).abort()
            raise

    async def _send(self, upload: Upload, first: bytes, rest: AsyncIterator[tuple[bytes, bool]]) -> None:
        lanes = _Lanes(self._objects.at_once)
        try:
            self.size, number = len(first), 1
            await lanes.start(upload.part(1, first))
            del first
            async for data, _ in rest:
                self.size, number = self.size + len(data), number + 1
                await lanes.start(upload.part(number, data))
                del data
            await lanes.end()
        finally:
            await lanes.stop()

    async def _published(self) -> Stored:
        if self._upload is not None:
            await self.refuse_another()
            return await self._finished(self._upload)
        if self._kept is None:
            raise NotStored("gone", forgotten(self.path))
        return await self._put(self._kept)

    async def _put(self, data: bytes) -> Stored:
        try:
            return await self._believed(await self._objects.put(self._key, data, self._mark, replaces=self._replaces))
        except Lost as lost:
            return await self._found_or(lost)

    async def _finished(self, upload: Upload) -> Stored:
        try:
            return await self._believed(await upload.finish(replaces=self._replaces))
        except NotStored as lost:
            if not isinstance(lost, Lost) and lost.cause != "gone":
                raise
            with suppress(NotStored):
                return await self._found_or(lost)
            await upload.abort()  # From here on it does not come late either.
            return await self._found_or(lost)

    async def _believed(self, tag: str) -> Stored:
        """Return what was stored; of whoever does not say as what, it is asked whether it is there."""
        if tag:
            return self._stored(tag)
        seen = await self._objects.look(self._key)
        if seen is None or seen.mark != self._mark:
            raise NotStored("refused", _NO_STORAGE)
        return self._stored(seen.tag)

    async def _found_or(self, lost: NotStored) -> Stored:
        """Return what was stored although nobody was told; else raise why it was not."""
        seen = await self._objects.look(self._key)
        if seen is not None and seen.mark == self._mark and seen.size == self.size:
            return self._stored(seen.tag)
        if seen is not None and not self._replaces:
            raise _exists(self.path)
        raise NotStored(lost.cause, forgotten(self.path) if lost.cause == "gone" else lost.message)

    async def _take_back(self, *, may_be_there: bool) -> None:
        """Take back what was begun, as far as the storage can be asked."""
        upload = self._let_go()
        with suppress(NotStored, TimeoutError):
            async with asyncio.timeout(_TO_UNDO):
                if upload is not None:
                    await upload.abort()
                seen = await self._objects.look(self._key) if may_be_there else None
                if seen is not None and seen.mark == self._mark:
                    await self._objects.remove(self._key)

    def _let_go(self) -> Upload | None:
        """Hold nothing any more; return what was begun."""
        self._keeping.size -= len(self._kept or b"")
        upload, self._upload, self._kept = self._upload, None, None
        return upload

    def _stored(self, tag: str) -> Stored:
        return Stored(self.path, self.size, tag)


class _Lanes:
    """Runs a few at once; the first that fails is raised to whoever starts another, or waits for the end."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._running: set[asyncio.Task[None]] = set()

    async def start(self, work: Coroutine[Any, Any, None]) -> None:
        self._running.add(asyncio.create_task(work))
        while len(self._running) >= self._most:
            await self._some()

    async def end(self) -> None:
        while self._running:
            await self._some()

    async def stop(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _some(self) -> None:
        done, self._running = await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()


async def cut(pieces: AsyncIterable[bytes | memoryview]) -> AsyncGenerator[tuple[bytes, bool]]:
    """Yield parts of one size, each with whether it is all there is; no more than a part is held back."""
    held, number = bytearray(), 0
    async for piece in pieces:
        left = memoryview(piece).cast("B")
        while left:
            if len(held) == _size_of(number):
                yield bytes(held), False
                held, number = bytearray(), number + 1
            room = _size_of(number) - len(held)
            held += left[:room]
            left = left[room:]
    yield bytes(held), number == 0


def _size_of(number: int) -> int:
    return PART << (number // _PARTS)


def folder_of(text: str) -> str:
    """
    Read a folder as an author wrote it.

    Raises:
        AuthoringError: a name in it means another folder.
    """
    names = [name for name in text.split("/") if name]
    if any(name in (".", "..") for name in names) or any(ord(character) < 32 for character in text):
        raise AuthoringError("The storage's path has a name such as '..' or a control character; write plain names.")
    return "/".join(names)


def key_of(folder: str, path: str) -> str:
    """Return the whole key of a file."""
    return f"{folder}/{path}" if folder else path


def _exists(path: str) -> NotStored:
    return NotStored("exists", f"There is a file '{path}' already.")


async def _one(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def absent_is_fine(asked: Awaitable[Any]) -> None:
    """Await what removes; that there was nothing is no failure."""
    try:
        await asked
    except NotStored as error:
        if error.cause != "gone":
            raise
