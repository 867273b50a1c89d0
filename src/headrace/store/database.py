"""
The database: one writer that commits groups of transactions together, and readers beside it.

SQLite in WAL mode with ``synchronous=FULL``: a commit returns when the disk has it. A single writer thread takes what
is waiting, runs each piece of work inside its own savepoint, commits once, and only then answers all of them: hundreds
of acknowledgements for one sync of the disk.
"""

import asyncio
import fcntl
import queue
import re
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any, TextIO, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool, StaticPool

from headrace.errors import HeadraceError, OperationError

T = TypeVar("T")

#: Pieces of work that share one commit, at the most.
LARGEST_COMMIT = 256

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=5000",
    "PRAGMA cache_size=-65536",
    "PRAGMA wal_autocheckpoint=4000",
)


class StoreUnavailable(OperationError):
    """The store cannot take anything now: the disk is full or does not answer."""

    code = "store-unavailable"


class Transaction:
    """
    What a piece of work is handed.

    ``core`` is SQLAlchemy's connection. ``run`` and ``many`` go straight to the driver with the same named parameters:
    two and a half times cheaper a row, for the paths that every change takes.
    """

    def __init__(self, core: Connection) -> None:
        self.core = core
        driver = core.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        self._driver = driver

    def run(self, sql: str, parameters: Mapping[str, Any] | None = None) -> sqlite3.Cursor:
        """Run one statement with named parameters (``:name``)."""
        return self._driver.execute(_folded(sql), parameters or {})

    def many(self, sql: str, rows: Iterable[Mapping[str, Any]]) -> sqlite3.Cursor:
        """Run one statement for every row."""
        return self._driver.executemany(_folded(sql), rows)


@lru_cache(maxsize=512)
def _folded(sql: str) -> str:
    """Fold white space, so that the driver's statement cache sees short texts."""
    return re.sub(r"\s+", " ", sql).strip()


class _Piece:
    """One piece of work, and where its answer goes: ``loop`` is the event loop that waits, if one does."""

    __slots__ = ("error", "loop", "on_error", "on_result", "result", "work")

    def __init__(
        self,
        work: Callable[[Transaction], Any],
        on_result: Callable[[Any], None],
        on_error: Callable[[BaseException], None],
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        self.work = work
        self.on_result = on_result
        self.on_error = on_error
        self.loop = loop
        self.result: Any = None
        self.error: BaseException | None = None

    def answer(self) -> None:
        if self.error is not None:
            self.on_error(self.error)
        else:
            self.on_result(self.result)


class Store:
    """
    The store of one data directory, locked for this process alone.

    ``write`` answers after the disk has the commit; work that raises is rolled back alone.
    """

    def __init__(self, path: Path, lock: TextIO) -> None:
        self.path = path
        self._lock = lock
        self._closed = False
        self._writing = _engine(path, writes=True)
        self._reading = _engine(path, writes=False)
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="store-reader")
        self._pieces: queue.SimpleQueue[_Piece | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_all, name="store-writer", daemon=True)
        self._writer.start()

    @classmethod
    def open(cls, directory: Path) -> "Store":
        """
        Open the store in a data directory, made and brought to the newest form if need be.

        Raises:
            OperationError: another process has it, or it cannot be written.
        """
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = (directory / "lock").open("w")
        except OSError as error:
            raise OperationError(f"the data directory {directory} cannot be written: {error.strerror}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise OperationError(f"the data directory {directory} is in use by another process") from None
        return cls(directory / "headrace.db", lock)

    @property
    def engine(self) -> Engine:
        """The writing engine, for migrations before any work begins."""
        return self._writing

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run work in a transaction and return its result once that is on disk."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._pieces.put(_Piece(work, _unless_gone(future, "set_result"), _unless_gone(future, "set_exception"), loop))
        return await future

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run work on a snapshot of what is committed."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    def read_now(self, work: Callable[[Transaction], T]) -> T:
        """Run work on a snapshot in this thread: for rare look-ups from where nothing can be awaited."""
        return self._read(work)

    def write_now(self, work: Callable[[Transaction], T]) -> T:
        """Run work in a transaction and wait in this thread. Never inside other work: it would wait for ever."""
        future: Future[T] = Future()
        self._pieces.put(_Piece(work, future.set_result, future.set_exception, None))
        return future.result()

    def close(self) -> None:
        """Commit what is waiting and release the data directory."""
        self._closed = True
        self._pieces.put(None)
        self._writer.join()
        self._readers.shutdown()
        self._reading.dispose()
        self._writing.dispose()
        self._lock.close()

    def _read(self, work: Callable[[Transaction], T]) -> T:
        with self._reading.connect() as connection:
            return work(Transaction(connection))

    def _write_all(self) -> None:
        with self._writing.connect() as connection:
            while True:
                pieces = self._next_pieces()
                if not pieces:
                    return
                self._commit(connection, pieces)
                _answer(pieces)

    def _next_pieces(self) -> list[_Piece]:
        """Wait for work and take all that is there, up to one commit's worth. Nothing: the store closes."""
        pieces: list[_Piece] = []
        piece = self._pieces.get()
        while piece is not None:
            pieces.append(piece)
            if len(pieces) >= LARGEST_COMMIT:
                break
            try:
                piece = self._pieces.get_nowait()
            except queue.Empty:
                break
        if piece is None and pieces:
            self._pieces.put(None)
        return pieces

    def _commit(self, connection: Connection, pieces: list[_Piece]) -> None:
        try:
            with connection.begin():
                transaction = Transaction(connection)
                for piece in pieces:
                    _run_alone(transaction, piece)
        except Exception as error:
            for piece in pieces:
                piece.error = piece.error or _explained(error)


def _run_alone(transaction: Transaction, piece: _Piece) -> None:
    """Run a piece so that its failure undoes it and nothing else."""
    transaction.run("SAVEPOINT piece")
    try:
        piece.result = piece.work(transaction)
    except Exception as error:
        piece.error = _explained(error)
        transaction.run("ROLLBACK TO piece")
    transaction.run("RELEASE piece")


def _explained(error: Exception) -> Exception:
    if isinstance(error, HeadraceError):
        return error
    original = getattr(error, "orig", error)
    if isinstance(original, sqlite3.OperationalError):
        return StoreUnavailable(f"the store cannot take anything now: {original}")
    return error


def _unless_gone(future: "asyncio.Future[Any]", method: str) -> Callable[[Any], None]:
    """Return the future's method, for when nobody gave up waiting."""

    def answer(value: Any) -> None:
        if not future.cancelled():
            getattr(future, method)(value)

    return answer


def _answer(pieces: list[_Piece]) -> None:
    """Answer pieces where they wait, one wake-up for each event loop."""
    for loop in {piece.loop for piece in pieces}:
        mine = [piece for piece in pieces if piece.loop is loop]
        if loop is None:
            _answer_all(mine)
        elif not loop.is_closed():
            loop.call_soon_threadsafe(_answer_all, mine)


def _answer_all(pieces: list[_Piece]) -> None:
    for piece in pieces:
        piece.answer()


def _engine(path: Path, *, writes: bool) -> Engine:
    """Make an engine whose transactions begin when we say so, a writer's with the write lock taken at once."""
    pool = StaticPool if writes else QueuePool
    engine = create_engine(
        f"sqlite:///{path}", poolclass=pool, connect_args={"check_same_thread": False}, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def _prepare(driver: sqlite3.Connection, _record: object) -> None:
        driver.isolation_level = None
        for pragma in _PRAGMAS:
            driver.execute(pragma)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
