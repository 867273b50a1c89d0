"""How long to wait: the schedule, its jitter, and what the partner asks for."""

from datetime import UTC, datetime, timedelta, timezone
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.connect.retry import DEFAULT_STEPS, LONGEST_ASKED, RetryPolicy, retry_after

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


def seconds(count):
    return timedelta(seconds=count)


@pytest.mark.parametrize(
    ("attempt", "expected"),
    list(enumerate([15, 30, 300, 1800, 7200, 18000, 36000, 50400, 64800, 79200], start=1)),
)
def test_the_default_schedule_takes_about_three_days(attempt, expected):
    assert RetryPolicy(jitter=0).wait(attempt, Random(1), None) == seconds(expected)


def test_the_schedule_ends():
    assert RetryPolicy().wait(len(DEFAULT_STEPS) + 1, Random(1), None) is None
    assert RetryPolicy().wait(len(DEFAULT_STEPS) + 1, Random(1), seconds(5)) is None
    assert RetryPolicy(()).wait(1, Random(1)) is None


@given(st.integers(1, 10), st.integers())
def test_jitter_stays_within_a_fifth(attempt, seed):
    wait = RetryPolicy().wait(attempt, Random(seed), None)

    assert 0.8 * DEFAULT_STEPS[attempt - 1] <= wait <= 1.2 * DEFAULT_STEPS[attempt - 1]


def test_what_failed_together_does_not_return_together():
    random = Random(7)

    assert len({RetryPolicy().wait(3, random) for _ in range(50)}) > 40


@pytest.mark.parametrize(
    ("asked", "expected"),
    [(None, 30), (0, 30), (29, 30), (31, 31), (86_400, 86_400), (86_401, 86_400), (10**9, 86_400)],
)
def test_the_partner_is_heard_when_it_asks_for_longer(asked, expected):
    policy = RetryPolicy(jitter=0)

    assert policy.wait(2, Random(1), None if asked is None else seconds(asked)) == seconds(expected)


@given(st.integers(), st.integers(0, 10**6))
def test_jitter_never_undercuts_what_the_partner_asks_for(seed, asked):
    assert RetryPolicy().wait(1, Random(seed), seconds(asked)) >= min(seconds(asked), LONGEST_ASKED)


@pytest.mark.parametrize("attempt", [0, -1])
def test_attempts_are_counted_from_one(attempt):
    with pytest.raises(ValueError, match="counted from 1"):
        RetryPolicy().wait(attempt, Random(1))


@pytest.mark.parametrize("options", [{"jitter": 1.0}, {"jitter": -0.1}, {"steps": (seconds(-1),)}])
def test_a_policy_that_makes_no_sense_is_refused(options):
    with pytest.raises(ValueError, match="retry policy"):
        RetryPolicy(**options)


READ = {
    "0": 0,
    "120": 120,
    " 120 ": 120,
    "007": 7,
    "1.5": 1.5,
    "1.": 1,
    "1e3": 1000,
    "1E+2": 100,
    "86400": 86_400,
    "86401": 86_400,
    "1000000000000": 86_400,
    "1e12": 86_400,
    "1e400": 86_400,
    "9" * 300: 86_400,
    "Tue, 24 Nov 2026 12:02:00 GMT": 120,
    "Tuesday, 24-Nov-26 12:02:00 GMT": 120,
    "Tue Nov 24 12:02:00 2026": 120,
    "Tue, 24 Nov 2026 13:02:00 +0100": 120,
    "Tue, 24 Nov 2026 12:02:00 -0000": 120,
    "Tue, 24 Nov 2026 11:00:00 GMT": 0,
    "Thu, 01 Jan 1970 00:00:00 GMT": 0,
    "Fri, 31 Dec 9999 23:59:59 GMT": 86_400,
    "Tue, 24 Nov 2026 12:00:60 GMT": None,
    "-1": None,
    "-0.5": None,
    "+5": None,
    "": None,
    "soon": None,
    "1,5": None,
    "1_000": None,
    "0x10": None,
    "nan": None,
    "inf": None,
    "-inf": None,
    "Infinity": None,
    "12 seconds": None,
    "١٢": None,
    "1e-5": None,
    "9" * 1000: None,
    "Tue, 99 Nov 2026 12:00:00 GMT": None,
    "Tue, 24 Foo 2026 12:00:00 GMT": None,
    "2026-11-24T12:02:00Z": None,
    "Tue, 24 Nov 2026 12:02:00 +9999999999": None,
    "Tue, 24 Nov 99999999999 12:02:00 GMT": None,
}


@pytest.mark.parametrize(("text", "expected"), READ.items(), ids=lambda value: repr(value)[:30])
def test_retry_after_is_read_in_every_form(text, expected):
    assert retry_after((("Retry-After", text),), NOW) == (None if expected is None else seconds(expected))


def test_the_name_of_the_header_has_no_case():
    assert retry_after((("Date", "x"), ("RETRY-after", "5")), NOW) == seconds(5)
    assert retry_after((("X-Retry-After", "5"),), NOW) is None
    assert retry_after((), NOW) is None


def test_the_first_that_can_be_read_counts():
    assert retry_after((("Retry-After", "garbage"), ("Retry-After", "5"), ("Retry-After", "9")), NOW) == seconds(5)


def test_now_may_be_in_another_time_zone():
    there = NOW.astimezone(timezone(timedelta(hours=9)))

    assert retry_after((("Retry-After", "Tue, 24 Nov 2026 12:02:00 GMT"),), there) == seconds(120)


@given(st.text(max_size=40))
def test_no_garbage_is_an_error(text):
    wish = retry_after((("Retry-After", text),), NOW)

    assert wish is None or timedelta(0) <= wish <= LONGEST_ASKED
