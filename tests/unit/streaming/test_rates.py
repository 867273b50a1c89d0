"""Limits: no time of their length, wherever it begins, has more in it than they say."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.model.pacing import SPANS, RateLimit
from headrace.streaming import rates
from headrace.streaming.rates import Rate

START = 1_774_000_000_123


def most_in_any(moments, span):
    """The most that there are in any time of a length."""
    moments = sorted(moments)
    return max((sum(1 for other in moments if moment <= other < moment + span) for moment in moments), default=0)


@given(
    st.sampled_from(["second", "minute"]),
    st.integers(1, 30),
    st.lists(st.tuples(st.floats(0, 1.5), st.floats(0, 0.99)), max_size=150),
)
def test_no_time_has_more_in_it_than_the_limit(per, most, arrivals):
    rate, now, left_at = Rate(RateLimit(requests=most, per=per)), float(START), []
    for share, late in arrivals:
        now += share * SPANS[per][0] / 10
        if rates.take([rate], int(now), 1):
            left_at.append(now + late * rate.part)  # It leaves a little after it was counted.

    assert most_in_any(left_at, SPANS[per][0]) <= most


@pytest.mark.parametrize(("per", "share"), [("second", 0.8), ("minute", 0.95), ("hour", 0.95), ("day", 0.97)])
def test_nearly_all_that_the_partner_takes_is_used(per, share):
    span, most = SPANS[per][0], 50
    rate, now, taken = Rate(RateLimit(requests=most, per=per)), START, 0
    while now < START + 40 * span:
        taken += rates.take([rate], now, 1)
        now += rates.wait([rate], now, 1)

    assert taken >= share * 40 * most


@given(st.integers(1, 5), st.integers(1, 5), st.randoms(use_true_random=False))
def test_the_wait_is_exact(requests, profiles, random: Random):
    limits = [Rate(RateLimit(requests=requests, per="second")), Rate(RateLimit(profiles=profiles, per="minute"))]
    now = START
    for _ in range(40):
        entries = random.randint(1, 9)
        wait = rates.wait(limits, now, entries)
        if wait > 0:
            assert not rates.take(limits, now + wait - 1, entries)
        now += wait
        assert rates.take(limits, now, entries)


def test_all_limits_hold_at_once():
    limits = [Rate(RateLimit(requests=5, per="second")), Rate(RateLimit(profiles=30, per="hour"))]

    assert rates.left(limits, START, 10) == 3
    assert rates.take(limits, START, 10)
    assert rates.left(limits, START, 10) == 2
    assert not rates.take(limits, START, 25)
    assert rates.left(limits, START, 1) == 4, "what was refused is not counted"


def test_what_is_remembered_is_bounded():
    rate, now = Rate(RateLimit(requests=1_000_000, per="day")), START
    for _ in range(1000):
        now += 500_000
        rate.take(now, 1)

    assert len(rate.taken) <= 98


def test_a_clock_that_is_set_back_gives_nothing_away():
    rate = Rate(RateLimit(requests=3, per="minute"))
    assert [rates.take([rate], START + at, 1) for at in (30_000, 0, -600_000, -600_000)] == [True, True, True, False]
