"""Audiences that are taken out of a dataflow: its members are told to have left, if the operator asks for that."""

import pytest

from headrace.services import activation, backfilling
from headrace.services.turning import turn
from headrace.store import runs
from unit.services.house import person

PLACE = "/transformations/0/params/segmentSelectors/selectors/0"


@pytest.fixture
async def told(house, monkeypatch):
    """A dataflow of two audiences, of which the partner knows members."""
    monkeypatch.setattr(backfilling, "STEP", 3)
    await house.activate("a", "b")
    await house.open()
    await house.ingest(*[person(n, "a") for n in range(5)], person(7, "a", "b"), person(8, "b"))
    await house.ingest(person(4, a=False, minute=1))
    await house.run()
    house.partner.messages.clear()
    return house


async def take_out(house, *, exits):
    stored = await activation.get(house.store, house.caller, house.flows["flow"])
    operations = [{"op": "remove", "path": PLACE}]
    await activation.patch(
        house.store, house.clock, house.caller, stored.id, activation.etag(stored), operations, exits=exits
    )
    await house.wake_all()


async def test_the_mapping_goes_away_and_nobody_is_told(told):
    await take_out(told, exits=False)
    await told.backfill()
    await told.run()

    assert told.partner.messages == []


async def test_whom_the_partner_knows_is_told_to_have_left_if_that_is_asked_for(told):
    await take_out(told, exits=True)
    await told.backfill()
    await told.run()

    left = [(who, status) for who, audience, status in told.partner.told() if audience == "a"]
    assert sorted(left) == [(str(n), "exited") for n in (0, 1, 2, 3, 7)]
    assert ("7", "b", "realized") in told.partner.told()


async def test_an_audience_is_gone_once_everybody_was_told(told):
    await take_out(told, exits=True)
    await told.backfill()
    assert len(told.rows("SELECT 1 FROM dataflow_audiences")) == 2
    await told.run()
    await told.backfill()

    assert len(told.rows("SELECT 1 FROM dataflow_audiences")) == 1
    assert told.rows("SELECT state FROM runs WHERE kind = 'backfill'") == [("succeeded",)]
    assert [shown for (shown,) in told.rows("SELECT shown FROM lanes WHERE shown IS NOT NULL") if b'"1"' in shown] == []


async def test_nothing_more_is_told_of_an_audience_that_is_being_left(told):
    await take_out(told, exits=True)
    await told.ingest(person(100, "a"), person(0, "a", city="Porto", minute=2))
    await told.run()

    assert told.partner.messages == []


async def test_by_audience_and_status_they_leave_as_exited(house, monkeypatch):
    await house.activate("a", includeSegmentId=True, includeSegmentStatus=True)
    await house.open()
    await house.ingest(person(1, "a"), person(2, "a"))
    await house.run()

    await take_out(house, exits=True)
    await house.backfill()
    await house.run()

    (_, _, message) = house.partner.messages[-1]
    assert message["key"]["segmentStatus"] == "exited"
    assert message["key"]["segmentAlias"] == "list-a"
    assert house.partner.knows() == set()


async def test_an_audience_that_is_chosen_again_meanwhile_is_sent_again(told):
    await take_out(told, exits=True)
    await told.backfiller.step()
    await told.run()
    await told.map_audience("a")
    await told.backfill()
    await told.run()

    last = {who: status for who, audience, status in told.partner.told() if audience == "a"}
    assert [last[who] for who in "012"] == ["realized"] * 3
    assert set(last.values()) == {"realized"}


async def test_while_the_dataflow_is_paused_nobody_leaves(told):
    await told.switch(False)
    await take_out(told, exits=True)
    assert await told.backfill() == 0

    await told.switch(True)
    await told.backfill()
    await told.run()
    assert len([1 for _, audience, _ in told.partner.told() if audience == "a"]) == 5


async def test_when_it_is_cancelled_the_audience_goes_at_once(told):
    await take_out(told, exits=True)
    await told.backfiller.step()
    (run,) = told.store.read_now(lambda tx: runs.unended(tx, "backfill"))
    await turn(told.store, told.clock.now())
    assert len(told.rows("SELECT 1 FROM dataflow_audiences")) == 2

    await told.runs.cancel(told.caller, run.run)
    await turn(told.store, told.clock.now())
    await told.run()

    assert len(told.rows("SELECT 1 FROM dataflow_audiences")) == 1
    assert [audience for _, audience, _ in told.partner.told() if audience == "a"] == []
    assert (await told.balance()).get("pending", 0) == 0
