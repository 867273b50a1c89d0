"""
The path of files: rows become parts, every part a file that is staged, and all of them are published together.

    rows (DuckDB) → laid out as lines or pages → compressed → encrypted → counted → staged → published

The first three run in a thread (``parts``), the others on the event loop; a few pieces are between them, so memory is
bounded whatever the size of the export, and whoever is slower sets the pace. When either side fails, or the export is
cancelled, the other ends too.

Nobody sees a part before all are uploaded; then each becomes a file in one step, in order. Whatever was not published
when the block ends is taken back, and what was stays.

The same rows in the same order are the same bytes. An engine that ``keeps_order`` gives the rows of files in the order
in which they stand there; of a join or a grouping, only what an ORDER BY says is promised.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from headrace.batch.handing import Ended, Handing
from headrace.batch.parts import Piece, Rows, write_parts
from headrace.connect.storage import NotStored, Staged, Storage, Stored
from headrace.crashpoints import crashpoint
from headrace.datasets.engine import Engine
from headrace.model.file_format import FileFormat

#: Pieces that wait between the two sides, of a megabyte each.
WAITING = 8
#: Seconds until a query is interrupted, and again.
_PATIENCE = 0.05

Pieces = AsyncGenerator[bytes | memoryview, None]
#: Makes of a file's pieces those that are stored instead: encryption. It takes every one, and is closed by ``aclose``.
Sealing = Callable[[Pieces], Pieces]

#: Runs a function in a thread.
Hashing = Callable[..., Awaitable[None]]


class Progress(Protocol):
    """Is called after every piece, on the event loop: how far the part under way has come."""

    def __call__(self, *, part: int, rows: int, size: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Part:
    """
    A file that was staged. ``plain_size``: its bytes before it was compressed; ``size`` and ``sha256`` are of what is
    stored, encrypted if it is.
    """

    number: int
    path: str
    rows: int
    plain_size: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manner:
    """
    How an export is stored. ``path`` names each part, by its number from 1 on; ``max_rows``: where a part ends, if not
    where the format says; with ``replaces``, files of the same names give way.
    """

    path: Callable[[int], str]
    max_rows: int | None = None
    seal: Sealing | None = None
    replaces: bool = False
    progress: Progress | None = None


class Files:
    """What has been made of the rows so far."""

    def __init__(self, storage: Storage, manner: Manner) -> None:
        self.parts: tuple[Part, ...] = ()
        self.published: tuple[Part, ...] = ()
        self._storage = storage
        self._manner = manner
        self._staged: list[Staged] = []

    async def publish(self) -> tuple[Stored, ...]:
        """
        Make every part a file, in order, once; who raises or is cancelled leaves those that are files by then.

        Raises:
            NotStored: ``exists``, for want of ``replaces``; ``gone``: the storage has forgotten a part.
        """
        stored = []
        while self._staged:
            stored.append(await self._staged.pop(0).publish())
            self.published = self.parts[: len(stored)]
            crashpoint("after_part_published")
        return tuple(stored)

    async def stage(self, file: "_File") -> None:
        path = self._manner.path(file.number)
        async with aclosing(file.sealed(self._manner)) as sealed:
            self._staged.append(await self._storage.stage(path, sealed, replaces=self._manner.replaces))
        self.parts += (file.as_part(path),)
        crashpoint("after_part_staged")

    async def discard(self) -> None:
        """Take back whatever was not published."""
        await asyncio.gather(*(staged.discard() for staged in self._staged))


@asynccontextmanager
async def export(rows: Rows, look: FileFormat, storage: Storage, manner: Manner) -> AsyncIterator[Files]:
    """
    Stage all rows as files, one after the other, for the block to publish; no rows are one file without any.

    Raises:
        ConfigurationError: a column or an option cannot be written; nothing was.
        BadQuery: the query is none.
        OperationError: the rows cannot be read, for want of memory or whatever else.
        NotStored: the storage did not take a part.
    """
    files = Files(storage, manner)
    try:
        async with _laid_out(rows, look, manner.max_rows or look.max_rows) as (pieces, hashing):
            async for first in pieces:
                await files.stage(_File(first, pieces, hashing))
        yield files
    finally:
        await files.discard()


class _File:
    """One part on its way: its pieces as they come from the thread, and what has become of them so far."""

    def __init__(self, first: Piece, others: Handing[Piece], hashing: Hashing) -> None:
        self.number = first.part
        self._piece, self._others, self._hashing = first, others, hashing
        self._sum = hashlib.sha256()
        self._size = 0
        self._is_whole = False

    async def sealed(self, manner: Manner) -> Pieces:
        """Yield what is to be stored, and count it."""
        async with aclosing(manner.seal(self._plain()) if manner.seal else self._plain()) as pieces:
            async for data in pieces:
                await self._hashing(self._sum.update, data)
                self._size += len(data)
                if manner.progress:
                    manner.progress(part=self.number, rows=self._piece.rows, size=self._size)
                yield data
        self._is_whole = True

    def as_part(self, path: str) -> Part:
        if not self._is_whole:
            raise NotStored("refused", f"the storage has taken only the beginning of {path}")
        return Part(
            number=self.number,
            path=path,
            rows=self._piece.rows,
            plain_size=self._piece.plain_size,
            size=self._size,
            sha256=self._sum.hexdigest(),
        )

    async def _plain(self) -> Pieces:
        while not self._piece.is_last:
            yield self._piece.data
            self._piece = await anext(self._others)
        if self._piece.data:
            yield self._piece.data


@asynccontextmanager
async def _laid_out(rows: Rows, look: FileFormat, max_rows: int) -> AsyncIterator[tuple[Handing[Piece], Hashing]]:
    """Lay rows out in a thread while somebody takes the pieces; leave no thread behind, whoever ends first."""
    pieces: Handing[Piece] = Handing(WAITING)
    loop = asyncio.get_running_loop()
    # One thread lays out, the other hashes: neither waits for whoever else is at work in the loop's own threads.
    with ThreadPoolExecutor(2, "export") as threads:
        working = loop.run_in_executor(threads, _lay_out, rows, look, max_rows, pieces)
        try:
            yield pieces, partial(loop.run_in_executor, threads)
        except NotStored:
            # A storage may say in its own words that its pieces failed.
            if pieces.failure is not None:
                raise pieces.failure from None
            raise
        finally:
            pieces.end()
            await _stopped(working, rows.engine)


def _lay_out(rows: Rows, look: FileFormat, max_rows: int, pieces: Handing[Piece]) -> None:
    try:
        write_parts(rows, look, pieces.put, max_rows)
    except Ended:
        pieces.close()
    except BaseException as error:
        pieces.fail(error)
    else:
        pieces.close()


async def _stopped(working: asyncio.Future[None], engine: Engine) -> None:
    """
    Wait until the thread is done, as it is soon where it has something to hand over; interrupt its query otherwise.

    That may come before the query has begun, so it is said again.
    """
    while not working.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([working], timeout=_PATIENCE)
        if not working.done():
            engine.interrupt()
