"""Copying the control tables: what people declare and who they are, as it stands at one moment, into a SQLite file."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Column, Connection, MetaData, Table, create_engine

from headrace.errors import OperationError
from headrace.store.database import Transaction
from headrace.store.tables import DATA

_ROWS_AT_ONCE = 1000


def copy(tx: Transaction, target: Path) -> Path:
    """
    Copy every table that is no data table, in whatever form it has, into a file for its owner's eyes only.

    The file is there whole or not at all; one of the same name gives way to it.

    Raises:
        OperationError: it cannot be written.
    """
    there = MetaData()
    there.reflect(tx.core, only=lambda name, _: name not in DATA)
    temporary = target.with_suffix(".new")
    try:
        temporary.unlink(missing_ok=True)
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        _write(tx.core, there.tables.values(), temporary)
        _sync(temporary)
        temporary.replace(target)
        _sync(target.parent)
    except OSError as error:
        raise OperationError(f"the copy {target} cannot be written: {error.strerror}") from None
    return target


def _write(source: Connection, tables: Iterable[Table], path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}", hide_parameters=True)
    copies = MetaData()
    pairs = [(table, _plain(table, copies)) for table in tables]
    with engine.begin() as connection:
        copies.create_all(connection)
        for table, kept in pairs:
            rows = source.execute(table.select().execution_options(yield_per=_ROWS_AT_ONCE)).mappings()
            for some in rows.partitions():
                connection.execute(kept.insert(), [dict(row) for row in some])
    engine.dispose()


def _plain(table: Table, copies: MetaData) -> Table:
    """Name the columns of a table as any database has them, without what ties them to others."""
    columns: list[Column[Any]] = []
    for column in table.columns:
        kind = column.type.as_generic()
        kept = JSON(none_as_null=True) if isinstance(kind, JSON) else kind
        columns.append(Column(column.name, kept, primary_key=column.primary_key))
    return Table(table.name, copies, *columns)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
