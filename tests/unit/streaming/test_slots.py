"""Slots: a hanging partner holds only its own, and a fast one never waits for the store."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.model.outcome import Delivered
from headrace.streaming.slots import AHEAD, MOST_AHEAD, Slots


class Watch:
    """A monotonic clock that is set by hand."""

    def __init__(self):
        self.at = 100.0

    def __call__(self):
        return self.at


async def take_requests(slots, watch, account, *, seconds=0.0, count=1, answer=None):
    """Send requests one after the other; return what became of each."""
    told = []
    for _ in range(count):
        async with slots.request(account) as place:
            watch.at += seconds
            told.append(place.closed or place.heard(answer or Delivered()))
    return told


def test_at_first_an_account_has_its_requests_and_no_more():
    assert Slots(8).free("a") == 8


def test_a_place_is_held_until_it_is_given_back():
    slots = Slots(2)
    slots.take("a")
    slots.take("a")
    assert slots.free("a") == 0

    slots.returner("a")(None)

    assert slots.free("a") == 1
    assert slots.freed.is_set()


def test_accounts_do_not_hold_each_others_places():
    slots = Slots(2)
    for _ in range(2):
        slots.take("hanging")

    assert slots.free("hanging") == 0
    assert slots.free("other") == 2


async def test_a_hanging_account_delays_no_other():
    slots, hanging = Slots(1), asyncio.Event()

    async def hang():
        async with slots.request("hanging"):
            await hanging.wait()

    holders = [asyncio.ensure_future(hang()) for _ in range(3)]
    async with asyncio.timeout(5), slots.request("other"):
        pass
    hanging.set()
    await asyncio.gather(*holders)


async def test_no_more_requests_are_under_way_than_the_account_may_have():
    slots, under_way, most = Slots(3), 0, 0

    async def request():
        nonlocal under_way, most
        async with slots.request("a"):
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1

    await asyncio.gather(*(request() for _ in range(20)))

    assert most == 3


async def test_a_fast_partner_has_groups_waiting_for_it():
    watch = Watch()
    slots = Slots(4, watch)

    await take_requests(slots, watch, "a", seconds=0.001, count=60)

    assert slots.free("a") == 4 * MOST_AHEAD


async def test_a_partner_that_turns_slow_has_fewer_and_fewer():
    watch = Watch()
    slots = Slots(4, watch)
    await take_requests(slots, watch, "a", seconds=0.001, count=60)

    await take_requests(slots, watch, "a", seconds=AHEAD * 10, count=3)

    assert 1 <= slots.free("a") <= 4


async def test_a_request_that_fails_gives_its_place_back():
    slots = Slots(1)
    with pytest.raises(ValueError, match="broken"):
        async with slots.request("a"):
            raise ValueError("broken")

    async with asyncio.timeout(5), slots.request("a"):
        pass


@given(st.lists(st.floats(0, 100), max_size=30), st.integers(1, 20))
async def test_what_may_be_claimed_is_bounded_whatever_the_pace(seconds, each):
    watch = Watch()
    slots = Slots(each, watch)
    for second in seconds:
        await take_requests(slots, watch, "a", seconds=second)

        assert 1 <= slots.free("a") <= each * MOST_AHEAD
