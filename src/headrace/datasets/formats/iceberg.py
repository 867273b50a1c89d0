"""Iceberg tables of a catalog that the operator declared, read at the snapshot that they had."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchPropertyException, NoSuchTableError
from pyiceberg.io import InputFile, OutputFile
from pyiceberg.io.pyarrow import ArrowScan, PyArrowFile, PyArrowFileIO
from pyiceberg.table import DataScan, Table

from headrace.datasets.manifest import File, Manifest, Unreadable
from headrace.datasets.places import Misplaced, Place, Places, shown
from headrace.datasets.rows import Piece, Rows, Surroundings, formats, narrowed, pieces_of
from headrace.datasets.sources import Source
from headrace.model.dataset import Dataset

_DIRECTORIES = "headrace.directories"


class PlacedIO(PyArrowFileIO):
    """Files as Iceberg opens them: only those that lie where datasets may, whatever a table says; none is written."""

    def new_input(self, location: str) -> PyArrowFile:
        parts = urlsplit(location)
        if parts.scheme not in ("", "file"):
            raise Misplaced(f"the table has a file at {shown(location)}, and only files on this machine are read")
        path = unquote(parts.path) if parts.scheme else location
        directories = self.properties[_DIRECTORIES].split(os.pathsep)
        places = Places(tuple(Place(Path(directory)) for directory in directories if directory))
        return super().new_input(str(places.inside(Path(path))))

    def new_output(self, location: str) -> PyArrowFile:
        raise Misplaced("datasets are read, and never written")

    def delete(self, location: str | InputFile | OutputFile) -> None:
        raise Misplaced("datasets are read, and never written")


class IcebergRows:
    """The rows of one snapshot of a table."""

    def __init__(self, table: Table, manifest: Manifest) -> None:
        self._table = table
        self._manifest = manifest

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[Piece]:
        self._manifest.check()
        if self._manifest.version is None:  # A table into which nothing was written yet.
            return
        schema = narrowed(self._manifest.schema, columns)
        yield from pieces_of(".".join(self._table.name()), self._batches(schema.names), schema)

    def _batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        scan = self._table.scan(selected_fields=tuple(columns), snapshot_id=self._manifest.version)
        tasks = sorted(scan.plan_files(), key=lambda task: task.file.file_path)
        reading = ArrowScan(self._table.metadata, self._table.io, scan.projection(), scan.row_filter)
        try:
            yield from reading.to_record_batches(tasks)
        except (pa.ArrowException, OSError) as error:
            raise Unreadable(f"the Iceberg table {self._table.name()} cannot be read to its end: {error}") from None


@formats.register("iceberg")
class Iceberg:
    """A table of a catalog."""

    def take(self, surroundings: Surroundings, dataset: Dataset) -> Manifest:
        """Look at the newest snapshot, and at each of its files."""
        table = _table(surroundings, dataset)
        newest = table.current_snapshot()
        scan = table.scan()
        files = _files(surroundings.places, scan) if newest is not None else ()
        schema = scan.projection().as_arrow()
        return Manifest(files, _plain(schema), newest.snapshot_id if newest is not None else None)

    def open(self, surroundings: Surroundings, dataset: Dataset, manifest: Manifest) -> Rows:
        """Return the rows."""
        return IcebergRows(_table(surroundings, dataset), manifest)

    def count(self, rows: Rows, manifest: Manifest) -> int | None:
        """Rows may have been deleted."""
        return None


def _table(surroundings: Surroundings, dataset: Dataset) -> Table:
    """Open a table with files of ours: what a table says of how it is read does not count."""
    source = surroundings.sources.get(dataset.source or "", ("iceberg",))
    catalog = _catalog(source, surroundings.places)
    try:
        known = catalog.load_table(dataset.table or "")
    except (NoSuchTableError, NoSuchPropertyException, ValueError):
        raise Unreadable(f"the catalog {source.name!r} has no table {(dataset.table or '')[:200]!r}") from None
    except OSError as error:
        raise Unreadable(f"the table {(dataset.table or '')[:200]!r} cannot be read: {error}") from None
    finally:
        catalog.close()
    return Table(known.name(), known.metadata, known.metadata_location, PlacedIO(catalog.properties), catalog)


def _catalog(source: Source, places: Places) -> SqlCatalog:
    directories = os.pathsep.join(str(place.directory) for place in places.places)
    properties = {
        "uri": source.url,
        "warehouse": source.warehouse,
        "init_catalog_tables": "false",
        "py-io-impl": f"{PlacedIO.__module__}.{PlacedIO.__name__}",
        _DIRECTORIES: directories,
    }
    return SqlCatalog(source.name, **properties)


def _files(places: Places, scan: DataScan) -> tuple[File, ...]:
    found = set[str]()
    for task in scan.plan_files():
        found |= {task.file.file_path, *(file.file_path for file in task.delete_files)}
    paths = (Path(unquote(urlsplit(path).path) if path.startswith("file:") else path) for path in found)
    return tuple(File.at(path) for path in sorted(places.inside(path) for path in paths))


def _plain(schema: Any) -> pa.Schema:
    """Take Iceberg's own remarks off the columns."""
    return pa.schema([(field.name, field.type) for field in schema])
