"""How often people may make Headrace call partners: so often each, and so often all of an organization."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.errors import TooManyCalls
from headrace.services.call_limit import CALLERS, CallLimit


@pytest.fixture
def limit(house):
    return CallLimit(house.store, house.clock, 3)


def caller(house, name="client:a"):
    return replace(house.caller, actor=name)


async def admitted(limit, who, times):
    """Return how many of some calls are admitted."""
    count = 0
    for _ in range(times):
        try:
            await limit.admit(who)
        except TooManyCalls:
            continue
        count += 1
    return count


async def test_a_caller_has_so_many_calls_a_minute(house, limit):
    assert await admitted(limit, caller(house), 10) == 3

    house.pass_time(59)
    with pytest.raises(TooManyCalls, match="try again in 1 seconds") as refused:
        await limit.admit(caller(house))
    assert refused.value.seconds == 1
    house.pass_time(1)
    assert await admitted(limit, caller(house), 10) == 3


async def test_one_caller_leaves_the_others_theirs(house, limit):
    await admitted(limit, caller(house), 10)

    assert await admitted(limit, caller(house, "user:b"), 10) == 3


async def test_many_callers_of_an_organization_have_no_more_than_some(house, limit):
    counts = [await admitted(limit, caller(house, f"client:{number}"), 10) for number in range(CALLERS + 3)]

    assert sum(counts) == 3 * CALLERS


async def test_another_process_counts_on(house, limit):
    await admitted(limit, caller(house), 2)

    assert await admitted(CallLimit(house.store, house.clock, 3), caller(house), 10) == 1


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 40), min_size=1, max_size=30))
async def test_no_minute_that_is_counted_has_more(house, pauses):
    limit, who, moments = CallLimit(house.store, house.clock, 3), caller(house, f"client:{len(pauses)}"), []
    house.pass_time(60)
    for pause in pauses:
        house.pass_time(pause)
        moments += [house.clock.at] * await admitted(limit, who, 1)

    for begin in moments:
        assert sum(begin <= moment < begin + 60_000 for moment in moments) <= 6, "two minutes that meet"
