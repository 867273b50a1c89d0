"""
The one thread that writes.

It takes what is waiting, runs each piece of work inside its own savepoint, commits once, and only then answers all of
them: hundreds of acknowledgements for one sync of the disk. On a database that several processes have, a transaction
begins with waiting for the others; what has come meanwhile goes with it.
"""

import asyncio
import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine

from headrace.crashpoints import crashpoint
from headrace.store.dialect import Dialect, StoreFull
from headrace.store.transaction import Transaction, explained

T = TypeVar("T")

#: The exit code of a process that does not know what is on its disk (EX_IOERR).
IN_DOUBT = 74
#: Pieces of work that share one commit, at the most.
LARGEST_COMMIT = 256


class Piece:
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

    @classmethod
    def of(cls, work: Callable[[Transaction], T], future: "asyncio.Future[T]", loop: asyncio.AbstractEventLoop) -> Self:
        """Make a piece whose answer goes to a future of an event loop, if somebody still waits."""
        return cls(work, _unless_gone(future, "set_result"), _unless_gone(future, "set_exception"), loop)

    def answer(self) -> None:
        if self.error is not None:
            self.on_error(self.error)
        else:
            self.on_result(self.result)


class Writer:
    """
    Writes, in the order in which work was handed in.

    A commit that fails fails for all who share it: of what a server that went away was asked to commit, nobody knows
    what became. Its connection is given up, and the next commit begins on a new one.

    ``on_full`` is called when there was no room for something. A disk that fails to keep what it was given ends the
    process.
    """

    def __init__(self, dialect: Dialect, on_full: Callable[[], None] = lambda: None, *, remembers: bool = True) -> None:
        self._dialect = dialect
        self._on_full = on_full
        self._remembers = remembers
        self._engine: Engine = dialect.engine(writes=True)
        self._pieces: queue.SimpleQueue[Piece | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="store-writer", daemon=True)
        self._thread.start()

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run work in a transaction and return its result once that is on disk."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._pieces.put(Piece.of(work, future, loop))
        return await future

    def write_now(self, work: Callable[[Transaction], T]) -> T:
        """Run work in a transaction and wait in this thread."""
        future: Future[T] = Future()
        self._pieces.put(Piece(work, future.set_result, future.set_exception, None))
        return future.result()

    def close(self) -> None:
        """Commit what is waiting, and end."""
        self._pieces.put(None)
        self._thread.join()
        self._engine.dispose()

    def _write_all(self) -> None:
        connection: Connection | None = None
        while pieces := self._next_pieces():
            try:
                connection = connection or self._engine.connect()
                self._commit(connection, pieces)
            except Exception as error:
                if self._dialect.is_in_doubt(getattr(error, "orig", None) or error):
                    _end_at_once()
                for piece in pieces:
                    piece.error = piece.error or explained(error, self._dialect)
                _give_up(connection)
                connection = None
            if any(isinstance(piece.error, StoreFull) for piece in pieces):
                self._on_full()
            _answer(pieces)
        if connection is not None:
            connection.close()

    def _next_pieces(self) -> list[Piece]:
        """Wait for work and take all that is there, up to one commit's worth. Nothing: the store closes."""
        first = self._pieces.get()
        if first is None:
            return []
        pieces = [first]
        self._add_waiting(pieces)
        return pieces

    def _add_waiting(self, pieces: list[Piece]) -> None:
        """Add what is there by now. That the store closes is put back, for the next time."""
        while len(pieces) < LARGEST_COMMIT:
            try:
                piece = self._pieces.get_nowait()
            except queue.Empty:
                return
            if piece is None:
                self._pieces.put(None)
                return
            pieces.append(piece)

    def _commit(self, connection: Connection, pieces: list[Piece]) -> None:
        with connection.begin():
            if self._dialect.is_shared:
                self._add_waiting(pieces)
            transaction = Transaction(connection, self._dialect.translate, remembers=self._remembers)
            for piece in pieces:
                self._run_alone(transaction, piece)
                crashpoint("after_piece")
            self._dialect.tell(connection, transaction.woken)
            crashpoint("before_commit")
        crashpoint("after_commit")

    def _run_alone(self, transaction: Transaction, piece: Piece) -> None:
        """Run a piece so that its failure undoes it and nothing else."""
        transaction.run("SAVEPOINT piece")
        try:
            piece.result = piece.work(transaction)
        except Exception as error:
            piece.error = explained(error, self._dialect)
            transaction.run("ROLLBACK TO SAVEPOINT piece")
        transaction.run("RELEASE SAVEPOINT piece")


def _end_at_once() -> None:
    """End the process: the disk failed to keep what it was given, and nothing may be answered on its word any more."""
    os.write(
        2, b"headrace: the disk failed to keep what was written (fsync): this process ends at once; see the disk\n"
    )
    os._exit(IN_DOUBT)


def _give_up(connection: Connection | None) -> None:
    if connection is not None:
        connection.invalidate()
        connection.close()


def _unless_gone(future: "asyncio.Future[Any]", method: str) -> Callable[[Any], None]:
    """Return the future's method, for when nobody gave up waiting."""

    def answer(value: Any) -> None:
        if not future.cancelled():
            getattr(future, method)(value)

    return answer


def _answer(pieces: list[Piece]) -> None:
    """Answer pieces where they wait, one wake-up for each event loop."""
    for loop in {piece.loop for piece in pieces}:
        mine = [piece for piece in pieces if piece.loop is loop]
        if loop is None:
            answer_all(mine)
        elif not loop.is_closed():
            loop.call_soon_threadsafe(answer_all, mine)


def answer_all(pieces: list[Piece]) -> None:
    """Answer pieces that wait in this event loop or thread."""
    for piece in pieces:
        piece.answer()
