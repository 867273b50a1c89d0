"""
Parquet: types as the rows have them, in groups of rows that bound memory.

Texts, numbers, decimals, dates and everything nested stay what they are. Moments are microseconds in UTC; a time of day
or a timestamp without a zone stays without one. What other readers, Spark first, cannot take has another type: numbers
without a sign have a wider one, and names of an enumeration are texts.
"""

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as kinds

from headrace.batch.formats.format import Sink, formats
from headrace.batch.formats.java_dates import as_utc
from headrace.batch.formats.sql import identifier
from headrace.batch.formats.unfit import unfit
from headrace.model.file_format import FileFormat

#: A group of rows ends at whichever comes first: one waits in memory, as columns and once more as pages.
ROWS_OF_A_GROUP, BYTES_OF_A_GROUP = 131_072, 64 * 1024 * 1024
#: Six is zlib's own choice; pyarrow's is nine, which takes five times as long for a hundredth of the size.
_LEVELS = {"gzip": 6}
_WIDER = {pa.uint8(): pa.int16(), pa.uint16(): pa.int32(), pa.uint32(): pa.int64(), pa.uint64(): pa.decimal128(20, 0)}


class Parquet:
    """Files of Parquet."""

    suffix = ".parquet"

    def select(self, schema: pa.Schema, look: FileFormat) -> str:
        """Return every column as it is; the writer gives those another type that need it."""
        _written(schema)
        return ", ".join(map(_selected, schema))

    def open(self, sink: Sink, schema: pa.Schema, look: FileFormat) -> "ParquetWriter":
        """Begin a file."""
        return ParquetWriter(sink, _written(schema), look.compression)


formats.register("parquet")(Parquet())


class ParquetWriter:
    """Writes groups of rows, each when it is full."""

    def __init__(self, sink: Sink, schema: pa.Schema, codec: str) -> None:
        self._schema = schema
        self._file = pq.ParquetWriter(
            _File(sink),
            schema,
            compression=codec,
            compression_level=_LEVELS.get(codec),
            coerce_timestamps="us",
            allow_truncated_timestamps=True,
            store_schema=False,
        )
        self._waiting: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows; batches are cut where a group is full, so that groups do not depend on how rows come."""
        while batch.num_rows:
            taken = batch.slice(0, ROWS_OF_A_GROUP - self._rows)
            self._waiting.append(taken)
            self._rows += taken.num_rows
            self._bytes += taken.nbytes
            if self._rows >= ROWS_OF_A_GROUP or self._bytes >= BYTES_OF_A_GROUP:
                self._write_group()
            batch = batch.slice(taken.num_rows)

    def close(self) -> None:
        """Write the last group, and what Parquet has at its end."""
        if self._waiting:
            self._write_group()
        self._file.close()

    def _write_group(self) -> None:
        rows = pa.Table.from_batches(self._waiting).cast(self._schema, safe=False)
        self._waiting, self._rows, self._bytes = [], 0, 0
        self._file.write_table(rows, row_group_size=len(rows))


def _selected(field: pa.Field) -> str:
    """Nanoseconds are cut off here, towards the past; the writer would cut those before 1970 towards the future."""
    name = identifier(field.name)
    is_fine = kinds.is_timestamp(field.type) and field.type.unit == "ns"
    return f"{as_utc(name, field.type)} AS {name}" if is_fine else name


def _written(schema: pa.Schema) -> pa.Schema:
    return pa.schema([pa.field(field.name, _type(field.type, field.name)) for field in schema])


def _type(kind: Any, path: str) -> pa.DataType:
    """Return the type that values are written with."""
    if kinds.is_struct(kind):
        return pa.struct([pa.field(inner.name, _type(inner.type, f"{path}.{inner.name}")) for inner in kind])
    if kinds.is_map(kind):
        return pa.map_(_type(kind.key_type, f"{path}{{}}"), _type(kind.item_type, f"{path}.*"))
    if kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind):
        return pa.list_(_type(kind.value_type, f"{path}[]"))
    return _scalar(kind, path)


def _scalar(kind: Any, path: str) -> pa.DataType:
    if kinds.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    if kinds.is_time(kind):
        return pa.time64("us")
    if kinds.is_large_string(kind) or kinds.is_dictionary(kind) or kinds.is_null(kind):
        return pa.string()
    if kinds.is_large_binary(kind):
        return pa.binary()
    if kinds.is_union(kind) or kinds.is_interval(kind) or isinstance(kind, pa.BaseExtensionType):
        raise unfit("Parquet", path, kind)
    return _WIDER.get(kind, kind)


class _File:
    """What pyarrow writes into: a sink."""

    closed = False

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._place = 0

    def write(self, data: bytes | memoryview) -> int:
        self._sink(data)
        self._place += len(data)
        return len(data)

    def tell(self) -> int:
        return self._place

    def flush(self) -> None:
        """There is nothing behind."""

    def close(self) -> None:
        """The sink is not ours to end."""
