"""What consent, backfills, dates, expiry and erasure do to each other."""

import pytest

from headrace.connect.transport import Unanswered
from headrace.services import sending_again
from headrace.services.audiences.expiring import Expiring
from headrace.services.turning import turn
from unit.services.audiences.test_counting import sizes
from unit.services.house import START, person

DAY = 24 * 3600
YES, NO = {"consents": {"email": {"val": "y"}}}, {"consents": {"email": {"val": "n"}}}
SELECTORS = "/transformations/0/params/segmentSelectors/selectors"
BY_STATUS = {"includeSegmentId": True, "includeSegmentStatus": True}
BY_AUDIENCE = {"includeSegmentId": True}


async def ready(house, *ids, **more):
    house.clock.at = START - START % (DAY * 1000) + 1000
    await house.activate(*(ids or ("a",)), **more)
    await house.open()


async def settle(house):
    for _ in range(3):
        await house.carry_runs()
        await turn(house.store, house.clock.now())
        await house.backfill()
        await house.run_out()


async def end_first(house):
    """Let the first audience end."""
    dates = {"endDate": "2026-03-21"}
    await house.patch({"op": "add", "path": f"{SELECTORS}/0/value/schedule", "value": dates})
    house.pass_time(DAY)
    await settle(house)


async def test_all_who_agreed_are_sent_again_beside_who_is_withheld(house):
    await ready(house)
    await house.consent()
    await house.ingest(person(1, "a", **NO), person(2, "a", **YES), person(3, **NO), person(4, "a", **YES))
    await house.run()
    house.pass_time(2 * DAY)
    house.partner.messages.clear()

    await sending_again.send_again(house.store, house.clock, house.caller, house.flows["flow"])
    await settle(house)

    assert house.partner.told() == [("2", "a", "realized"), ("4", "a", "realized")]


@pytest.mark.parametrize("how", ["person", "policy"])
@pytest.mark.parametrize("key", [{}, BY_AUDIENCE, BY_STATUS], ids=["together", "by audience", "by status"])
async def test_what_may_have_arrived_is_taken_back_however_entries_are_grouped(house, key, how):
    house.partner.answers = [Unanswered("no answer")]
    await ready(house, **key)
    if how == "person":
        await house.consent()
    await house.ingest(person(1, "a", **(YES if how == "person" else NO)))
    await house.run()

    if how == "person":
        await house.ingest(person(1, "a", minute=1, **NO))
    else:
        await house.consent()
    await settle(house)

    assert house.partner.told() == [("1", "a", "exited")]
    assert house.rows("SELECT 1 FROM lanes") == []


@pytest.mark.parametrize("key", [{}, BY_AUDIENCE], ids=["together", "by audience"])
async def test_nobody_enters_an_audience_that_has_ended(house, key):
    await ready(house, "a", "b", **key)
    id_ = await house.consent()
    await house.ingest(person(1, "a", **NO))
    await end_first(house)

    await house.drop_policy(id_)
    await settle(house)
    await house.ingest(person(2, "a", "b", minute=1), person(3, "b", minute=1))
    await settle(house)

    assert house.partner.knows() == {("2", "b"), ("3", "b")}


async def test_an_audience_is_mapped_again_after_others_were_told_of(house):
    await ready(house, "a", "b")
    await house.ingest(person(1, "a", "b"), person(2, "a", "b"))
    await settle(house)

    await house.unmap_audience(0)
    await house.ingest(person(1, "b", a=False, city="Porto", minute=1))
    await settle(house)
    await house.map_audience("a")
    await settle(house)

    assert house.partner.knows() == {("1", "b"), ("2", "a"), ("2", "b")}


@pytest.mark.parametrize("key", [{}, BY_AUDIENCE, BY_STATUS], ids=["together", "by audience", "by status"])
async def test_who_left_so_long_ago_that_it_is_forgotten_leaves_when_an_audience_is_mapped_again(house, key):
    expiring = Expiring(house.store, house.clock, house.ingestion, house.events.append)
    await ready(house, "a", "b", **key)
    await house.ingest(person(1, "a"), person(2, "b"))
    await settle(house)
    await house.unmap_audience(0)
    await house.ingest(person(1, a=False, minute=1))
    house.pass_time(40 * DAY)
    await expiring.sweep()

    await house.map_audience("a")
    await settle(house)

    assert house.partner.knows() == {("2", "b")}


@pytest.mark.parametrize("key", [{}, BY_AUDIENCE, BY_STATUS], ids=["together", "by audience", "by status"])
async def test_what_may_have_arrived_when_an_audience_was_taken_out_is_taken_back_once_it_is_mapped_again(house, key):
    house.partner.answers = [Unanswered("no answer")] * 2
    await ready(house, "a", "b", **key)
    await house.ingest(person(1, "a", "b"))
    await house.run()
    await house.unmap_audience(0)
    await settle(house)
    await house.ingest(person(1, "b", a=False, minute=1))
    await settle(house)

    await house.map_audience("a")
    await settle(house)

    assert ("1", "a", "exited") in house.partner.told()
    assert house.partner.knows() == {("1", "b")}


async def test_who_is_erased_is_not_counted_any_more(house):
    await house.ingest(person(1, "a", "b"), person(2, "a"))

    await house.erase("crmId:1")

    assert sizes(house) == {("ups", "a"): 1, ("ups", "b"): 0}
