"""
The run that erases: it removes people from everything that is ours, has partners told that they have left, and looks
again until every partner is told, or cannot be.

A partner is told from what it was shown, which lives until it has acknowledged the exit and no longer. A message that
is under way ends as it ends; what it may have shown is noted first, so that it is taken back whatever became of it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import orjson

from headrace.clock import Clock
from headrace.crashpoints import crashpoint
from headrace.errors import HeadraceError
from headrace.model.change import Changes, LaneTouched
from headrace.model.message import Bucket, Entry
from headrace.model.profile import Profile, decode, named
from headrace.render.parts import Part
from headrace.render.target import Audiences, narrow, shown_after, target_profile
from headrace.services.audiences.counting import Sizes
from headrace.services.erased import Erased, Identity, identities_of
from headrace.services.erasure_log import ErasureLog, Line
from headrace.services.exports import having
from headrace.services.live import LiveDataflow, LiveDataflows
from headrace.services.steps import HeldSteps, patiently
from headrace.store import access, erasing, erasures, outbox, parked_messages, profiles, runs
from headrace.store.access import Tenant
from headrace.store.audiences import names as audience_names
from headrace.store.database import Store, Transaction
from headrace.store.erasing import Lane
from headrace.store.erasures import Erasure, Receipt
from headrace.store.runs import Run
from headrace.streaming.triggers import Watched

#: People looked at in one turn of the writer, by who has an identity.
AT_ONCE = 500
#: Milliseconds before partners are looked at again, doubled each time, and the longest wait.
FIRST_WAIT = 1000
LONGEST_WAIT = 3600 * 1000
#: Shorter texts of a person are not looked for in what was said: they tell of nobody.
SHORTEST = 4
_GIVEN_UP = "retries-exhausted"
_MAY_HAVE_ARRIVED = "a message about them was given up and may have arrived all the same: ask the partner"
_LEFT_IN = "it may still have them in audiences that are not mapped any more: ask it to take them out of {}"

#: Somebody: their number, their key, and what is known of them.
Found = tuple[int, str, Profile]


@dataclass(frozen=True, slots=True)
class Erasing:
    """
    Carries the runs that erase. ``woken`` is told which dataflows have something to send; ``forget_copies`` removes the
    copies of people that datasets of a sandbox have; ``forget_lists`` takes whoever is kept out since a moment out
    of the lists of members, and says whether it is done with all of them.
    """

    store: Store
    clock: Clock
    live: LiveDataflows
    erased: Erased
    woken: Callable[[int, Iterable[int]], None]
    forget_copies: Callable[[int], Awaitable[None]]
    forget_lists: Callable[[int, int], Awaitable[bool]]
    log: ErasureLog | None = None

    async def carry(self, run: Run, steps: HeldSteps) -> None:
        """
        Remove whom the erasure is of, where that is not done, and look what has become of telling partners.

        Raises:
            HeadraceError: it could not be done now; another run is asked for.
        """
        try:
            await steps.step("remove", lambda: self._remove(run, steps))
            await steps.step("empty", self._empty)
            is_listed = not await steps.step("lists", lambda: self._forget_lists(run))
        except HeadraceError:
            await patiently(lambda: self.store.write(lambda tx: self._ask_again(tx, run, steps)))
            raise
        await steps.step("look", lambda: self._look(run, steps, is_listed=is_listed))

    # -- removing -----------------------------------------------------------------------------------------------------

    async def _remove(self, run: Run, steps: HeldSteps) -> None:
        """Remove people, a part at a time; those who were removed before are not there any more."""
        id_ = run.subject["erasure"]
        after: int | None = 0
        await self._open_keys(run.tenant)
        while after is not None:
            start, buried = after, list[Line]()

            def work(tx: Transaction, start: int = start, buried: list[Line] = buried) -> tuple[int | None, set[int]]:
                steps.hold(tx)
                buried.clear()
                erasure = erasures.get(tx, run.tenant, id_)
                if erasure is None or erasure.subject is None:
                    return None, set()
                return self._remove_some(tx, erasure, start, buried)

            after, touched = await patiently(lambda: self.store.write(work))
            crashpoint("after_erasure_commit")
            if self.log is not None:
                await asyncio.to_thread(self.log.add, buried)
            crashpoint("after_erasure_logged")
            self.woken(run.tenant, touched)
        await self.forget_copies(run.tenant)

    async def _open_keys(self, tenant: int) -> None:
        """Have the keys of hashes at hand before they are asked for inside a transaction."""
        whose = await patiently(lambda: self.store.read(lambda tx: access.tenant_of(tx, tenant)))
        self.erased.hash(whose, ("", ""))

    def _remove_some(
        self, tx: Transaction, erasure: Erasure, after: int, buried: list[Line]
    ) -> tuple[int | None, set[int]]:
        """Remove the next people; return where to go on, and the dataflows that have something to send."""
        live, touched, sizes = self.live.of(tx, erasure.tenant), set[int](), Sizes()
        found, goes_on = self._found(tx, erasure, after)
        for profile, key, person in found:
            buried += self._bury(tx, erasure, identities_of(key, person))
            touched |= self._remove_person(tx, erasure, live, profile, key, person)
            sizes.note(person, None)
        sizes.write(tx, erasure.tenant, self.clock.now())
        if goes_on is None:
            self._note_removed(tx, erasure, live)
        crashpoint("before_erasure_commit")
        return goes_on, touched

    def _remove_person(
        self,
        tx: Transaction,
        erasure: Erasure,
        live: dict[int, LiveDataflow],
        profile: int,
        key: str,
        person: Profile,
    ) -> set[int]:
        touched: set[int] = set()
        for number, flow in live.items():
            receipt = take_back(tx, erasure.tenant, flow, profile, person, self.clock.now())
            touched |= {number} if receipt.state == "telling" else set()
            erasures.put_receipt(tx, erasure.tenant, erasure.erasure, receipt)
        for stored in having.of_files(tx, erasure.tenant):
            receipt = having.receipt_of(tx, stored, profile, self.clock.now())
            erasures.put_receipt(tx, erasure.tenant, erasure.erasure, receipt)
        parked_messages.forget_person(tx, erasure.tenant, profile)
        profiles.remove(tx, erasure.tenant, profile)
        erasures.note_person(tx, erasure.tenant, erasure.erasure, profile)
        texts = {*_texts(person), *(id_ for _, id_ in identities_of(key, person))}
        erasing.scrub(tx, erasure.tenant, (text for text in texts if len(text) >= SHORTEST))
        return touched

    def _bury(self, tx: Transaction, erasure: Erasure, identities: Iterable[Identity]) -> list[Line]:
        """Keep out whoever has an identity of a person; who is kept out already, by the erasure that does."""
        whose, id_ = access.tenant_of(tx, erasure.tenant), erasure.erasure
        hashes = self._hashes(whose, identities)
        if erasure.subject is not None and erasure.subject.get("buried"):
            id_ = erasures.buried_by(tx, erasure.tenant, hashes) or id_
        erasures.bury(tx, erasure.tenant, id_, hashes)
        return [Line(whose.sandbox_id, id_, erasure.asked_at, hash_) for hash_ in hashes]

    def _hashes(self, tenant: Tenant, identities: Iterable[Identity]) -> list[str]:
        return [self.erased.hash(tenant, identity) for identity in identities]

    def _found(self, tx: Transaction, erasure: Erasure, after: int) -> tuple[list[Found], int | None]:
        """Return the next people that an erasure is of, and where to look on."""
        assert erasure.subject is not None
        wanted = (erasure.subject["namespace"], erasure.subject["id"])
        if not erasure.subject["everybody"] and not erasure.subject.get("buried"):
            key = named(*wanted)
            known = profiles.find(tx, erasure.tenant, [key]).values()
            return [(number, key, decode(text)) for number, text in known], None
        people = list(profiles.scan_with_keys(tx, erasure.tenant, after, AT_ONCE))
        goes_on = people[-1][0] if len(people) == AT_ONCE else None
        if erasure.subject.get("buried"):
            return self._buried(tx, erasure.tenant, people), goes_on
        return [found for found in people if wanted in identities_of(found[1], found[2])], goes_on

    def _buried(self, tx: Transaction, tenant: int, people: Sequence[Found]) -> list[Found]:
        """Return those of some people who are kept out, and are here all the same."""
        whose = access.tenant_of(tx, tenant)
        known = [(found, self._hashes(whose, identities_of(found[1], found[2]))) for found in people]
        buried = erasures.buried(tx, tenant, (value for _, hashes in known for value in hashes))
        return [found for found, hashes in known if not buried.isdisjoint(hashes)]

    def _note_removed(self, tx: Transaction, erasure: Erasure, live: dict[int, LiveDataflow]) -> None:
        """Forget who was meant. Where nobody was known, no partner was told of them by us."""
        now = self.clock.now()
        assert erasure.subject is not None
        erasing.scrub(tx, erasure.tenant, [text for text in (erasure.subject["id"],) if len(text) >= SHORTEST])
        if not erasures.people(tx, erasure.tenant, erasure.erasure):
            for number in [*live, *(stored.dataflow for stored in having.of_files(tx, erasure.tenant))]:
                receipt = Receipt(0, number, "unknown", None, now)
                erasures.put_receipt(tx, erasure.tenant, erasure.erasure, receipt)
        erasures.change(tx, erasure.tenant, erasure.erasure, state="telling", subject=None, removed_at=now)

    async def _empty(self) -> None:
        """Leave nothing of the past in the database's log, as far as nobody reads in it just now."""
        for _ in range(5):
            if await self.store.checkpoint():
                return
            await asyncio.sleep(0.2)

    async def _forget_lists(self, run: Run) -> bool:
        """Take people out of lists of members; says whether they are in none any more."""
        if run.progress.get("unlisted"):
            return True
        id_ = run.subject["erasure"]
        erasure = await patiently(lambda: self.store.read(lambda tx: erasures.get(tx, run.tenant, id_)))
        return erasure is None or await self.forget_lists(run.tenant, erasure.removed_at or self.clock.now())

    # -- telling ------------------------------------------------------------------------------------------------------

    async def _look(self, run: Run, steps: HeldSteps, *, is_listed: bool) -> None:
        """See what partners have been told, have them told again where that failed, and look again later."""

        def work(tx: Transaction) -> tuple[bool, set[int]]:
            steps.hold(tx)
            id_, now = run.subject["erasure"], self.clock.now()
            live, touched, is_open = self.live.of(tx, run.tenant), set[int](), is_listed
            for receipt in erasures.receipts(tx, run.tenant, id_):
                if receipt.state in erasures.OPEN:
                    seen = _seen(tx, run.tenant, live.get(receipt.dataflow), receipt, now)
                    erasures.put_receipt(tx, run.tenant, id_, seen)
                    is_open |= seen.state in erasures.OPEN
                    touched |= {receipt.dataflow}
            if is_open:
                self._ask_again(tx, run, steps, is_listed=is_listed)
            else:
                erasures.change(tx, run.tenant, id_, state="done", ended_at=now)
            crashpoint("before_receipts_commit")
            return not is_open, touched

        is_done, touched = await patiently(lambda: self.store.write(work))
        self.woken(run.tenant, touched)
        if is_done:
            await self._empty()

    def _ask_again(self, tx: Transaction, run: Run, steps: HeldSteps, *, is_listed: bool = True) -> None:
        steps.hold(tx)
        if runs.is_tried_again(tx, run.run):
            return
        looked, now = run.progress.get("looked", 0) + 1, self.clock.now()
        due = now + min(FIRST_WAIT << min(looked, 20), LONGEST_WAIT)
        progress = {"looked": looked} | ({} if is_listed else {"unlisted": True})
        runs.ask(tx, run.tenant, run.kind, run.subject, run.actor, now, due, progress=progress, retry_of=run.run)


def _texts(value: object) -> Iterator[str]:
    """Yield every text in a document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


# -- one person at one partner ----------------------------------------------------------------------------------------


def take_back(tx: Transaction, tenant: int, flow: LiveDataflow, profile: int, person: Profile, now: int) -> Receipt:
    """Have a partner told that a person has left, if it knows them; return the receipt."""
    receipt = _take_back(tx, tenant, flow, profile, person, now)
    erasing.withhold_laneless(tx, tenant, flow.stored.dataflow, profile, now)
    return receipt


def _take_back(tx: Transaction, tenant: int, flow: LiveDataflow, profile: int, person: Profile, now: int) -> Receipt:
    number = flow.stored.dataflow
    parked = erasing.take_parked(tx, tenant, number, profile, now)
    lanes = erasing.lanes_of(tx, tenant, number, profile)
    under_way = max((lane.claimed_seq or 0 for lane in lanes if lane.is_under_way), default=0)
    erasing.withhold_waiting(tx, tenant, number, profile, under_way, now)
    known: list[Lane] = []
    for lane in lanes:
        may = _may_have_shown(flow.watched, profile, person, lane) if lane.is_under_way else None
        shown = _merged(lane.shown, may)
        if shown is None and not lane.is_under_way:
            erasing.drop_lane(tx, tenant, number, profile, lane)
        elif shown is not None:
            shown = _named(flow.watched, person, shown)
            erasing.show(tx, tenant, number, profile, lane, shown)
            known.append(replace(lane, shown=shown))
    receipt = Receipt(profile, number, "unknown", None, now)
    if known:
        return _leave(tx, tenant, flow, receipt, known, now)
    if any(code == _GIVEN_UP for code, _ in parked):
        return replace(receipt, state="cannot-be-told", reason=_MAY_HAVE_ARRIVED)
    return receipt


def _leave(
    tx: Transaction, tenant: int, flow: LiveDataflow, receipt: Receipt, known: Iterable[Lane], now: int
) -> Receipt:
    """
    Have a person leave by every lane that the partner knows them by.

    A lane that it knows them by only in audiences that are not mapped any more is forgotten, for it holds who they are;
    the receipt says which audiences they are left in.
    """
    number, mapped = flow.stored.dataflow, flow.watched.audiences.by_number
    moved, left = set[int](), set[int]()
    touched: list[LaneTouched] = []
    for lane in known:
        shown = {int(audience) for audience in orjson.loads(lane.shown or b"{}").get("audiences", ())}
        if told_of := shown & mapped.keys():
            moved |= told_of
            touched.append(LaneTouched(lane.audience, lane.part, _exit_bucket(flow.watched, lane)))
        elif not lane.is_under_way:
            left |= shown
            erasing.drop_lane(tx, tenant, number, receipt.profile, lane)
    if touched:
        seq = profiles.next_sequence(tx, tenant, 1)
        outbox.accept(tx, tenant, [Changes(number, receipt.profile, seq, tuple(sorted(moved)), tuple(touched))], now)
    receipt = _with_left(tx, tenant, receipt, left)
    is_open = bool(touched) or any(lane.is_under_way for lane in known)
    return replace(receipt, state="telling", reason=None) if is_open else _ended(receipt)


def _with_left(tx: Transaction, tenant: int, receipt: Receipt, left: Iterable[int]) -> Receipt:
    """Add audiences that a person is left in, by name."""
    names = audience_names(tx, tenant, left) if left else ()
    return replace(receipt, left_in=tuple(sorted({*receipt.left_in, *names})))


def _ended(receipt: Receipt) -> Receipt:
    """Return a receipt of which nothing is on its way any more: a partner was told if nobody is left in anything."""
    if not receipt.left_in:
        return replace(receipt, state="told", reason=None)
    return replace(receipt, state="cannot-be-told", reason=_LEFT_IN.format(", ".join(receipt.left_in)))


def _exit_bucket(watched: Watched, lane: Lane) -> int:
    bucket, key = Bucket.decode(lane.bucket), watched.policy.aggregation_key
    by_status = bool(lane.audience) and key is not None and key.include_segment_status
    return replace(bucket, status="exited" if by_status else None).encode()


def _may_have_shown(watched: Watched, profile: int, person: Profile, lane: Lane) -> bytes | None:
    """
    Return what a message that is under way shows the partner, if it arrives.

    It may have been rendered when the person was still in what they have left by now, or everybody is leaving.
    """
    audiences = Audiences([item.as_before_leaving() for item in watched.audiences.by_number.values()])
    if lane.audience and lane.audience not in audiences.by_number:
        return None
    entry = Entry(profile, lane.audience, lane.part, lane.desired_seq, b"", tuple(audiences.by_number))
    target = target_profile(entry, _in_all(person), watched.mapping, audiences)
    if lane.audience:
        audience = audiences.by_number[lane.audience]
        target = narrow(target, audience=(audience.namespace, audience.id))
    if lane.part:
        part = Part.read(lane.part)
        target = narrow(target, namespaces=watched.parting.namespaces(part.identity_group), identity=part.identity)
    return shown_after(target, audiences)


def _in_all(person: Profile) -> Profile:
    """Return a person as a member of every audience that they are or were in."""
    held = (person.get("segmentMembership") or {}).items()
    memberships = {
        namespace: {id_: {**membership, "status": "realized"} for id_, membership in audiences.items()}
        for namespace, audiences in held
    }
    return {**person, "segmentMembership": memberships}


def _named(watched: Watched, person: Profile, shown: bytes) -> bytes:
    """Return what a partner knows with the identities of a person, where it may have been told and nobody knows it."""
    known = orjson.loads(shown)
    return shown if known["identities"] else orjson.dumps({**known, "identities": watched.mapping.identities(person)})


def _merged(shown: bytes | None, may: bytes | None) -> bytes | None:
    """Return what a partner knows where it may have taken a message as well that is under way."""
    if shown is None or may is None:
        return shown or may
    before, after = orjson.loads(shown), orjson.loads(may)
    return orjson.dumps({name: {**before.get(name, {}), **after[name]} for name in after})


def _seen(tx: Transaction, tenant: int, flow: LiveDataflow | None, receipt: Receipt, now: int) -> Receipt:
    """Say how telling one partner of one person stands; where it was refused or given up, it is told once more."""
    seen = replace(receipt, at=now)
    if flow is None:
        return replace(seen, state="cannot-be-told", reason="its dataflow was deleted before it was told")
    lanes = erasing.lanes_of(tx, tenant, receipt.dataflow, receipt.profile)
    refused = erasing.take_parked(tx, tenant, receipt.dataflow, receipt.profile, now)
    if resting := [lane for lane in lanes if lane.rests]:
        left_in = _leave(tx, tenant, flow, seen, resting, now).left_in
        seen = replace(seen, left_in=left_in)
        lanes = erasing.lanes_of(tx, tenant, receipt.dataflow, receipt.profile)
    if not lanes:
        return _ended(seen)
    why = _why_not_yet(flow, lanes, refused)
    return seen if why is None else replace(seen, state="failed", reason=why)


def _why_not_yet(flow: LiveDataflow, lanes: list[Lane], refused: list[tuple[str, str]]) -> str | None:
    if flow.stored.state != "enabled":
        return f"the dataflow is {flow.stored.state}"
    if flow.fault is not None:
        return flow.fault
    said = [reason for _, reason in refused] + [lane.reason for lane in lanes if lane.reason]
    return next(iter(said), None)
