"""The rows of candidates: whose are left out, how many somebody has, and the cells of each."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from headrace.batch.asked import OWN, PERSON, Asked
from headrace.batch.cells_at_once import CellsOfColumn, Values
from headrace.batch.people_rows import QUALIFIED, PeopleRows, Seen, Told, path_of, read
from headrace.batch.selection import Excluded
from headrace.model.expiry import moment

#: Characters that the rows of a person may have; a document has fewer, but a value may stand in many columns.
LARGEST = 16 << 20
_NESTED = frozenset({list, dict})
_ORDER = [("profile", "ascending"), ("audience", "ascending"), ("place", "ascending")]


@dataclass(frozen=True, slots=True)
class Made:
    """The rows of an audience, the people who have them with their statuses, and those whose rows are left out."""

    rows: pa.RecordBatch
    profiles: pa.Array
    statuses: pa.Array
    excluded: Mapping[Excluded, pa.Array]


class CandidateRows:
    """Makes rows of what stands at ``paths`` in documents, and counts in ``left_out`` which values are no cells."""

    def __init__(self, asked: Asked, *, by_documents: bool = False) -> None:
        self._asked = asked
        self._rows = PeopleRows(asked, by_documents=by_documents)
        self._columns = [CellsOfColumn(place, column) for place, column in enumerate(asked.columns)]
        self.paths = self._rows.paths(asked.audiences)
        self.needs_document = self._rows.needs_document
        self.left_out: Counter[tuple[int, Any]] = Counter()
        # Whose a row is stands before its columns, whether or not that is told.
        own = [*OWN, *((PERSON,) if asked.tells_person else ())]
        self._schema = pa.schema([*own, *(asked.schema.field(f"c{place}") for place in range(len(asked.columns)))])

    def sizes(self, documents: pa.Array) -> pa.Array:
        """Return about how many characters the rows of people have, or more."""
        sizes = pc.multiply(pc.binary_length(documents).cast(pa.int64()), len(self._asked.audiences))
        if self._asked.many is None:
            return sizes
        # A row for each identity, and there are no more of them than keys of that name.
        return pc.multiply(sizes, pc.max_element_wise(pc.count_substring(documents, '"id":').cast(pa.int64()), 1))

    def of(self, place: int, people: pa.RecordBatch, seen: Seen) -> Made:
        """
        Make rows of people in the audience at a place.

        They are told as they are stored, but for their documents: of those, the ``length`` of each.
        """
        told = self._rows.of(seen)
        is_missing, is_large = self._missing(told, people), self._large(told, people)
        kept = pc.indices_nonzero(pc.invert(pc.or_(is_missing, is_large)))
        for at in kept.to_pylist() if told.left else ():
            self.left_out.update(told.left[at])
        profiles = people.column("profile")
        excluded: dict[Excluded, pa.Array] = {
            "missing-field": profiles.filter(is_missing),
            "too-large": profiles.filter(pc.and_not(is_large, is_missing)),
        }
        statuses = pa.array(seen.statuses, pa.string()).take(kept)
        return Made(self._laid_out(place, people, seen, told, kept), profiles.take(kept), statuses, excluded)

    def in_order(self, made: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
        """Return rows by people, of one by audiences, as they are handed on."""
        names = self._asked.schema.names
        if len(made) == 1:
            return made[0].select(names)
        rows = pa.Table.from_batches(made, self._schema).sort_by(_ORDER).select(names)
        return pa.record_batch([_whole(column) for column in rows.columns], schema=self._asked.schema)

    def silent(self, keys: pa.RecordBatch) -> pa.RecordBatch:
        """Return rows that say nothing, of the keys that members have who have none."""
        found = {**dict(zip(keys.schema.names, keys.columns, strict=True)), "is_silent": pa.repeat(True, len(keys))}
        there = {name: found[name] for name, _ in OWN}
        there |= {f"c{place}": found[f"c{at}"] for at, place in enumerate(self._asked.keys)}
        fields = self._asked.schema
        return pa.record_batch([there.get(one.name, pa.nulls(len(keys), one.type)) for one in fields], schema=fields)

    # -- whose are left out --------------------------------------------------------------------------------------------

    def _missing(self, told: Told, people: pa.RecordBatch) -> pa.Array:
        """Say of whom a mandatory column has nothing."""
        there = [self._columns[place].are_there(told.columns[place]) for place in self._asked.mandatory]
        return pc.invert(reduce(pc.and_, there, pa.repeat(True, people.num_rows)))

    def _large(self, told: Told, people: pa.RecordBatch) -> pa.Array:
        """Say whose rows have too many characters."""
        stored, rows = people.column("length"), _rows(told, people.num_rows)
        longest = pc.max(pc.multiply(stored, rows)).as_py() or 0
        # What stands in a document is no longer than it is; only what is calculated may be.
        if not self.needs_document and longest * len(self._columns) < LARGEST:
            return pa.repeat(False, people.num_rows)
        sizes = reduce(pc.add, [_sizes(values, stored) for values in told.columns])
        return pc.greater(pc.multiply(sizes, rows), LARGEST)

    # -- what they are -------------------------------------------------------------------------------------------------

    def _laid_out(self, place: int, people: pa.RecordBatch, seen: Seen, told: Told, kept: pa.Array) -> pa.RecordBatch:
        whose, places, ids = _for_each(told.many, kept) if told.many else (kept, pa.repeat(0, len(kept)), None)
        own = [
            people.column("profile").take(whose),
            pa.repeat(pa.scalar(place, pa.int32()), len(whose)),
            places.cast(pa.int32()),
            self._qualified(seen, whose),
            people.column("identities_at").take(whose),
            pc.equal(pa.array(seen.statuses, pa.string()).take(whose), "exited"),
            pa.repeat(False, len(whose)),
        ]
        if self._asked.tells_person:
            own.append(people.column("key").take(whose).cast(PERSON[1]))
        columns = [_at(values, whose, is_all=ids is None and len(kept) == people.num_rows) for values in told.columns]
        if ids is not None and self._asked.many is not None:
            columns[self._asked.many] = ids
        made = [column.cells(values, self.left_out) for column, values in zip(self._columns, columns, strict=True)]
        return pa.record_batch([*own, *made], schema=self._schema)

    def _qualified(self, seen: Seen, whose: pa.Array) -> pa.Array:
        """Return when people entered or left, where it matters."""
        if not self._asked.keys:
            return pa.nulls(len(whose), pa.int64())
        qualified = seen.texts[*path_of(seen.audience), QUALIFIED].take(whose)
        return pa.array([moment(text) for text in read(qualified)], pa.int64())


def _rows(told: Told, people: int) -> pa.Array:
    """Return how many rows each has."""
    return pa.array([max(len(ids), 1) for ids in told.many], pa.int64()) if told.many else pa.repeat(1, people)


def _sizes(values: Values, stored: pa.Array) -> pa.Array:
    """Return how many characters the values of a column have; a list or an object, those of the document at most."""
    if isinstance(values, pa.Array):
        return pc.fill_null(pc.utf8_length(values), 0).cast(pa.int64())
    texts = pa.array([len(value) if type(value) is str else 0 for value in values], pa.int64())
    nested = pa.array([int(type(value) in _NESTED) for value in values], pa.int64())
    return pc.add(texts, pc.multiply(stored, nested))


def _for_each(many: Sequence[Sequence[Any]], kept: pa.Array) -> tuple[pa.Array, pa.Array, list[Any]]:
    """Return a row for each identity of those who are kept: whose it is, the how many-th of theirs, and what it is."""
    ids = [(at, many[at] or (None,)) for at in kept.to_pylist()]
    whose = [at for at, of_one in ids for _ in of_one]
    places = [number for _, of_one in ids for number in range(len(of_one))]
    return pa.array(whose, kept.type), pa.array(places, pa.int64()), [one for _, of_one in ids for one in of_one]


def _at(values: Values, whose: pa.Array, *, is_all: bool) -> Values:
    """Return the values of some rows, in their order."""
    if is_all:
        return values
    return values.take(whose) if isinstance(values, pa.Array) else [values[at] for at in whose.to_pylist()]


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
