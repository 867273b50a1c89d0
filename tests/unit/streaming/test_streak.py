"""Refusals are counted in the order of the claims, whatever order they are settled in."""

from hypothesis import given
from hypothesis import strategies as st

from headrace.streaming.streak import Streak


@given(st.lists(st.booleans(), max_size=30), st.randoms(use_true_random=False))
def test_the_length_is_that_of_the_last_run_of_refusals_by_claim(outcomes, random):
    streak, order = Streak(), list(range(len(outcomes)))
    for number in order:
        streak.claimed(number)
    random.shuffle(order)

    lengths = [streak.settled(number, refused=outcomes[number]) for number in order]

    last_delivered = max((n for n, refused in enumerate(outcomes) if not refused), default=-1)
    assert (lengths or [0])[-1] == len(outcomes) - 1 - last_delivered


def test_refusals_that_settle_early_are_not_counted_past_a_group_that_is_under_way():
    streak = Streak()
    for number in range(101):
        streak.claimed(number)

    assert {streak.settled(number, refused=True) for number in range(1, 101)} == {0}
    assert streak.settled(0, refused=False) == 100


def test_a_group_that_is_claimed_again_takes_its_new_place():
    streak = Streak()
    streak.claimed(1)
    streak.claimed(2)
    streak.claimed(1)

    assert streak.settled(2, refused=True) == 1
    assert streak.settled(1, refused=True) == 2


def test_a_streak_begins_again_when_a_dataflow_is_held():
    streak = Streak()
    streak.claimed(1)
    streak.settled(1, refused=True)
    streak.begin_again()
    streak.claimed(2)

    assert streak.settled(2, refused=True) == 1
