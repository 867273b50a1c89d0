"""
The law of an export's rows, person by person and as slow as it likes: what files have to say of small sandboxes.

It shares with the product the mapping of one person, the table of ``select``, and nothing else.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime

import orjson

from headrace.batch.select import Sight, row_of
from headrace.mapping import AttributeRow, LeftOut, Mapping
from headrace.mapping.audience_view import with_audience
from headrace.mapping.consent import without_memberships


@dataclass
class Stored:
    """Somebody as the store has them."""

    profile: int
    key: str
    sequence: int | None
    identities_at: int | None
    document: dict


@dataclass
class Candidate:
    """A row that somebody would have."""

    person: Stored
    place: int
    status: str
    cells: list
    ids: list = field(default_factory=list)
    keys: tuple = ()


@dataclass
class Told:
    """What is expected of an audience."""

    received: int = 0
    rows: int = 0
    excluded: Counter = field(default_factory=Counter)
    members: set = field(default_factory=set)


def expected(people, wanted, known):
    """Return the rows of some people, and what is told of each audience. ``known``: (surely, perhaps) of each."""
    told = [Told() for _ in wanted.audiences]
    candidates, silent = [], []
    for person in sorted(people, key=lambda item: item.profile):
        for place, audience in enumerate(wanted.audiences):
            candidate = candidate_of(person, place, audience, wanted, known[place], told[place], silent)
            if candidate is not None:
                candidates.append(candidate)
    rows = []
    for candidate in candidates:
        of = told[candidate.place]
        mine = rows_left(candidate, candidates, silent, wanted)
        if not mine:
            of.excluded["duplicate"] += 1
            continue
        of.rows += len(mine)
        rows += mine
    return rows, told


def candidate_of(person, place, audience, wanted, known, told, silent):
    surely, perhaps = known
    held = ((person.document.get("segmentMembership") or {}).get(audience.namespace) or {}).get(audience.id)
    was, was_perhaps = person.profile in surely, person.profile in surely | perhaps
    is_new = (person.identities_at or 0) > audience.known.cut
    is_withheld = wanted.consent.withholding(person.document) is not None

    def status_of(now):
        return row_of(Sight(now, "realized" if was else None, was_perhaps and not was, is_new), audience.manner)

    is_member = held is not None and held["status"] == "realized"
    told_as = "exited" if is_withheld or not is_member else "realized"
    status = status_of(told_as)
    would = status_of("realized") if is_member else None
    if status is None:
        if is_withheld and would is not None:
            told.received += 1
            told.excluded["consent"] += 1
        if told_as == "realized":
            told.members.add(person.profile)
            silent.append(
                made(person, place, "realized", audience, replace(wanted, mandatory=()), held, is_withheld=False)
            )
        return None
    told.received += 1
    candidate = made(person, place, status, audience, wanted, held or {}, is_withheld=is_withheld)
    if candidate is None:
        told.excluded["missing-field"] += 1
        if was_perhaps and audience.manner.mode == "incremental":
            told.members.add(person.profile)
        return None
    if status == "realized":
        told.members.add(person.profile)
    return candidate


def made(person, place, status, audience, wanted, held, *, is_withheld):
    """Return the row of somebody, if it has all that it must."""
    seen = without_memberships(person.document) if is_withheld else person.document
    view = with_audience(seen, audience.namespace, audience.alias, {**held, "status": status})
    values = [values_of(column.row, column.type, view) for column in wanted.columns]
    for name in wanted.mandatory:
        found = named(name, view, wanted, values)
        if not found or found[0] in (None, ""):
            return None
    keys = () if wanted.key is None or wanted.key.namespace else wanted.key.paths
    parts = tuple((named(name, view, wanted, values) or [None])[0] for name in keys)
    ids = named(f"identityMap.{wanted.key.namespace}", view, wanted, values) if not keys and wanted.key else []
    return Candidate(
        person, place, status, [found[0] if found else None for found in values], ids, tuple(map(as_text, parts))
    )


def named(name, view, wanted, values):
    """Return the values of what `mandatory` or a key names: of the column of that source, or of the person."""
    for column, found in zip(wanted.columns, values, strict=True):
        row = column.row
        own = (
            {row.source}
            if isinstance(row, AttributeRow)
            else {f"identityMap.{row.source}", f"identityMap.{row.target}"}
        )
        if name in own:
            return found
    if name.startswith("identityMap."):
        return list(
            dict.fromkeys(item["id"] for item in view.get("identityMap", {}).get(name.removeprefix("identityMap."), []))
        )
    return values_of(AttributeRow(name, name), "string", view)


def values_of(row, type_, view):
    """Return the cells that a row of the mapping gives of somebody."""
    left: list[LeftOut] = []
    if isinstance(row, AttributeRow):
        mapping = Mapping((AttributeRow(row.source, "x", row.is_calculated, type_ == "object"),), (), predefined=True)
        values = list(mapping.attributes(view, left).values())
    else:
        values = [item["id"] for ids in Mapping((), (row,)).identities(view, left).values() for item in ids]
    cells = [cell(value, type_) for value in values]
    return [item for item in dict.fromkeys(cells) if item is not None]


def cell(value, type_):
    """Return a value as a cell of the types that the random sandboxes have."""
    if type_ == "string":
        return value if isinstance(value, str) else orjson.dumps(value).decode()
    if type_ == "integer":
        if isinstance(value, bool) or value == "":
            return None
        try:
            whole = int(value) if isinstance(value, str) else value
        except ValueError:
            return None
        return int(whole) if whole == int(whole) else None
    if type_ == "number":
        if isinstance(value, bool):
            return None
        try:
            return float(value)
        except ValueError:
            return None
    raise AssertionError(type_)


def as_text(value):
    return None if value in (None, "") else (value if isinstance(value, str) else orjson.dumps(value).decode())


def rows_left(one, candidates, silent, wanted):
    """Return the rows that somebody keeps against all who have the same key, and members who have no row."""
    rows = rows_of(one, wanted)
    silent = [other for other in silent if other.place == one.place]
    if wanted.key is None or (one.status == "realized" and keeps(one, candidates, wanted)):
        return rows
    if one.status == "realized":
        return []
    if column_of_key(wanted) is None:
        rivals = [other for other in candidates if other.status == "realized" or not is_spared(other, silent)]
        return rows if not is_spared(one, silent) and keeps(one, rivals, wanted) else []
    ids, held = one.ids or [None], {id_ for other in silent for id_ in other.ids}
    told = [(row, id_) for row, id_ in zip(rows, ids, strict=True) if not id_ or id_ not in held]
    return [row for row, id_ in told if not says_otherwise(one, id_, candidates, wanted)]


def is_spared(one, silent):
    """Say whether somebody who has left has the key of a member who has no row."""
    has_key = any(part is not None for part in one.keys)
    shared = set(one.ids) - {""}
    return any((has_key and one.keys == other.keys) or shared & set(other.ids) for other in silent)


def says_otherwise(one, id_, candidates, wanted):
    """Say whether another row tells of an identity of somebody who has left: a member's, or one that comes first."""
    others = [
        other for other in candidates if other.place == one.place and other is not one and id_ and id_ in other.ids
    ]
    return any(other.status == "realized" or precedence(other, wanted) < precedence(one, wanted) for other in others)


def keeps(one, candidates, wanted):
    """Say whether somebody comes first of all who have the same key."""
    if column_of_key(wanted) is not None:
        candidates = [other for other in candidates if other.status == "realized"]
    rivals = [other for other in connected(one, candidates, wanted) if other is not one]
    return all(precedence(one, wanted) < precedence(other, wanted) for other in rivals)


def connected(one, candidates, wanted):
    same = [other for other in candidates if other.place == one.place]
    if not wanted.key.namespace:
        has_key = any(part is not None for part in one.keys)
        return [other for other in same if has_key and other.keys == one.keys]
    group, ids = [one], set(one.ids) - {""}
    while True:
        found = [other for other in same if other not in group and ids & set(other.ids)]
        if not found:
            return group
        group += found
        ids |= {id_ for other in found for id_ in other.ids} - {""}


def precedence(one, wanted):
    """Return what a row is ordered by: the smallest wins."""
    held = one.person.document.get("segmentMembership", {})
    audience = wanted.audiences[one.place]
    at = ((held.get(audience.namespace) or {}).get(audience.id) or {}).get("lastQualificationTime")
    moment = datetime.fromisoformat(at).timestamp() if at else float("-inf")
    identities_at = one.person.identities_at if one.person.identities_at is not None else float("-inf")
    sources = key_columns(wanted)
    ties = [
        (value is None, "" if value is None else str(value).encode() if isinstance(value, str) else duck(value))
        for column, value in zip(wanted.columns, one.cells, strict=True)
        if column.name not in sources and column.type != "object"
    ]
    return one.status == "exited", -moment, -identities_at, ties, one.person.profile


def duck(value):
    return str(value).encode()


def key_columns(wanted):
    """Return the first column of each part of the key."""
    names = [f"identityMap.{wanted.key.namespace}"] if wanted.key.namespace else wanted.key.paths
    found = set()
    for name in names:
        for column in wanted.columns:
            row = column.row
            own = (
                {row.source}
                if isinstance(row, AttributeRow)
                else {f"identityMap.{row.source}", f"identityMap.{row.target}"}
            )
            if name in own:
                found.add(column.name)
                break
    return found


def rows_of(candidate, wanted):
    """Return the rows of one who keeps theirs: one for each id, if the key is an identity that is a column."""
    place = column_of_key(wanted)
    if place is None or len(candidate.ids) < 2:
        return [tuple(candidate.cells)]
    return [tuple(id_ if at == place else value for at, value in enumerate(candidate.cells)) for id_ in candidate.ids]


def column_of_key(wanted):
    """Return the column in which the identity stands that is the key, if it is one and has one."""
    if wanted.key is None or not wanted.key.namespace:
        return None
    name = f"identityMap.{wanted.key.namespace}"
    for place, column in enumerate(wanted.columns):
        row = column.row
        own = () if isinstance(row, AttributeRow) else (f"identityMap.{row.source}", f"identityMap.{row.target}")
        if name in own:
            return place
    return None
