"""The rows of a dataset as every format hands them on: pieces of columns, each row with its place, bad ones apart."""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from headrace.datasets.manifest import File, Manifest
from headrace.datasets.objects import AHEAD, Objects
from headrace.datasets.places import Places
from headrace.datasets.sources import SCHEME, Sources
from headrace.model.dataset import Dataset
from headrace.registry import Registry

#: Rows in one piece: many enough to be quick, few enough to be nothing in memory.
ROWS = 10_000


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is none: its file, its line from 1 (in a file of columns, its number), a stable code, the reason."""

    file: str
    line: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows that follow each other in one file, with the line of each, and the bad ones that stand among them."""

    file: str
    lines: Sequence[int]
    batch: pa.RecordBatch
    bad: tuple[BadRow, ...] = ()

    @property
    def count(self) -> int:
        """How many rows there are, bad ones too."""
        return len(self.lines) + len(self.bad)


class GivenUp(Exception):
    """Nobody waits any more for what is being read."""


class Rows(Protocol):
    """
    The rows of one snapshot.

    They are the same, in the same order, each time. Who reads sees that the files are those of the manifest.
    """

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[Piece]:
        """
        Read everything from the beginning, or some columns of it, in bounded memory.

        Raises:
            Changed: a file is not what it was.
            Unreadable: a file cannot be read.
        """
        ...


class Format(Protocol):
    """One way in which data is written."""

    def take(self, surroundings: "Surroundings", dataset: Dataset) -> Manifest:
        """
        Look at what lies there now.

        Raises:
            Misplaced: it may not be read.
            Unreadable: it is not what the dataset says.
        """
        ...

    def open(self, surroundings: "Surroundings", dataset: Dataset, manifest: Manifest) -> Rows:
        """Return the rows of a manifest."""
        ...

    def count(self, rows: Rows, manifest: Manifest) -> int | None:
        """Return how many rows there are, if that can be known without reading them and none can be bad."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a sandbox may read, and what formats are handed while a snapshot is taken."""

    places: Places
    sources: Sources
    #: Makes the directory into which rows of a database are copied.
    copies: Callable[[], str]
    #: Says whether anybody still waits for it.
    is_wanted: Callable[[], bool] = lambda: True
    objects: Objects = field(default_factory=Objects)

    def refuse_outside(self, location: str) -> None:
        """
        Refuse a location that is in none of the places, whatever lies there.

        Raises:
            Misplaced: it is.
        """
        if location.startswith(SCHEME):
            self.objects.source_of(location)
        else:
            self.places.refuse_outside(location)

    def find(self, dataset: Dataset, endings: Iterable[str]) -> tuple[File, ...]:
        """
        Return the files of a dataset as they are now; see :meth:`Places.find`.

        Raises:
            Misplaced: one of them may not be read, or there is none.
            StorageUnreached: they cannot be known.
        """
        location = dataset.location or ""
        if location.startswith(SCHEME):
            return self.objects.find(location, endings)
        return tuple(File.at(path) for path in self.places.find(location, endings))

    def open(self, file: File) -> io.BufferedReader:
        """
        Open a file of a snapshot, to be read from its beginning.

        Raises:
            Changed: it is not what it was; of an object, this is noticed while it is read.
            OSError: it cannot be opened.
        """
        if file.is_object:
            return io.BufferedReader(self.objects.open(file), AHEAD)
        file.check()
        return Path(file.path).open("rb")

    def open_native(self, file: File) -> pa.NativeFile:
        """Open a file of a snapshot for Arrow, which reads here and there; raises what ``open`` does."""
        if file.is_object:
            return pa.PythonFile(self.objects.open(file), "r")
        file.check()
        # Not mapped into memory: to read a mapped file that somebody cuts short ends the process.
        return pa.OSFile(file.path)

    def go_on(self) -> None:
        """
        Go on with what takes long, if anybody still waits for it.

        Raises:
            GivenUp: nobody does.
        """
        if not self.is_wanted():
            raise GivenUp


formats: Registry[type[Format]] = Registry("format")


def pieces_of(file: str, batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[Piece]:
    """Number the rows of a file of columns, give them the snapshot's columns, and cut what is too large."""
    row = 1
    for batch in batches:
        for start in range(0, batch.num_rows, ROWS):
            part = fitted(batch.slice(start, ROWS), schema)
            yield Piece(file, range(row, row + part.num_rows), part)
            row += part.num_rows


def fitted(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Give a batch the columns of a schema; one that it does not have is empty."""
    names = set(batch.schema.names)
    arrays = [
        batch.column(field.name).cast(field.type) if field.name in names else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def narrowed(schema: pa.Schema, columns: Sequence[str] | None) -> pa.Schema:
    """Return the fields of some columns."""
    return schema if columns is None else pa.schema([schema.field(name) for name in columns])
