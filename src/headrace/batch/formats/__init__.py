"""How rows become the bytes of a file: one type of file a module, each registered by its `fileType`."""

from headrace.batch.formats import csv, json, parquet
from headrace.batch.formats.format import Format, Sink, Writer, formats

__all__ = ["Format", "Sink", "Writer", "csv", "formats", "json", "parquet"]
