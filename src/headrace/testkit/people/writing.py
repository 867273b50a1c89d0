"""Writes made records: as NDJSON or Parquet, a part at a time."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from headrace.testkit.people.columns import typed
from headrace.testkit.people.making import Wanted, made

Format = Literal["ndjson", "parquet"]
#: Is told how many records were written now.
Advance = Callable[[int], object]


class Sink(Protocol):
    """Where bytes go: a file, or standard output."""

    def write(self, chunk: memoryview, /) -> object: ...


def texts(wanted: Wanted) -> Iterator[list[str]]:
    """Yield the records in parts, each a list of lines."""
    for part in made(wanted, "line"):
        yield part.column(0).to_pylist()


def write_ndjson(wanted: Iterable[Wanted], sink: Sink, advance: Advance = lambda _: None) -> None:
    """Write records one a line."""
    for each in wanted:
        for part in made(each, "line"):
            for chunk in part.column(0).chunks:
                if len(chunk):
                    sink.write(_bytes_of(chunk))
            advance(part.num_rows)


def write_parquet(wanted: Iterable[Wanted], path: Path, advance: Advance = lambda _: None) -> None:
    """Write records of one kind to a file of Parquet, a row group for each part."""
    writer: pq.ParquetWriter | None = None
    try:
        for each in wanted:
            for part in made(each, typed(each.kind, is_numbered=each.is_numbered)):
                writer = writer or pq.ParquetWriter(path, part.schema, compression="zstd")
                writer.write_table(part)
                advance(part.num_rows)
    finally:
        if writer is not None:
            writer.close()


def _bytes_of(lines: pa.StringArray) -> memoryview:
    """Return texts that follow one another in memory, as they lie there."""
    text = lines.cast(pa.large_string())
    offsets = memoryview(text.buffers()[1]).cast("q")
    return memoryview(text.buffers()[2])[offsets[text.offset] : offsets[text.offset + len(text)]]
