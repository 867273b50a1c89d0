"""The process that scans: told on standard input what is wanted, it writes an Arrow stream to standard output."""

import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import adbc_driver_sqlite.dbapi
import msgspec
import orjson
import psycopg
import pyarrow as pa
import pyarrow.compute as pc

from headrace.store.scanning import BATCH, OWN, Wanted

_TYPES = {"profile": "int8", "key": "text", "sequence": "int8", "document": "bytea"}


def main() -> None:
    """Scan, and write batch after batch."""
    wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=Wanted)
    with pa.ipc.new_stream(sys.stdout.buffer, wanted.schema) as stream:
        for batch in _of_file(wanted) if wanted.is_file else _of_database(wanted):
            stream.write_batch(_laid_out(batch, wanted))


def read_from_store(wanted: Wanted) -> list[str]:
    """Return the columns of the table that a scan needs: a document only where something in it is wanted."""
    own = [name for name in wanted.columns if name in OWN]
    paths = any(name not in OWN for name in wanted.columns)
    return list(dict.fromkeys([*own, *(["document"] if paths else [])])) or ["profile"]


def statement(wanted: Wanted) -> str:
    """Return the one statement of a scan; what varies in it are numbers and names of ours."""
    # Everybody is read as they lie, and not by an index one by one; the plus keeps SQLite from that.
    which = f"+tenant = {wanted.tenant:d}"
    if wanted.since is not None:
        which = f"tenant = {wanted.tenant:d} AND sequence > {wanted.since:d}"
    return f"SELECT {', '.join(read_from_store(wanted))} FROM profiles WHERE {which}"  # noqa: S608


def _of_file(wanted: Wanted) -> Iterator[pa.RecordBatch]:
    address = f"{Path(wanted.address).absolute().as_uri()}?mode=ro"
    with adbc_driver_sqlite.dbapi.connect(address) as connection, connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(BATCH)})
        cursor.execute(statement(wanted))
        yield from cursor.fetch_record_batch()


def _of_database(wanted: Wanted) -> Iterator[pa.RecordBatch]:
    names = read_from_store(wanted)
    schema = pa.schema([(name, OWN[name]) for name in names])
    with (
        closing(psycopg.connect(wanted.address)) as connection,
        connection.cursor() as cursor,
        cursor.copy(f"COPY ({statement(wanted)}) TO STDOUT (FORMAT BINARY)".encode()) as copy,
    ):
        copy.set_types([_TYPES[name] for name in names])
        rows = copy.rows()
        while some := list(islice(rows, BATCH)):
            columns = zip(*some, strict=True)
            arrays = [pa.array(column, OWN[name]) for name, column in zip(names, columns, strict=True)]
            yield pa.record_batch(arrays, schema)


def _laid_out(batch: pa.RecordBatch, wanted: Wanted) -> pa.RecordBatch:
    """Return a batch with the columns that are wanted, in their order."""
    paths = {name: tuple(name.split(".")) for name in wanted.columns if name not in OWN}
    found = _found(batch.column("document"), paths) if paths else {}
    # A column of which a whole result is null has no type that the driver could know.
    arrays = [found[name] if name in found else _own(batch, name) for name in wanted.columns]
    return pa.record_batch(arrays, wanted.schema)


def _own(batch: pa.RecordBatch, name: str) -> pa.Array:
    column = batch.column(name)
    if name == "document":  # Without the byte that says its form.
        column = pc.binary_slice(column.cast(pa.binary()), 1)
    return column.cast(OWN[name])


def _found(documents: pa.Array, paths: dict[str, tuple[str, ...]]) -> dict[str, pa.Array]:
    columns: dict[str, list[str | None]] = {name: [] for name in paths}
    for document in documents:
        person = orjson.loads(memoryview(document.as_buffer())[1:])
        for name, path in paths.items():
            columns[name].append(_at(person, path))
    return {name: pa.array(values, pa.string()) for name, values in columns.items()}


def _at(value: Any, path: tuple[str, ...]) -> str | None:
    """Return what is found at a path, as JSON; nothing where there is nothing or null."""
    for step in path:
        value = value.get(step) if type(value) is dict else None
        if value is None:
            return None
    return orjson.dumps(value).decode()


if __name__ == "__main__":
    main()
