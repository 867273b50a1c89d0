"""
The candidates of an export: who has a row in which audience, what stands in it, and what became of all others.

Whether somebody has a row is what ``select`` says, of what they are now and of what the files before have. Somebody
whom a consent policy withholds is to the partner no member, and is left out without a word where the partner never knew
them. Who loses a row afterwards, because another has the same key, is a candidate all the same.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson
import pyarrow as pa

from headrace.batch.asked import Asked, AudienceCounted, Counted
from headrace.batch.members import Members
from headrace.batch.people_rows import Left, PeopleRows
from headrace.batch.select import Manner, Sight, row_of
from headrace.batch.selection import AudienceWanted, Excluded
from headrace.mapping.audience_view import with_audience
from headrace.model.expiry import moment
from headrace.model.message import Status
from headrace.model.profile import Membership, Profile

#: Characters that the rows of a person may have; a document has fewer, but a value may stand in many columns.
LARGEST = 16 << 20
#: Characters of rows that are gathered before they are handed on.
GATHERED = 8 << 20

Made = tuple[list[list[Any]], Left]
#: What is decided by: whether somebody is a member, surely was one, perhaps was one, and has a new identity.
_Standing = tuple[bool, bool, bool, bool]


class Candidates:
    """Makes rows of people who come by their numbers, and counts what becomes of each."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._consents = asked.consents
        self._audiences = [_Audience(place, audience) for place, audience in enumerate(asked.audiences)]
        self._rows = PeopleRows(asked)
        self._gathered = _Gathered(asked)
        self._left_out: Counter[tuple[int, Any]] = Counter()
        self._looked = self._cut = self._last = 0

    def take(self, people: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """Yield the rows of some people; none are a batch too, so that whoever reads may stop."""
        keys = people.column("key" if self._asked.tells_person else "profile").to_pylist()
        rest = (people.column(name).to_pylist() for name in ("profile", "sequence", "identities_at", "document"))
        for key, profile, sequence, identities_at, document in zip(keys, *rest, strict=True):
            if profile <= self._last:
                raise ValueError("people do not come by their numbers")
            self._last = profile
            self._cut = max(self._cut, sequence or 0)
            self._take(_Person(profile, key, identities_at, orjson.loads(document)))
            if self._gathered.size > GATHERED:
                yield self._gathered.flushed()
        self._looked += people.num_rows
        yield self._gathered.flushed()

    def counted(self) -> Counted:
        """Say what became of everybody."""
        left = [(*what, count) for what, count in sorted(self._left_out.items())]
        return Counted(self._cut, self._looked, [audience.counted() for audience in self._audiences], left)

    def _take(self, person: "_Person") -> None:
        seen = self._consents.seen(person.document)
        assert seen is not None
        made: Made | None = None
        for audience in self._audiences:
            held = audience.membership(person.document)
            status = audience.decide(person, held, is_withheld=seen is not person.document)
            if status is None:
                continue
            if self._rows.reads_audience:
                made = self._rows.of(audience.view(seen, held, status))
            elif made is None:
                made = self._rows.of(seen)
            self._give(person, audience, status, held, made)

    def _give(
        self, person: "_Person", audience: "_Audience", status: Status, held: Membership | None, made: Made
    ) -> None:
        rows, left = made
        size = sum(len(value) for value in rows[0] if type(value) is str) * len(rows)
        reason = self._reason(rows, size)
        if reason is not None:
            audience.exclude(person.profile, reason)
            return
        audience.give(person.profile, status)
        self._left_out.update(left)
        qualified_at = moment((held or {}).get("lastQualificationTime"))
        for place, row in enumerate(rows):
            own = (person.profile, audience.place, place, qualified_at, person.identities_at)
            self._gathered.add((*own, *((person.key,) if self._asked.tells_person else ()), *row))
        self._gathered.size += size

    def _reason(self, rows: list[list[Any]], size: int) -> Excluded | None:
        """Say why rows are left out; ``None``: they are not."""
        if any(rows[0][place] in (None, "") for place in self._asked.mandatory):
            return "missing-field"
        return "too-large" if size > LARGEST else None


class _Person:
    """Somebody as stored."""

    __slots__ = ("document", "identities_at", "key", "profile")

    def __init__(self, profile: int, key: str, identities_at: int | None, document: Profile) -> None:
        self.profile, self.key, self.identities_at, self.document = profile, key, identities_at, document


class _Audience:
    """One audience: whom the files before have, who has a row now, and whom the partner has afterwards."""

    def __init__(self, place: int, wanted: AudienceWanted) -> None:
        self.place = place
        self._wanted, known = wanted, wanted.known
        self._surely = Members(known.surely)
        self._perhaps = self._surely if known.perhaps is None else Members(known.perhaps)
        self._statuses = dict(_statuses(wanted.manner))
        self._members = Members()
        self._received = 0
        self._excluded: Counter[Excluded] = Counter()

    def membership(self, person: Profile) -> Membership | None:
        """Return what somebody's membership is."""
        held = (person.get("segmentMembership") or {}).get(self._wanted.namespace) or {}
        found: Membership | None = held.get(self._wanted.id)
        return found

    def decide(self, person: _Person, held: Membership | None, *, is_withheld: bool) -> Status | None:
        """Say which row somebody has, and note who has none."""
        is_in = held is not None and held["status"] == "realized"
        surely, perhaps = person.profile in self._surely, self._knows(person.profile)
        was = (surely, perhaps, (person.identities_at or 0) > self._wanted.known.cut)
        status = self._statuses[(is_in and not is_withheld, *was)]
        if status is not None:
            self._received += 1
        elif is_in and not is_withheld:
            self._members.add(person.profile)
        elif is_in and self._statuses[(True, *was)] is not None:
            self._received += 1
            self._excluded["consent"] += 1
        return status

    def exclude(self, profile: int, reason: Excluded) -> None:
        """Note somebody whose row is left out. They stay what they were, but for a file that is the whole audience."""
        self._excluded[reason] += 1
        if self._wanted.manner.mode != "full" and self._knows(profile):
            self._members.add(profile)

    def give(self, profile: int, status: Status) -> None:
        """Note somebody who has a row."""
        if status == "realized":
            self._members.add(profile)

    def view(self, seen: Profile, held: Membership | None, status: Status) -> Profile:
        """Return somebody as paths see them that stand for the audience at hand."""
        wanted = self._wanted
        return with_audience(seen, wanted.namespace, wanted.alias, {**(held or {}), "status": status})

    def counted(self) -> AudienceCounted:
        return AudienceCounted(self._received, dict(self._excluded), self._members.packed())

    def _knows(self, profile: int) -> bool:
        return profile in self._surely or profile in self._perhaps


def _statuses(manner: Manner) -> Iterator[tuple[_Standing, Status | None]]:
    """Yield what ``row_of`` says of everybody there may be."""
    for is_in in (False, True):
        for surely, perhaps in ((False, False), (False, True), (True, True)):
            for is_new in (False, True):
                now: Status | None = "realized" if is_in else None
                then: Status | None = "realized" if surely else None
                sight = Sight(now, then, perhaps and not surely, is_new)
                yield (is_in, surely, perhaps, is_new), row_of(sight, manner)


class _Gathered:
    """Rows that wait to be handed on; ``size`` is how many characters they have."""

    def __init__(self, asked: Asked) -> None:
        self._schema = asked.schema
        self._rows: list[tuple[Any, ...]] = []
        self.size = 0

    def add(self, row: tuple[Any, ...]) -> None:
        self._rows.append(row)

    def flushed(self) -> pa.RecordBatch:
        """Return the rows, and gather anew."""
        columns = list(zip(*self._rows, strict=True)) or [()] * len(self._schema)
        arrays = [pa.array(values, type_) for values, type_ in zip(columns, self._schema.types, strict=True)]
        self._rows, self.size = [], 0
        return pa.record_batch(arrays, schema=self._schema)
