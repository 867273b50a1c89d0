"""Delta tables, read at the version that they had."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from headrace.datasets.manifest import File, Manifest, Unreadable
from headrace.datasets.places import Places, shown
from headrace.datasets.rows import ROWS, Piece, Rows, Surroundings, formats, narrowed, pieces_of
from headrace.model.dataset import Dataset


class DeltaRows:
    """The rows of one version of a table."""

    def __init__(self, path: str, manifest: Manifest) -> None:
        self._path = path
        self._manifest = manifest

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[Piece]:
        self._manifest.check()
        schema = narrowed(self._manifest.schema, columns)
        yield from pieces_of(self._path, self._batches(schema.names), schema)

    def _batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        scanned = _table(self._path, self._manifest.version).to_pyarrow_dataset()
        try:
            yield from scanned.to_batches(
                columns=list(columns), batch_size=ROWS, batch_readahead=2, fragment_readahead=1, use_threads=False
            )
        except (pa.ArrowException, OSError) as error:
            raise Unreadable(f"the Delta table {shown(self._path)} cannot be read to its end: {error}") from None


@formats.register("delta")
class Delta:
    """A Delta table in a directory."""

    def take(self, surroundings: Surroundings, dataset: Dataset) -> Manifest:
        """Look at the newest version, and at each of its files: its log may name any."""
        path = _path(surroundings.places, dataset)
        table = _table(path, None)
        found = (surroundings.places.inside(_local(uri)) for uri in table.file_uris())
        files = tuple(File.at(file) for file in sorted(found))
        return Manifest(files, _columns(path, table), table.version())

    def open(self, surroundings: Surroundings, dataset: Dataset, manifest: Manifest) -> Rows:
        """Return the rows."""
        return DeltaRows(_path(surroundings.places, dataset), manifest)

    def count(self, rows: Rows, manifest: Manifest) -> int | None:
        """Files have to be opened to be counted."""
        return None


def _path(places: Places, dataset: Dataset) -> str:
    return str(places.inside(Path(dataset.location or "")))


def _table(path: str, version: int | None) -> DeltaTable:
    try:
        return DeltaTable(path, version=version)
    except (DeltaError, OSError, ValueError) as error:
        raise Unreadable(f"{shown(path)} cannot be read as a Delta table: {error}") from None


def _columns(path: str, table: DeltaTable) -> pa.Schema:
    try:
        schema: Any = table.to_pyarrow_dataset().schema
    except (DeltaError, pa.ArrowException) as error:
        raise Unreadable(f"the Delta table {shown(path)} uses what this Headrace cannot read: {error}") from None
    return schema.remove_metadata()


def _local(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path)) if uri.startswith("file:") else Path(uri)
