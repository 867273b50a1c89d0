"""A cron expression names the moments that everybody else's reading of it names."""

from datetime import UTC, datetime
from itertools import islice

import pytest
from croniter import croniter
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.model.cron import Cron, NotCron

START = int(datetime(2026, 2, 27, 22, 17, tzinfo=UTC).timestamp()) * 1000


def fields(lowest, highest):
    numbers = st.integers(lowest, highest)
    ranges = st.lists(numbers, min_size=2, max_size=2, unique=True).map(lambda pair: f"{min(pair)}-{max(pair)}")
    steps = st.tuples(ranges, st.integers(1, 9)).map(lambda pair: f"{pair[0]}/{pair[1]}")
    some = st.lists(st.one_of(numbers.map(str), ranges, steps), min_size=1, max_size=3).map(",".join)
    return st.one_of(st.just("*"), some)


EXPRESSIONS = st.tuples(fields(0, 59), fields(0, 23), fields(1, 28), fields(1, 12), fields(0, 6)).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(EXPRESSIONS, st.integers(0, 10**11))
def test_the_moments_are_those_that_another_reading_names(text, later):
    after = START + later
    theirs = croniter(text, datetime.fromtimestamp(after / 1000, UTC))
    expected = [int(theirs.get_next(datetime).timestamp()) * 1000 for _ in range(5)]

    assert list(islice(Cron.parse(text).after(after), 5)) == expected


@settings(max_examples=30, deadline=None)
@given(EXPRESSIONS, st.lists(st.integers(0, 10**9), min_size=2, max_size=5))
def test_no_moment_is_lost_or_comes_twice_wherever_a_span_is_cut(text, cuts):
    cron, (first, *rest) = Cron.parse(text), sorted(START + cut for cut in cuts)
    parts, at = [], first
    for cut in rest:
        parts += cron.between(at, cut)
        at = cut

    assert parts == list(cron.between(first, at))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("* * * *", id="four fields"),
        pytest.param("* * * * * *", id="seconds"),
        pytest.param("60 * * * *", id="a minute that is not"),
        pytest.param("5-1 * * * *", id="a range backwards"),
        pytest.param("*/0 * * * *", id="a step of nothing"),
        pytest.param("* * * foo *", id="a month that is not"),
        pytest.param("@daily", id="a word"),
        pytest.param("0 0 30 feb *", id="a day that never comes"),
        pytest.param("٣ * * * *", id="digits of another script"),
    ],
)
def test_what_is_no_expression_is_refused(text):
    with pytest.raises(NotCron):
        Cron.parse(text)


def test_names_and_sunday_as_seven_are_known():
    assert Cron.parse("0 0 * jan,MAR sun-mon") == Cron.parse("0 0 * 1,3 0,1")
    assert Cron.parse("0 0 * * 7") == Cron.parse("0 0 * * sun")


def test_a_leap_day_is_waited_for_over_a_century_that_has_none():
    after = int(datetime(2096, 3, 1, tzinfo=UTC).timestamp()) * 1000
    moment = next(Cron.parse("0 0 29 2 *").after(after))

    assert datetime.fromtimestamp(moment / 1000, UTC) == datetime(2104, 2, 29, tzinfo=UTC)
