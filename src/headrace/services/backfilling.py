"""
Backfilling: the people of an audience are walked through in steps, from where the last one ended.

A step puts what it found into the outbox and notes how far it came in one transaction, so that whoever dies, nobody is
lost and nobody is told twice. It leaves the outbox of a dataflow alone while enough waits there, and what it puts there
stands back behind what happens meanwhile. A dataflow that is paused holds its backfills.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from headrace.clock import Clock
from headrace.crashpoints import crashpoint
from headrace.events import Announce, RunBegan, RunEnded
from headrace.model.change import NO_AUDIENCE, Changes
from headrace.model.profile import Profile
from headrace.services import consenting
from headrace.services.backfills import KIND
from headrace.services.live import LiveDataflow, LiveDataflows
from headrace.store import access, dataflows, outbox, profiles, runs
from headrace.store.database import Store, Transaction
from headrace.store.outbox import Told
from headrace.store.runs import Run
from headrace.streaming.triggers import Watched, lanes

#: People looked at in one step.
STEP = 500
#: The most lanes of a dataflow that may wait before a backfill adds to them.
MOST_WAITING = 5_000
#: How long changes of a backfill stand back behind those that happen, in milliseconds: in the end they leave, too.
STANDS_BACK = 60_000

Person = tuple[int, Profile]


@dataclass(frozen=True, slots=True)
class Step:
    """What a step came to: how many changes it made, for which dataflow, and how the run ended, if it did."""

    made: int = 0
    tenant: int = 0
    dataflow: int = 0
    ended: str | None = None


class Backfiller:
    """Carries backfills a step at a time, one after the other in turn. ``is_held_up``: some wait for the outbox."""

    def __init__(
        self, store: Store, clock: Clock, live: LiveDataflows, woken: Any, announce: Announce = lambda _: None
    ) -> None:
        self.is_held_up = False
        self._store = store
        self._clock = clock
        self._live = live
        self._woken = woken
        self._announce = announce
        self._last = ""

    async def step(self) -> bool:
        """Do the next step of a backfill, if there is one that may go on; say whether there was."""
        run = await self._store.read(self._next)
        if run is None:
            return False
        self._last = run.run
        done = await self._store.write(lambda tx: self._work(tx, run))
        crashpoint("after_backfill_commit")
        if run.state == "asked":
            self._announce(RunBegan(kind=KIND, run=run.run))
        if done.ended is not None:
            self._announce(RunEnded(kind=KIND, run=run.run, state=done.ended))
        if done.made:
            self._woken.wake(done.tenant, [done.dataflow])
        return True

    def _next(self, tx: Transaction) -> Run | None:
        """Return the backfill that is next: they take turns, and those of one audience go in their order."""
        self.is_held_up = False
        for run in _in_turn(_first_of_each(runs.unended(tx, KIND)), self._last):
            flow = self._flow(tx, run)
            if flow is None:
                return run
            if flow.stored.state != "enabled":
                continue
            if _may_go_on(tx, run, flow):
                return run
            self.is_held_up |= not _is_walked(run)
        return None

    def _flow(self, tx: Transaction, run: Run) -> LiveDataflow | None:
        flows = self._live.of(tx, run.tenant).values()
        return next((flow for flow in flows if flow.stored.id == run.subject["dataflow"]), None)

    def _work(self, tx: Transaction, seen: Run) -> Step:
        """Do a step of a run as it was seen, unless somebody else did, or it was cancelled."""
        run, now = runs.get(tx, seen.run), self._clock.now()
        if run != seen:
            return Step()
        flow = self._flow(tx, run)
        is_forgotten = run.subject["reason"] == "forgotten"
        if flow is None or not (is_forgotten or run.subject["audience"] in flow.watched.audiences.by_number):
            runs.end(tx, run.run, "cancelled", now, "the dataflow does not send this audience any more")
            return Step(ended="cancelled")
        after = int(run.progress.get("looked", 0))
        upto = int(run.progress.get("of") or profiles.last_number(tx, run.tenant))
        people = [] if is_forgotten else list(profiles.scan(tx, run.tenant, after, upto, STEP))
        counts = self._forget(tx, run, flow, after) if is_forgotten else self._tell(tx, run, flow, people, now)
        last = min(after + STEP, upto) if is_forgotten else (people[-1][0] if len(people) == STEP else upto)
        runs.advance(tx, run.run, now, _progress(run, last, upto, counts))
        ended = self._end(tx, run, flow, now) if last >= upto else None
        crashpoint("before_backfill_commit")
        return Step(counts["queued"], run.tenant, flow.watched.dataflow, ended)

    def _tell(
        self, tx: Transaction, run: Run, flow: LiveDataflow, people: Sequence[Person], now: int
    ) -> dict[str, int]:
        """Put what the partner has to be told of some people into the outbox; count members, and changes."""
        audience, reason, watched = run.subject["audience"], run.subject["reason"], flow.watched
        if not people:
            return {"members": 0, "queued": 0}
        told = outbox.told(tx, run.tenant, watched.dataflow, audience, people[0][0], people[-1][0])
        seq = profiles.next_sequence(tx, run.tenant, len(people))
        made, members = [], 0
        for place, (profile, document) in enumerate(people):
            person = flow.consent.seen(document) or document
            is_member = watched.audiences.statuses(person).get(audience, {}).get("status") == "realized"
            members += is_member
            if has_to_be_told(reason, profile, told, is_member=is_member):
                known = (
                    [] if watched.parting.is_whole else outbox.known_lanes(tx, run.tenant, watched.dataflow, profile)
                )
                touched = lanes(person, (audience,), watched, known)
                made.append(Changes(watched.dataflow, profile, seq + place, (audience,), touched))
            elif person is not document and (why := consenting.withheld_entry(flow, document, audience)):
                made.append(Changes(watched.dataflow, profile, seq + place, (), (), (), (audience,), why))
        outbox.accept(tx, run.tenant, made, now, 0 if watched.policy.patience is not None else STANDS_BACK)
        return {"members": members, "queued": len(made)}

    def _forget(self, tx: Transaction, run: Run, flow: LiveDataflow, after: int) -> dict[str, int]:
        span = (after + 1, after + STEP)
        outbox.forget_shown(tx, run.tenant, flow.watched.dataflow, run.subject["audience"], *span)
        return {"members": 0, "queued": 0}

    def _end(self, tx: Transaction, run: Run, flow: LiveDataflow, now: int) -> str | None:
        """End a run that has come to its end; one that takes people out ends when all of them have been told of."""
        if run.subject["reason"] == "removed":
            address = (run.tenant, flow.watched.dataflow, run.subject["audience"])
            if outbox.is_any_of(tx, *address):
                return None
            dataflows.unmap_audience(tx, *address)
            outbox.withhold_audience(tx, *address, now)
            access.raise_configuration(tx, run.tenant)
        runs.end(tx, run.run, "succeeded", now)
        return "succeeded"


def has_to_be_told(reason: str, profile: int, told: Told, *, is_member: bool) -> bool:
    """
    Say whether a partner has to be told that somebody is a member, or is none.

    What is about to be told is not told again; what is only believed to have been told is told once more. With
    ``again``, whoever is a member is told; else only what is news.
    """
    if profile in told.waiting:
        return False
    if reason == "again" and is_member:
        return True
    return profile in told.believed or is_member != (profile in told.shown)


def _may_go_on(tx: Transaction, run: Run, flow: LiveDataflow) -> bool:
    address = (run.tenant, flow.watched.dataflow)
    if _is_walked(run):
        return not outbox.is_any_of(tx, *address, run.subject["audience"])
    return not _is_enough_waiting(tx, address, run.subject["audience"], flow.watched)


def _is_enough_waiting(tx: Transaction, address: tuple[int, int], audience: int, watched: Watched) -> bool:
    """
    Say whether enough waits for now.

    Where entries wait for each other, that is not counted: each bucket of the audience may hold nearly a message.
    """
    patience, key = watched.policy.patience, watched.policy.aggregation_key
    if patience is None:
        return outbox.is_waiting(tx, *address, MOST_WAITING)
    buckets = max(len(watched.parting.groups), 1) * (2 if key is not None and key.include_segment_status else 1)
    named = audience if key is not None and key.include_segment_id else NO_AUDIENCE
    return outbox.is_waiting_in(tx, *address, named, MOST_WAITING + buckets * patience.entries)


def _is_walked(run: Run) -> bool:
    """Say whether everybody was looked at, and what is left is to hear that they were told of."""
    return bool(run.progress.get("looked", 0) >= run.progress.get("of", 1))


def _first_of_each(all_: Iterable[Run]) -> list[Run]:
    """Return the runs that have no other of the same dataflow and audience before them; who forgets comes first."""
    first: dict[tuple[int, str, int], Run] = {}
    for run in sorted(all_, key=lambda run: (run.asked_at, run.subject["reason"] != "forgotten")):
        first.setdefault((run.tenant, run.subject["dataflow"], run.subject["audience"]), run)
    return [*first.values()]


def _in_turn(all_: Sequence[Run], last: str) -> Iterator[Run]:
    """Yield runs in a round that begins after the one that was last."""
    places = [place for place, run in enumerate(all_, 1) if run.run == last]
    begin = places[0] if places else 0
    yield from all_[begin:]
    yield from all_[:begin]


def _progress(run: Run, looked: int, of: int, counts: dict[str, int]) -> dict[str, Any]:
    """Return how far a run has come: people looked at, members among them, changes made, and the share."""
    summed = {name: int(run.progress.get(name, 0)) + count for name, count in counts.items()}
    return {"looked": looked, "of": of, **summed, "share": round(looked / of, 4) if of else 1.0}
