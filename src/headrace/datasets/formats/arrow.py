"""Arrow's own files (IPC), read batch by batch."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.ipc

from headrace.datasets.manifest import File, Manifest, Unreadable, unified
from headrace.datasets.places import shown
from headrace.datasets.rows import Piece, Rows, Surroundings, formats, narrowed, pieces_of
from headrace.model.dataset import Dataset

ENDINGS = (".arrow", ".feather", ".ipc")


class ArrowRows:
    """The rows of Arrow files, one file after the other."""

    def __init__(self, surroundings: Surroundings, manifest: Manifest) -> None:
        self._surroundings = surroundings
        self._manifest = manifest

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[Piece]:
        schema = narrowed(self._manifest.schema, columns)
        for file in self._manifest.files:
            yield from pieces_of(file.path, _batches(self._surroundings, file), schema)


@formats.register("arrow")
class Arrow:
    """Arrow files of columns that go together."""

    def take(self, surroundings: Surroundings, dataset: Dataset) -> Manifest:
        """Look at the columns of the files."""
        files = surroundings.find(dataset, ENDINGS)
        return Manifest(files, unified((file.path, _schema(surroundings, file)) for file in files))

    def open(self, surroundings: Surroundings, dataset: Dataset, manifest: Manifest) -> Rows:
        """Return the rows."""
        return ArrowRows(surroundings, manifest)

    def count(self, rows: Rows, manifest: Manifest) -> int | None:
        """Batches have to be read to be counted."""
        return None


def _schema(surroundings: Surroundings, file: File) -> pa.Schema:
    with surroundings.open_native(file) as opened:
        return _opened(file.path, opened).schema


def _opened(path: str, file: pa.NativeFile) -> pa.ipc.RecordBatchFileReader:
    try:
        return pa.ipc.open_file(file)
    except pa.ArrowException as error:
        raise Unreadable(f"the file {shown(path)} cannot be read as an Arrow file: {error}") from None


def _batches(surroundings: Surroundings, file: File) -> Iterator[pa.RecordBatch]:
    with surroundings.open_native(file) as opened:
        reader = _opened(file.path, opened)
        try:
            yield from (reader.get_batch(place) for place in range(reader.num_record_batches))
        except (pa.ArrowException, OSError) as error:
            raise Unreadable(f"the file {shown(file.path)} cannot be read to its end: {error}") from None
