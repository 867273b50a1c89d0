"""Slots: a hanging partner holds only its own, and a fast one never waits for the store."""

import asyncio
import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.model.outcome import Delivered, Parked, Retry, Split
from headrace.streaming.breaker import IN_A_ROW
from headrace.streaming.slots import AHEAD, CAREFUL, LONGEST_PAUSE, MOST_AHEAD, Slots


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


# -- accounts that are left alone -------------------------------------------------------------------------------------

BUSY = Retry("status-429", "the partner answered 429")
BROKEN = Retry("partner-unreachable", "nothing listens there")


def kinds(slots):
    return [(turn.kind, turn.is_first) for turn in slots.take_turns()]


async def test_a_partner_that_says_for_how_long_leaves_its_account_nothing_until_then():
    watch = Watch()
    slots = Slots(4, watch)

    await take_requests(slots, watch, "a", answer=replace(BUSY, after=90.0))

    assert slots.free("a") == 0
    assert slots.wait("a") == 90.0
    assert slots.free("b") == 4
    watch.at += 90
    assert slots.wait("a") == 0.0
    assert slots.free("a") == 2, "half of what was too much"


async def test_no_answer_stops_an_account_for_longer_than_an_hour():
    watch = Watch()
    slots = Slots(4, watch)

    await take_requests(slots, watch, "a", answer=replace(BUSY, after=86_400.0))

    assert slots.wait("a") == LONGEST_PAUSE


async def test_what_is_claimed_already_goes_back_untried_and_uncounted():
    watch = Watch()
    slots = Slots(4, watch)
    await take_requests(slots, watch, "a", answer=replace(BUSY, after=90.0))
    watch.at += 30

    (told,) = await take_requests(slots, watch, "a")

    assert told == Retry("held-back", "the partner answered 429", 60.0, counts=False)


async def test_a_partner_that_is_too_busy_for_one_request_is_left_alone_longer_and_longer():
    watch = Watch()
    slots = Slots(1, watch)
    waits = []
    for _ in range(8):
        await take_requests(slots, watch, "a", seconds=0.01, answer=BUSY)
        waits.append(slots.wait("a"))
        watch.at += slots.wait("a")

    assert waits == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60])


async def test_one_answer_among_many_stops_nothing_that_goes_well_with_fewer():
    watch = Watch()
    slots = Slots(8, watch)

    await take_requests(slots, watch, "a", seconds=0.01, answer=BUSY)

    assert slots.wait("a") == 0.0
    assert slots.free("a") == 4


async def test_it_is_told_once_that_an_account_is_slowed_and_once_that_it_goes_again():
    watch = Watch()
    slots = Slots(1, watch)
    for _ in range(3):
        await take_requests(slots, watch, "a", seconds=0.01, answer=BUSY)
        watch.at += slots.wait("a")
    assert kinds(slots) == [("slowed", True), ("slowed", False), ("slowed", False)]

    await take_requests(slots, watch, "a", seconds=0.01, count=5)
    assert kinds(slots) == []
    watch.at += CAREFUL
    await take_requests(slots, watch, "a", seconds=0.01, count=5)

    assert kinds(slots) == [("back", False)]


async def test_an_account_that_keeps_failing_has_a_probe_now_and_then_which_uses_up_no_attempt():
    watch = Watch()
    slots = Slots(4, watch)
    told = await take_requests(slots, watch, "a", answer=BROKEN, count=IN_A_ROW)
    assert told == [BROKEN] * IN_A_ROW, "they were tried"
    assert slots.free("a") == 0

    watch.at += slots.wait("a")
    assert slots.is_down("a")
    assert slots.free("a") == 1
    slots.take("a")
    assert slots.free("a") == 0, "one is enough"
    (probe,) = await take_requests(slots, watch, "a", answer=BROKEN)

    assert (probe.code, probe.counts, probe.after) == (BROKEN.code, False, 10.0)
    assert kinds(slots) == [("down", True), ("down", False)]


async def test_a_partner_that_is_back_is_not_run_down():
    watch = Watch()
    slots = Slots(64, watch)
    await take_requests(slots, watch, "a", answer=BROKEN, count=IN_A_ROW)
    watch.at += slots.wait("a")
    slots.take_turns()

    await take_requests(slots, watch, "a", seconds=0.2)
    free = [slots.free("a")]
    for _ in range(8):
        await asyncio.gather(*(take_requests(slots, watch, "a", seconds=0.01) for _ in range(free[-1])))
        free.append(slots.free("a"))

    assert kinds(slots) == [("back", True)]
    assert free[0] == 1
    assert all(after <= 2 * before for before, after in itertools.pairwise(free))
    assert not slots.is_down("a")


async def test_a_probe_that_does_not_come_back_is_made_again():
    watch = Watch()
    slots = Slots(4, watch)
    await take_requests(slots, watch, "a", answer=BROKEN, count=IN_A_ROW)
    watch.at += slots.wait("a")
    with pytest.raises(ValueError, match="gone"):
        async with slots.request("a"):
            raise ValueError("gone")

    (probe,) = await take_requests(slots, watch, "a")

    assert probe == Delivered()


@pytest.mark.parametrize(
    "answer",
    [
        Parked("status-400", "the partner answered 400"),
        Split("status-413", "the partner answered 413"),
        Retry("entry-unnamed", "the partner's answer does not name it"),
        Retry("status-401", "the account is not signed in", counts=False),
        Retry("egress", "the address may not be reached"),
        (BROKEN, Delivered()),
    ],
    ids=lambda answer: getattr(answer, "code", "some of it"),
)
async def test_a_partner_that_refuses_is_not_down(answer):
    watch = Watch()
    slots = Slots(4, watch)

    await take_requests(slots, watch, "a", answer=answer, count=100)

    assert slots.free("a") >= 4
    assert slots.take_turns() == []


async def test_whoever_gives_up_waiting_leaves_the_place_to_the_next():
    slots, order = Slots(1), []
    first = slots.request("a")
    await first.__aenter__()

    async def wait(name):
        async with slots.request("a"):
            order.append(name)

    waiting = [asyncio.ensure_future(wait(name)) for name in "bcd"]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await first.__aexit__(None, None, None)
    waiting[1].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)

    assert order == ["d"]
    assert slots.free("a") == 1


@pytest.mark.parametrize(
    "answer",
    [
        Retry("status-500", "the partner answered 500"),
        Retry("status-504", "the partner answered 504"),
        Retry("partner-unanswered", "no answer in time", unknown=True),
    ],
    ids=lambda answer: answer.code,
)
async def test_a_probe_that_may_have_arrived_or_failed_for_what_it_said_uses_up_an_attempt(answer):
    watch = Watch()
    slots = Slots(4, watch)
    await take_requests(slots, watch, "a", answer=BROKEN, count=IN_A_ROW)
    watch.at += slots.wait("a")

    (probe,) = await take_requests(slots, watch, "a", answer=answer)

    assert probe == answer
    assert slots.wait("a") == 10.0


async def test_a_cut_is_told_once_however_many_answers_bring_it():
    watch = Watch()
    slots = Slots(8, watch)
    await asyncio.gather(*(take_requests(slots, watch, "a", answer=BUSY) for _ in range(8)))

    assert kinds(slots) == [("slowed", True)]


async def test_time_at_the_turnstile_is_not_the_partners():
    watch = Watch()
    slots = Slots(4, watch)
    for _ in range(20):
        async with slots.request("a") as place:
            watch.at += 4
            place.begins_now()
            watch.at += 0.01
            place.heard(Delivered())

    assert slots.free("a") > 4
