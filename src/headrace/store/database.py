"""
The store: one writer that commits groups of transactions together, and readers beside it.

It stands on SQLite in the data directory, or on PostgreSQL (``sqlite.py``, ``postgres.py``); nothing else here knows on
which. One process at a time has a store on SQLite, and any number have one on PostgreSQL.
"""

import asyncio
import fcntl
import pkgutil
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TextIO, TypeVar

from headrace.errors import OperationError
from headrace.store.dialect import Dialect, StoreUnavailable
from headrace.store.reserve import Reserve
from headrace.store.scanning import Profiles
from headrace.store.sqlite import Sqlite
from headrace.store.transaction import Transaction, explained
from headrace.store.writer import Writer

__all__ = ["Store", "StoreUnavailable", "Transaction"]

T = TypeVar("T")

#: The file of a store on SQLite, in the data directory.
FILE = "headrace.db"


class Store:
    """
    The store of one data directory, which is locked for this process, or for those who have the same database.

    ``write`` answers after the disk has the commit; work that raises is rolled back alone. ``reserve`` is given up when
    the disk is full.
    """

    def __init__(
        self, directory: Path, dialect: Dialect, lock: TextIO, address: str, *, remembers: bool = True
    ) -> None:
        self.directory = directory
        self._address = address
        self._dialect = dialect
        self._lock = lock
        self._closed = False
        self.reserve = Reserve(directory)
        self._writer = Writer(dialect, self._make_room, remembers=remembers)
        self._reading = dialect.engine(writes=False)
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="store-reader")

    @classmethod
    def open(cls, directory: Path, database_url: str = "", *, remembers: bool = True) -> "Store":
        """
        Open the store of a data directory, made if need be: the one in it, or the PostgreSQL database at an address.

        It ``remembers`` what became of whom, or what became of how many alone.

        Raises:
            OperationError: another process has it, it cannot be reached, or it cannot be written.
        """
        dialect = _dialect(directory, database_url)
        lock, address = _lock(directory, is_shared=dialect.is_shared), database_url or str(directory / FILE)
        store = cls(directory, dialect, lock, address, remembers=remembers)
        try:
            store.write_now(lambda tx: None)
        except Exception:
            store.close()
            raise
        return store

    @property
    def name(self) -> str:
        """What the store is called in a message: its file, or its database."""
        return self._dialect.name

    @property
    def is_shared(self) -> bool:
        """Whether other processes may have it, too."""
        return self._dialect.is_shared

    def people(self, tenant: int) -> Profiles:
        """Return the people of a sandbox, to be read as columns by processes of their own."""
        return Profiles(self._address, not self.is_shared, tenant)

    def hold(self, tx: Transaction, form: str) -> None:
        """Keep the form of the tables as it is for as long as the store is open here."""
        self._dialect.hold(tx.core, form)

    def exclude(self, tx: Transaction) -> None:
        """
        Keep other processes out until the transaction ends.

        Raises:
            OperationError: one has the store.
        """
        self._dialect.exclude(tx.core)

    def hear(self) -> AsyncGenerator[str | None, None]:
        """
        Yield whom other processes woke (``Transaction.wake``); first ``None``, once it listens.

        Raises:
            StoreUnavailable: it was not made, or is lost.
        """
        return self._dialect.hear()

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run work in a transaction and return its result once that is on disk."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        return await self._writer.write(work)

    def write_now(self, work: Callable[[Transaction], T]) -> T:
        """Run work in a transaction and wait in this thread. Never inside other work: it would wait for ever."""
        return self._writer.write_now(work)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run work on a snapshot of what is committed."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read_now, work)

    def read_now(self, work: Callable[[Transaction], T]) -> T:
        """Run work on a snapshot in this thread: for rare look-ups from where nothing can be awaited."""
        try:
            with self._reading.connect() as connection, connection.begin():
                return work(Transaction(connection, self._dialect.translate))
        except Exception as error:
            meant = explained(error, self._dialect)
            if meant is error:
                raise
            raise meant from error

    async def checkpoint(self) -> bool:
        """Leave nothing of what was removed in the log of the database; says whether that was done."""
        return await asyncio.to_thread(self._dialect.checkpoint)

    def _make_room(self) -> None:
        """Give up the reserve, and move the log into the file: what waits there to be moved takes its room twice."""
        if not self.reserve.is_short:
            self.reserve.release()
            self._dialect.checkpoint()

    def close(self) -> None:
        """Commit what is waiting and release the data directory."""
        self._closed = True
        self._writer.close()
        self._readers.shutdown()
        self._reading.dispose()
        self._lock.close()


def _dialect(directory: Path, database_url: str) -> Dialect:
    """Choose the database; the driver of PostgreSQL is imported, and need be there, only where it is used."""
    if not database_url:
        return Sqlite(directory / FILE)
    try:
        postgres = pkgutil.resolve_name("headrace.store.postgres:Postgres")
    except ImportError as error:
        raise OperationError(
            f"PostgreSQL needs a driver that is not installed: pip install 'headrace[postgres]' ({error})"
        ) from None
    dialect: Dialect = postgres(database_url)
    return dialect


def _lock(directory: Path, *, is_shared: bool) -> TextIO:
    """Make the data directory and take it for this process, or for those who have the same database."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (directory / "lock").open("w")
    except OSError as error:
        raise OperationError(f"the data directory {directory} cannot be written: {error.strerror}") from None
    try:
        fcntl.flock(lock, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise OperationError(f"the data directory {directory} is in use by another process") from None
    return lock
