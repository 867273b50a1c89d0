"""
Resynchronising: a partner is told of everybody as they are now, after the store was restored from a backup.

The partner may have been told after the backup what the store does not know any more. So whoever is a member is told
of, and whoever it knows and is none is told to have left. Who entered and left since is fed by the source, and is in
the outbox already (``Watched.is_restored``). This stands back behind what happens meanwhile, and leaves the outbox
alone while enough waits there.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from headrace.clock import Clock
from headrace.crashpoints import crashpoint
from headrace.model.change import Changes
from headrace.model.profile import Profile
from headrace.services.backfilling import MOST_WAITING, STANDS_BACK
from headrace.services.exports import doubting
from headrace.services.live import LiveDataflow, LiveDataflows
from headrace.services.steps import HeldSteps, patiently
from headrace.store import dataflows, outbox, profiles, restored, runs
from headrace.store.database import Store, Transaction
from headrace.store.dataflows import StoredDataflow
from headrace.store.restored import Restored
from headrace.store.runs import Run
from headrace.streaming.triggers import lanes

#: People looked at in one turn of the writer.
AT_ONCE = 500
#: Milliseconds before a dataflow that has enough waiting is looked at again, doubled each time, and the longest wait.
FIRST_WAIT = 500
LONGEST_WAIT = 60_000

#: Somebody: their number, the number of their state, and what is known of them.
Person = tuple[int, int, Profile]


@dataclass(frozen=True, slots=True)
class Resyncing:
    """Carries the runs that resynchronise. ``woken`` is told which dataflows have something to send."""

    store: Store
    clock: Clock
    live: LiveDataflows
    woken: Callable[[int, Iterable[int]], None]

    async def carry(self, run: Run, steps: HeldSteps) -> None:
        """
        Walk the people who were there when the dataflow was let go, from where that was left.

        While enough waits another run is asked for, which goes on later; a dataflow that was stopped meanwhile is as it
        was before it was let go.
        """
        await steps.step("walk", lambda: self._walk(run, steps))

    async def _walk(self, run: Run, steps: HeldSteps) -> None:
        goes_on = True
        while goes_on:
            made, goes_on = await patiently(lambda: self.store.write(lambda tx: self._step(tx, run, steps)))
            crashpoint("after_resync_commit")
            self.woken(run.tenant, made)

    def _step(self, tx: Transaction, run: Run, steps: HeldSteps) -> tuple[set[int], bool]:
        """Look at the next people; return which dataflow has something to send, and whether to go on."""
        steps.hold(tx)
        flow = self._flow(tx, run)
        if flow is None:
            return set(), self._step_of_files(tx, run, steps)
        number, progress = flow.stored.dataflow, steps.progress
        if flow.stored.state != "enabled":
            _note_again(tx, flow.stored, progress)
            return set(), False
        if outbox.is_waiting(tx, run.tenant, number, MOST_WAITING):
            self._ask_again(tx, run, steps)
            return set(), False
        people = list(profiles.scan_states(tx, run.tenant, progress["looked"], progress["of"], AT_ONCE))
        made = changes_of(tx, run.tenant, flow, people, progress["sequence"])
        outbox.accept(tx, run.tenant, made, self.clock.now(), STANDS_BACK)
        believe(tx, run.tenant, flow, people, made)
        last = people[-1][0] if len(people) == AT_ONCE else progress["of"]
        queued = progress["queued"] + sum(len(changes.changed) for changes in made)
        steps.note_in(tx, looked=last, queued=queued, waits=0)
        crashpoint("before_resync_commit")
        return {number}, len(people) == AT_ONCE

    def _step_of_files(self, tx: Transaction, run: Run, steps: HeldSteps) -> bool:
        """Look at the next people of whom files may say something; say whether to go on. The next files tell them."""
        stored, progress = dataflows.get(tx, run.tenant, run.subject["dataflow"]), steps.progress
        if stored is None or not doubting.writes_people(tx, stored):
            return False
        if stored.state != "enabled":
            _note_again(tx, stored, progress)
            return False
        people = list(profiles.scan_states(tx, run.tenant, progress["looked"], progress["of"], AT_ONCE))
        doubting.doubt(tx, stored, people, progress["sequence"])
        goes_on = len(people) == AT_ONCE
        steps.note_in(tx, looked=people[-1][0] if goes_on else progress["of"])
        return goes_on

    def _ask_again(self, tx: Transaction, run: Run, steps: HeldSteps) -> None:
        if runs.is_tried_again(tx, run.run):
            return
        waits, now = steps.progress["waits"], self.clock.now()
        due = now + min(FIRST_WAIT << min(waits, 20), LONGEST_WAIT)
        progress = {**steps.progress, "waits": waits + 1}
        runs.ask(tx, run.tenant, run.kind, run.subject, run.actor, now, due, progress=progress, retry_of=run.run)

    def _flow(self, tx: Transaction, run: Run) -> LiveDataflow | None:
        flows = self.live.of(tx, run.tenant).values()
        return next((flow for flow in flows if flow.stored.id == run.subject["dataflow"]), None)


def _note_again(tx: Transaction, stored: StoredDataflow, progress: Mapping[str, Any]) -> None:
    """Have a dataflow that was stopped meanwhile as it was before it was let go."""
    moments = progress["takenAt"], progress["restoredAt"], progress["sequence"]
    restored.note(tx, Restored(stored.tenant, stored.dataflow, *moments))


def changes_of(tx: Transaction, tenant: int, flow: LiveDataflow, people: list[Person], since: int) -> list[Changes]:
    """Return what tells the partner of some people as they are; ``since`` is the last state that was restored."""
    if not people:
        return []
    number, first, last = flow.stored.dataflow, people[0][0], people[-1][0]
    known = outbox.shown(tx, tenant, number, first, last).keys() | outbox.under_way(tx, tenant, number, first, last)
    seq = profiles.next_sequence(tx, tenant, len(people))
    made: list[Changes] = []
    for place, (profile, state, person) in enumerate(people):
        seen = flow.consent.seen(person) or person
        moved = tuple(_told(flow, person, {audience for who, audience in known if who == profile}, state > since))
        there = [] if flow.watched.parting.is_whole else outbox.known_lanes(tx, tenant, number, profile)
        if touched := lanes(seen, moved, flow.watched, there):
            made.append(Changes(number, profile, seq + place, moved, touched))
    return made


def _told(flow: LiveDataflow, person: Profile, known: set[int], is_changed: bool) -> list[int]:
    """
    Return the audiences of which the partner is told how a person stands: those they are in or it knows them in.

    Of whom consent withholds it hears only that they left, if it knows them; or may, as they have changed since.
    """
    statuses = flow.watched.audiences.statuses(person)
    told = {number for number, membership in statuses.items() if membership["status"] == "realized"}
    if flow.consent.withholding(person) is not None:
        told = set(statuses) if is_changed else set()
    mine = {number for number in flow.watched.audiences.by_number if number not in flow.watched.ended}
    return sorted(mine & (known | told))


def believe(tx: Transaction, tenant: int, flow: LiveDataflow, people: list[Person], made: list[Changes]) -> None:
    """Believe that the partner knows those whom consent withholds: else it would not be told that they left."""
    persons = {profile: person for profile, _, person in people}
    for changes in made:
        person = persons[changes.profile]
        if flow.consent.withholding(person) is not None:
            audiences = {str(audience): "" for audience in changes.changed}
            shown = orjson.dumps({"audiences": audiences, "identities": flow.watched.mapping.identities(person)})
            outbox.suppose(tx, tenant, changes, shown)
