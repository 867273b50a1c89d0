"""Entries that wait for each other: a bucket leaves when it is full, or when its oldest entry is old enough."""

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.model.message import Bucket, Patience
from headrace.model.outcome import Delivered
from headrace.store import outbox
from unit.store.yard import PARKED, RETRY, Yard, lane

SIZE, AGE = 3, 600
PATIENCE = Patience(AGE * 1000, SIZE)
PEOPLE, AUDIENCES, PARTS = range(1, 7), (1, 2), ("1", "2")


@pytest.fixture
def yard(store, tenant):
    return Yard(store.write_now, tenant)


def accept(yard, *people, bucket=1):
    for profile in people:
        yard.accept(profile, (1,), [lane(1, "", Bucket(bucket))])


def claim(yard, **given):
    return yard.claim(10, SIZE, patience=PATIENCE, **given)


def next_due(yard, patience=PATIENCE):
    return yard.run(lambda tx: outbox.next_due(tx, yard.tenant, yard.dataflow, patience))


def test_what_is_neither_full_nor_old_enough_stays(yard):
    accept(yard, 1, 2)
    yard.now += AGE * 1000 - 1

    assert claim(yard) == []
    assert next_due(yard) == yard.now + 1


def test_all_of_a_bucket_leaves_with_its_oldest(yard):
    accept(yard, 1)
    yard.now += AGE * 1000 - 1
    accept(yard, 2)
    yard.now += 1

    (group,) = claim(yard)

    assert [entry.profile for entry in group.entries] == [1, 2]


def test_a_full_bucket_leaves_at_once_and_the_rest_of_it_stays(yard):
    accept(yard, *range(1, 2 * SIZE + 2))

    groups = claim(yard)

    assert [len(group.entries) for group in groups] == [SIZE, SIZE]
    assert next_due(yard, None) is not None  # The leases.
    for group in groups:
        assert yard.settle(group, Delivered())
    assert next_due(yard) == yard.now + AGE * 1000


def test_buckets_do_not_fill_each_other(yard):
    accept(yard, 1, 2)
    accept(yard, 3, 4, bucket=2)

    assert claim(yard) == []


def test_a_newer_state_goes_to_its_own_bucket_and_takes_its_waiting_time_along(yard):
    yard.accept(1, (1,), [lane(1, "", Bucket(1, "realized"))])
    begun = yard.now
    yard.now += 500_000
    yard.accept(1, (1,), [lane(1, "", Bucket(1, "exited"))])
    yard.accept(2, (1,), [lane(1, "", Bucket(1, "exited"))])

    assert yard.lane(1, 1)["waiting_since"] == begun
    assert next_due(yard) == begun + AGE * 1000
    yard.now = begun + AGE * 1000
    (group,) = claim(yard)
    assert (group.bucket.status, [entry.profile for entry in group.entries]) == ("exited", [1, 2])


def test_a_retry_does_not_wait_for_others(yard):
    accept(yard, 1)
    yard.now += AGE * 1000
    (group,) = claim(yard)
    yard.settle(group, RETRY, retry_in=15_000)
    yard.now += 15_000

    (again,) = claim(yard)

    assert (again.number, again.attempt) == (group.number, 2)


def test_what_changed_while_it_was_under_way_waits_from_the_moment_it_changed(yard):
    accept(yard, 1)
    yard.now += AGE * 1000
    (group,) = claim(yard)
    yard.now += 1000
    accept(yard, 1)
    changed_at = yard.now
    yard.now += 1000
    yard.settle(group, Delivered())

    assert next_due(yard) == changed_at + AGE * 1000


def test_an_entry_that_is_given_back_is_the_first_to_leave(yard):
    accept(yard, 1)
    yard.now += AGE * 1000
    (group,) = claim(yard)

    yard.run(lambda tx: outbox.move(tx, group, group.entries[0], Bucket(1, "exited").encode(), yard.now))

    assert [entry.profile for entry in claim(yard)[0].entries] == [1]


def test_with_another_policy_what_waits_leaves_by_that(yard):
    accept(yard, 1, 2)
    yard.now += 1000

    assert yard.claim(10, SIZE, patience=Patience(1000, SIZE))
    accept(yard, 3, 4)
    assert yard.claim(10, SIZE, patience=Patience(3600_000, 2))
    accept(yard, 5)
    assert yard.claim(10, SIZE)


# -- whatever happens --------------------------------------------------------------------------------------------------


class Undo(Exception):
    """Ends a sequence and takes back all it wrote."""


@dataclass
class Model:
    """Who waits since when in which bucket, without looking into the outbox; a worker is always there."""

    yard: Yard
    bucket: dict = field(default_factory=dict)  # lane -> the bucket of its newest state
    waiting: dict = field(default_factory=dict)  # lane -> since when it waits
    newest: dict = field(default_factory=dict)  # lane -> the sequence number of its newest state
    under_way: dict = field(default_factory=dict)  # group number -> the claim in force
    left: Counter = field(default_factory=Counter)  # (lane, sequence number) -> the groups it left in
    numbers: set = field(default_factory=set)

    def accept(self, profile, audiences, parts, status):
        names = [(profile, audience, part) for audience in audiences for part in parts]
        lanes = [lane(audience, part, Bucket(audience, status, int(part))) for _, audience, part in names]
        seq = self.yard.accept(profile, tuple(audiences), lanes)
        for name, item in zip(names, lanes, strict=True):
            self.bucket[name], self.newest[name] = item.bucket, seq
            self.waiting.setdefault(name, self.yard.now)
        self.work()

    def pass_time(self, seconds):
        """Let time pass as a worker sees it, who wakes whenever something is due."""
        until = self.yard.now + seconds * 1000
        while (due := next_due(self.yard)) is not None and due <= until:
            if due > self.yard.now:
                self.yard.now = due - 1
                assert claim(self.yard) == [], "something left before its time"
                self.yard.now = due
            self.work()
        self.yard.now = until
        self.work()

    def settle(self, which, outcome):
        if self.under_way:
            self.answer(sorted(self.under_way)[which % len(self.under_way)], outcome)
        self.work()

    def answer(self, number, outcome):
        group = self.under_way.pop(number)
        assert self.yard.settle(group, outcome, retry_in=30_000) or group.lease_until <= self.yard.now

    def work(self):
        while groups := claim(self.yard):
            for group in groups:
                self.take(group)
        self.expect()

    def take(self, group):
        names = [(entry.profile, entry.audience, entry.part) for entry in group.entries]
        assert len(names) == len(set(names)) <= SIZE
        is_again = group.number in self.numbers
        assert is_again == (group.attempt > 1)
        if not is_again:
            since = [self.waiting[name] for name in names]
            assert len(names) == SIZE or self.yard.now - min(since) >= AGE * 1000, "neither full nor old enough"
        for name, entry in zip(names, group.entries, strict=True):
            assert self.bucket[name] == group.bucket.encode(), "an entry in the wrong group"
            assert entry.seq == self.newest[name], "not the newest state"
            self.left[name, entry.seq] += not is_again
            assert self.left[name, entry.seq] <= 1, "the same change left in two groups"
            self.waiting.pop(name, None)
        self.numbers.add(group.number)
        self.under_way[group.number] = group

    def expect(self):
        """Nothing waits longer than it may, no bucket holds more than it may, and no waiting time has moved."""
        rows = self.yard.rows("lanes", "profile, audience, part, waiting_since, due, bucket")
        for profile, audience, part, since, _, _ in rows:
            assert since == self.waiting.get((profile, audience, part)), "waiting time moved"
        waits = [row for row in rows if row[4] is not None]
        assert all(self.yard.now - since < AGE * 1000 for _, _, _, since, _, _ in waits), "waited too long"
        assert all(count < SIZE for count in Counter(row[5] for row in waits).values()), "more than full"

    def come_to_rest(self):
        for _ in range(50):
            for number in list(self.under_way):
                self.answer(number, Delivered())
            self.work()  # What is newer than what was answered waits again, and may have filled its bucket.
            if self.under_way:
                continue
            if next_due(self.yard) is None:  # A lane may wait although its change was parked by another lane.
                break
            self.pass_time(AGE)
        assert self.yard.changes() == []
        assert self.yard.balance().get("pending", 0) == 0
        assert all(self.left[name, seq] <= 1 for name, seq in self.newest.items())
        assert next_due(self.yard) is None


steps = st.one_of(
    st.tuples(
        st.just("accept"),
        st.sampled_from(PEOPLE),
        st.lists(st.sampled_from(AUDIENCES), min_size=1, max_size=2, unique=True),
        st.lists(st.sampled_from(PARTS), min_size=1, max_size=2, unique=True),
        st.sampled_from(["realized", "exited"]),
    ),
    st.tuples(st.just("pass_time"), st.sampled_from([1, 29, 30, AGE // 2, AGE - 1, AGE])),
    st.tuples(st.just("settle"), st.integers(0, 5), st.sampled_from([Delivered(), RETRY, PARKED])),
)


@pytest.mark.long_on_postgres
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(sequence=st.lists(steps, min_size=3, max_size=25))
def test_whatever_happens_entries_wait_no_longer_than_they_may(store, tenant, sequence):
    def work(tx):
        model = Model(Yard(lambda piece: piece(tx), tenant))
        for name, *arguments in sequence:
            getattr(model, name)(*arguments)
        model.come_to_rest()
        raise Undo

    with pytest.raises(Undo):
        store.write_now(work)
