"""
What stands in the row of a person: what the mapping says of them.

Most columns are plain: an attribute's path, the status of the membership at hand, the identities of a namespace. These
are had without an object of the document. For calculated fields, positions in lists, and other paths into memberships
it is read, and mapped as for a message.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
import pyarrow as pa

from headrace.batch.asked import Asked, ColumnAsked
from headrace.batch.cells import UNFIT, cell_of
from headrace.batch.cells_at_once import Values
from headrace.batch.documents import Path, can_be_found
from headrace.batch.selection import AudienceWanted
from headrace.mapping import AttributeRow, LeftOut
from headrace.mapping import Mapping as MappingOf
from headrace.mapping.audience_view import ALIAS, reads_audience, with_audience
from headrace.mapping.calculated import calculation
from headrace.mapping.paths import parse
from headrace.model.message import Status
from headrace.model.profile import Membership, Profile

#: What is left out of a row: the place of the column, and why.
Left = list[tuple[int, Any]]
_MEMBERSHIPS, _IDENTITIES = "segmentMembership", "identityMap"
_STATUS, QUALIFIED, _ALIAS = "status", "lastQualificationTime", "alias"
#: Where nothing but the whole document says what there is: these are not what the document has at that path.
_SEEN_OTHERWISE = frozenset({_MEMBERSHIPS, "metadata"})
_DIRECT: dict[tuple[str | int, ...], str] = {
    (_MEMBERSHIPS, _STATUS): _STATUS,
    (_MEMBERSHIPS, QUALIFIED): QUALIFIED,
    ALIAS: _ALIAS,
}
_AT_HAND = _DIRECT | {
    (_MEMBERSHIPS, namespace, audience, name): name
    for namespace in ("ups", "seg_namespace")
    for audience in ("seg_id", "aep_seg_id")
    for name in (_STATUS, QUALIFIED)
}


@dataclass(frozen=True, slots=True)
class Seen:
    """
    People who have a row in an audience, and what is known of each for it.

    ``texts`` has what stands at the paths that rows are made of, as JSON; ``documents`` are there where they are
    needed.
    """

    audience: AudienceWanted
    statuses: Sequence[Status]
    texts: Mapping[Path, pa.Array]
    documents: Sequence[Profile] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """
    What stands in rows, a column after the other. ``left`` is what is left out of each row by now, if of any.

    ``many`` are the identities of which each tells rows apart; in their column there is the first.
    """

    columns: list[Values]
    left: Sequence[Left] = ()
    many: Sequence[Sequence[Any]] = ()


class PeopleRows:
    """
    Makes rows of people, of what stands in documents at ``paths``; for some columns, it ``needs_document`` as well.

    With ``by_documents``, everything is looked for in whole documents; that is the same, and takes longer.
    """

    def __init__(self, asked: Asked, *, by_documents: bool = False) -> None:
        places = range(len(asked.columns))
        self._plain = {} if by_documents else _plain_paths(asked.columns)
        self._at_hand = {} if by_documents else _at_hand(asked.columns)
        self._rest = _Rest(
            asked, [place for place in places if place not in self._plain and place not in self._at_hand]
        )
        self._is_qualified = bool(asked.keys) or QUALIFIED in self._at_hand.values()
        self.needs_document = bool(self._rest)
        self._identities = [(place, _Identities(asked, place)) for place in _of_identities(asked)]
        self._places, self._many = places, asked.many

    def paths(self, audiences: Iterable[AudienceWanted]) -> tuple[Path, ...]:
        """Return the paths at which it has to be known what stands there, for rows in some audiences."""
        found = dict.fromkeys(self._plain.values())
        for audience in audiences:
            if self._rest.sees_audience:
                found[path_of(audience)] = None
            if self._is_qualified:
                found[*path_of(audience), QUALIFIED] = None
        return tuple(found)

    def of(self, seen: Seen) -> Told:
        """Return the rows of people, one each."""
        left: list[Left] = [[] for _ in seen.statuses] if self._identities or self._rest else []
        found: dict[int, Values] = {place: seen.texts[path] for place, path in self._plain.items()}
        found |= {place: _said_at_hand(seen, name) for place, name in self._at_hand.items()}
        found |= self._rest.of(seen, left)
        many: Sequence[Sequence[Any]] = ()
        for place, identities in self._identities:
            ids = found[place]
            if place in self._plain:
                ids = list(map(identities.of_namespace, read(ids), left))
            found[place] = [one[0] if one else None for one in ids]
            if place == self._many:
                many = ids
        return Told([found[place] for place in self._places], left, many)


class _Rest:
    """Columns for which the whole document is read."""

    def __init__(self, asked: Asked, places: Sequence[int]) -> None:
        self._attributes = [str(place) for place in places if asked.columns[place].attribute is not None]
        rows = tuple(_placed(int(name), asked.columns[int(name)]) for name in self._attributes)
        self._mapping = MappingOf(rows, (), predefined=True)
        identities = {place: _Identities(asked, place) for place in places if asked.columns[place].identity is not None}
        self._columns = [(str(place), identities.get(place)) for place in places]
        self.sees_audience = reads_audience(path for place in places for path in _reads(asked.columns[place]))

    def __bool__(self) -> bool:
        return bool(self._columns)

    def of(self, seen: Seen, left: Sequence[Left]) -> dict[int, Values]:
        """Return what stands in these columns; of an identity, the cells of all that somebody has."""
        if not self:
            return {}
        rows = list(map(self._of_one, self._views(seen), left))
        places = (int(name) for name, _ in self._columns)
        return dict(zip(places, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(places, ())

    def _views(self, seen: Seen) -> Iterator[Profile]:
        if not self.sees_audience:
            return iter(seen.documents)
        held = read(seen.texts[path_of(seen.audience)])
        return map(partial(_view, seen.audience), seen.documents, seen.statuses, held)

    def _of_one(self, view: Profile, left: Left) -> list[Any]:
        noted: list[LeftOut] = []
        mapped = self._mapping.attributes(view, noted)
        left += [(int(item.target), item.reason) for item in noted]
        return [ids.of(view, left) if ids is not None else mapped.get(name) for name, ids in self._columns]


class _Identities:
    """The identities of one column, as cells."""

    def __init__(self, asked: Asked, place: int) -> None:
        row = asked.columns[place].identity
        assert row is not None
        self._place, self._namespace = place, row.source
        self._mapping = MappingOf((), (row,))
        self._cell = cell_of(asked.columns[place].type)

    def of_namespace(self, held: Any, left: Left) -> list[Any]:
        """Return what becomes of the identities of its namespace."""
        return self.of({_IDENTITIES: {self._namespace: held}}, left) if held else []

    def of(self, person: Profile, left: Left) -> list[Any]:
        """Return the identities of a person, each once."""
        noted: list[LeftOut] = []
        found = [self._cell(item["id"]) for ids in self._mapping.identities(person, noted).values() for item in ids]
        left += [(self._place, item.reason) for item in noted]
        left += [(self._place, "another-type") for cell in found if cell is UNFIT]
        return list(dict.fromkeys(cell for cell in found if cell is not UNFIT))


def _plain_paths(columns: Sequence[ColumnAsked]) -> dict[int, Path]:
    """Return the columns that are plain, each with its path."""
    found: dict[int, Path] = {}
    for place, column in enumerate(columns):
        if column.identity is not None:
            if column.identity.namespace:
                found[place] = (_IDENTITIES, column.identity.namespace)
        elif column.attribute is not None and not column.attribute.is_calculated:
            path = parse(column.attribute.source)
            if path[0] not in _SEEN_OTHERWISE and all(type(step) is str for step in path):
                found[place] = tuple(map(str, path))
    return {place: path for place, path in found.items() if can_be_found(path)}


def _at_hand(columns: Sequence[ColumnAsked]) -> dict[int, str]:
    """Return the columns that say something of the audience at hand, each with what."""
    return {
        place: _AT_HAND[path]
        for place, column in enumerate(columns)
        if column.attribute is not None and not column.attribute.is_calculated
        if (path := parse(column.attribute.source)) in _AT_HAND
    }


def _reads(column: ColumnAsked) -> Sequence[tuple[str | int, ...]]:
    """Return the paths that a column reads."""
    if column.attribute is None:
        return ()
    source = column.attribute.source
    return calculation(source).reads if column.attribute.is_calculated else [parse(source)]


def _of_identities(asked: Asked) -> list[int]:
    return [place for place, column in enumerate(asked.columns) if column.identity is not None]


def path_of(audience: AudienceWanted) -> Path:
    """Return where the membership of an audience stands in a document."""
    return (_MEMBERSHIPS, audience.namespace, audience.id)


def read(texts: pa.Array) -> Iterator[Any]:
    """Read what stands somewhere as JSON."""
    return (None if text is None else orjson.loads(text) for text in texts.to_pylist())


def _said_at_hand(seen: Seen, name: str) -> Values:
    """Return what is to be said of the audience at hand."""
    if name == QUALIFIED:
        return seen.texts[*path_of(seen.audience), QUALIFIED]
    return seen.statuses if name == _STATUS else [seen.audience.alias] * len(seen.statuses)


def _view(audience: AudienceWanted, person: Profile, status: Status, held: Membership | None) -> Profile:
    return with_audience(person, audience.namespace, audience.alias, {**(held or {}), _STATUS: status})


def _placed(place: int, column: ColumnAsked) -> AttributeRow:
    """Return a row of the mapping whose target is the place of its column: names may be there twice."""
    row = column.attribute
    assert row is not None
    return AttributeRow(row.source, str(place), row.is_calculated, column.type == "object")
