"""Text that DuckDB has laid out: one column, each value a whole line with its end."""

import pyarrow as pa

from headrace.batch.formats.format import Sink


class LinesWriter:
    """Writes lines as they are; what stands before them is given to the sink by whoever opens the file."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, batch: pa.RecordBatch) -> None:
        """Write the lines of the first column."""
        if batch.num_rows:
            self._sink(text_of(batch.column(0)))

    def close(self) -> None:
        """Nothing stands at the end of lines."""


def text_of(column: pa.Array) -> pa.Buffer:
    """
    Return the bytes of a column's values, one behind the other, without copying them. No value is null.

    >>> text_of(pa.array(["no", "one ", "reads"]).slice(1)).to_pybytes()
    b'one reads'
    """
    _, offsets, text = column.buffers()
    wide = pa.types.is_large_string(column.type)
    places = memoryview(offsets).cast("B").cast("q" if wide else "i")
    first, last = places[column.offset], places[column.offset + len(column)]
    return pa.py_buffer(b"") if text is None else text.slice(first, last - first)
