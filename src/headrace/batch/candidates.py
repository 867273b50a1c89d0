"""
The candidates of an export: who has a row in which audience, what stands in it, and what became of all others.

Whether somebody has a row is what ``select`` says, of what they are now and of what the files before have. Somebody
whom a consent policy withholds is to the partner no member, and is left out without a word where the partner never knew
them. Who loses a row afterwards, because another has the same key, is a candidate all the same.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from headrace.batch.asked import Asked, AudienceCounted, Counted
from headrace.batch.gathered import Gathered, has_value
from headrace.batch.members import Members
from headrace.batch.people_rows import AtHand, Left, PeopleRows
from headrace.batch.plain import Plain
from headrace.batch.select import Manner, Sight, row_of
from headrace.batch.selection import AudienceWanted, Excluded
from headrace.mapping.consent import without_memberships
from headrace.model.expiry import moment
from headrace.model.message import Status
from headrace.model.profile import Membership, Profile

#: Characters that the rows of a person may have; a document has fewer, but a value may stand in many columns.
LARGEST = 16 << 20
#: Characters of rows that are gathered before they are handed on.
GATHERED = 8 << 20

_NESTED = frozenset({list, dict})
_NOTHING: Membership = {}
#: What is decided by: whether somebody is a member, surely was one, perhaps was one, and has a new identity.
_Standing = tuple[bool, bool, bool, bool]


class Candidates:
    """
    Makes rows of people who come by their numbers, and counts what becomes of each.

    With ``by_documents``, everything is looked for in whole documents; that is the same, and takes longer.
    """

    def __init__(self, asked: Asked, *, by_documents: bool = False) -> None:
        self._asked = asked
        self._consents = asked.consents
        self._audiences = [_Audience(place, audience) for place, audience in enumerate(asked.audiences)]
        self._rows = PeopleRows(asked, len(self._audiences), by_documents=by_documents)
        # Only what is calculated may be longer than its document.
        self._width = LARGEST if self._rows.needs_document else len(asked.columns)
        self._needs_document = self._rows.needs_document or bool(self._consents)
        held = [("segmentMembership", audience.namespace, audience.id) for audience in asked.audiences]
        self._plain = Plain([*held, *self._rows.plain])
        self._gathered = Gathered(asked)
        self._left_out: Counter[tuple[int, Any]] = Counter()
        self._looked = self._cut = self._last = 0

    def take(self, people: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """Yield the rows of some people; none are a batch too, so that whoever reads may stop."""
        self._note(people)
        keys = people.column("key" if self._asked.tells_person else "profile").to_pylist()
        rest = (people.column(name).to_pylist() for name in ("profile", "identities_at", "document"))
        for key, profile, identities_at, stored in zip(keys, *rest, strict=True):
            self._take(_Person(profile, key, identities_at), stored)
            if self._gathered.size > GATHERED:
                yield self._gathered.flushed(self._left_out)
        yield self._gathered.flushed(self._left_out)

    def counted(self) -> Counted:
        """Say what became of everybody."""
        left = [(*what, count) for what, count in sorted(self._left_out.items())]
        return Counted(self._cut, self._looked, [audience.counted() for audience in self._audiences], left)

    def _note(self, people: pa.RecordBatch) -> None:
        numbers = pa.chunked_array([pa.array([self._last]), people.column("profile")]).combine_chunks()
        if not pc.all(pc.less(numbers[:-1], numbers[1:])).as_py():
            raise ValueError("people do not come by their numbers")
        self._last = numbers[-1].as_py()
        self._cut = max(self._cut, pc.max(people.column("sequence")).as_py() or 0)
        self._looked += people.num_rows

    def _take(self, person: "_Person", stored: bytes) -> None:
        values = self._plain.of(stored)
        document: Profile | None = None
        is_withheld = False
        for audience in self._audiences:
            held: Membership | None = values[audience.place]
            is_in = held is not None and held["status"] == "realized"
            known = audience.is_known and audience.knows(person.profile)
            if not is_in and not known:
                continue
            if self._needs_document and document is None:
                document, is_withheld = self._read(stored)
            status = audience.decide(person, known, is_in=is_in, is_withheld=is_withheld)
            if status is None:
                continue
            at_hand = AtHand(audience.wanted, status, held or _NOTHING)
            rows, left = self._rows.of(values, document if self._rows.needs_document else None, at_hand)
            size = self._size(rows, len(stored))
            reason = self._reason(rows[0], size)
            if reason is not None:
                audience.exclude(person.profile, reason)
                continue
            audience.give(person.profile, status, len(rows))
            self._add(person, audience, at_hand, rows, left)
            self._gathered.size += size

    def _read(self, stored: bytes) -> tuple[Profile, bool]:
        """Read a document, and say whether somebody is withheld; they are returned as the partner may know them."""
        whole: Profile = orjson.loads(stored)
        is_withheld = bool(self._consents) and self._consents.withholding(whole) is not None
        return without_memberships(whole) if is_withheld else whole, is_withheld

    def _add(
        self, person: "_Person", audience: "_Audience", at_hand: AtHand, rows: list[Sequence[Any]], left: Left
    ) -> None:
        if left:
            self._left_out.update(left)
        if not self._asked.gathers:
            self._gathered.add((), rows[0])
            return
        qualified_at = moment(at_hand.held.get("lastQualificationTime")) if self._asked.keys else None
        more = (at_hand.status == "exited", *((person.key,) if self._asked.tells_person else ()))
        for place, row in enumerate(rows):
            self._gathered.add((person.profile, audience.place, place, qualified_at, person.identities_at, *more), row)

    def _size(self, rows: Sequence[Sequence[Any]], stored: int) -> int:
        """Return how many characters rows have, or more; what is plain has no more of them than its document."""
        if stored * self._width * len(rows) < LARGEST:
            return stored * len(rows)
        sizes = (len(value) if type(value) is str else stored * (type(value) in _NESTED) for value in rows[0])
        return sum(sizes) * len(rows)

    def _reason(self, row: Sequence[Any], size: int) -> Excluded | None:
        """Say why rows are left out; ``None``: they are not."""
        for place in self._asked.mandatory:
            if not has_value(row[place], self._asked.columns[place]):
                return "missing-field"
        return "too-large" if size > LARGEST else None


class _Person(NamedTuple):
    """Whose document it is."""

    profile: int
    key: str
    identities_at: int | None


class _Audience:
    """One audience: whom the files before have, who has a row now, and whom the partner has afterwards."""

    def __init__(self, place: int, wanted: AudienceWanted) -> None:
        self.place, self.wanted = place, wanted
        known = wanted.known
        self._cut = known.cut
        self._surely = Members(known.surely)
        self._perhaps = self._surely if known.perhaps is None else Members(known.perhaps)
        self.is_known = bool(known.surely or known.perhaps)
        self._statuses = dict(_statuses(wanted.manner))
        self._members = Members()
        self._received = self._rows = 0
        self._excluded: Counter[Excluded] = Counter()

    def knows(self, profile: int) -> bool:
        """Say whether any file before has somebody as a member."""
        return profile in self._surely or profile in self._perhaps

    def decide(self, person: _Person, known: bool, *, is_in: bool, is_withheld: bool) -> Status | None:
        """Say which row somebody has, and note who has none. ``known``: what ``knows`` says of them."""
        was = (known and person.profile in self._surely, known, (person.identities_at or 0) > self._cut)
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
        if self.is_known and self.knows(profile) and self.wanted.manner.mode != "full":
            self._members.add(profile)

    def give(self, profile: int, status: Status, rows: int) -> None:
        """Note somebody who has rows."""
        self._rows += rows
        if status == "realized":
            self._members.add(profile)

    def counted(self) -> AudienceCounted:
        return AudienceCounted(self._received, self._rows, dict(self._excluded), self._members.packed())


def _statuses(manner: Manner) -> Iterator[tuple[_Standing, Status | None]]:
    """Yield what ``row_of`` says of everybody there may be."""
    for is_in in (False, True):
        for surely, perhaps in ((False, False), (False, True), (True, True)):
            for is_new in (False, True):
                now: Status | None = "realized" if is_in else None
                then: Status | None = "realized" if surely else None
                sight = Sight(now, then, perhaps and not surely, is_new)
                yield (is_in, surely, perhaps, is_new), row_of(sight, manner)
