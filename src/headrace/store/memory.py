"""
SQLite in memory, for one thread: a database that is there at once, and can be kept and brought back as bytes.

It is for simulations, which begin a thousand times from the same state. Everything above it is the code of every store.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import StaticPool

from headrace.store.sqlite import Sqlite
from headrace.store.transaction import Transaction

T = TypeVar("T")


class Memory(Sqlite):
    """A store in memory. Its only connection writes and reads."""

    def __init__(self) -> None:
        super().__init__(Path("memory"))
        self._driver = sqlite3.connect(":memory:", isolation_level=None, cached_statements=512)
        self._driver.execute("PRAGMA foreign_keys=ON")
        self._engine = self._made()
        self.core = self._engine.connect()

    def engine(self, *, writes: bool) -> Engine:
        return self._engine

    def image(self) -> bytes:
        """Return the whole database."""
        return self._driver.serialize()

    def load(self, image: bytes) -> None:
        """Make the database what it was when an image of it was taken."""
        self._driver.deserialize(image)

    def read(self, work: Callable[[Transaction], T]) -> T:
        """Run work on what is committed; inside other work, on what that sees."""
        if self.core.in_transaction():
            return work(Transaction(self.core, self.translate))
        try:
            return work(Transaction(self.core, self.translate))
        finally:
            if self.core.in_transaction():
                self.core.rollback()

    def checkpoint(self) -> bool:
        return True

    def close(self) -> None:
        self.core.close()
        self._engine.dispose()
        self._driver.close()

    def _made(self) -> Engine:
        engine = create_engine("sqlite://", creator=lambda: self._driver, poolclass=StaticPool, hide_parameters=True)

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN")

        return engine
