"""The ledger by hour, its check against the rows, and what is remembered of whose changes."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.model.change import Changes
from headrace.model.outcome import Delivered, Retry, Split
from headrace.store import history, hours, ledger, outbox, packing, reasons
from headrace.store.database import Store
from headrace.store.history import DAY, Fate
from headrace.store.hours import COLUMNS, HOUR
from headrace.store.migrate import migrate
from unit.store.yard import PARKED, RETRY, lane

START = 500_000 * HOUR


@pytest.fixture
def yard(yard):
    yard.now = START
    return yard


def found(yard, number=None):
    return yard.run(lambda tx: hours.latest(tx, yard.tenant, 100, dataflow=yard.dataflow, hour=number))


def happened(yard, profile=1, day=START // DAY):
    return yard.run(lambda tx: history.of_person(tx, yard.tenant, yard.dataflow, profile, day))


def told(yard, profile=1):
    return [(item.fate.kind, item.audience, item.seq) for item in happened(yard, profile)]


def differences(yard):
    return yard.run(lambda tx: ledger.differences(tx, yard.tenant, yard.dataflow))


# -- hours --------------------------------------------------------------------------------------------------------


def test_what_came_in_and_what_became_of_it_count_in_their_own_hours(yard):
    yard.accept(1, changed=(1, 2))
    yard.now += HOUR
    yard.deliver_all()

    later, first = found(yard)

    assert (first.hour, later.hour) == (500_000, 500_001)
    assert [first.sums()[name] for name in ("accepted", "people", "delivered", "entries")] == [2, 1, 0, 0]
    assert [later.sums()[name] for name in ("accepted", "people", "delivered", "entries")] == [0, 0, 2, 1]


def test_an_hour_says_why_changes_were_parked_and_withheld(yard):
    yard.accept(1)
    yard.settle(*yard.claim(), PARKED)
    yard.accept(2, lanes=())

    (hour,) = found(yard)

    assert (hour.parked, hour.withheld) == ({"status-400": 1}, {"nothing-to-say": 1})


def fold(yard):
    while yard.run(ledger.fold):
        pass
    yard.run(reasons.WITHHELD.fold)
    yard.run(reasons.PARKED.fold)


@pytest.fixture
def folding(monkeypatch):
    monkeypatch.setattr(reasons, "FEW", 0)
    monkeypatch.setattr(ledger, "_AT_ONCE", 3)


def busy(yard):
    for number in range(1, 8):
        yard.accept(number, changed=(1, 2), lanes=() if number % 3 == 0 else None)
        yard.now += HOUR // 3
    for group, outcome in zip(yard.claim(3, 2), (Delivered(), PARKED, RETRY), strict=True):
        yard.settle(group, outcome)
        yard.now += HOUR


def test_folding_changes_no_figure(yard, folding):
    busy(yard)
    before, balance = found(yard), yard.balance()

    fold(yard)
    busy(yard)
    fold(yard)

    assert found(yard)[-len(before) :][1:] == before[1:]
    assert yard.rows("ledger_deltas", "1", "1") == []
    assert balance["accepted"] * 2 == yard.balance()["accepted"]


def test_the_sums_of_the_hours_are_those_of_the_ledger(yard, folding):
    busy(yard)
    fold(yard)
    busy(yard)

    sums = Counter()
    for hour in found(yard):
        sums.update(hour.sums())

    balance = yard.balance()
    assert all(sums[column] == balance.get(column, 0) for column in ledger.COLUMNS)
    by_code = sum(sum(hour.parked.values()) for hour in found(yard))
    by_reason = sum(sum(hour.withheld.values()) for hour in found(yard))
    assert (by_code, by_reason) == (balance["parked"], balance["withheld"])


def test_hours_are_forgotten_and_sums_stay(yard, folding):
    busy(yard)
    fold(yard)
    balance, before = yard.balance(), found(yard)
    oldest = min(hour.hour for hour in before)

    for _ in range(50):
        yard.run(lambda tx: hours.forget(tx, oldest + 2, 1))

    assert found(yard) == [hour for hour in before if hour.hour >= oldest + 2]
    assert not yard.run(lambda tx: hours.is_any_before(tx, oldest + 2))
    assert yard.balance() == balance
    assert dict(yard.run(lambda tx: reasons.PARKED.counts(tx, yard.tenant, 1))) == {"status-400": 4}


# -- the check ----------------------------------------------------------------------------------------------------


def test_a_ledger_that_is_right_has_no_differences(yard):
    busy(yard)
    assert differences(yard) == []


def test_a_change_that_went_missing_is_named(yard):
    yard.accept(1, changed=(1, 2))
    yard.run(lambda tx: tx.run("DELETE FROM changes WHERE tenant = :t AND audience = 2", {"t": yard.tenant}))

    assert differences(yard) == [ledger.Difference(2, "pending", 1, 0)]


def test_a_parked_change_that_nobody_counted_is_named(yard):
    yard.accept(1)
    yard.settle(*yard.claim(), PARKED)
    yard.run(lambda tx: tx.run("UPDATE parked SET audience = 7 WHERE tenant = :t", {"t": yard.tenant}))

    assert differences(yard) == [ledger.Difference(1, "parked", 1, 0), ledger.Difference(7, "parked", 0, 1)]


def test_a_ledger_is_right_in_every_moment_while_changes_move(store, yard):
    done = Event()

    def look():
        found = []
        while not found or not done.is_set():
            found.append(store.read_now(lambda tx: ledger.differences(tx, yard.tenant, yard.dataflow)))
        return found

    with ThreadPoolExecutor(1) as beside:
        looking = beside.submit(look)
        for turn in range(25):
            yard.accept(turn % 5 + 1, changed=(1, 2))
            for group in yard.claim():
                yard.settle(group, *(PARKED if turn % 3 == 0 else Delivered() for _ in group.entries))
            yard.run(ledger.fold)
        done.set()

    assert not any(looking.result())


# -- history ------------------------------------------------------------------------------------------------------


def test_a_change_is_followed_from_its_acceptance_to_the_partner(yard):
    seq = yard.accept(1)
    yard.settle(*yard.claim(), RETRY)
    yard.now += 1000
    yard.settle(*yard.claim(), Delivered(202), shown=b'{"audiences":{"1":""},"identities":{}}')

    accepted, retried, sent = happened(yard)

    assert accepted.fate == Fate(1, "accepted")
    assert (retried.fate.kind, retried.fate.code, retried.fate.attempt) == ("retried", "status-503", 1)
    assert (sent.fate.kind, sent.fate.status, sent.fate.attempt, sent.told) == ("sent", 202, 2, "realized")
    assert {item.seq for item in (accepted, retried, sent)} == {seq}
    assert sent.moment == START + 1000


def test_one_who_left_is_told_as_such(yard):
    yard.accept(1)
    yard.settle(*yard.claim(), Delivered(), shown=None)

    assert happened(yard)[-1].told == "exited"


def test_what_is_withheld_parked_superseded_and_split_is_remembered(yard):
    yard.accept(1, lanes=())
    yard.accept(2, late=(3,), changed=(), lanes=())
    yard.accept(4)
    yard.accept(4)
    yard.accept(5)
    (group,) = yard.claim()
    yard.settle(group, Split("status-400", "no"), PARKED)

    assert told(yard, 1) == [("accepted", 1, 1), ("withheld", 1, 1)]
    assert sorted(told(yard, 2)) == [("accepted", 3, 2), ("superseded", 3, 2)]
    assert told(yard, 4) == [("accepted", 1, 3), ("superseded", 1, 3), ("accepted", 1, 4), ("split", 1, 4)]
    assert told(yard, 5) == [("accepted", 1, 5), ("parked", 1, 5)]


def test_what_waits_when_a_dataflow_goes_is_withheld_by_name(yard):
    yard.accept(1, changed=(1, 2))
    yard.run(lambda tx: outbox.withhold_audience(tx, yard.tenant, 1, 2, yard.now))
    yard.run(lambda tx: outbox.withhold(tx, yard.tenant, 1, yard.now))

    assert [(item.fate.kind, item.fate.code, item.audience) for item in happened(yard)[2:]] == [
        ("withheld", "audience-unmapped", 2),
        ("withheld", "dataflow-deleted", 1),
    ]


def test_a_message_is_one_row_however_many_it_carries(yard):
    yard.accept_all([Changes(1, number, 9, (1, 2), (lane(),)) for number in range(1, 51)])
    yard.settle(*yard.claim(1, 100), Delivered())

    assert len(yard.rows("history", "number", "1")) == 2
    assert told(yard, 37) == [("accepted", 1, 9), ("accepted", 2, 9), ("sent", 1, 9), ("sent", 2, 9)]
    assert told(yard, 99) == []


def test_old_days_are_forgotten_a_few_rows_at_a_time(store):
    fates = {Fate(1, "accepted"): [(1, 1, 1, 0)]}
    store.write_now(lambda tx: tx.run("DELETE FROM history"))
    for day in (0, 0, 0, 0, 1, 1, 1, 1, 2):
        store.write_now(lambda tx, day=day: history.write(tx, 1, fates, day * DAY))

    rounds = [store.write_now(lambda tx: history.forget(tx, 2, 3)) for _ in range(4)]

    assert rounds == [True, True, True, False]
    assert store.read_now(lambda tx: tx.run("SELECT DISTINCT day FROM history").fetchall()) == [(2,)]
    assert not store.read_now(lambda tx: history.is_any_before(tx, 2))


def test_a_store_that_remembers_nobody_counts_all_the_same(tmp_path):
    store = Store.open(tmp_path, remembers=False)
    try:
        migrate(store)
        changes = [Changes(1, 1, 1, (1,), (), (2,))]
        store.write_now(lambda tx: outbox.accept(tx, 1, changes, START))
        assert store.read_now(lambda tx: tx.run("SELECT count(*) FROM history").fetchone()) == (0,)
        assert sum(row["accepted"] for row in store.read_now(lambda tx: ledger.balance(tx, 1, 1)).values()) == 2
    finally:
        store.close()


whole = st.integers(-(1 << 62), 1 << 62)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.integers(1, 40).flatmap(lambda length: st.lists(st.lists(whole, min_size=length, max_size=length), min_size=1))
)
def test_packed_columns_are_unpacked_as_they_were(columns):
    packed = packing.pack(columns)

    assert packing.unpack(packed) == columns
    assert all(packing.is_in_first(packed, number) for number in columns[0])
    assert not packing.is_in_first(packed, max(columns[0]) + 1)


def test_neighbours_take_a_byte_each():
    assert len(packing.pack([range(100), [7] * 100, range(1 << 40, (1 << 40) + 100), [1] * 100])) == 6 + 4 * 9 + 200


def test_every_column_of_an_hour_is_posted():
    assert {*COLUMNS} == {*ledger.COLUMNS, "people", "entries"}


def test_a_retry_that_does_not_count_is_remembered_too(yard):
    yard.accept(1)
    yard.settle(*yard.claim(), Retry("account", "signed out", counts=False))
    assert told(yard)[-1][0] == "retried"
