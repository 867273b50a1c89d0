"""Backfill: who is a member already when an audience is mapped is told of once, however often it is interrupted."""

import pytest

from headrace.services import delivery
from headrace.services.delivery import Backfiller
from unit.services.house import person


@pytest.fixture(autouse=True)
def small_steps(monkeypatch):
    monkeypatch.setattr(delivery, "BACKFILL_STEP", 3)


async def ready(house, *ids, **more):
    await house.activate(*ids, **more)
    await house.open()


async def test_who_was_a_member_before_is_told_of_when_the_audience_is_mapped(house):
    await house.ingest(*[person(n, "a") for n in range(7)], person(8, a=False), person(9, "b"), person(10))
    await ready(house, "a")

    steps = await house.backfill()
    await house.run()

    assert steps == 4
    assert house.partner.knows() == {(str(n), "a") for n in range(7)}
    assert await house.balance() == {"accepted": 7, "delivered": 7, "messages": 1}


async def test_nobody_is_there_to_be_told_of(house):
    await ready(house, "a")

    assert await house.backfill() == 0


async def test_a_backfill_goes_on_where_it_was_left(house):
    await house.ingest(*[person(n, "a") for n in range(8)])
    await ready(house, "a")
    assert await house.backfiller.step()
    assert await house.balance() == {"accepted": 3, "pending": 3}

    await house.open()
    await house.backfill()
    await house.run()

    assert await house.balance() == {"accepted": 8, "delivered": 8, "messages": 1}


async def test_who_changes_while_a_backfill_is_under_way_is_told_of_as_they_are(house):
    await house.ingest(*[person(n, "a") for n in range(9)])
    await ready(house, "a")
    await house.backfiller.step()
    await house.ingest(person(1, a=False, minute=1), person(8, a=False, minute=1), person(20, "a", minute=1))

    await house.backfill()
    await house.run_out()

    assert house.partner.knows() == {(str(n), "a") for n in (0, 2, 3, 4, 5, 6, 7, 20)}


async def test_an_audience_that_is_mapped_later_is_backfilled_by_itself(house):
    await house.ingest(*[person(n, "a", "b") for n in range(4)], person(9, "b"))
    await ready(house, "a")
    await house.backfill()
    await house.run()

    await house.map_audience("b")
    await house.backfill()
    await house.run()

    assert house.partner.knows() == {(str(n), id_) for n in range(4) for id_ in "ab"} | {("9", "b")}
    balance = await house.balance()
    assert balance["accepted"] == balance["delivered"]


async def test_who_the_partner_knows_already_is_not_told_again(house):
    await ready(house, "a")
    await house.ingest(*[person(n, "a") for n in range(4)])
    await house.run()
    await house.map_audience("b")
    await house.ingest(person(1, "a", "b", minute=1))
    await house.run()
    before = len(house.partner.told())

    await house.backfill()
    await house.run()

    assert len(house.partner.told()) == before


async def test_a_disabled_dataflow_is_backfilled_when_it_is_enabled(house):
    await house.ingest(*[person(n, "a") for n in range(4)])
    await ready(house, "a")
    await house.switch(False)
    assert await house.backfill() == 0

    await house.switch(True)
    await house.backfill()
    await house.run()

    assert len(house.partner.knows()) == 4


async def test_a_backfill_of_what_is_no_longer_mapped_ends(house):
    await house.ingest(*[person(n, "a", "b") for n in range(7)])
    await ready(house, "a", "b")
    await house.backfiller.step()

    await house.unmap_audience(0)
    await house.backfill()
    await house.run()

    assert house.partner.knows() == {(str(n), "b") for n in range(7)}
    balance = await house.balance()
    assert balance.get("pending", 0) == 0


async def test_a_backfill_of_a_deleted_dataflow_ends(house):
    await house.ingest(*[person(n, "a") for n in range(7)])
    await ready(house, "a")
    await house.backfiller.step()

    await house.delete()

    assert await house.backfill() == 0


async def test_two_dataflows_are_backfilled_each(house):
    await house.ingest(*[person(n, "a") for n in range(4)])
    await ready(house, "a", name="first")
    await ready(house, "a", name="second")

    await house.backfill()

    assert (await house.balance("first"))["accepted"] == (await house.balance("second"))["accepted"] == 4


async def test_a_backfill_parts_people_as_the_policy_says(house):
    await house.ingest(person(1, "a", email=["x", "y"]))
    await ready(house, "a", split=True, mapping=(("identityMap.Email", "identityMap.email"),))

    await house.backfill()

    assert house.rows("SELECT part FROM lanes ORDER BY 1") == [("|email|x",), ("|email|y",)]


def test_a_backfiller_needs_no_more_than_it_is_given(house):
    assert Backfiller(house.store, house.clock, house.live, None)
