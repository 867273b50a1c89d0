"""
The store on PostgreSQL, through psycopg.

Any number of processes have it, and one of them writes at a time: each transaction of a writer begins with an advisory
lock that is held to its end, so whatever reads before it writes may rely on what it read. Whoever stops in the middle
is cut off by the server after some seconds, and its transaction undone. Each process also holds the form of the tables,
by a lock that it shares with all others.
"""

import time
from collections.abc import AsyncGenerator, Callable, Collection
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.errors import (
    IdleInTransactionSessionTimeout,
    LockNotAvailable,
    ProgramLimitExceeded,
    ReadOnlySqlTransaction,
)
from psycopg.types.numeric import Int8Dumper
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool, StaticPool

from headrace.errors import DataError, OperationError
from headrace.store.dialect import NotStorable, StoreUnavailable, rewrite

#: The advisory lock of whoever writes: "headrace" as a number of 64 bits; and that of the form of the tables.
_LOCK = int.from_bytes(b"headrace")
_FORM_LOCK = _LOCK + 1
#: What the server does for its writers: whoever is silent in the middle of a transaction is cut off, long before those
#: who wait for it give up. It is no limit on how long a statement may take.
_SILENCE = "10s"
_PATIENCE = "20s"
_CHANNEL = "headrace"

#: Seconds after which plans that the writer keeps are made anew: tables have grown since.
REPLAN = 2.0

_CONNECT: dict[str, Any] = {
    "connect_timeout": 10,
    "application_name": "headrace",
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # Milliseconds: keepalives do not speak up while something is waiting to be heard of.
}
#: A machine that died is noticed by the server too, so that its locks are not held for hours. What is written is found
#: row by row: left to its figures, the planner reads whole tables that were small when it last looked.
_WRITER = f"""
    SET idle_in_transaction_session_timeout = '{_SILENCE}';
    SET lock_timeout = '{_PATIENCE}';
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

    is_shared = True

    def __init__(self, database_url: str) -> None:
        """
        Take the address of a database: ``postgresql://user@host/database``.

        Raises:
            OperationError: it is none.
        """
        self._url = _read(database_url)
        self._form: str | None = None

    @property
    def name(self) -> str:
        host = self._url.host or self._url.query.get("host") or "this machine"
        return f"the database {self._url.database or self._url.username or ''!r} on {host}"

    def engine(self, *, writes: bool) -> Engine:
        """Make an engine: one connection whose transactions have the lock, or some that read one moment each."""
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
            event.listen(engine, "begin", _Beginning())
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
        if isinstance(error, _GONE):
            return StoreUnavailable(f"the store cannot take anything now: {str(error).partition(chr(10))[0]}")
        return None

    def is_in_doubt(self, error: BaseException) -> bool:
        """Say no: a server that cannot sync ends itself, and its log brings back what it had acknowledged."""
        return False

    def _prepare_writer(self, driver: psycopg.Connection) -> None:
        driver.execute(_WRITER)
        _check_encoding(driver, self.name)
        if self._form is not None:
            self._hold_again(driver, self._form)

    # -- several processes --------------------------------------------------------------------------------------------

    def hold(self, connection: Connection, form: str) -> None:
        """Keep the form of the tables as it is; a connection that is made anew looks whether it still is that."""
        connection.exec_driver_sql(_SHARE_FORM)
        self._form = form

    def _hold_again(self, driver: psycopg.Connection, form: str) -> None:
        try:
            driver.execute(_SHARE_FORM)
        except LockNotAvailable:
            raise StoreUnavailable(f"{self.name} is being moved to another form") from None
        found = driver.execute("SELECT version_num FROM alembic_version").fetchone()
        if found != (form,):
            raise StoreUnavailable(f"{self.name} was moved to another form meanwhile: start this process again")

    def exclude(self, connection: Connection) -> None:
        """
        Let no other process begin until the transaction ends.

        Raises:
            OperationError: one has the database.
        """
        if not connection.exec_driver_sql(f"SELECT pg_try_advisory_xact_lock({_FORM_LOCK})").scalar_one():
            raise OperationError(f"{self.name} is in use by another process")

    def tell(self, connection: Connection, woken: Collection[str]) -> None:
        """Have others told at the commit; what is said twice is told once."""
        if woken:
            connection.exec_driver_sql(
                "SELECT pg_notify(%s, said) FROM unnest(%s::text[]) AS said", (_CHANNEL, list(woken))
            )

    async def hear(self) -> AsyncGenerator[str | None, None]:
        """
        Yield what others told, on a connection of its own, until that is lost.

        Raises:
            StoreUnavailable: it is, or was not made.
        """
        address = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        try:
            async with await psycopg.AsyncConnection.connect(address, autocommit=True, **_CONNECT) as connection:
                await connection.execute(f"LISTEN {_CHANNEL}")
                yield None
                async for notice in connection.notifies():
                    yield notice.payload
        except psycopg.Error as error:
            raise (self.explain(error) or error) from error


_SHARE_FORM = f"SELECT pg_advisory_lock_shared({_FORM_LOCK})"
_GONE = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    ReadOnlySqlTransaction,
    IdleInTransactionSessionTimeout,
)


_TAKE_LOCK = f"SELECT pg_advisory_xact_lock({_LOCK})"


class _Beginning:
    """
    Begins the transactions of a writer: it takes the lock, and has plans made anew from time to time.

    What is read after the lock is what whoever had it before has committed.
    """

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, connection: Connection) -> None:
        now = time.monotonic()
        if now - self._last >= REPLAN:
            self._last = now
            connection.exec_driver_sql("DISCARD PLANS")
        connection.exec_driver_sql(_TAKE_LOCK)


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
