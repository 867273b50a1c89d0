"""
Ingestion: profiles in, changes out, in one transaction.

A record is parsed at the door. Inside the transaction it is merged with what is known of the person, every dataflow of
the sandbox says what that changes for it, and the changes go into the outbox. The sender is answered after the commit.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import msgspec

from headrace.clock import Clock, iso
from headrace.crashpoints import crashpoint
from headrace.errors import RequestError
from headrace.events import Announce, ProfilesIngested
from headrace.model.change import Changes
from headrace.model.profile import Profile, ProfileError, decode, encode, key_of, merge, parse
from headrace.services.caller import Caller
from headrace.services.live import LiveDataflow, LiveDataflows
from headrace.store import outbox, profiles
from headrace.store.database import Store, Transaction
from headrace.streaming.triggers import changed, lanes

#: Records that share one turn of the writer: small enough that others get theirs.
MOST_AT_ONCE = 500
#: A person larger than this is refused: nobody's profile is, and each is read whole again and again.
LARGEST_RECORD = 1 << 20
_NOT_READ = ("json", "not-an-object")


class Unreadable(RequestError):
    """Nothing in the request could be read as profiles."""

    code = "unreadable"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that was not taken: its line (from 1), a stable code, the reason."""

    line: int
    code: str
    reason: str


@dataclass(slots=True)
class Receipt:
    """What became of the records of one request."""

    accepted: int = 0
    changes: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    dataflows: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Record:
    """A person as sent, with the line, and the key under which they are kept."""

    line: int
    key: str
    profile: Profile


@dataclass(frozen=True, slots=True)
class Ingestion:
    """What taking profiles in needs. ``woken`` is told which dataflows of a sandbox have something to send."""

    store: Store
    clock: Clock
    live: LiveDataflows
    announce: Announce
    woken: Callable[[int, Iterable[int]], None]

    async def take(self, caller: Caller, body: bytes, *, lines: bool, replace: bool = False) -> Receipt:
        """
        Take whole source profiles from a JSON array, or from one JSON document a line.

        A record that is not right is rejected alone. With ``replace``, audiences that a record does not mention have
        been left.

        Raises:
            Unreadable: nothing could be read.
            StoreUnavailable: the disk is full; nothing was taken of the part that is being written.
        """
        receipt = Receipt()
        records = read_records(_split(body, lines), receipt)
        while batch := list(islice(records, MOST_AT_ONCE)):
            await self._keep(caller.number, batch, replace, receipt)
        if not receipt.accepted and receipt.rejected and all(item.code in _NOT_READ for item in receipt.rejected):
            first = receipt.rejected[0]
            raise Unreadable(f"no profile could be read; the first reason, at line {first.line}: {first.reason}")
        accepted, rejected = receipt.accepted, len(receipt.rejected)
        self.announce(ProfilesIngested(accepted=accepted, rejected=rejected, changes=receipt.changes))
        return receipt

    async def take_part(
        self, tenant: int, records: Sequence[Record], receipt: Receipt, also: Callable[[Transaction], None]
    ) -> None:
        """Take a part of many records in, in one transaction with whatever ``also`` does."""
        await self._keep(tenant, records, False, receipt, also)

    async def _keep(
        self,
        tenant: int,
        records: Sequence[Record],
        replace: bool,
        receipt: Receipt,
        also: Callable[[Transaction], None] = lambda _: None,
    ) -> None:
        now = self.clock.now()
        replace_at = iso(now) if replace else None

        def work(tx: Transaction) -> list[Changes]:
            also(tx)
            made = keep(tx, tenant, records, self.live.of(tx, tenant), now, replace_at)
            crashpoint("before_ingest_commit")
            return made

        made = await self.store.write(work)
        crashpoint("after_ingest_commit")
        receipt.accepted += len(records)
        receipt.changes += sum(len(changes.changed) + len(changes.late) for changes in made)
        touched = {changes.dataflow for changes in made}
        receipt.dataflows |= touched
        self.woken(tenant, touched)


def keep(
    tx: Transaction,
    tenant: int,
    records: Sequence[Record],
    live: dict[int, LiveDataflow],
    now: int,
    replace_at: str | None,
) -> list[Changes]:
    """Merge records into what is known, and put what that changes for each dataflow into the outbox."""
    number, seq = profiles.last_number(tx, tenant), profiles.next_sequence(tx, tenant, len(records))
    arrived = iso(now)
    made: list[Changes] = []
    done, touched = 0, set[int]()
    for record in records:
        found = profiles.find(tx, tenant, record.key)
        before = decode(found[1]) if found is not None else None
        _stamp(record.profile, arrived)
        after, late = merge(before, record.profile, replace_at=replace_at)
        if found is None:
            number += 1
            profile = number
            profiles.insert(tx, tenant, profile, record.key, encode(after))
        else:
            profile = found[0]
            profiles.update(tx, tenant, profile, encode(after))
        if profile in touched:  # What this person's record before it means must be in the outbox first.
            outbox.accept(tx, tenant, made[done:], now)
            done, touched = len(made), set()
        touched.add(profile)
        for dataflow in live.values():
            changes = _changes(tx, tenant, dataflow, profile, seq, before, after, late)
            if changes is not None:
                made.append(changes)
        seq += 1
    outbox.accept(tx, tenant, made[done:], now)
    return made


def _changes(
    tx: Transaction,
    tenant: int,
    dataflow: LiveDataflow,
    profile: int,
    seq: int,
    before: Profile | None,
    after: Profile,
    late: list[tuple[str, str]],
) -> Changes | None:
    """Return what a record changes for one dataflow; ``None`` for nothing."""
    watched = dataflow.watched
    moved = changed(before, after, watched)
    numbers = watched.audiences.numbers
    too_late = tuple(numbers[origin][id_] for origin, id_ in late if id_ in numbers.get(origin, ()))
    if not moved and not too_late:
        return None
    known = [] if watched.parting.is_whole else outbox.known_lanes(tx, tenant, watched.dataflow, profile)
    return Changes(watched.dataflow, profile, seq, moved, lanes(after, moved, watched, known), too_late)


def _stamp(profile: Profile, arrived: str) -> None:
    """Give memberships that do not say since when the moment of their arrival."""
    for memberships in (profile.get("segmentMembership") or {}).values():
        for membership in memberships.values():
            membership.setdefault("lastQualificationTime", arrived)


def read_records(documents: Iterable[tuple[int, bytes]], receipt: Receipt) -> Iterator[Record]:
    """Read documents, each with its line, as people; note in the receipt those that are none."""
    for line, text in documents:
        try:
            if len(text) > LARGEST_RECORD:
                raise ProfileError("too-large", f"a profile has at most {LARGEST_RECORD} bytes, not {len(text)}")
            profile = parse(text)
            yield Record(line, key_of(profile), profile)
        except ProfileError as error:
            receipt.rejected.append(Rejected(line, error.reason, error.message))


def _split(body: bytes, lines: bool) -> Iterator[tuple[int, bytes]]:
    """Yield the documents of a body with their lines; in an array, the place of each counts as its line."""
    if lines:
        for number, text in enumerate(body.split(b"\n"), 1):
            if text.strip():
                yield number, text
        return
    try:
        documents = msgspec.json.decode(body, type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError) as error:
        raise Unreadable(f"the body is not a JSON array of profiles: {error}") from None
    for number, document in enumerate(documents, 1):
        yield number, bytes(document)
