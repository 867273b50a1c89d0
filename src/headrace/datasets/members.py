# ruff: noqa: S608 - what is put into these queries are names of ours, and paths in quotes.
"""
Who is in an audience, as a list in files, and what is different from the list before.

A list is a directory with a file for each hash bucket of the keys, each key once. Two lists are compared bucket by
bucket, so that it takes the memory of one bucket however long they are. A list is written beside its place and moved
there whole; afterwards it changes only where somebody is erased (``removal.py``). In lists of who came and who went, a
row without a key is of somebody who was.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

#: Into how many buckets keys are parted; for good, for lists are compared with older ones.
BUCKETS = 16
KEY = "key"
#: What a list of new members is called in a directory, and the lists of who came and who went.
LIST, ENTERED, LEFT = "list", "entered", "left"
#: A hash that stays the same in every version of the engine.
_BUCKET = f"(md5_number_lower({KEY}) % {BUCKETS})::INTEGER"
_NOBODY = f"SELECT NULL::VARCHAR AS {KEY} WHERE false"


@dataclass(frozen=True, slots=True)
class Difference:
    """How many members a list has, and how many came and went."""

    members: int
    entered: int
    left: int


@dataclass(frozen=True, slots=True)
class Before:
    """
    What was there before: the list that was taken in last, if any, and others of which some was taken in.

    ``unsure`` are directories whose comings and goings were begun to be told, and not ended.
    """

    list: Path | None = None
    unsure: tuple[Path, ...] = ()


class Writer:
    """Writes keys, and what else is known of each, as they come; the directory is to be had at the end."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "raw.parquet"
        self._writer: pq.ParquetWriter | None = None

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a batch with a column ``key``; all batches have the same columns."""
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, batch.schema, compression="snappy")
        self._writer.write_batch(batch)

    def close(self) -> Path:
        """End the writing, and return the file."""
        if self._writer is None:
            self.write(pa.RecordBatch.from_pydict({KEY: pa.array([], pa.string())}))
        assert self._writer is not None
        self._writer.close()
        return self._file


def compare(
    raw: Path, directory: Path, before: Before, *, replace: bool, refresh: bool, memory_mb: int = 512
) -> Difference:
    """
    Make the list of the keys in a file, and say who came and who went since the list before.

    Without ``replace`` those of the list before stay. With ``refresh`` everybody in the file counts as having come:
    what is known of them is new.
    """
    with _engine(directory / "spill", memory_mb) as connection:
        parted = _part(connection, raw, directory / "parted")
        for name in (LIST, ENTERED, LEFT):
            (directory / name).mkdir()
        for bucket in range(BUCKETS):
            _compare_bucket(connection, bucket, parted, directory, before, replace=replace, refresh=refresh)
    for waste in (directory / "spill", directory / "parted"):
        shutil.rmtree(waste, ignore_errors=True)
    raw.unlink()
    return measured(directory)


def measured(directory: Path) -> Difference:
    """Say how long the lists in a directory are, by what their files say of themselves."""
    return Difference(*(sum(_rows(file) for file in _files(directory / name)) for name in (LIST, ENTERED, LEFT)))


def keep(made: Path, place: Path) -> None:
    """Move a directory to its place whole, for good: also where the power fails."""
    for file in made.rglob("*"):
        sync(file)
    sync(made)
    made.rename(place)
    sync(place.parent)


def read(directory: Path, name: str, start: int, most: int) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of a list in parts, from a place on; always in the same order."""
    for file in _files(directory / name):
        rows = _rows(file)
        if start >= rows:
            start -= rows
            continue
        with pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(most):
                if start < batch.num_rows:
                    yield batch.slice(start).to_pylist()
                start = max(0, start - batch.num_rows)


def _compare_bucket(
    connection: duckdb.DuckDBPyConnection,
    bucket: int,
    parted: Path,
    directory: Path,
    before: Before,
    *,
    replace: bool,
    refresh: bool,
) -> None:
    """Make the files of one bucket. Where a key is there twice, one of the things that are said of it counts."""
    said = f"SELECT * FROM {_of([*parted.glob(f'bucket={bucket}/*.parquet')])}"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE said AS SELECT DISTINCT ON ({KEY}) * FROM ({said})")
    was = _of([_file(before.list, bucket)] if before.list is not None else [])
    came, went = ([_file(path / name, bucket) for path in before.unsure] for name in (ENTERED, LEFT))
    sure, anybody = _keys(was), _keys(was)
    if before.unsure:
        sure = f"{sure} EXCEPT {_keys(_of(came))} EXCEPT {_keys(_of(went))}"
        anybody = f"{anybody} UNION {_keys(_of(came))}"
    kept = "" if replace else f" UNION ALL BY NAME SELECT * FROM {was} WHERE {KEY} NOT IN (SELECT {KEY} FROM said)"
    _write(connection, f"SELECT * FROM said{kept}", _file(directory / LIST, bucket))
    new = "SELECT * FROM said" if refresh else f"SELECT * FROM said ANTI JOIN ({sure}) USING ({KEY})"
    _write(connection, new, _file(directory / ENTERED, bucket))
    here = _keys("said") if replace else _keys(_of([_file(directory / LIST, bucket)]))
    _write(
        connection, f"SELECT {KEY} FROM ({anybody}) ANTI JOIN ({here}) USING ({KEY})", _file(directory / LEFT, bucket)
    )


def _keys(rows: str) -> str:
    return f"SELECT {KEY} FROM {rows} WHERE {KEY} IS NOT NULL"


def _part(connection: duckdb.DuckDBPyConnection, raw: Path, parted: Path) -> Path:
    """Part a file into buckets, each in a directory of its own."""
    connection.execute(
        f"COPY (SELECT *, {_BUCKET} AS bucket FROM {_of([raw])}) TO {_text(parted)} "
        f"(FORMAT parquet, PARTITION_BY (bucket), COMPRESSION snappy)"
    )
    return parted


def _write(connection: duckdb.DuckDBPyConnection, query: str, file: Path) -> None:
    connection.execute(f"COPY ({query}) TO {_text(file)} (FORMAT parquet, COMPRESSION snappy)")


def _of(files: Sequence[Path]) -> str:
    """Write what reads some files, or nobody."""
    if not files:
        return f"({_NOBODY})"
    listed = ", ".join(_text(file) for file in files)
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"


def _file(directory: Path, bucket: int) -> Path:
    return directory / f"{bucket:02}.parquet"


def _files(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.parquet"))


def _rows(file: Path) -> int:
    return int(pq.read_metadata(file).num_rows)


def _text(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _engine(spill: Path, memory_mb: int) -> duckdb.DuckDBPyConnection:
    spill.mkdir()
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{memory_mb}MB",
        "threads": 2,
        "temp_directory": str(spill),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "preserve_insertion_order": False,
    }
    return duckdb.connect(":memory:", config=config)


def sync(path: Path) -> None:
    """Have a file or a directory on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
