"""
The store on PostgreSQL, through psycopg.

The one connection that writes holds an advisory lock of the database for as long as it lives, so the server itself
keeps a second writer out: a connection that is lost has lost the lock too, and its successor takes it again before it
writes anything.
"""

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.errors import LockNotAvailable, ProgramLimitExceeded, ReadOnlySqlTransaction
from psycopg.types.numeric import Int8Dumper
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool, StaticPool

from headrace.errors import DataError, OperationError
from headrace.store.dialect import NotStorable, StoreUnavailable, rewrite

#: The advisory lock of the process that writes: "headrace" as a number of 64 bits.
_LOCK = int.from_bytes(b"headrace")
#: How long to wait for it: what a process that was killed held is free in a moment.
_PATIENCE = "3s"

#: Seconds after which plans that the writer keeps are made anew: tables have grown since.
REPLAN = 2.0

_CONNECT = {
    "connect_timeout": 10,
    "application_name": "headrace",
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # Milliseconds: keepalives do not speak up while something is waiting to be heard of.
}
#: A partner that died is noticed by the server too, so that its lock is not held for hours. What is written is found
#: row by row: left to its figures, the planner reads whole tables that were small when it last looked.
_WRITER = """
    SET synchronous_commit = on;
    SET tcp_keepalives_idle = 30;
    SET tcp_keepalives_interval = 10;
    SET tcp_keepalives_count = 3;
    SET jit = off;
    SET enable_seqscan = off;
    SET enable_hashjoin = off;
    SET enable_mergejoin = off
"""
_READER = "SET jit = off"


class Postgres:
    """A store in a database of a PostgreSQL server."""

    def __init__(self, database_url: str) -> None:
        """
        Take the address of a database: ``postgresql://user@host/database``.

        Raises:
            OperationError: it is none.
        """
        self._url = _read(database_url)

    @property
    def name(self) -> str:
        host = self._url.host or self._url.query.get("host") or "this machine"
        return f"the database {self._url.database or self._url.username or ''!r} on {host}"

    def engine(self, *, writes: bool) -> Engine:
        """Make an engine: one connection with the lock to write, or some that read one moment each."""
        pool, prepare = (StaticPool, self._prepare_writer) if writes else (QueuePool, _prepare_reader)
        engine = create_engine(
            self._url, poolclass=pool, pool_pre_ping=not writes, connect_args=_CONNECT, hide_parameters=True
        )

        @event.listens_for(engine, "connect")
        def _prepare(driver: psycopg.Connection, _record: object) -> None:
            try:
                driver.adapters.register_dumper(int, Int8Dumper)  # One statement is prepared, whatever its numbers.
                driver.autocommit = True
                prepare(driver)
                driver.autocommit = False
            except Exception:
                driver.close()
                raise

        if writes:
            event.listen(engine, "begin", _Replanning())
        else:
            engine.dialect.do_ping = _pinging(engine.dialect.do_ping)  # type: ignore[assignment]
        return engine

    @staticmethod
    @lru_cache(maxsize=512)
    def translate(sql: str) -> str:
        return rewrite(sql, "%({})s".format)

    def checkpoint(self) -> bool:
        """Leave it to the server: what is dead in its pages is vacuumed, and its log is its own."""
        return True

    def explain(self, error: BaseException) -> OperationError | DataError | None:
        if isinstance(error, ProgramLimitExceeded) or (isinstance(error, psycopg.DataError) and "NUL" in str(error)):
            return NotStorable()
        if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | ReadOnlySqlTransaction):
            return StoreUnavailable(f"the store cannot take anything now: {str(error).partition(chr(10))[0]}")
        return None

    def is_in_doubt(self, error: BaseException) -> bool:
        """Say no: a server that cannot sync ends itself, and its log brings back what it had acknowledged."""
        return False

    def _prepare_writer(self, driver: psycopg.Connection) -> None:
        driver.execute(_WRITER)
        _check_encoding(driver, self.name)
        driver.execute(f"SET lock_timeout = '{_PATIENCE}'")
        try:
            driver.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        except LockNotAvailable:
            raise StoreUnavailable(f"{self.name} is in use by another process") from None
        driver.execute("RESET lock_timeout")


class _Replanning:
    """Has the plans of a connection made anew from time to time, at the beginning of a transaction."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, connection: Connection) -> None:
        now = time.monotonic()
        if now - self._last >= REPLAN:
            self._last = now
            connection.exec_driver_sql("DISCARD PLANS")


def _pinging(ping: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """
    Say of a pooled connection that broke off while it was asked that it is gone: another one is made.

    The dialect puts ``autocommit`` back before it lets anybody know, and trips over the state of what broke off.
    """

    def answers(driver: Any) -> bool:
        try:
            return ping(driver)
        except psycopg.ProgrammingError:
            return False

    return answers


def _prepare_reader(driver: psycopg.Connection) -> None:
    driver.execute(_READER)
    driver.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    driver.read_only = True


def _check_encoding(driver: psycopg.Connection, name: str) -> None:
    encoding = driver.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise OperationError(f"{name} is encoded in {encoding}: make one with ENCODING 'UTF8'")


def _read(database_url: str) -> URL:
    try:
        url = make_url(database_url)
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.drivername not in ("postgresql", "postgres"):
        raise OperationError(
            "HEADRACE_DATABASE_URL is not the address of a PostgreSQL database: postgresql://user@host/database"
        )
    return url.set(drivername="postgresql+psycopg")
