"""
Lays rows out as files, in one thread: DuckDB's batches through writer and compressor into pieces.

DuckDB works in threads of its own, and goes on with the next batches while a piece is compressed here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from headrace.batch.compress import Bytes, compressor
from headrace.batch.formats import Format, formats
from headrace.datasets.engine import BadQuery, Engine
from headrace.errors import OperationError
from headrace.model.file_format import FileFormat

#: Rows that are asked for at once: few, for a row may be long.
BATCH = 8192
#: Bytes of a piece, but for a file's last.
PIECE = 1024 * 1024
#: Errors of DuckDB that are about the machine.
_TELL_NOTHING = ("Out of Memory Error", "IO Error")


@dataclass(frozen=True, slots=True)
class Piece:
    """
    Bytes of a file, and how far it had come by then: the ``rows`` in it, and what they were before compression.

    The last one of a file says so; it may be empty.
    """

    part: int
    data: bytes
    rows: int
    plain_size: int
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    """A query over what an engine was given; its columns are those of the files. One thread at a time reads it."""

    engine: Engine
    sql: str

    def schema(self) -> pa.Schema:
        """
        Return the columns.

        Raises:
            BadQuery: this is no query.
        """
        return self.engine.schema(self.sql)

    def read(self, select: str) -> Iterator[pa.RecordBatch]:
        """
        Yield what the list of a SELECT makes of the rows.

        Raises:
            OperationError: they cannot be read. It says nothing that a row says.
        """
        # The query may end with a remark. Both are ours, or were found to be one query.
        query = f"SELECT {select} FROM ({self.sql}\n)"  # noqa: S608
        try:
            yield from self.engine.read(query, BATCH)
        except (BadQuery, duckdb.Error, pa.ArrowException, OSError) as error:
            raise OperationError(f"the rows of the export cannot be read: {without_data(str(error))}") from None


def write_parts(rows: Rows, look: FileFormat, put: Callable[[Piece], None], max_rows: int) -> None:
    """
    Lay rows out as files of at most so many, each full but the last, and hand on their pieces in order.

    No rows are one file, with what its type has without any.
    """
    kind = formats.get(look.file_type)
    schema = rows.schema()
    part = _Part(1, kind, schema, look, put)
    for batch in rows.read(kind.select(schema, look)):
        while batch.num_rows:
            if part.rows == max_rows:
                part.close()
                part = _Part(part.number + 1, kind, schema, look, put)
            taken = batch.slice(0, max_rows - part.rows)
            part.write(taken)
            batch = batch.slice(taken.num_rows)
    part.close()


class _Part:
    """One file: its writer fills the compressor, and the compressor pieces."""

    def __init__(
        self, number: int, kind: Format, schema: pa.Schema, look: FileFormat, put: Callable[[Piece], None]
    ) -> None:
        self.number = number
        self.rows = self._plain_size = 0
        self._compressor = compressor(look)
        self._pieces = _Pieces(self._put)
        self._hand_on = put
        self._writer = kind.open(self._take, schema, look)

    def write(self, batch: pa.RecordBatch) -> None:
        self.rows += batch.num_rows
        self._writer.write(batch)

    def close(self) -> None:
        self._writer.close()
        self._pieces.add(self._compressor.flush())
        self._put(self._pieces.rest(), is_last=True)

    def _take(self, data: Bytes) -> None:
        """Take what the writer has made, a bounded amount at a time: compressed, all of it would be there at once."""
        whole = memoryview(data)
        self._plain_size += len(whole)
        for place in range(0, len(whole), PIECE):
            self._pieces.add(self._compressor.compress(whole[place : place + PIECE]))

    def _put(self, data: bytes, *, is_last: bool = False) -> None:
        self._hand_on(Piece(self.number, data, self.rows, self._plain_size, is_last))


@dataclass(slots=True)
class _Pieces:
    """Makes pieces of one size of whatever comes. Bytes are copied: what they stood in may be used again."""

    put: Callable[[bytes], None]
    waiting: bytearray = field(default_factory=bytearray)

    def add(self, data: Bytes) -> None:
        self.waiting += memoryview(data)
        while len(self.waiting) >= PIECE:
            self.put(bytes(memoryview(self.waiting)[:PIECE]))
            del self.waiting[:PIECE]

    def rest(self) -> bytes:
        return bytes(self.waiting)


def without_data(message: str) -> str:
    """
    Return what DuckDB says, as far as it is not about values.

    >>> without_data("Conversion Error: Could not convert string 'Ana' to INT32")
    'Conversion Error'
    """
    line = message.strip().partition("\n")[0]
    return line if line.startswith(_TELL_NOTHING) else line.partition(":")[0]
