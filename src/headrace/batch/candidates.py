"""
The candidates of an export: who has a row in which audience, what stands in it, and what became of all others.

    statuses in documents → who has a row, by bitmaps → what else stands in documents → columns of rows

All of it is done for many people at once. Whether somebody has a row is what ``select`` says, of what they are now and
of what the files before have. Somebody whom a consent policy withholds is to the partner no member, and is left out
without a word where the partner never knew them. Who loses a row afterwards, because another has the same key, is a
candidate all the same.
"""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import reduce
from typing import NamedTuple

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from headrace.batch.asked import Asked, AudienceCounted, Counted
from headrace.batch.candidate_rows import CandidateRows, Made
from headrace.batch.documents import Documents
from headrace.batch.members import Members
from headrace.batch.people_rows import Seen, path_of
from headrace.batch.select import Manner, Sight, row_of
from headrace.batch.selection import AudienceWanted, Excluded
from headrace.mapping.consent import without_memberships
from headrace.model.message import Status
from headrace.model.profile import Profile

#: Characters of rows that are made at once; and where documents are read for them, of these.
AT_ONCE, READ_AT_ONCE = 8 << 20, 1 << 20
_REALIZED = '"realized"'


class Candidates:
    """
    Makes rows of people who come by their numbers, and counts what becomes of each.

    With ``by_documents``, everything is looked for in whole documents; that is the same, and takes longer.
    """

    def __init__(self, asked: Asked, *, by_documents: bool = False) -> None:
        self._asked, self._consents = asked, asked.consents
        self._audiences = [_Audience(audience) for audience in asked.audiences]
        self._documents = Documents()
        self._rows = CandidateRows(asked, by_documents=by_documents)
        self._keys = CandidateRows(asked.of_keys(), by_documents=by_documents) if asked.asks_members else None
        self._looked = self._cut = self._last = 0

    def take(self, people: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """Yield the rows of some people; none are a batch too, so that whoever reads may stop."""
        self._note(people)
        at = people.schema.get_field_index("document")
        people = people.set_column(at, "document", people.column(at).cast(pa.string()))
        statuses, silent = zip(*self._decide(people), strict=True)
        for made in self._made(self._rows, people, statuses):
            yield self._rows.in_order([one.give(rows) for one, rows in zip(self._audiences, made, strict=True)])
        for made in self._made(self._keys, people, silent) if self._keys is not None else ():
            yield from (self._rows.silent(one.rows) for one in made)
        yield self._rows.in_order([])

    def counted(self) -> Counted:
        """Say what became of everybody."""
        left = [(*what, count) for what, count in sorted(self._rows.left_out.items())]
        return Counted(self._cut, self._looked, [audience.counted() for audience in self._audiences], left)

    def _note(self, people: pa.RecordBatch) -> None:
        numbers = pa.chunked_array([pa.array([self._last]), people.column("profile")]).combine_chunks()
        if not pc.all(pc.less(numbers[:-1], numbers[1:])).as_py():
            raise ValueError("people do not come by their numbers")
        self._last = numbers[-1].as_py()
        self._cut = max(self._cut, pc.max(people.column("sequence")).as_py() or 0)
        self._looked += people.num_rows

    # -- who has a row -------------------------------------------------------------------------------------------------

    def _decide(self, people: pa.RecordBatch) -> "Iterator[tuple[pa.Array, pa.Array]]":
        """
        Yield, for each audience, the status that each person's row has, null where there is none; and the status of
        members who have none, null of all others.
        """
        documents = people.column("document")
        found = self._documents.find(documents, [(*path_of(one.wanted), "status") for one in self._audiences])
        sights = [one.sights(people, status) for one, status in zip(self._audiences, found, strict=True)]
        withheld = self._withheld(documents, sights)
        return (one.decide(sight, withheld) for one, sight in zip(self._audiences, sights, strict=True))

    def _withheld(self, documents: pa.Array, sights: "Sequence[_Sights]") -> pa.Array:
        """Say whom a policy withholds, of those to whom it makes a difference."""
        if not self._consents:
            return pa.repeat(False, len(documents))
        matters = reduce(pc.or_, [pc.or_(sight.is_in, sight.perhaps) for sight in sights])
        withheld = map(self._is_withheld, documents.filter(matters).to_pylist())
        return pc.replace_with_mask(matters, matters, pa.array(withheld, pa.bool_()))

    def _is_withheld(self, stored: str) -> bool:
        return self._consents.withholding(orjson.loads(stored)) is not None

    # -- what stands in it ---------------------------------------------------------------------------------------------

    def _made(self, rows: CandidateRows, people: pa.RecordBatch, statuses: Sequence[pa.Array]) -> Iterator[list[Made]]:
        """Yield rows of the audiences, of so many people who have any that they are not too much at once."""
        some = pc.indices_nonzero(reduce(pc.or_, [status.is_valid() for status in statuses]))
        people, statuses = people.take(some), [status.take(some) for status in statuses]
        for begin, count in _parts(rows, people):
            part = people.slice(begin, count)
            yield self._of_part(rows, part, [status.slice(begin, count) for status in statuses])

    def _of_part(self, rows: CandidateRows, people: pa.RecordBatch, statuses: Sequence[pa.Array]) -> list[Made]:
        documents = people.column("document")
        texts = dict(zip(rows.paths, self._documents.find(documents, rows.paths), strict=True))
        read = [self._as_told(one) for one in documents.to_pylist()] if rows.needs_document else None
        people = people.append_column("length", pc.binary_length(documents).cast(pa.int64())).drop_columns(["document"])
        made = []
        for place, (audience, status) in enumerate(zip(self._audiences, statuses, strict=True)):
            mine = pc.indices_nonzero(status.is_valid())
            is_all = len(mine) == people.num_rows
            told = texts if is_all else {path: found.take(mine) for path, found in texts.items()}
            whole = [read[at] for at in mine.to_pylist()] if read is not None else ()
            seen = Seen(audience.wanted, status.take(mine).to_pylist(), told, whole)
            made.append(rows.of(place, people.take(mine), seen))
        return made

    def _as_told(self, stored: str) -> Profile:
        """Read a document as the partner may know it."""
        whole: Profile = orjson.loads(stored)
        is_withheld = bool(self._consents) and self._consents.withholding(whole) is not None
        return without_memberships(whole) if is_withheld else whole


def _parts(rows: CandidateRows, people: pa.RecordBatch) -> Iterator[tuple[int, int]]:
    """Yield how many people are taken at once, each time with the first of them."""
    sizes = rows.sizes(people.column("document"))
    at_once = READ_AT_ONCE if rows.needs_document else AT_ONCE
    parts = pc.divide(pc.subtract(pc.cumulative_sum(sizes), sizes), at_once)
    begin = 0
    for end in pc.run_end_encode(parts, run_end_type=pa.int64()).run_ends.to_pylist():
        yield begin, end - begin
        begin = end


class _Sights(NamedTuple):
    """People: whether each is a member, surely was one, perhaps was one, and has a new identity."""

    profiles: pa.Array
    is_in: pa.Array
    surely: pa.Array
    perhaps: pa.Array
    is_new: pa.Array


class _Audience:
    """One audience: whom the files before have, who has a row now, and whom the partner has afterwards."""

    def __init__(self, wanted: AudienceWanted) -> None:
        self.wanted = wanted
        known = wanted.known
        self._surely = Members(known.surely)
        self._perhaps = self._surely if known.perhaps is None else Members(known.perhaps)
        self._statuses = pa.array(list(_statuses(wanted.manner)), pa.string())
        self._members = Members()
        self._received = self._rows = 0
        self._excluded: Counter[Excluded] = Counter()

    def sights(self, people: pa.RecordBatch, status: pa.Array) -> _Sights:
        """Say what each person is and was; of the status now, as JSON."""
        profiles, identities_at = people.column("profile"), people.column("identities_at")
        is_in = pc.fill_null(pc.equal(status, _REALIZED), False)
        surely = self._surely.has(profiles)
        perhaps = surely if self._perhaps is self._surely else pc.or_(surely, self._perhaps.has(profiles))
        is_new = pc.greater(pc.fill_null(identities_at, 0), self.wanted.known.cut)
        return _Sights(profiles, is_in, surely, perhaps, is_new)

    def decide(self, sights: _Sights, withheld: pa.Array) -> tuple[pa.Array, pa.Array]:
        """Return which rows people have, and which members have none; null of all others. Note who that is."""
        is_told = pc.and_not(sights.is_in, withheld)
        statuses = self._of(is_told, sights)
        has_row, would = statuses.is_valid(), self._of(sights.is_in, sights).is_valid()
        excluded = pc.sum(pc.and_(pc.and_(sights.is_in, withheld), pc.and_not(would, has_row))).as_py() or 0
        self._received += (pc.sum(has_row).as_py() or 0) + excluded
        self._excluded["consent"] += excluded
        is_silent = pc.and_not(is_told, has_row)
        self._members.add(sights.profiles.filter(is_silent))
        return statuses, pc.if_else(is_silent, "realized", pa.scalar(None, pa.string()))

    def give(self, made: Made) -> pa.RecordBatch:
        """Return rows, and note who has them and whose are left out."""
        self._rows += made.rows.num_rows
        self._members.add(made.profiles.filter(pc.equal(made.statuses, "realized")))
        for reason, profiles in made.excluded.items():
            self._excluded[reason] += len(profiles)
            # They stay what they were, but for a file that is the whole audience.
            if self.wanted.manner.mode != "full":
                self._members.add(profiles.filter(self._perhaps.has(profiles)))
                self._members.add(profiles.filter(self._surely.has(profiles)))
        return made.rows

    def counted(self) -> AudienceCounted:
        excluded = {reason: count for reason, count in self._excluded.items() if count}
        return AudienceCounted(self._received, self._rows, excluded, self._members.packed())

    def _of(self, is_in: pa.Array, sights: _Sights) -> pa.Array:
        """Return the rows that people have, if these are members."""
        standing = (is_in, sights.surely, sights.perhaps, sights.is_new)
        return self._statuses.take(
            reduce(lambda place, bit: pc.add(pc.multiply(place, 2), bit), (one.cast(pa.int8()) for one in standing))
        )


def _statuses(manner: Manner) -> Iterator[Status | None]:
    """Yield what ``row_of`` says of everybody there may be, in the order that ``_Audience`` counts them."""
    for is_in, surely, perhaps, is_new in itertools.product((False, True), repeat=4):
        now: Status | None = "realized" if is_in else None
        then: Status | None = "realized" if surely else None
        yield row_of(Sight(now, then, perhaps and not surely, is_new), manner)
