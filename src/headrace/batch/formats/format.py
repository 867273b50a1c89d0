"""
What a type of file has to be able to do.

A file is a function of its rows. DuckDB reads and selects; ``select`` turns a row into what is written, inside of that
same query, and the batches that come out of it are written as they are. Text is one column, each value a whole line
with its end, so that the buffer of the column is the bytes of the file, and a part ends where a slice ends.
"""

from collections.abc import Callable
from typing import Protocol

import pyarrow as pa

from headrace.model.file_format import FileFormat
from headrace.registry import Registry

#: Takes bytes of a file, in order. They are taken before it returns, or copied: the buffer may be used again.
Sink = Callable[[bytes | memoryview | pa.Buffer], None]


class Writer(Protocol):
    """Writes one file, from its first byte to its last."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Write rows, as ``select`` lays them out."""
        ...

    def close(self) -> None:
        """Write what stands at the end. A file without rows has a header, or whatever its readers need."""
        ...


class Format(Protocol):
    """One type of file; ``suffix`` is the end of its name, as `.csv`."""

    suffix: str

    def select(self, schema: pa.Schema, look: FileFormat) -> str:
        """
        Return the list of a SQL SELECT that turns rows of a schema into what is written.

        Raises:
            ConfigurationError: an option, or a column under it, cannot be written; the message names it.
        """
        ...

    def open(self, sink: Sink, schema: pa.Schema, look: FileFormat) -> Writer:
        """Begin a file, header and all; ``schema`` is that of the rows before ``select``."""
        ...


formats: Registry[Format] = Registry("file type")
