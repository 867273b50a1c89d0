"""
The run that applies changed consent policies to those who are known already: whoever is withheld now and was told of
leaves, and whoever was withheld enters.

It looks at where people stand and not at what has changed, so that it may be repeated, and one run is as good as two.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from headrace.clock import Clock
from headrace.crashpoints import crashpoint
from headrace.model.change import Changes
from headrace.model.profile import Membership, Profile
from headrace.services.live import LiveDataflow, LiveDataflows
from headrace.services.steps import HeldSteps, patiently
from headrace.store import access, outbox, profiles
from headrace.store.database import Store, Transaction
from headrace.store.runs import Run
from headrace.streaming.triggers import lanes

#: People looked at in one turn of the writer.
AT_ONCE = 500
Person = tuple[int, Profile]


@dataclass(frozen=True, slots=True)
class ApplyingConsent:
    """Carries the runs that apply policies. ``woken`` is told which dataflows have something to send."""

    store: Store
    clock: Clock
    live: LiveDataflows
    woken: Callable[[int, Iterable[int]], None]

    async def carry(self, run: Run, steps: HeldSteps) -> None:
        """Walk the people who were there when the run was asked for, from where it was left."""
        await steps.step("walk", lambda: self._walk(run, steps))
        await steps.step("settle", lambda: self._settle(run, steps))

    async def _walk(self, run: Run, steps: HeldSteps) -> None:
        while True:
            touched, is_done = await patiently(lambda: self.store.write(lambda tx: self._step(tx, run, steps)))
            crashpoint("after_consent_commit")
            self.woken(run.tenant, touched)
            if is_done:
                return

    def _step(self, tx: Transaction, run: Run, steps: HeldSteps) -> tuple[set[int], bool]:
        """Look at the next people; return which dataflows have something to send, and whether these were the last."""
        progress = steps.progress
        people = list(profiles.scan(tx, run.tenant, progress["after"], progress["upto"], AT_ONCE))
        made: list[Changes] = []
        for flow in self.live.of(tx, run.tenant).values() if people else ():
            if flow.evaluates_consent:
                made += changes_of(tx, run.tenant, flow, people)
        outbox.accept(tx, run.tenant, made, self.clock.now())
        last = people[-1][0] if people else progress["upto"]
        steps.note_in(tx, done=progress["done"] + len(people), after=last)
        crashpoint("before_consent_commit")
        return {changes.dataflow for changes in made}, len(people) < AT_ONCE

    async def _settle(self, run: Run, steps: HeldSteps) -> None:
        """Note that what is claimed need not be looked at because of this run any more."""

        def work(tx: Transaction) -> None:
            steps.note_in(tx, settled=True)
            access.raise_configuration(tx, run.tenant)
            crashpoint("before_consent_settled")

        await patiently(lambda: self.store.write(work))


def changes_of(tx: Transaction, tenant: int, flow: LiveDataflow, people: list[Person]) -> list[Changes]:
    """Return what brings the partner of one dataflow up to where some people stand by the policies."""
    number, first, last = flow.stored.dataflow, people[0][0], people[-1][0]
    told = _Told(
        outbox.shown(tx, tenant, number, first, last),
        outbox.under_way(tx, tenant, number, first, last),
        outbox.claimed(tx, tenant, number, first, last),
        outbox.laid_aside(tx, tenant, number, first, last),
    )
    moves = [(profile, person, moved) for profile, person in people if (moved := _moved(flow, profile, person, told))]
    seq = profiles.next_sequence(tx, tenant, len(moves)) if moves else 0
    made: list[Changes] = []
    for place, (profile, person, moved) in enumerate(moves):
        seen = flow.consent.seen(person) or person
        known = [] if flow.watched.parting.is_whole else outbox.known_lanes(tx, tenant, number, profile)
        if touched := lanes(seen, moved, flow.watched, known):
            made.append(Changes(number, profile, seq + place, moved, touched))
    return made


@dataclass(frozen=True, slots=True)
class _Told:
    """
    What a partner may know of some people, is about to be told, maybe as they were by other policies, since it is
    ``claimed``, and could not be told: (person, audience) each.

    ``shown`` says of each whether the partner has said that it knows it.
    """

    shown: dict[tuple[int, int], bool]
    under_way: set[tuple[int, int]]
    claimed: set[tuple[int, int]]
    parked: set[tuple[int, int]]


def _moved(flow: LiveDataflow, profile: int, person: Profile, told: _Told) -> tuple[int, ...]:
    """Return the audiences in which the partner is to be told another state of a person: none that has ended."""
    statuses = flow.watched.audiences.statuses(person).items()
    mine = {number: membership for number, membership in statuses if number not in flow.watched.ended}
    if flow.consent.withholding(person) is not None:
        return tuple(
            number for number in mine if (profile, number) in told.shown or (profile, number) in told.under_way
        )
    return tuple(_differing(flow, profile, mine, told))


def _differing(flow: LiveDataflow, profile: int, statuses: dict[int, Membership], told: _Told) -> Iterator[int]:
    """
    Yield the audiences of which the partner knows something else than is so.

    So it may be of one that the person has left, too: a record that came after a policy and before this was held
    against what the person was by the policy, which is not what the partner was told.

    What waits is rendered as the person is when it leaves; only where entries are grouped by status it may wait in the
    wrong group, and is asked for anew. So is what was claimed: it may have been rendered by the policies before.
    """
    key = flow.watched.policy.aggregation_key
    by_status = key is not None and key.include_segment_status
    for number, membership in statuses.items():
        entry = (profile, number)
        if entry in told.under_way:
            if by_status or entry in told.claimed:
                yield number
        elif entry not in told.parked and _is_other(told.shown.get(entry), membership):
            yield number


def _is_other(known: bool | None, membership: Membership) -> bool:
    """Say whether a membership is another than is known; what a partner has not said that it knows may be either."""
    return not known if membership["status"] == "realized" else known is not None
