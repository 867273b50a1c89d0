"""
Backups: everything the store holds at one moment, while everything goes on.

Whoever asks is sent the backup as it is read. One that they do not take in time ends, so that nobody holds the past of
the database open for long.
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from headrace import __version__
from headrace.clock import Clock
from headrace.connect.keyring import Keyring
from headrace.errors import Conflict, OperationError
from headrace.events import Announce, BackupEnded, BackupFailed, told
from headrace.services.caller import Principal
from headrace.store import access, audit
from headrace.store.backup import files, rows
from headrace.store.backup.archive import Head, Sink, Writer
from headrace.store.database import Store, Transaction
from headrace.store.migrate import form_of

#: Pieces that wait to be taken, and for how many seconds whoever asks may leave them there.
AHEAD = 8
PATIENCE = 60.0

_END = object()
Progress = Callable[[str, int], None]


def write(store: Store, sink: Sink, now: int, *, at_rest: bool = False, on_rows: Progress = lambda *_: None) -> int:
    """
    Write a backup of everything that is kept at this moment; returns how many rows it holds.

    ``at_rest``: no process has anything under way, and none begins while this is done.
    """
    form, directory = form_of(store) or "", store.directory
    files.unlink(directory)
    try:
        files.link(directory)

        def work(tx: Transaction) -> int:
            # What is asked first is what makes the moment.
            head = Head(__version__, form, now, at_rest, rows.tables(tx))
            files.link(directory)
            return _write(tx, Writer(sink, head), head, directory, on_rows)

        return store.read_now(work)
    finally:
        files.unlink(directory)


def _write(tx: Transaction, writer: Writer, head: Head, directory: Path, on_rows: Progress) -> int:
    count = 0
    for table in head.tables:
        for some in rows.read(tx, table):
            writer.rows(table.name, some)
            count += len(some)
            on_rows(table.name, len(some))
    for name, path in files.linked(directory):
        writer.file(name, path)
    writer.close()
    return count


@dataclass(frozen=True, slots=True)
class BackingUp:
    """Takes backups for those who ask, one at a time."""

    store: Store
    clock: Clock
    announce: Announce
    keyring: Keyring
    _busy: threading.Lock = field(default_factory=threading.Lock)

    async def take(self, principal: Principal) -> AsyncIterator[bytes]:
        """
        Begin a backup, and return its pieces as they come; one that fails ends without its end.

        Raises:
            Conflict: another is being taken.
        """
        if not self._busy.acquire(blocking=False):
            raise Conflict("a backup is being taken already: wait until it is done")
        try:
            now, number = self.clock.now(), principal.organization.number
            await asyncio.to_thread(self._make_keys)
            await self.store.write(
                lambda tx: audit.note_in_organization(tx, number, principal.actor, "back-up", "store", "", now)
            )
        except BaseException:
            self._busy.release()
            raise
        pipe = _Pipe(asyncio.get_running_loop())
        writing = asyncio.get_running_loop().run_in_executor(None, self._write, pipe, now)
        return self._pieces(pipe, writing)

    async def _pieces(self, pipe: "_Pipe", writing: "asyncio.Future[int]") -> AsyncIterator[bytes]:
        began = self.clock.monotonic()
        try:
            while (piece := await pipe.next()) is not None:
                yield piece
            count = await writing
            seconds = round(self.clock.monotonic() - began, 1)
            self.announce(BackupEnded(rows=count, bytes=pipe.bytes, seconds=seconds))
        except BaseException as error:
            self.announce(BackupFailed(error=told(error)))
            raise
        finally:
            pipe.close()
            await asyncio.gather(writing, return_exceptions=True)

    def _make_keys(self) -> None:
        """Make the keys of organizations that have none: who is erased later is known again only by keys of now."""
        for organization in self.store.read_now(access.all_organizations):
            with contextlib.suppress(OperationError):  # What cannot be had now is no reason to have no backup.
                self.keyring.fingerprint("", organization.name)

    def _write(self, pipe: "_Pipe", now: int) -> int:
        try:
            return write(self.store, pipe, now)
        finally:
            self._busy.release()
            pipe.end()


class Untaken(Exception):
    """Nobody takes the backup any more."""


class _Pipe:
    """Takes bytes from a thread to an event loop, not many ahead of whoever takes them there."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.bytes = 0
        self._loop = loop
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._room = threading.Semaphore(AHEAD)
        self._closed = False

    def write(self, content: bytes) -> int:
        if not self._room.acquire(timeout=PATIENCE) or self._closed:
            raise Untaken
        self.bytes += len(content)
        self._loop.call_soon_threadsafe(self._queue.put_nowait, bytes(content))
        return len(content)

    def end(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._queue.put_nowait, None)

    def close(self) -> None:
        """Have whoever writes stop."""
        self._closed = True
        self._room.release()

    async def next(self) -> bytes | None:
        """Return the next bytes; ``None``: there are no more."""
        piece = await self._queue.get()
        self._room.release()
        return piece
