"""
The store of a history: the code of every store, on a database in memory, with a writer that has no thread.

What may go wrong with a disk goes wrong here: it is slow, it is full for a while, a commit fails for all who share it,
or nobody hears that it succeeded.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TypeVar

from headrace.store.database import Store, StoreUnavailable, Transaction
from headrace.store.memory import Memory
from headrace.store.reserve import Reserve
from headrace.store.writer import LARGEST_COMMIT, Piece, Writer, answer_all

T = TypeVar("T")


class Disk:
    """
    One database and what is wrong with it.

    ``failing`` and ``lost`` are how likely a commit fails, and how likely one succeeds without anybody hearing of it.
    ``on_commit`` looks at what was committed.
    """

    def __init__(self, memory: Memory, luck: Random) -> None:
        self.memory = memory
        self.luck = luck
        self.is_full = False
        self.failing = self.lost = 0.0
        self.slowness = 0.004
        self.counts: Counter[str] = Counter()
        self.on_commit: Callable[[Transaction], None] = lambda _: None

    def look(self, work: Callable[[Transaction], T]) -> T:
        """Look at what is committed, as nobody in the history can."""
        return self.memory.read(work)


class _Writer(Writer):
    """The writer, run by the event loop: what waits when its turn comes shares a commit."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._dialect = disk.memory
        self._remembers = True
        self._queue: list[Piece] = []
        self._is_coming = False

    async def write(self, work: Callable[[Transaction], T]) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.append(Piece.of(work, future, loop))
        if not self._is_coming:
            self._is_coming = True
            loop.call_later(self._disk.luck.random() * self._disk.slowness, self._write_next)
        return await future

    def write_now(self, work: Callable[[Transaction], T]) -> T:
        with self._disk.memory.core.begin():
            return work(Transaction(self._disk.memory.core, self._dialect.translate))

    def close(self) -> None:
        self._queue.clear()

    def _write_next(self) -> None:
        disk, loop = self._disk, asyncio.get_running_loop()
        most = LARGEST_COMMIT if disk.luck.random() < 0.8 else 1 + int(disk.luck.random() * 3)
        pieces, self._queue = self._queue[:most], self._queue[most:]
        self._try_to_commit(pieces)
        loop.call_later(disk.luck.random() * disk.slowness, answer_all, pieces)
        self._is_coming = bool(self._queue)
        if self._is_coming:
            loop.call_later(disk.luck.random() * disk.slowness, self._write_next)

    def _try_to_commit(self, pieces: list[Piece]) -> None:
        disk = self._disk
        drawn = disk.luck.random()
        if disk.is_full or drawn < disk.failing:
            disk.counts["disk full" if disk.is_full else "commit failed"] += 1
            return _fail(pieces, "database or disk is full")
        self._commit(disk.memory.core, pieces)
        disk.counts["commits"] += 1
        disk.counts["commits shared"] += len(pieces) > 1
        disk.look(disk.on_commit)
        if drawn > 1 - disk.lost:
            disk.counts["commit unknown"] += 1
            _fail(pieces, "the connection was lost while it committed")
        return None


def _fail(pieces: list[Piece], why: str) -> None:
    for piece in pieces:
        piece.error = StoreUnavailable(f"the store cannot take anything now: {why}")


class SimulatedStore(Store):
    """The store as one life has it. With its life over it refuses everything."""

    def __init__(self, disk: Disk) -> None:
        self.directory = Path("memory")
        self._disk = disk
        self._dialect = disk.memory
        self._closed = False
        self._writer = _Writer(disk)
        self.reserve = Reserve(self.directory)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        self._refuse_if_closed()
        luck = self._disk.luck
        await asyncio.sleep(luck.random() * 0.001 if luck.random() < 0.2 else 0)
        found = self.read_now(work)
        await asyncio.sleep(0)
        return found

    def read_now(self, work: Callable[[Transaction], T]) -> T:
        self._refuse_if_closed()
        return self._disk.memory.read(work)

    async def checkpoint(self) -> bool:
        return True

    def close(self) -> None:
        self._closed = True
        self._writer.close()

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")
