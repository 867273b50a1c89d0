"""
People taken out of lists of members for good: a file that has some is written anew beside its place, and moved there.

A list of members gets shorter. In those of who came and who went the rows stay, with nothing in them: what has counted
them by their places goes on where it was.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from headrace.datasets.members import ENTERED, KEY, LEFT, LIST, sync

#: Says of each of some keys whether it is to go; nobody's key is ``None``.
Gone = Callable[[Sequence[str | None]], list[bool]]
#: Rows in one piece of work.
_BATCH = 50_000


def remove(directory: Path, gone: Gone) -> None:
    """Take people out of the lists in a directory. It may be repeated, and read meanwhile, and be removed."""
    for name in (LIST, ENTERED, LEFT):
        for file in sorted((directory / name).glob("*.parquet")):
            with suppress(FileNotFoundError):
                _remove_from(file, gone, keeps_rows=name != LIST)


def _remove_from(file: Path, gone: Gone, *, keeps_rows: bool) -> None:
    keys = _keys_of(file, gone)
    if not keys:
        return
    beside = file.with_suffix(".new")
    with pq.ParquetFile(file) as parquet:
        schema = pa.schema([field.with_nullable(True) for field in parquet.schema_arrow])
        with pq.ParquetWriter(beside, schema, compression="snappy") as writer:
            for batch in parquet.iter_batches(_BATCH):
                kept = _without(batch, keys, keeps_rows=keeps_rows)
                writer.write_batch(pa.RecordBatch.from_arrays(kept.columns, schema=schema))
    sync(beside)
    beside.rename(file)
    sync(file.parent)


def _keys_of(file: Path, gone: Gone) -> list[str | None]:
    """Return the keys in a file that are to go."""

    def found() -> Iterator[str | None]:
        with pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(_BATCH, columns=[KEY]):
                keys = batch.column(0).to_pylist()
                yield from (key for key, is_gone in zip(keys, gone(keys), strict=True) if is_gone)

    return list(found())


def _without(batch: pa.RecordBatch, keys: list[str | None], *, keeps_rows: bool) -> pa.RecordBatch:
    is_gone = pc.is_in(batch.column(KEY), value_set=pa.array(keys, pa.string()))
    if not keeps_rows:
        return batch.filter(pc.invert(is_gone))
    places = pa.array(range(batch.num_rows), pa.int64())
    return batch.take(pc.if_else(is_gone, pa.scalar(None, pa.int64()), places))
