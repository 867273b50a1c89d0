"""
Queries to a database that the operator declared.

A database cannot be asked again for what it said yesterday, so this is the one format whose rows are copied: into
Parquet, beside the store, when the snapshot is taken. The query is one statement, in a transaction that only reads.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from headrace.datasets.formats.parquet import Parquet, taken
from headrace.datasets.manifest import File, Manifest, Unreadable
from headrace.datasets.rows import Rows, Surroundings, formats
from headrace.datasets.sources import Source
from headrace.model.dataset import Dataset

#: Rows in one file of a copy.
ROWS_OF_A_FILE = 100_000
_STREAMED = {"stream_results": True, "no_parameters": True}
#: PostgreSQL takes one statement alone for a cursor, and only one that answers rows.
_OPTIONS: dict[str, Any] = {"sqlite": _STREAMED, "postgresql": {**_STREAMED, "postgresql_readonly": True}}
#: States of errors that are of the text of the query, or that it wants to write.
_OF_THE_QUERY = ("42", "25")
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}


@formats.register("sql")
class Sql:
    """What a query answers."""

    def take(self, surroundings: Surroundings, dataset: Dataset) -> Manifest:
        """Ask, and copy the answer."""
        source = surroundings.sources.get(dataset.source or "", ("sqlite", "postgresql"))
        directory = Path(surroundings.copies())
        try:
            written = list[Path]()
            for path in _copied(source, dataset.query or "", directory):
                surroundings.go_on()
                written.append(path)
        except SQLAlchemyError as error:
            said = _said(getattr(error, "orig", None) or error)
            raise Unreadable(f"the source {source.name!r} does not answer the query: {said}") from None
        return taken(surroundings, [File.at(path) for path in written])

    def open(self, surroundings: Surroundings, dataset: Dataset, manifest: Manifest) -> Rows:
        """Return the rows of the copy."""
        return Parquet().open(surroundings, dataset, manifest)

    def count(self, rows: Rows, manifest: Manifest) -> int | None:
        """Add up what the footers say."""
        return Parquet().count(rows, manifest)


def _copied(source: Source, query: str, directory: Path) -> Iterator[Path]:
    engine = _engine(source)
    try:
        with engine.connect().execution_options(**_OPTIONS[source.kind]) as connection:
            result = connection.exec_driver_sql(query)
            if not result.returns_rows:
                raise Unreadable("the query answers no rows: write one SELECT")
            names = [*result.keys()]
            _refuse_twice(names)
            for number, rows in enumerate(_parts(result), 1):
                path = directory / f"part-{number:06}.parquet"
                pq.write_table(_table(names, rows, number), path, compression="zstd")
                yield path
    finally:
        engine.dispose()


def _parts(result: Any) -> Iterator[Sequence[Any]]:
    """Yield the rows some at a time, and at least once: an answer without rows has columns too."""
    rows = result.fetchmany(ROWS_OF_A_FILE)
    yield rows
    while rows:
        if rows := result.fetchmany(ROWS_OF_A_FILE):
            yield rows


def _table(names: list[str], rows: Sequence[Any], number: int) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return pa.table({name: _array(name, values, number) for name, values in zip(names, columns, strict=True)})


def _array(name: str, values: Sequence[Any], number: int) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError):
        first = (number - 1) * ROWS_OF_A_FILE + 1
        raise Unreadable(
            f"the column {name[:80]!r} holds different things in rows {first} to {first + len(values) - 1}, or what has"
            " no form here: cast it in the query"
        ) from None


def _refuse_twice(names: list[str]) -> None:
    if len({*names}) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise Unreadable(f"the query answers two columns {twice[:80]!r}: rename one with AS")


def _engine(source: Source) -> Engine:
    try:
        url = make_url(source.url)
    except ArgumentError:
        raise Unreadable(f"the address of the source {source.name!r} is none: mend it in the file of sources") from None
    if source.kind == "sqlite":
        return _sqlite(source, url.database or "")
    try:
        return create_engine(url.set(drivername="postgresql+psycopg"), hide_parameters=True)
    except (NoSuchModuleError, ImportError):
        raise Unreadable(
            f"the source {source.name!r} needs a driver that is not installed: pip install 'headrace[postgres]'"
        ) from None


def _sqlite(source: Source, path: str) -> Engine:
    """Open a SQLite file to read it, and nothing beside it: no other file is attached, no extension loaded."""
    if not Path(path).is_file():
        raise Unreadable(f"the file of the source {source.name!r} is not there")
    address = f"{Path(path).absolute().as_uri()}?mode=ro"
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(address, uri=True, check_same_thread=False))

    @event.listens_for(engine, "connect")
    def guard(connection: sqlite3.Connection, _: Any) -> None:
        def judge(action: int, *_: Any) -> int:
            return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY

        connection.set_authorizer(judge)

    return engine


def _said(error: BaseException) -> str:
    """Return what a driver says of the query; of what it says of data or addresses, only the kind."""
    state = getattr(error, "sqlstate", None)
    is_of_the_query = isinstance(error, sqlite3.Error) or (state is not None and state.startswith(_OF_THE_QUERY))
    return str(error).strip().split("\n")[0] if is_of_the_query else type(error).__name__
