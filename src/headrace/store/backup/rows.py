"""The tables of a backup: read as they stand at one moment, and filled again, on any database."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import JSON, Boolean, MetaData, text
from sqlalchemy import Table as SqlTable

from headrace.errors import OperationError
from headrace.store.backup.archive import TOGETHER, Column, Row, Rows, Table
from headrace.store.database import Transaction

#: Rows that are fetched at once where the database is asked over a connection.
_FETCHED = 200
#: Kept by the migrations, which a restore runs.
_VERSION = "alembic_version"
#: What lets somebody in for a while, or says what is under way: nothing of it holds after a restore.
PASSING = frozenset({"access_tokens", "sessions", "begun_sign_ins", "executors", "sign_in_failures"})


def tables(tx: Transaction) -> tuple[Table, ...]:
    """Return the tables that a store has, in whatever form, so that none comes before one that it points to."""
    return tuple(
        Table(table.name, tuple(Column(column.name, _kind(column.type)) for column in table.columns))
        for table in _reflected(tx)
        if table.name not in PASSING
    )


def read(tx: Transaction, table: Table) -> Iterator[Rows]:
    """Yield the rows of a table as any database takes them, so many together as make a member."""
    sql = f"SELECT {', '.join(_selected(column) for column in table.columns)} FROM {_quoted(table.name)}"  # noqa: S608
    found = tx.core.execute(text(sql).execution_options(yield_per=_FETCHED))
    some: Rows = []
    size = 0
    for row in found:
        some.append([bytes(value) if isinstance(value, memoryview) else value for value in row])
        size += _size(row)
        if size >= TOGETHER:
            yield some
            some, size = [], 0
    if some:
        yield some


def _selected(column: Column) -> str:
    return f"CAST({_quoted(column.name)} AS TEXT)" if column.kind == "json" else _quoted(column.name)


def _size(row: Row) -> int:
    return 16 * len(row) + sum(len(value) for value in row if isinstance(value, str | bytes | memoryview))


class Filler:
    """Fills the tables of a new store, in the order in which a backup has them."""

    def __init__(self, tx: Transaction, kept: tuple[Table, ...]) -> None:
        """
        Hold the tables that were kept against those that there are.

        Raises:
            OperationError: they are not the same.
        """
        self._driver: Any = tx.core.connection.driver_connection
        self._is_sqlite = tx.core.dialect.name == "sqlite"
        there = {table.name: table for table in _reflected(tx)}
        for table in kept:
            mine = there.get(table.name)
            if mine is None or {column.name for column in mine.columns} != {column.name for column in table.columns}:
                raise OperationError(
                    f"the backup holds the table {table.name!r} in another form than this Headrace knows: restore it"
                    " with the version that made it"
                )
        self._tables = {table.name: table for table in kept}

    def fill(self, name: str, rows: Rows) -> None:
        """Put rows into a table."""
        table = self._tables[name]
        names = ", ".join(_quoted(column.name) for column in table.columns)
        flags = [place for place, column in enumerate(table.columns) if column.kind == "boolean"]
        for row in rows if flags else ():
            for place in flags:
                row[place] = None if row[place] is None else bool(row[place])
        if self._is_sqlite:
            places = ", ".join("?" * len(table.columns))
            self._driver.executemany(f"INSERT INTO {_quoted(name)} ({names}) VALUES ({places})", rows)  # noqa: S608
            return
        with self._driver.cursor().copy(f"COPY {_quoted(name)} ({names}) FROM STDIN") as copying:
            for row in rows:
                copying.write_row(row)


def number_on(tx: Transaction) -> None:
    """Have a database that numbers rows by sequences go on after the rows that were filled in."""
    if tx.core.dialect.name == "sqlite":
        return
    for table in _reflected(tx):
        for column in table.primary_key.columns:
            named = {"table": _quoted(table.name), "column": column.name}
            sequence = tx.core.execute(text("SELECT pg_get_serial_sequence(:table, :column)"), named).scalar_one()
            if sequence is not None:
                last = f"SELECT max({_quoted(column.name)}) FROM {_quoted(table.name)}"  # noqa: S608
                tx.core.execute(text(f"SELECT setval(:sequence, coalesce(({last}), 1))"), {"sequence": sequence})


def _reflected(tx: Transaction) -> list[SqlTable]:
    there = MetaData()
    there.reflect(tx.core, only=lambda name, _: name != _VERSION and not name.startswith("sqlite_"))
    return list(there.sorted_tables)


def _kind(of: Any) -> str:
    return "json" if isinstance(of, JSON) else "boolean" if isinstance(of, Boolean) else ""


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
