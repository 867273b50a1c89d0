"""
The outbox against a model in plain Python, under random sequences of what can happen to it.

The model does not know how the outbox works. It knows who touched which lane when, and asks of every change that
disappears whether it may.
"""

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.model.change import Changes
from headrace.model.message import Bucket, Settled
from headrace.model.outcome import Delivered, Parked, Retry
from headrace.store import ledger, outbox, parked
from headrace.store.parked import Chosen
from unit.store.yard import LEASE, PARKED, RETRY, Yard, lane

PEOPLE, AUDIENCES, PARTS = (1, 2), (1, 2), ("1", "2")


class Undo(Exception):
    """Ends a sequence and takes back all it wrote."""


@dataclass
class Model:
    """What is known of a sequence without looking into the outbox."""

    yard: Yard
    by_audience: bool
    by_part: bool
    touched: dict = field(default_factory=dict)  # change -> the lanes it must leave by
    done: dict = field(default_factory=Counter)  # lane -> highest sequence number that was acknowledged or parked
    sent: dict = field(default_factory=Counter)  # lane -> highest sequence number that was claimed
    waiting: dict = field(default_factory=dict)  # lane -> since when something newer than what was claimed waits
    held: dict = field(default_factory=dict)  # group number -> the claim in force
    leased: dict = field(default_factory=dict)  # group number -> until when, and the lanes it holds
    claims: list = field(default_factory=list)  # every claim there was
    tally: Counter = field(default_factory=Counter)
    numbers: set = field(default_factory=set)
    taken: set = field(default_factory=set)  # numbers of parked changes that were taken away again

    def open(self):
        return set(self.yard.changes())

    # -- what can happen ------------------------------------------------------------------------------------------

    def accept(self, profile, moved, parts, status, late, members):
        audiences = [a for a in AUDIENCES if a in moved or (0 in moved and a in members)] if self.by_audience else [0]
        lanes = [
            lane(audience, part, Bucket(audience, status if self.by_audience else None, int(part or 0)))
            for audience in audiences
            for part in (parts if self.by_part else [""])
        ]
        before = self.open()
        seq = self.yard.accept(profile, moved, lanes, late)
        names = [(profile, item.audience, item.part) for item in lanes]
        self.tally["accepted"] += len(moved) + len(late)
        self.tally["superseded"] += len(late)
        if not lanes:
            self.tally["withheld"] += len(moved)
            self.expect(before)
            return
        for audience in moved:
            mine = {name for name in names if name[1] == audience or 0 in (name[1], audience)}
            self.touched[profile, audience, seq] = mine
        for name in names:
            self.waiting.setdefault(name, self.yard.now)
        gone = before - self.open()
        for person, audience, older in gone:
            assert person == profile
            assert audience in moved
            assert all(self.sent_in_force(name) < older for name in self.touched[person, audience, older])
        self.tally["superseded"] += len(gone)
        self.expect(before - gone | {(profile, audience, seq) for audience in moved})

    def claim(self, groups, entries):
        before = self.open()
        for group in self.yard.claim(groups, entries):
            again = group.number in self.numbers
            assert again == (group.attempt > 1)
            assert again or len(group.entries) <= entries
            self.numbers.add(group.number)
            self.leased.pop(group.number, None)
            under_way = set().union(*(names for until, names in self.leased.values() if until > self.yard.now))
            for item in group.entries:
                name = (item.profile, item.audience, item.part)
                assert name not in under_way, "a lane has two messages under way"
                assert item.seq >= self.sent[name], "an older state after a newer one"
                self.sent[name] = item.seq
                self.waiting.pop(name, None)
            self.held[group.number] = group
            self.leased[group.number] = self.yard.now + LEASE, self.names(group)
            self.claims.append(group)
        self.expect(before)

    def settle(self, which, outcomes):
        if not self.claims:
            return
        group = self.claims[which % len(self.claims)]
        before, everything = self.open(), self.yard.everything()
        given = [outcomes[place % len(outcomes)] for place, _ in enumerate(group.entries)]
        settled = [
            Settled(item, outcome, "m", b"{}" if isinstance(outcome, Delivered) and place % 2 else None)
            for place, (item, outcome) in enumerate(zip(group.entries, given, strict=True))
        ]
        retry_at = self.yard.now + 1000
        recorded = self.yard.record(group, settled, retry_at)
        is_ours = recorded is not None
        is_in_force = self.held.get(group.number) is group
        assert is_ours == is_in_force or (is_in_force and group.number not in self.numbers_of_lanes())
        if not is_ours:
            assert self.yard.everything() == everything, "a late answer changed something"
            return
        del self.held[group.number], self.leased[group.number]
        for item in settled:
            name = (item.entry.profile, item.entry.audience, item.entry.part)
            if not isinstance(item.outcome, Retry):
                self.done[name] = max(self.done[name], item.entry.seq)
        self.explain(before - self.open(), settled, self.yard.balance())

    def explain(self, gone, settled, balance):
        parked = [item.entry for item in settled if isinstance(item.outcome, Parked)]
        for profile, audience, seq in gone:
            was_parked = any(
                entry.profile == profile
                and seq <= entry.seq
                and (0 in (entry.audience, audience, audience - entry.audience))
                for entry in parked
            )
            if not was_parked:
                assert all(self.done[name] >= seq for name in self.touched[profile, audience, seq]), "told too early"
        for column in ("delivered", "superseded", "parked"):
            self.tally[column], before = balance.get(column, 0), self.tally[column]
            assert self.tally[column] >= before
        self.expect(self.open())

    def withhold(self, audience):
        if not self.by_audience:
            return
        before = self.open()
        count = self.yard.run(
            lambda tx: outbox.withhold_audience(tx, self.yard.tenant, self.yard.dataflow, audience, self.yard.now)
        )
        gone = before - self.open()
        assert count == len(gone)
        assert {change for change in before if change[1] == audience} <= gone
        for lanes in self.touched.values():
            lanes -= {name for name in lanes if name[1] == audience}
        assert all(not self.touched[change] - self.quiet(change[2]) for change in gone if change[1] != audience)
        for name in [name for name in self.waiting if name[1] == audience]:
            del self.waiting[name]
        for _, names in self.leased.values():
            names -= {name for name in names if name[1] == audience}
        self.tally["withheld"] += len(gone)
        self.expect(before - gone)

    def replay(self, most, late):
        """Take changes that were parked back, the longest parked first; every one that is late is superseded."""
        taken = self.laid_aside(most)
        made, names = [], []
        before = self.open()
        for place, item in enumerate(taken):
            self.yard.seq += 1
            if late and place % 2:
                made.append(Changes(self.yard.dataflow, item.profile, self.yard.seq, (), (), (item.audience,)))
                self.tally["superseded"] += 1
                continue
            touched = self.lanes_for(item.audience)
            made.append(Changes(self.yard.dataflow, item.profile, self.yard.seq, (item.audience,), touched))
            mine = {(item.profile, one.audience, one.part) for one in touched}
            self.touched[item.profile, item.audience, self.yard.seq] = mine
            names += sorted(mine)
        numbers = [number for (number,) in self.yard.rows("parked", "parked", "1")]
        self.yard.run(lambda tx: parked.requeue(tx, *self.address, taken, made, self.yard.now, 0))
        assert self.yard.rows("parked", "parked", "1") == [
            (n,) for n in numbers if n not in {it.number for it in taken}
        ]
        for name in names:
            self.waiting.setdefault(name, self.yard.now)
        gone = before - self.open()
        self.tally["superseded"] += len(gone)
        self.tally["parked"] -= len(taken)
        queued = {(item.profile, audience, item.seq) for item in made for audience in item.changed}
        self.expect(before - gone | queued)

    def discard(self, most):
        taken = self.laid_aside(most)
        before = self.open()
        self.yard.run(lambda tx: parked.discard(tx, *self.address, taken, self.yard.now))
        self.tally["parked"] -= len(taken)
        self.tally["withheld"] += len(taken)
        self.expect(before)

    def laid_aside(self, most):
        taken = self.yard.run(lambda tx: parked.next_of(tx, *self.address, Chosen(), 0, 1 << 62, most))
        assert all(item.number not in self.taken for item in taken), "a number was given twice"
        self.taken |= {item.number for item in taken}
        return taken

    def lanes_for(self, audience):
        audiences = ([audience] if audience else list(AUDIENCES)) if self.by_audience else [0]
        return tuple(
            lane(number, part, Bucket(number, "realized" if self.by_audience else None, int(part or 0)))
            for number in audiences
            for part in (PARTS if self.by_part else [""])
        )

    @property
    def address(self):
        return self.yard.tenant, self.yard.dataflow

    def crash(self):
        self.yard.epoch += 1
        self.held.clear()
        self.leased.clear()
        self.yard.run(lambda tx: outbox.expire_leases(tx, self.yard.epoch, self.yard.now))

    def pass_time(self, seconds):
        self.yard.now += seconds * 1000

    # -- what must hold -------------------------------------------------------------------------------------------

    def names(self, group):
        return {(item.profile, item.audience, item.part) for item in group.entries}

    def sent_in_force(self, name):
        return max(
            (
                item.seq
                for held in self.held.values()
                for item in held.entries
                if (item.profile, item.audience, item.part) == name
            ),
            default=0,
        )

    def numbers_of_lanes(self):
        return {number for (number,) in self.yard.rows("lanes", "claim_group", "1")}

    def quiet(self, seq):
        return {name for name, done in self.done.items() if done >= seq}

    def expect(self, changes):
        assert self.open() == changes
        rows = self.yard.run(lambda tx: ledger.balance(tx, self.yard.tenant, self.yard.dataflow))
        counts = Counter(audience for _, audience, _ in changes)
        for audience, row in rows.items():
            assert row["pending"] == counts[audience]
            assert all(value >= 0 for value in row.values())
        balance = self.yard.balance()
        for column, value in self.tally.items():
            assert balance.get(column, 0) == value, column
        for profile, audience, part, since in self.yard.rows("lanes", "profile, audience, part, waiting_since"):
            assert since == self.waiting.get((profile, audience, part)), "waiting time moved"

    def come_to_rest(self):
        """Deliver everything: nothing may be left over."""
        for _ in range(200):
            self.pass_time(LEASE // 1000 + 1)
            self.held.clear()
            groups = self.yard.claim()
            if not groups:
                break
            for group in groups:
                assert self.yard.settle(group, Delivered())
        assert self.open() == set()
        assert self.yard.balance().get("pending", 0) == 0
        assert self.yard.rows("groups", "claim_group, bucket, epoch") == []
        assert [row for row in self.yard.rows("lanes", "profile, due, claim_group") if row[1:] != (None, None)] == []


LOST = Parked("retries-exhausted", "no answer came", unknown=True)
some_outcomes = st.lists(st.sampled_from([Delivered(), RETRY, PARKED, LOST]), min_size=1, max_size=3)
steps = st.one_of(
    st.tuples(
        st.just("accept"),
        st.sampled_from(PEOPLE),
        st.lists(st.sampled_from([0, *AUDIENCES]), min_size=1, max_size=3, unique=True).map(sorted),
        st.lists(st.sampled_from(PARTS), max_size=2, unique=True),
        st.sampled_from(["realized", "exited"]),
        st.lists(st.sampled_from(AUDIENCES), max_size=1),
        st.sets(st.sampled_from(AUDIENCES)),
    ),
    st.tuples(st.just("claim"), st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.just("settle"), st.integers(0, 9), some_outcomes),
    st.tuples(st.just("pass_time"), st.integers(0, LEASE // 1000 + 5)),
    st.tuples(st.just("withhold"), st.sampled_from(AUDIENCES)),
    st.tuples(st.just("replay"), st.integers(1, 3), st.booleans()),
    st.tuples(st.just("discard"), st.integers(1, 2)),
    st.tuples(st.just("crash")),
)


@pytest.mark.long_on_postgres
@pytest.mark.parametrize("by_part", [False, True], ids=["whole", "parted"])
@pytest.mark.parametrize("by_audience", [False, True], ids=["together", "by audience"])
@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(sequence=st.lists(steps, min_size=3, max_size=30))
def test_whatever_happens_every_change_is_accounted_for(store, tenant, by_audience, by_part, sequence):
    def work(tx):
        model = Model(Yard(lambda piece: piece(tx), tenant), by_audience, by_part)
        for name, *arguments in sequence:
            getattr(model, name)(*arguments)
        model.come_to_rest()
        raise Undo

    with pytest.raises(Undo):
        store.write_now(work)
