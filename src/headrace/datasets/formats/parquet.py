"""Parquet files, each read by row groups."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from headrace.datasets.manifest import File, Manifest, Unreadable, unified
from headrace.datasets.places import shown
from headrace.datasets.rows import ROWS, Piece, Rows, Surroundings, formats, narrowed, pieces_of
from headrace.model.dataset import Dataset

ENDINGS = (".parquet", ".parq")


class ParquetRows:
    """The rows of Parquet files, one file after the other."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[Piece]:
        schema = narrowed(self._manifest.schema, columns)
        for file in self._manifest.files:
            file.check()
            yield from pieces_of(file.path, _batches(file.path, schema.names), schema)


@formats.register("parquet")
class Parquet:
    """Parquet files of columns that go together."""

    def take(self, surroundings: Surroundings, dataset: Dataset) -> Manifest:
        """Look at the footers of the files."""
        return taken([File.at(path) for path in surroundings.places.find(dataset.location or "", ENDINGS)])

    def open(self, surroundings: Surroundings, dataset: Dataset, manifest: Manifest) -> Rows:
        """Return the rows."""
        return ParquetRows(manifest)

    def count(self, rows: Rows, manifest: Manifest) -> int | None:
        """Add up what the footers say."""
        return counted(manifest)


def taken(files: Sequence[File]) -> Manifest:
    """Look at the footers of files."""
    return Manifest(tuple(files), unified((file.path, _opened(file.path).schema_arrow) for file in files))


def counted(manifest: Manifest) -> int:
    """Return how many rows the footers say that there are."""
    return sum(int(_opened(file.path).metadata.num_rows) for file in manifest.files)


def _opened(path: str) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise Unreadable(f"the file {shown(path)} cannot be read as Parquet: {error}") from None


def _batches(path: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    with _opened(path) as file:
        there = [name for name in columns if name in file.schema_arrow.names]
        try:
            yield from file.iter_batches(ROWS, columns=there, use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise Unreadable(f"the file {shown(path)} cannot be read to its end as Parquet: {error}") from None
