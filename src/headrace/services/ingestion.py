"""
Ingestion: profiles in, changes out, in one transaction.

A record is parsed at the door. Inside the transaction it is merged with what is known of the person, every dataflow of
the sandbox says what that changes for it, and the changes go into the outbox. The sender is answered after the commit.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice

import msgspec

from headrace.clock import Clock, iso
from headrace.crashpoints import crashpoint
from headrace.errors import RequestError
from headrace.events import Announce, ProfilesIngested
from headrace.model.change import Changes
from headrace.model.expiry import next_due
from headrace.model.profile import Profile, ProfileError, decode, encode, has_new_identity
from headrace.model.record import Record, after, read_patch, read_whole, stamp
from headrace.services import consenting
from headrace.services.audiences.counting import Sizes
from headrace.services.caller import Caller
from headrace.services.erased import CODE as ERASED
from headrace.services.erased import REASON as ERASED_REASON
from headrace.services.erased import Erased
from headrace.services.live import LiveDataflow, LiveDataflows
from headrace.services.quotas import Quotas
from headrace.services.space import refuse_without_room
from headrace.store import namespaces, outbox, profiles, taken_requests
from headrace.store.database import Store, Transaction
from headrace.store.profiles import Kept
from headrace.store.taken_requests import TakenRequest
from headrace.streaming.triggers import changed, lanes

#: Records that share one turn of the writer: small enough that others get theirs.
MOST_AT_ONCE = 500
#: A person larger than this is refused: nobody's profile is, and each is read whole again and again.
LARGEST_RECORD = 1 << 20
#: How long a request is remembered by its idempotency key, in milliseconds.
KEPT = 24 * 3600 * 1000
LONGEST_IDEMPOTENCY_KEY = 255
_NOT_READ = ("json", "not-an-object")


class Unreadable(RequestError):
    """Nothing in the request could be read as profiles."""

    code = "unreadable"


class IdempotencyKeyReused(RequestError):
    """The idempotency key came with another request before."""

    code = "idempotency-key-reused"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that was not taken: its line (from 1), a stable code, the reason."""

    line: int
    code: str
    reason: str


@dataclass(slots=True)
class Receipt:
    """What became of the records of one request. ``is_repeated``: it was taken before, and this is what was said."""

    accepted: int = 0
    changes: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    dataflows: set[int] = field(default_factory=set)
    is_repeated: bool = False


#: Records that are not taken because of tombstones.
Refused = Sequence[Rejected]


@dataclass(frozen=True, slots=True)
class _Request:
    """One request as its parts are kept: whose, how, and under which key, if any, with which fingerprint."""

    tenant: int
    replace: bool
    key: str | None
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Ingestion:
    """What taking profiles in needs. ``woken`` is told which dataflows of a sandbox have something to send."""

    store: Store
    clock: Clock
    live: LiveDataflows
    announce: Announce
    woken: Callable[[int, Iterable[int]], None]
    erased: Erased | None = None
    quotas: Quotas | None = None

    async def take(
        self,
        caller: Caller,
        body: bytes,
        *,
        lines: bool,
        replace: bool = False,
        patch: bool = False,
        key: str | None = None,
    ) -> Receipt:
        """
        Take whole source profiles, or patches of some, from a JSON array, or from one JSON document a line.

        A record that is not right is rejected alone. With ``replace``, audiences that a record does not mention have
        been left. What came with an idempotency ``key`` is taken once: the same request again is answered as it was,
        and goes on where it was interrupted.

        Raises:
            Unreadable: nothing could be read.
            IdempotencyKeyReused: another request came with this key.
            StoreUnavailable: the disk is full; nothing was taken of the part that is being written.
            QuotaFull: so is the sandbox.
        """
        began = self.clock.monotonic()
        refuse_without_room(self.store)
        if self.quotas is not None:
            await self.quotas.admit_request(caller.number)
        request = _Request(caller.number, replace, key, _fingerprint(body, lines, replace, patch) if key else "")
        order, known = await self.store.read(lambda tx: _look(tx, request))
        if known is not None and known.rejected is not None:
            rejected = [Rejected(**item) for item in known.rejected]
            return Receipt(known.accepted, rejected=rejected, is_repeated=True)
        receipt = Receipt()
        crashpoint("before_ingest_parse")
        parts = _parts(read_records(_split(body, lines), receipt, order, patch=patch))
        for number, (part, is_last) in enumerate(parts, 1):
            await self._keep(request, part, number, receipt, is_last=is_last)
        if not receipt.accepted and receipt.rejected and all(item.code in _NOT_READ for item in receipt.rejected):
            first = receipt.rejected[0]
            raise Unreadable(f"no profile could be read; the first reason, at line {first.line}: {first.reason}")
        receipt.rejected.sort(key=lambda item: item.line)
        accepted, refused = receipt.accepted, len(receipt.rejected)
        seconds = self.clock.monotonic() - began
        self.announce(ProfilesIngested(accepted=accepted, rejected=refused, changes=receipt.changes, seconds=seconds))
        return receipt

    async def take_part(
        self, tenant: int, records: Sequence[Record], receipt: Receipt, also: Callable[[Transaction, Refused], None]
    ) -> None:
        """
        Take a part of many records in, in one transaction with whatever ``also`` does, told what is not taken.

        Raises:
            StoreUnavailable: the disk is full, or the sandbox (``QuotaFull``): nothing was taken.
        """
        refuse_without_room(self.store)
        if self.quotas is not None:
            await self.quotas.admit(tenant)

        def is_wanted(tx: Transaction, refused: Refused) -> bool:
            also(tx, refused)
            return True

        await self._write(tenant, records, receipt, self.clock.now(), is_wanted)

    async def _keep(
        self, request: _Request, part: Sequence[Record], number: int, receipt: Receipt, *, is_last: bool
    ) -> None:
        now = self.clock.now()

        def is_wanted(tx: Transaction, refused: Refused) -> bool:
            if request.key is None:
                return True
            said = sorted((*receipt.rejected, *refused), key=lambda item: item.line)
            rejected = [asdict(item) for item in said] if is_last else None
            accepted = receipt.accepted + len(part) - len(refused)
            return _is_news(tx, request, TakenRequest(request.fingerprint, number, accepted, rejected), now)

        await self._write(request.tenant, part, receipt, now, is_wanted, replace=request.replace)

    async def _write(
        self,
        tenant: int,
        part: Sequence[Record],
        receipt: Receipt,
        now: int,
        is_wanted: Callable[[Transaction, Refused], bool],
        *,
        replace: bool = False,
    ) -> None:
        """
        Keep a part in one transaction, if ``is_wanted``, which is done in it first, says so.

        Records of people who were erased are rejected, by the tombstones that the transaction sees.
        """

        def work(tx: Transaction) -> tuple[list[Changes], Refused]:
            buried = self.erased.among(tx, tenant, part) if self.erased is not None else []
            refused = [Rejected(record.line, ERASED, ERASED_REASON) for record in buried]
            if not is_wanted(tx, refused):
                return [], refused
            gone = {id(record) for record in buried}
            taken = [record for record in part if id(record) not in gone] if gone else part
            last = profiles.last_number(tx, tenant)
            made = keep(tx, tenant, taken, self.live.of(tx, tenant), now, iso(now) if replace else None)
            if self.quotas is not None:
                self.quotas.refuse_people(tx, tenant, last)
            crashpoint("before_ingest_commit")
            return made, refused

        made, refused = await self.store.write(work)
        receipt.accepted += len(part) - len(refused)
        receipt.rejected += refused
        crashpoint("after_ingest_commit")
        receipt.changes += sum(len(item.changed) + len(item.late) + len(item.withheld) for item in made)
        touched = {changes.dataflow for changes in made}
        receipt.dataflows |= touched
        self.woken(tenant, touched)


def keep(
    tx: Transaction,
    tenant: int,
    records: Sequence[Record],
    live: dict[int, LiveDataflow],
    now: int,
    replace_at: str | None = None,
) -> list[Changes]:
    """
    Merge records into what is known, and put what that changes for each dataflow into the outbox.

    For every service that has records and a transaction. Records of one person are merged in their order.
    """
    arrived = iso(now)
    people, sizes = _People(tx, tenant, records), Sizes()
    seq = profiles.next_sequence(tx, tenant, len(records))
    made: list[Changes] = []
    done, touched = 0, set[int]()
    for number, record in enumerate(records, seq):
        stamp(record, arrived)
        before = people.before(record.key)
        kept, late = after(before, record, arrived, replace_at)
        sizes.note(before, kept)
        profile = people.keep(record.key, before, kept, number)
        if profile in touched:  # What this person's record before it means must be in the outbox first.
            outbox.accept(tx, tenant, made[done:], now)
            done, touched = len(made), set()
        touched.add(profile)
        for dataflow in live.values():
            changes = _changes(tx, tenant, dataflow, profile, number, before, kept, late, record.profile)
            if changes is not None:
                made.append(changes)
    people.write(tx)
    sizes.write(tx, tenant, now)
    namespaces.register(tx, tenant, _namespaces(records), now)
    outbox.accept(tx, tenant, made[done:], now)
    return made


class _People:
    """The people that some records are of: read at once, and written at once. What did not change is not written."""

    def __init__(self, tx: Transaction, tenant: int, records: Sequence[Record]) -> None:
        self._tenant = tenant
        self._last = profiles.last_number(tx, tenant)
        self._known = profiles.find(tx, tenant, (record.key for record in records))
        self._now: dict[str, Profile] = {}
        self._new: dict[str, Kept] = {}
        self._changed: dict[str, Kept] = {}

    def before(self, key: str) -> Profile | None:
        """Return a person as they are so far; nothing of somebody who was not heard of."""
        if key in self._now:
            return self._now[key]
        return decode(self._known[key][1]) if key in self._known else None

    def keep(self, key: str, before: Profile | None, profile: Profile, sequence: int) -> int:
        """Note a person's new state after the one before, and return the number that they have."""
        document = encode(profile)
        self._now[key] = profile
        if key not in self._known:
            self._last += 1
            self._new[key] = Kept(self._last, key, document, sequence, next_due(profile))
            self._known[key] = (self._last, document)
        elif document != self._known[key][1]:
            number = self._known[key][0]
            place = self._new if key in self._new else self._changed
            changed_at = place[key].identities_at if key in place else None
            if before is not None and has_new_identity(before, profile):
                changed_at = sequence
            place[key] = Kept(number, key, document, sequence, next_due(profile), changed_at)
            self._known[key] = (number, document)
        return self._known[key][0]

    def write(self, tx: Transaction) -> None:
        """Write what is new."""
        profiles.insert(tx, self._tenant, self._new.values())
        profiles.update(tx, self._tenant, self._changed.values())


def _changes(
    tx: Transaction,
    tenant: int,
    dataflow: LiveDataflow,
    profile: int,
    seq: int,
    before: Profile | None,
    after: Profile,
    late: list[tuple[str, str]],
    written: Profile,
) -> Changes | None:
    """Return what a record changes for one dataflow; ``None`` for nothing."""
    watched = dataflow.watched
    kept_back, reason = tuple[int, ...](), ""
    if dataflow.consent:
        kept_back, reason = consenting.kept_back(dataflow, before, after)
        before, after = dataflow.consent.seen(before), dataflow.consent.seen(after) or after
    moved = changed(before, after, watched, written)
    numbers = watched.audiences.numbers
    too_late = tuple(numbers[origin][id_] for origin, id_ in late if id_ in numbers.get(origin, ()))
    if not moved and not too_late and not kept_back:
        return None
    known = [] if watched.parting.is_whole else outbox.known_lanes(tx, tenant, watched.dataflow, profile)
    touched = lanes(after, moved, watched, known)
    return Changes(watched.dataflow, profile, seq, moved, touched, too_late, kept_back, reason)


def _namespaces(records: Iterable[Record]) -> set[str]:
    """Return the namespaces that the identities of some records are of."""
    found: set[str] = set()
    for record in records:
        for named in (record.profile, record.whom or {}):
            found.update(named.get("identityMap") or ())
    return found


def _look(tx: Transaction, request: _Request) -> tuple[tuple[str, ...], TakenRequest | None]:
    """Read by which namespaces people are kept, and how far this request was taken before."""
    known = None if request.key is None else _taken(tx, request, request.key)
    return namespaces.order(tx, request.tenant), known


def _taken(tx: Transaction, request: _Request, key: str) -> TakenRequest | None:
    known = taken_requests.find(tx, request.tenant, key)
    if known is not None and known.fingerprint != request.fingerprint:
        raise IdempotencyKeyReused("this Idempotency-Key came with another request before: use a new key for a new one")
    return known


def _is_news(tx: Transaction, request: _Request, so_far: TakenRequest, now: int) -> bool:
    """Note that a part is kept, and say whether it was not before; the oldest keys are forgotten on the way."""
    assert request.key is not None
    known = _taken(tx, request, request.key)
    if known is not None and known.parts >= so_far.parts:
        return False
    if known is None:
        taken_requests.forget(tx, request.tenant, now - KEPT)
    taken_requests.note(tx, request.tenant, request.key, so_far, now)
    return True


def _fingerprint(body: bytes, *how: bool) -> str:
    return hashlib.sha256(bytes(how) + body).hexdigest()


def _parts(records: Iterator[Record]) -> Iterator[tuple[list[Record], bool]]:
    """Yield records as they are kept together, and whether they are the last, by when all were read."""
    part = list(islice(records, MOST_AT_ONCE))
    while part:
        following = list(islice(records, MOST_AT_ONCE))
        yield part, not following
        part = following


def read_records(
    documents: Iterable[tuple[int, bytes]], receipt: Receipt, order: tuple[str, ...], *, patch: bool = False
) -> Iterator[Record]:
    """Read documents, each with its line, as people or patches; note in the receipt those that are none."""
    read = read_patch if patch else read_whole
    for line, text in documents:
        try:
            if len(text) > LARGEST_RECORD:
                raise ProfileError("too-large", f"a profile has at most {LARGEST_RECORD} bytes, not {len(text)}")
            yield read(line, text, order)
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
