"""Which refusals divide a message, and how."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.model.message import Entry, Settled
from headrace.model.outcome import Delivered, Parked, Retry, Split
from headrace.streaming.bisect import OF_CONTENT, bisected, halves

REFUSED = Parked("status-400", "the partner answered 400")
SPLIT = Split("status-400", "the partner answered 400")


def entries(count):
    return tuple(Entry(number, 0, "", 1, b"", ()) for number in range(count))


def settled(count, outcome, message="m"):
    return [Settled(entry, outcome, message) for entry in entries(count)]


@pytest.mark.parametrize("status", sorted(OF_CONTENT))
def test_a_message_that_is_refused_for_what_is_in_it_is_divided(status):
    assert bisected(REFUSED, status, 2) == SPLIT


@pytest.mark.parametrize(
    ("outcome", "status", "count"),
    [
        pytest.param(REFUSED, 400, 1, id="one entry is what is refused"),
        pytest.param(REFUSED, 404, 2, id="the address is wrong"),
        pytest.param(REFUSED, 403, 2, id="the account may not"),
        pytest.param(Retry("status-503", "later"), 503, 2, id="it passes"),
        pytest.param(Delivered(), 200, 2, id="it was taken"),
    ],
)
def test_any_other_answer_divides_nothing(outcome, status, count):
    assert bisected(outcome, status, count) == outcome


@given(st.integers(2, 300))
def test_halves_have_every_entry_once_and_in_order(count):
    (first, _), (second, reason) = halves(settled(count, SPLIT))

    assert first + second == entries(count)
    assert abs(len(first) - len(second)) <= 1
    assert reason == "the partner answered 400"


def test_each_message_has_halves_of_its_own():
    both = [*settled(2, SPLIT, "one"), *settled(3, Delivered(), "two"), *settled(4, SPLIT, "three")]

    assert [len(half) for half, _ in halves(both)] == [1, 1, 2, 2]
