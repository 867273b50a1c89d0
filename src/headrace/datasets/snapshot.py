"""
A snapshot: the people of a dataset as they were at one moment, read where they lie.

It is read as often as one likes, and says the same each time; a file that was changed since is an error that says so.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from headrace.datasets import formats
from headrace.datasets.engine import Engine
from headrace.datasets.manifest import Manifest, Unreadable
from headrace.datasets.rows import BadRow, Rows, Surroundings, narrowed
from headrace.datasets.shape import Person, Shaping
from headrace.model.dataset import Dataset

#: Told of how many rows there were up to now, and of bad ones among them; says whether to go on.
Counted = Callable[[int, Sequence[BadRow]], bool]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The rows of a dataset as a manifest has them."""

    dataset: Dataset
    manifest: Manifest
    rows: Rows

    @classmethod
    def take(cls, surroundings: Surroundings, dataset: Dataset) -> "Snapshot":
        """
        Look at what lies there now.

        Raises:
            Misplaced: it lies where it may not be read.
            Unreadable: it is not what the dataset says it is, or lacks a column of it.
        """
        manifest = formats.of(dataset.format).take(surroundings, dataset)
        named = [*dataset.columns, *([dataset.timestamp] if dataset.timestamp is not None else [])]
        if missing := [name for name in named if name not in manifest.schema.names]:
            there = ", ".join(manifest.schema.names)[:500]
            raise Unreadable(f"there is no column {missing[0][:80]!r}; these are: {there}")
        return cls.open(surroundings, dataset, manifest)

    @classmethod
    def open(cls, surroundings: Surroundings, dataset: Dataset, manifest: Manifest) -> "Snapshot":
        """Return what was taken before."""
        return cls(dataset, manifest, formats.of(dataset.format).open(surroundings, dataset, manifest))

    @property
    def schema(self) -> pa.Schema:
        """The columns. Whole profiles in JSON have one, ``document``."""
        return self.manifest.schema

    def count(self, counted: Counted) -> int:
        """Count the rows, good and bad, looking at each where it may be bad."""
        known = formats.of(self.dataset.format).count(self.rows, self.manifest)
        if known is not None:
            return known
        total = 0
        for piece in self.rows.pieces():
            total += piece.count
            if not counted(total, piece.bad):
                break
        return total

    def view(self, engine: Engine, name: str) -> None:
        """
        Give the rows to the engine under a name, with the columns that they have. Bad rows are not among them.

        Parquet is read where it lies; everything else is written into the engine's scratch directory for as long.
        """
        self.manifest.check()
        files = self.manifest.files
        if self.dataset.format in ("parquet", "sql") and not any(file.is_object for file in files):
            engine.view_parquet(name, [Path(file.path) for file in files])
        else:
            engine.view_reader(name, self.scan())

    def scan(
        self,
        columns: Sequence[str] | None = None,
        filter: pc.Expression | None = None,  # noqa: A002 - Arrow's own name for it
    ) -> pa.RecordBatchReader:
        """Read columns of the rows that meet a condition, in batches, in bounded memory."""
        schema = narrowed(self.schema, columns)
        wanted = columns if filter is None else None
        batches = (piece.batch for piece in self.rows.pieces(wanted))
        return pa.RecordBatchReader.from_batches(schema, _met(batches, schema, filter))

    def profiles(self, start: int = 0) -> Iterator[Person | BadRow]:
        """Yield each row as a profile, or as what is wrong with it, after the first ``start`` of them."""
        shaping = Shaping(self.dataset, self.schema)
        before = 0
        for piece in self.rows.pieces(shaping.columns):
            if before + piece.count > start:
                yield from islice(shaping.rows(piece), max(0, start - before), None)
            before += piece.count


def _met(
    batches: Iterator[pa.RecordBatch], schema: pa.Schema, condition: pc.Expression | None
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if condition is None:
            yield batch
            continue
        yield from pa.Table.from_batches([batch]).filter(condition).select(schema.names).to_batches()
