"""Backfill: who is a member already when an audience is mapped is told of once, however often it is interrupted."""

import pytest

from headrace.connect.transport import NotSent
from headrace.services import backfilling, backfills
from headrace.services.backfilling import Backfiller
from headrace.store import runs
from unit.services.house import person


@pytest.fixture(autouse=True)
def small_steps(monkeypatch):
    monkeypatch.setattr(backfilling, "STEP", 3)


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


async def test_a_backfill_that_an_older_version_left_goes_on_from_where_that_had_come(house):
    await ready(house, "a")
    await house.ingest(*[person(n, "a") for n in range(5)])
    await house.run()
    await house.map_audience("b")
    await house.ingest(*[person(n, "a", "b", minute=1) for n in range(5)])
    house.store.write_now(lambda tx: tx.run("UPDATE dataflow_audiences SET backfill_from = 2, backfill_to = 4"))

    for _ in range(2):
        house.store.write_now(lambda tx: backfills.adopt(tx, house.clock.now()))
    asked = house.store.read_now(lambda tx: [run for run in runs.unended(tx, "backfill") if run.progress["of"] == 4])

    assert sorted((run.subject["audience"], run.progress) for run in asked) == [
        (1, {"looked": 2, "of": 4}),
        (2, {"looked": 2, "of": 4}),
    ]


async def test_how_far_a_backfill_has_come_stands_in_its_run(house):
    await house.ingest(*[person(n, "a") for n in range(4)], *[person(n) for n in range(4, 12)])
    await ready(house, "a")
    await house.backfiller.step()
    (run,) = runs_of(house)
    assert run.state == "running"
    assert run.progress == {"looked": 3, "of": 12, "members": 3, "queued": 3, "share": 0.25}

    await house.backfill()

    (run,) = runs_of(house)
    assert (run.state, run.subject["reason"]) == ("succeeded", "mapped")
    assert run.progress == {"looked": 12, "of": 12, "members": 4, "queued": 4, "share": 1.0}


async def test_a_backfill_that_is_cancelled_tells_nobody_more_until_it_is_tried_again(house):
    await house.ingest(*[person(n, "a") for n in range(7)])
    await ready(house, "a")
    await house.backfiller.step()
    (run,) = runs_of(house)

    await house.runs.cancel(house.caller, run.run)
    assert await house.backfill() == 0
    await house.runs.retry(house.caller, run.run)
    await house.backfill()

    assert await house.balance() == {"accepted": 7, "pending": 7}


async def test_a_backfill_ends_with_its_audience_and_with_its_dataflow(house):
    await house.ingest(*[person(n, "a", "b") for n in range(7)])
    await ready(house, "a", "b")

    await house.unmap_audience(0)
    await house.delete()

    assert {(run.state, run.reason) for run in runs_of(house)} == {
        ("cancelled", "the audience was taken out of the dataflow"),
        ("cancelled", "the dataflow was deleted"),
    }


async def test_a_backfill_waits_while_enough_waits_in_the_outbox(house, monkeypatch):
    monkeypatch.setattr(backfilling, "MOST_WAITING", 4)
    await house.ingest(*[person(n, "a") for n in range(20)])
    await ready(house, "a")

    assert await house.backfill() == 2
    assert house.backfiller.is_held_up
    assert await house.balance() == {"accepted": 6, "pending": 6}
    await house.run()
    assert await house.backfill() == 2
    assert await house.balance() == {"accepted": 12, "pending": 6, "delivered": 6, "messages": 1}


async def test_what_happens_meanwhile_overtakes_a_backfill(house):
    await house.ingest(*[person(n, "a") for n in range(20)])
    await ready(house, "a", most=5)
    await house.backfill()
    house.pass_time(1)

    await house.ingest(person(100, "a"))
    await house.run()

    assert "100" in [who for who, _, _ in house.partner.told()][:5]
    assert len(house.partner.knows()) == 21


async def test_a_backfill_is_not_overtaken_for_ever(house):
    await house.ingest(*[person(n, "a") for n in range(3)])
    await ready(house, "a", most=1)
    await house.backfill()
    house.pass_time(backfilling.STANDS_BACK / 1000 + 1)

    await house.ingest(person(100, "a"))
    await house.run()

    assert [who for who, _, _ in house.partner.told()][-1] == "100"


async def test_backfills_take_turns(house):
    await house.ingest(*[person(n, "a") for n in range(9)])
    await ready(house, "a", name="first")
    await ready(house, "a", name="second")

    for _ in range(2):
        await house.backfiller.step()

    assert [run.progress["looked"] for run in runs_of(house)] == [3, 3]


async def test_a_paused_dataflow_keeps_no_other_from_being_backfilled(house):
    await house.ingest(*[person(n, "a") for n in range(9)])
    await ready(house, "a", name="first")
    await ready(house, "a", name="second")
    await house.switch(False, name="first")

    await house.backfill()

    assert (await house.balance("second"))["accepted"] == 9
    assert await house.balance("first") == {}


async def test_what_happens_in_a_pause_leaves_after_it_once(house):
    await ready(house, "a")
    await house.switch(False)
    await house.ingest(person(1, "a"), person(2, "a"))
    await house.ingest(person(1, a=False, minute=1), person(3, "a"))
    await house.ingest(person(1, "a", minute=2), person(2, "a", city="Porto"))
    await house.run()
    assert house.partner.messages == []

    await house.switch(True)
    await house.run()

    assert sorted(house.partner.told()) == [(str(n), "a", "realized") for n in (1, 2, 3)]
    balance = await house.balance()
    assert balance["accepted"] == balance["delivered"] + balance["superseded"]


def runs_of(house):
    return house.store.read_now(lambda tx: runs.latest(tx, house.caller.number, 100, kind="backfill"))


def test_a_backfiller_needs_no_more_than_it_is_given(house):
    assert Backfiller(house.store, house.clock, house.live, None)


async def test_whose_message_was_lost_when_an_audience_was_taken_out_is_told_when_it_is_mapped_again(house):
    await house.activate("b", "a")
    house.partner.answers = [NotSent("it is down")]
    await house.ingest(person(1, "a"))
    await house.run()
    await house.unmap_audience(1)
    house.pass_time(100)
    await house.run_out()
    await house.map_audience("a")
    await house.backfill()
    await house.run_out()

    assert house.partner.knows() == {("1", "a")}
