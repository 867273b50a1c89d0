"""Parts of refused messages: nothing is lost, order stays, and a partner that takes nothing is found out."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.model.outcome import Delivered, Parked, Split
from headrace.store.splitting import LONGEST_HELD, REFUSALS_TO_GIVE_UP, REFUSES_ALL
from unit.store.yard import PARKED, RETRY, Yard

SPLIT = Split("status-400", "the partner answered 400")
_tenants = itertools.count(700_000)


def answered(group, bad):
    """What a partner says that refuses messages with certain people in them."""
    if not any(entry.profile in bad for entry in group.entries):
        return Delivered()
    return SPLIT if len(group.entries) > 1 else PARKED


def send_all(yard, bad, *, most=1000, at_once=4):
    """Send until nothing waits, and return how many requests that took."""
    requests = 0
    while groups := yard.claim(most_groups=at_once, most_entries=most):
        for group in groups:
            requests += 1
            assert yard.settle(group, answered(group, bad))
            assert (
                sum(yard.balance().get(name, 0) for name in ("delivered", "parked", "pending"))
                == yard.balance()["accepted"]
            )
    return requests


def fill(yard, count):
    for number in range(1, count + 1):
        yard.accept(number)


def parked(yard):
    return dict(yard.rows("parked", "profile, code", "1"))


def test_one_poison_among_a_hundred_is_found_in_few_requests(yard):
    fill(yard, 100)

    requests = send_all(yard, {77})

    assert parked(yard) == {77: "status-400"}
    taken = yard.balance().pop("messages")
    assert yard.balance() == {"accepted": 100, "delivered": 99, "parked": 1, "messages": taken}
    assert requests <= 2 * math.ceil(math.log2(100)) + 1
    assert not yard.rows("groups", "claim_group", "1")


@settings(max_examples=25, deadline=None)
@given(count=st.integers(1, 70), data=st.data())
def test_exactly_the_bad_are_parked_unless_the_partner_seems_to_take_nothing(store, count, data):
    bad = data.draw(st.sets(st.integers(1, count), max_size=count))
    yard = Yard(store.write_now, next(_tenants))
    fill(yard, count)

    requests = send_all(yard, bad, at_once=data.draw(st.integers(1, 5)))

    found, depth = parked(yard), math.ceil(math.log2(count)) if count > 1 else 0
    assert {who for who, code in found.items() if code == "status-400"} <= bad <= found.keys()
    assert yard.balance().get("delivered", 0) == count - len(found)
    if len(bad) < REFUSALS_TO_GIVE_UP:
        assert found.keys() == bad
    if REFUSES_ALL in found.values():
        assert len(found) == count, "somebody was taken, so the others are tried"
    assert requests <= 1 + 2 * max(1, depth) * len(bad)
    assert not yard.rows("groups", "claim_group", "1")


@pytest.mark.parametrize("count", [50, 1000])
def test_a_partner_that_takes_nothing_is_found_out_by_few_requests(yard, count):
    fill(yard, count)

    requests = send_all(yard, set(range(1, count + 1)), at_once=16)

    assert requests <= 1 + math.ceil(math.log2(count)) + 2 * REFUSALS_TO_GIVE_UP
    found = list(parked(yard).values())
    assert (len(found), found.count("status-400")) == (count, REFUSALS_TO_GIVE_UP)
    assert set(found) == {"status-400", REFUSES_ALL}
    assert yard.balance()["parked"] == count


def test_it_is_said_of_the_rest_that_it_was_not_sent(yard):
    fill(yard, 50)

    send_all(yard, set(range(1, 51)))

    reasons = {reason for code, reason in yard.rows("parked", "code, reason", "1") if code == REFUSES_ALL}
    assert reasons == {
        "of what was sent together the partner refused 10 alone and took none, so the rest was not sent; "
        "the last time the partner answered 400"
    }


def test_a_newer_state_goes_in_the_place_of_the_one_that_was_refused(yard):
    fill(yard, 4)
    (group,) = yard.claim()
    yard.settle(group, SPLIT)

    newer = yard.accept(1)
    (first,) = yard.claim()

    assert [(entry.profile, entry.seq) for entry in first.entries] == [(1, newer), (2, 2)]
    assert first.number != group.number


def test_a_lane_is_in_one_part_alone_and_waits_nowhere_else(yard):
    fill(yard, 4)
    (group,) = yard.claim()
    yard.settle(group, SPLIT)
    yard.accept(1)
    yard.accept(3)

    claimed = [entry.profile for group in yard.claim() for entry in group.entries]

    assert claimed == [1, 2]
    assert all(due is None for (due,) in yard.rows("lanes", "due", "1"))


def test_parts_go_one_after_the_other_until_something_is_taken(yard):
    fill(yard, 8)
    (group,) = yard.claim()
    yard.settle(group, SPLIT)

    (left,) = yard.claim()
    yard.settle(left, SPLIT)
    (quarter,) = yard.claim()
    yard.settle(quarter, Delivered())

    assert sorted(len(group.entries) for group in yard.claim()) == [2, 4]


def test_a_part_that_has_to_wait_keeps_no_other_waiting(yard):
    fill(yard, 4)
    (group,) = yard.claim()
    yard.settle(group, SPLIT)
    (left,) = yard.claim()

    yard.settle(left, RETRY, retry_in=10_000_000)

    (right,) = yard.claim()
    assert [entry.profile for entry in right.entries] == [3, 4]


def test_a_part_whose_kin_is_gone_goes_by_itself(yard):
    fill(yard, 4)
    (group,) = yard.claim()
    yard.settle(group, SPLIT)
    yard.claim()
    yard.now += LONGEST_HELD

    assert [3, 4] in [[entry.profile for entry in group.entries] for group in yard.claim()]


def test_a_part_under_way_while_all_is_given_up_is_parked_and_not_divided(yard):
    fill(yard, 64)
    (group,) = yard.claim(most_entries=64)
    yard.settle(group, SPLIT)
    yard.now += LONGEST_HELD
    left, right = yard.claim()
    yard.settle(left, SPLIT)
    send_all(yard, set(range(1, 33)))
    yard.settle(right, SPLIT)

    assert len(parked(yard)) == 64
    assert not yard.rows("groups", "claim_group", "1")


def test_what_is_claimed_by_a_process_that_died_is_sent_again(yard):
    fill(yard, 20)
    (group,) = yard.claim(most_entries=20)
    yard.settle(group, SPLIT)
    seen = set()
    while groups := yard.claim():
        for group in groups:
            if group.number in seen:
                yard.settle(group, answered(group, {5, 6}))
            seen.add(group.number)  # The first time nobody settles it: its lease runs out.
        yard.now += 60_000

    assert parked(yard) == {5: "status-400", 6: "status-400"}
    assert yard.balance()["delivered"] == 18


def test_the_reason_of_a_retry_that_was_given_up_is_no_refusal(yard):
    fill(yard, 2)
    (group,) = yard.claim()
    yard.settle(group, SPLIT)
    (first,) = yard.claim()

    yard.settle(first, Parked("retries-exhausted", "given up"))

    (second,) = yard.claim()
    assert yard.rows("groups", "refusals", "1") == [(0,)]
    yard.settle(second, Delivered())
