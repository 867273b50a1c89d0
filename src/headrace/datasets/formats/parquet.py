"""Parquet files, each read by row groups."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from headrace.datasets.manifest import File, Manifest, Unreadable, unified
from headrace.datasets.places import shown
from headrace.datasets.rows import ROWS, Piece, Rows, Surroundings, formats, narrowed, pieces_of
from headrace.model.dataset import Dataset

ENDINGS = (".parquet", ".parq")
#: Bytes that are held of each column at a time: row groups may be larger than memory.
_HELD = 4 << 20


class ParquetRows:
    """The rows of Parquet files, one file after the other."""

    def __init__(self, surroundings: Surroundings, manifest: Manifest) -> None:
        self._surroundings = surroundings
        self._manifest = manifest

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[Piece]:
        schema = narrowed(self._manifest.schema, columns)
        for file in self._manifest.files:
            yield from pieces_of(file.path, _batches(self._surroundings, file, schema.names), schema)

    def count(self) -> int:
        """Return how many rows the footers say that there are."""
        total = 0
        for file in self._manifest.files:
            with _opened(self._surroundings, file) as opened:
                total += int(opened.metadata.num_rows)
        return total


@formats.register("parquet")
class Parquet:
    """Parquet files of columns that go together."""

    def take(self, surroundings: Surroundings, dataset: Dataset) -> Manifest:
        """Look at the footers of the files."""
        return taken(surroundings, surroundings.find(dataset, ENDINGS))

    def open(self, surroundings: Surroundings, dataset: Dataset, manifest: Manifest) -> Rows:
        """Return the rows."""
        return ParquetRows(surroundings, manifest)

    def count(self, rows: Rows, manifest: Manifest) -> int | None:
        """Add up what the footers say."""
        assert isinstance(rows, ParquetRows)
        return rows.count()


def taken(surroundings: Surroundings, files: Sequence[File]) -> Manifest:
    """Look at the footers of files."""
    return Manifest(tuple(files), unified((file.path, _schema(surroundings, file)) for file in files))


def _schema(surroundings: Surroundings, file: File) -> pa.Schema:
    with _opened(surroundings, file) as opened:
        return opened.schema_arrow


def _opened(surroundings: Surroundings, file: File) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(surroundings.open_native(file), buffer_size=_HELD)
    except (pa.ArrowException, OSError) as error:
        raise Unreadable(f"the file {shown(file.path)} cannot be read as Parquet: {error}") from None


def _batches(surroundings: Surroundings, file: File, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    with _opened(surroundings, file) as opened:
        there = [name for name in columns if name in opened.schema_arrow.names]
        try:
            yield from opened.iter_batches(ROWS, columns=there, use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise Unreadable(f"the file {shown(file.path)} cannot be read to its end as Parquet: {error}") from None
