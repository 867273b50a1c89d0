"""What was taken of limits and which accounts are left alone, as the store keeps it."""

from headrace.store import outbox, rates, slowed
from unit.store.yard import LEASE, RETRY

NAMES = [("requests", "second"), ("profiles", "day")]
NOW = 1_774_000_000_000


def test_what_was_taken_of_a_limit_is_there_for_whoever_comes_next(store, tenant):
    def take(tx):
        assert rates.locked(tx, tenant, "a", NAMES) == {name: [] for name in NAMES}
        rates.keep(tx, tenant, "a", {NAMES[0]: ([(5, 1), (6, 2)], 7000)})

    store.write_now(take)

    found = store.write_now(lambda tx: (rates.locked(tx, tenant, "a", NAMES), rates.locked(tx, tenant, "b", NAMES)))
    assert found[0] == {NAMES[0]: [(5, 1), (6, 2)], NAMES[1]: []}
    assert found[1] == {name: [] for name in NAMES}


def test_what_counts_no_longer_is_forgotten(store, tenant):
    def work(tx):
        rates.locked(tx, tenant, "a", NAMES)
        rates.keep(tx, tenant, "a", {NAMES[0]: ([(5, 1)], NOW - 1), NAMES[1]: ([(5, 1)], NOW)})
        rates.forget(tx, NOW)
        return rates.locked(tx, tenant, "a", NAMES)

    assert store.write_now(work) == {NAMES[0]: [], NAMES[1]: [(5, 1)]}


def test_an_account_is_noted_since_it_is_down_and_not_since_it_was_last_seen_so(store, tenant):
    def note(at, *, is_down=True, account="a"):
        store.write_now(
            lambda tx: slowed.note(tx, tenant, account, f"at {at}", NOW + at, NOW + at + 5000, is_down=is_down)
        )

    note(0, is_down=False)
    note(10)
    note(20)
    note(30, account="b")

    found = store.read_now(lambda tx: slowed.of(tx, tenant, NOW + 40))
    assert found == {
        "a": slowed.SlowedAccount("a", True, "at 20", NOW + 10, NOW + 5020),
        "b": slowed.SlowedAccount("b", True, "at 30", NOW + 30, NOW + 5030),
    }
    store.write_now(lambda tx: slowed.forget(tx, tenant, "a"))
    assert set(store.read_now(lambda tx: slowed.of(tx, tenant, NOW + 40))) == {"b"}


def test_a_note_that_nobody_writes_again_is_no_more(store, tenant):
    store.write_now(lambda tx: slowed.note(tx, tenant, "a", "busy", NOW, NOW + 1000, is_down=False))

    later = NOW + 1000 + slowed.GAP
    assert slowed_at(store, tenant, later - 1) == {"a"}
    assert slowed_at(store, tenant, later) == set()
    store.write_now(lambda tx: slowed.forget_old(tx, later + 1))
    assert slowed_at(store, tenant, NOW) == set()


def slowed_at(store, tenant, now):
    return set(store.read_now(lambda tx: slowed.of(tx, tenant, now)))


def test_groups_that_are_claimed_are_counted_until_their_lease_ends(yard):
    for profile in range(1, 4):
        yard.accept(profile)
    first, _ = yard.claim(most_groups=2, most_entries=1)
    assert leased(yard) == 2

    yard.settle(first, RETRY)
    assert leased(yard) == 1

    yard.now += LEASE
    assert leased(yard) == 0


def test_a_try_takes_what_was_never_tried_and_a_retry_only_where_there_is_nothing_else(yard):
    yard.accept(1)
    (failing,) = yard.claim()
    yard.settle(failing, RETRY, retry_in=0)
    yard.accept(2)

    def try_one():
        asked = outbox.Claim(yard.tenant, yard.dataflow, yard.epoch, 1, 10, LEASE, numbers, tries=True)
        return [
            entry.profile for group in yard.run(lambda tx: outbox.claim(tx, asked, yard.now)) for entry in group.entries
        ]

    assert [try_one(), try_one(), try_one()] == [[2], [1], []]


numbers = outbox.Numbers(1 << 40)


def leased(yard):
    return yard.run(lambda tx: outbox.leased(tx, yard.tenant, yard.dataflow, yard.now))
