"""
The store on SQLite: one file, in WAL mode with ``synchronous=FULL``, so that a commit returns when the disk has it.

No other process has the file: who opens a store holds the lock on its data directory.
"""

import sqlite3
from collections.abc import AsyncGenerator, Collection
from functools import lru_cache
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool, StaticPool

from headrace.errors import DataError, OperationError
from headrace.store.dialect import StoreFull, StoreUnavailable, rewrite

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=5000",
    "PRAGMA cache_size=-65536",
    "PRAGMA wal_autocheckpoint=4000",
    "PRAGMA secure_delete=ON",  # What is erased is not left lying in the file.
)
#: The disk did not take what it was told to keep. A second try may say that it has, and it has not.
_UNKEPT = frozenset({sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC})


class Sqlite:
    """A store in a file."""

    is_shared = False
    #: White space is folded so that the driver's cache of statements sees short texts.
    translate = staticmethod(lru_cache(maxsize=512)(rewrite))

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def name(self) -> str:
        return str(self._path)

    def engine(self, *, writes: bool) -> Engine:
        """Make an engine whose transactions begin when we say so, a writer's with the write lock taken at once."""
        pool = StaticPool if writes else QueuePool
        engine = create_engine(
            f"sqlite:///{self._path}", poolclass=pool, connect_args={"check_same_thread": False}, hide_parameters=True
        )

        @event.listens_for(engine, "connect")
        def _prepare(driver: sqlite3.Connection, _record: object) -> None:
            driver.isolation_level = None
            for pragma in (*_PRAGMAS, f"PRAGMA query_only={0 if writes else 1}"):
                driver.execute(pragma)

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

        return engine

    def checkpoint(self) -> bool:
        """Move the log into the file and empty it, so that nothing of the past is in it; says whether that was done."""
        connection = sqlite3.connect(self._path, isolation_level=None)
        try:
            connection.execute("PRAGMA busy_timeout=5000")
            busy: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            return not busy
        except sqlite3.OperationalError:
            return False
        finally:
            connection.close()

    def explain(self, error: BaseException) -> OperationError | DataError | None:
        if isinstance(error, sqlite3.OperationalError) and _code(error) == sqlite3.SQLITE_FULL:
            return StoreFull(f"the store cannot take anything now: {error}")
        if isinstance(error, sqlite3.OperationalError):
            return StoreUnavailable(f"the store cannot take anything now: {error}")
        return None

    def hold(self, connection: Connection, form: str) -> None:
        """Nothing is to be done: no other process has the file."""

    def exclude(self, connection: Connection) -> None:
        """Nothing is to be done: no other process has the file."""

    def tell(self, connection: Connection, woken: Collection[str]) -> None:
        """There is nobody to tell."""

    async def hear(self) -> AsyncGenerator[str | None, None]:
        """There is nobody to hear."""
        return
        yield

    def is_in_doubt(self, error: BaseException) -> bool:
        return _code(error) in _UNKEPT


def _code(error: BaseException) -> int | None:
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return code
