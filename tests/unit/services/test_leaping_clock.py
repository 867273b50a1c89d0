"""A wall clock that leaps ahead: leases seem to have run out of what is on its way."""

import asyncio

import pytest

from unit.services.house import House, Partner, person

HOUR = 3_600_000


class Hanging(Partner):
    """A partner that answers the first request when it is told to; ``arrived`` counts what has come."""

    def __init__(self):
        super().__init__()
        self.arrived = 0
        self.answers_now = asyncio.Event()

    async def send(self, request, *, deadline, pool):
        self.arrived += 1
        if self.arrived == 1:
            await self.answers_now.wait()
        return await super().send(request, deadline=deadline, pool=pool)


@pytest.fixture
async def house(tmp_path):
    house = House(tmp_path, Hanging())
    leapt = house.leapt = [0]
    house.clock.now = lambda: house.clock.at + leapt[0]
    yield house
    house.close()


async def eventually(condition):
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def carry_over_a_leap(house, *later):
    """Let the clock leap while a request is under way, and something happen; return what had arrived by then."""
    carrying = asyncio.create_task(house.run())
    await eventually(lambda: house.partner.arrived == 1)
    house.leapt[0] = HOUR
    await house.ingest(*later)
    for _ in range(20):
        await house.wake_all()
        await asyncio.sleep(0.002)
    arrived = house.partner.arrived
    house.partner.answers_now.set()
    await carrying
    return arrived


async def test_what_is_under_way_is_not_overtaken_when_the_clock_leaps(house):
    await house.activate("a", most=1)
    await house.ingest(person(1, "a"))
    assert await carry_over_a_leap(house, person(1, a=False, minute=5)) == 1
    assert [status for _, _, status in house.partner.told()] == ["realized", "exited"]
    assert await house.balance() == {"accepted": 2, "delivered": 2, "messages": 2}


async def test_others_go_on_while_one_is_under_way(house):
    await house.activate("a", most=1)
    await house.ingest(person(1, "a"))
    assert await carry_over_a_leap(house, person(2, "a")) == 2
    assert await house.balance() == {"accepted": 2, "delivered": 2, "messages": 2}
