"""
Replaying and discarding: parked changes are walked through in steps, from where the last one ended.

A step takes what it found away, says what becomes of it and notes how far it came in one transaction, so that whoever
dies, nothing is lost and nothing is told twice. What is replayed leaves by its lane like anything else, in the state
that the person has now; it waits while enough waits already, and stands back behind what happens meanwhile. A dataflow
that is paused or held holds its replays.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from headrace.clock import Clock
from headrace.crashpoints import crashpoint
from headrace.events import Announce, RunBegan, RunEnded
from headrace.model.change import NO_AUDIENCE, Changes
from headrace.model.profile import Profile, decode
from headrace.services import consenting
from headrace.services.backfilling import MOST_WAITING, STANDS_BACK, Step
from headrace.services.live import LiveDataflow, LiveDataflows
from headrace.services.replays import DISCARD, REPLAY, chosen_of
from headrace.store import outbox, parked, profiles, runs
from headrace.store.database import Store, Transaction
from headrace.store.parked import KnownLane, Laid
from headrace.store.runs import Run
from headrace.store.withheld import ERASED
from headrace.streaming.triggers import Watched, lanes

#: Parked changes looked at in one step.
STEP = 500
#: The reason in the ledger where the dataflow does not send an audience any more.
NOT_SENT = "not-mapped"


class Replayer:
    """Carries replays and discards a step at a time, in turn. ``is_held_up``: some wait for the outbox."""

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
        """Do the next step of a run, if there is one that may go on; say whether there was."""
        run = await self._store.read(self._next)
        if run is None:
            return False
        self._last = run.run
        done = await self._store.write(lambda tx: self._work(tx, run))
        crashpoint("after_replay_commit")
        if run.state == "asked":
            self._announce(RunBegan(kind=run.kind, run=run.run))
        if done.ended is not None:
            self._announce(RunEnded(kind=run.kind, run=run.run, state=done.ended))
        if done.made:
            self._woken.wake(done.tenant, [done.dataflow])
        return True

    def _next(self, tx: Transaction) -> Run | None:
        """Return the run that is next: they take turns, and those of one dataflow go in their order."""
        self.is_held_up = False
        for run in _in_turn(_first_of_each(runs.unended(tx, REPLAY), runs.unended(tx, DISCARD)), self._last):
            flow = self._flow(tx, run)
            if flow is None or run.kind == DISCARD:
                return run
            if flow.stored.state != "enabled":
                continue
            if not outbox.is_waiting(tx, run.tenant, flow.watched.dataflow, MOST_WAITING):
                return run
            self.is_held_up = True
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
        if flow is None:
            runs.end(tx, run.run, "cancelled", now, "the dataflow was deleted")
            return Step(ended="cancelled")
        number, after, upto = flow.watched.dataflow, int(run.progress.get("at", 0)), int(run.subject["upto"])
        taken = parked.next_of(tx, run.tenant, number, chosen_of(run), after, upto, STEP)
        counts = self._take(tx, run, flow, taken, now) if taken else Counter()
        last = taken[-1].number if len(taken) == STEP else upto
        runs.advance(tx, run.run, now, _progress(run, last, len(taken), counts))
        ended = "succeeded" if last >= upto else None
        if ended is not None:
            runs.end(tx, run.run, ended, now)
        crashpoint("before_replay_commit")
        return Step(counts["requeued"], run.tenant, number, ended)

    def _take(self, tx: Transaction, run: Run, flow: LiveDataflow, taken: Sequence[Laid], now: int) -> Counter[str]:
        number = flow.watched.dataflow
        if run.kind == DISCARD:
            parked.discard(tx, run.tenant, number, taken, now)
            crashpoint("before_discard_commit")
            return Counter(discarded=len(taken))
        seq = profiles.next_sequence(tx, run.tenant, len(taken))
        made = [_again(tx, run.tenant, flow, item, seq + place) for place, item in enumerate(taken)]
        parked.requeue(tx, run.tenant, number, taken, made, now, STANDS_BACK)
        return Counter(_became(changes) for changes in made)


# -- one change -------------------------------------------------------------------------------------------------------


def _again(tx: Transaction, tenant: int, flow: LiveDataflow, laid: Laid, seq: int) -> Changes:
    """
    Return what a parked change is now: the person as they are now leaves by the lanes that still have to tell it.

    It is superseded where a newer change of the audience waits, where every lane has acknowledged something newer, and
    where the partner knows nothing of somebody who has left. It is withheld where nobody may be told of it any more.
    """
    audience, watched = laid.audience, flow.watched
    if laid.document is None:
        return _withheld(flow, laid, seq, ERASED)
    if audience != NO_AUDIENCE and (audience not in watched.audiences.by_number or audience in watched.ended):
        return _withheld(flow, laid, seq, NOT_SENT)
    document = decode(laid.document)
    person = flow.consent.seen(document) or document
    known = parked.lanes_of(tx, tenant, watched.dataflow, laid.profile)
    is_member = _is_member(watched, person, audience)
    policy = flow.consent.withholding(document) if person is not document else None
    if policy is not None and _is_member(watched, document, audience) and not _is_known(known, audience):
        return _withheld(flow, laid, seq, consenting.reason_of(policy))
    pairs = () if watched.parting.is_whole else tuple((lane.audience, lane.part) for lane in known)
    touched = lanes(person, (audience,), watched, pairs)
    by_place = {(lane.audience, lane.part): lane for lane in known}
    needed = tuple(
        lane for lane in touched if _needs(by_place.get((lane.audience, lane.part)), laid, is_member=is_member)
    )
    is_overtaken = parked.open_of(tx, tenant, watched.dataflow, laid.profile).get(audience, 0) > laid.seq
    if is_overtaken or (not needed and (touched or not is_member)):
        return Changes(watched.dataflow, laid.profile, seq, (), (), (audience,))
    return Changes(watched.dataflow, laid.profile, seq, (audience,), needed)


def _withheld(flow: LiveDataflow, laid: Laid, seq: int, reason: str) -> Changes:
    return Changes(flow.watched.dataflow, laid.profile, seq, (), (), (), (laid.audience,), reason)


def _is_member(watched: Watched, person: Profile, audience: int) -> bool:
    """Say whether somebody is in an audience, or in any that is told of where the change is of none."""
    statuses = watched.audiences.statuses(person)
    asked = statuses.keys() - watched.ended if audience == NO_AUDIENCE else {audience} & statuses.keys()
    return any(statuses[number]["status"] == "realized" for number in asked)


def _needs(lane: KnownLane | None, laid: Laid, *, is_member: bool) -> bool:
    """Say whether a lane still has to tell a change: of a member what it has not, of others what the partner knows."""
    if is_member:
        return lane is None or lane.acked < laid.seq
    return lane is not None and _is_known([lane], laid.audience)


def _is_known(known: Sequence[KnownLane], audience: int) -> bool:
    """Say whether the partner knows, or may know, somebody to be in an audience."""
    return any(
        str(audience) in orjson.loads(lane.shown).get("audiences", {}) for lane in known if lane.shown is not None
    )


def _became(changes: Changes) -> str:
    if changes.late:
        return "superseded"
    return "requeued" if changes.changed and changes.lanes else "withheld"


# -- runs -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Place:
    tenant: int
    dataflow: str


def _first_of_each(*kinds: Sequence[Run]) -> list[Run]:
    """Return the runs that have no other of the same dataflow before them."""
    first: dict[_Place, Run] = {}
    for run in sorted((run for runs_ in kinds for run in runs_), key=lambda run: (run.asked_at, run.run)):
        first.setdefault(_Place(run.tenant, run.subject["dataflow"]), run)
    return [*first.values()]


def _in_turn(all_: Sequence[Run], last: str) -> Iterator[Run]:
    """Yield runs in a round that begins after the one that was last."""
    places = [place for place, run in enumerate(all_, 1) if run.run == last]
    begin = places[0] if places else 0
    yield from all_[begin:]
    yield from all_[:begin]


def _progress(run: Run, at: int, looked: int, counts: Counter[str]) -> dict[str, Any]:
    """Return how far a run has come: changes looked at of so many, what became of them, and the share."""
    names = ("discarded",) if run.kind == DISCARD else ("requeued", "superseded", "withheld")
    summed = {name: int(run.progress.get(name, 0)) + counts[name] for name in names}
    done, of = int(run.progress.get("looked", 0)) + looked, int(run.progress.get("of") or run.subject["of"])
    share = 1.0 if at >= run.subject["upto"] or not of else min(1.0, round(done / of, 4))
    return {"looked": done, "of": of, **summed, "at": at, "share": share}
