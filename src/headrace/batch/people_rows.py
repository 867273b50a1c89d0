"""
What stands in the row of a person: what the mapping says of them.

Most columns are plain: an attribute's path, the status of the membership at hand, the identities of a namespace. These
are had without reading the document. For calculated fields, positions in lists, and other paths into memberships it is
read, and mapped as for a message.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from headrace.batch.asked import Asked, ColumnAsked
from headrace.batch.cells import UNFIT, cell_of
from headrace.batch.plain import Path, lead_through
from headrace.batch.selection import AudienceWanted
from headrace.mapping import AttributeRow, LeftOut, Mapping
from headrace.mapping.audience_view import ALIAS, reads_audience, with_audience
from headrace.mapping.calculated import calculation
from headrace.mapping.paths import parse
from headrace.model.message import Status
from headrace.model.profile import Membership, Profile

#: What is left out of a row: the place of the column, and why.
Left = list[tuple[int, Any]]
_MEMBERSHIPS, _IDENTITIES = "segmentMembership", "identityMap"
_STATUS, _QUALIFIED, _ALIAS = "status", "lastQualificationTime", "alias"
#: Where nothing but the whole document says what there is: these are not what the document has at that path.
_SEEN_OTHERWISE = frozenset({_MEMBERSHIPS, "metadata"})
_NAMES = (_STATUS, _QUALIFIED, _ALIAS)
_DIRECT: dict[tuple[str | int, ...], str] = {
    (_MEMBERSHIPS, _STATUS): _STATUS,
    (_MEMBERSHIPS, _QUALIFIED): _QUALIFIED,
    ALIAS: _ALIAS,
}
_AT_HAND = _DIRECT | {
    (_MEMBERSHIPS, namespace, audience, name): name
    for namespace in ("ups", "seg_namespace")
    for audience in ("seg_id", "aep_seg_id")
    for name in (_STATUS, _QUALIFIED)
}


class AtHand(NamedTuple):
    """The audience that a row is about, and a person's membership of it as it is told."""

    audience: AudienceWanted
    status: Status
    held: Membership


class PeopleRows:
    """
    Makes rows of people. ``plain`` are the paths of which it is handed the values, behind ``first`` others; where it
    ``needs_document``, it is handed that too.

    With ``by_documents``, everything is looked for in whole documents; that is the same, and takes longer.
    """

    def __init__(self, asked: Asked, first: int = 0, *, by_documents: bool = False) -> None:
        places = range(len(asked.columns))
        paths = {} if by_documents else _plain_paths(asked.columns)
        at_hand = {} if by_documents else _at_hand(asked.columns)
        rest = [place for place in places if place not in paths and place not in at_hand]
        self.plain = tuple(dict.fromkeys(paths.values()))
        self.needs_document = bool(rest)
        self._rest = _Rest(asked, rest)
        self._is_plain = not rest and not at_hand
        # What columns are picked of: what is plain, what is at hand, and the rest.
        after = first + len(self.plain)
        sources = {place: first + self.plain.index(path) for place, path in paths.items()}
        sources |= {place: after + _NAMES.index(name) for place, name in at_hand.items()}
        sources |= {place: after + len(_NAMES) + at for at, place in enumerate(rest)}
        self._pick = _picking([sources[place] for place in places])
        self._identities = [place for place in places if asked.columns[place].identity is not None]
        self._mapped = {place: _Identities(asked, place) for place in self._identities if place in paths}
        self._many = asked.many

    def of(
        self, values: tuple[Any, ...], document: Profile | None, at_hand: AtHand
    ) -> tuple[list[Sequence[Any]], Left]:
        """
        Return the rows of somebody, and what is known by now to be left out of them.

        There is one, or one for each identity that tells rows apart. Identities are cells; all else are values yet.
        """
        left: Left = []
        if not self._is_plain:
            rest = self._rest.of(document, at_hand, left) if document is not None else ()
            values = (*values, at_hand.status, at_hand.held.get(_QUALIFIED), at_hand.audience.alias, *rest)
        row = self._pick(values)
        return (self._parted(list(row), left) if self._identities else [row]), left

    def _parted(self, row: list[Any], left: Left) -> list[Sequence[Any]]:
        """Return rows with one identity in a column."""
        many: list[Any] = []
        for place in self._identities:
            mapped = self._mapped.get(place)
            ids = row[place] if mapped is None else mapped.of_namespace(row[place], left)
            row[place] = ids[0] if ids else None
            if place == self._many:
                many = ids
        at = self._many or 0
        return [row, *([*row[:at], id_, *row[at + 1 :]] for id_ in many[1:])]


class _Rest:
    """Columns for which the whole document is read."""

    def __init__(self, asked: Asked, places: Sequence[int]) -> None:
        self._attributes = [str(place) for place in places if asked.columns[place].attribute is not None]
        rows = tuple(_placed(int(name), asked.columns[int(name)]) for name in self._attributes)
        self._mapping = Mapping(rows, (), predefined=True)
        identities = {place: _Identities(asked, place) for place in places if asked.columns[place].identity is not None}
        self._columns = [(str(place), identities.get(place)) for place in places]
        self._sees_audience = reads_audience(path for column in asked.columns for path in _reads(column))

    def of(self, person: Profile, at_hand: AtHand, left: Left) -> list[Any]:
        """Return what stands in these columns, one after the other; the identities of a column as a list of cells."""
        view = _view(person, at_hand) if self._sees_audience else person
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
        self._mapping = Mapping((), (row,))
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
    through = lead_through(list(found.values()))
    return {place: path for place, path in found.items() if path not in through}


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


def _view(person: Profile, at_hand: AtHand) -> Profile:
    audience, membership = at_hand.audience, {**at_hand.held, _STATUS: at_hand.status}
    return with_audience(person, audience.namespace, audience.alias, membership)


def _placed(place: int, column: ColumnAsked) -> AttributeRow:
    """Return a row of the mapping whose target is the place of its column: names may be there twice."""
    row = column.attribute
    assert row is not None
    return AttributeRow(row.source, str(place), row.is_calculated, column.type == "object")


def _picking(places: Sequence[int]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """Return what takes some places of a tuple."""
    pick = itemgetter(*places)
    return pick if len(places) > 1 else lambda values: (pick(values),)
