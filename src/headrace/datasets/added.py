"""
The rows that a snapshot has, or that it has and an earlier one has not.

A snapshot is whole. Where a newer one has every file that the earlier one had, as it was, what was added lies in its
other files, and nothing else is read. Otherwise rows are compared whole: a row counts as often as it is there, and one
that has changed is a new one. That rows went is told nowhere.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import pyarrow as pa
import pyarrow.types as kinds

from headrace.datasets.engine import Engine
from headrace.datasets.manifest import File, Manifest, Unreadable
from headrace.datasets.snapshot import Snapshot
from headrace.datasets.unkept import unkept
from headrace.errors import HeadraceError
from headrace.model.dataset import FILES

How = Literal["whole", "files", "rows"]
#: Reads the rows of a snapshot, or some of them, with the columns that it has.
Scan = Callable[[Snapshot], pa.RecordBatchReader]
_NEWER, _EARLIER = "newer", "earlier"
_GONE = "what was exported last cannot be read any more: {}"
#: Columns that may say when something was: texts, where they are moments.
_MOMENTS = (kinds.is_timestamp, kinds.is_date, kinds.is_string, kinds.is_large_string)


@dataclass(frozen=True, slots=True)
class Found:
    """
    SQL for rows, over what an engine was given, and how they were found.

    ``why``: why all of a snapshot's rows are among them, although those that were added were asked for.
    """

    sql: str
    how: How
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """
    Finds rows, and gives them to an engine. Events are found from ``since`` on, in milliseconds since 1970.

    ``scan`` reads rows that may be found, ``scan_known`` those that they are held against. ``open`` opens other files
    of a snapshot's dataset. With ``as_it_lies``, what the engine can read by itself does not go through ``scan``.
    """

    engine: Engine
    scan: Scan
    scan_known: Scan
    open: Callable[[Snapshot, Manifest], Snapshot]
    since: int
    as_it_lies: bool = True

    def whole(self, snapshot: Snapshot, why: str | None = None) -> Found:
        """
        Find all rows of a snapshot.

        Raises:
            Changed, Unreadable: it cannot be read any more, or not as it is, or the column of moments has none.
        """
        _refuse_unkept(snapshot.schema)
        self._view(_NEWER, snapshot, self.scan, as_it_lies=self.as_it_lies)
        return Found(self._late(snapshot, _select(snapshot.schema, snapshot.schema, _NEWER)), "whole", why)

    def added(self, newer: Snapshot, open_earlier: Callable[[], Snapshot]) -> Found:
        """
        Find the rows that were added since an earlier snapshot; all, where they cannot be told from the others.

        Raises:
            Changed, Unreadable: as ``whole``.
        """
        _refuse_unkept(newer.schema)
        try:
            earlier = open_earlier()
        except HeadraceError as error:
            return self.whole(newer, _GONE.format(error.message))
        if (files := _new_files(newer, earlier)) is not None:
            return self._in_files(newer, files)
        if not _are_comparable(newer.schema, earlier.schema):
            return self.whole(newer, "its columns are others than before")
        try:
            self._view(_EARLIER, earlier, self.scan_known, as_it_lies=True)
        except HeadraceError as error:
            return self.whole(newer, _GONE.format(error.message))
        self._view(_NEWER, newer, self.scan, as_it_lies=self.as_it_lies)
        ours, known = _select(newer.schema, newer.schema, _NEWER), _select(newer.schema, earlier.schema, _EARLIER)
        return Found(self._late(newer, f"{ours} EXCEPT ALL {known}"), "rows")

    def _in_files(self, newer: Snapshot, files: tuple[File, ...]) -> Found:
        part = self.open(newer, replace(newer.manifest, files=files))
        self.engine.view_reader(_NEWER, self.scan(part))
        return Found(self._late(newer, _select(newer.schema, newer.schema, _NEWER)), "files")

    def _view(self, name: str, snapshot: Snapshot, scan: Scan, *, as_it_lies: bool) -> None:
        if as_it_lies and snapshot.dataset.format in ("parquet", "sql") and snapshot.manifest.files:
            snapshot.view(self.engine, name)
        else:
            snapshot.manifest.check()
            self.engine.view_reader(name, scan(snapshot))

    def _late(self, snapshot: Snapshot, sql: str) -> str:
        """Leave out events that are older; what says no moment stays."""
        column = snapshot.dataset.timestamp
        if column is None:
            return sql
        kind = snapshot.schema.field(column).type
        if not any(is_one(kind) for is_one in _MOMENTS):
            raise Unreadable(f"the column {column[:80]!r} holds neither moments nor days, but {kind}")
        moment = f"epoch_ms(TRY_CAST({_named(column)} AS TIMESTAMPTZ))"
        return f"SELECT * FROM ({sql}) WHERE coalesce({moment} >= {self.since}, true)"  # noqa: S608 - our own


def _refuse_unkept(schema: pa.Schema) -> None:
    if message := unkept(schema):
        raise Unreadable(message)


def _new_files(newer: Snapshot, earlier: Snapshot) -> tuple[File, ...] | None:
    """Return the files that were added, if nothing else has happened."""
    one, other = newer.dataset, earlier.dataset
    known = frozenset(earlier.manifest.files)
    is_alike = (one.format, one.shape, one.csv, one.types) == (other.format, other.shape, other.csv, other.types)
    if one.format not in FILES or not is_alike or not known <= {*newer.manifest.files}:
        return None
    return tuple(file for file in newer.manifest.files if file not in known)


def _are_comparable(newer: pa.Schema, earlier: pa.Schema) -> bool:
    """Say whether rows of the earlier columns can stand beside rows of the newer: those have at least the same."""
    types = {field.name: field.type for field in newer}
    return all(types.get(field.name) == field.type for field in earlier)


def _select(wanted: pa.Schema, there: pa.Schema, name: str) -> str:
    """Select columns; those that are not there have no values."""
    known = {*there.names}
    listed = (_named(column) if column in known else f"NULL AS {_named(column)}" for column in wanted.names)
    return f"SELECT {', '.join(listed)} FROM {name}"  # noqa: S608 - names of columns are quoted


def _named(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'
