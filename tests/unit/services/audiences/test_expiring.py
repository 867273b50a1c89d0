"""Memberships end when their time is over; what ended long ago is forgotten, unless it is still to be told."""

import orjson
import pytest

from headrace.clock import iso
from headrace.model.expiry import DAY
from headrace.model.profile import decode
from headrace.services.audiences.expiring import AT_ONCE, Expiring
from unit.services.audiences.test_counting import sizes
from unit.services.house import START, person


@pytest.fixture
def expiring(house):
    return Expiring(house.store, house.clock, house.ingestion, house.events.append)


def member(number=1, namespace="ups", **membership):
    return {
        "identityMap": {"crmId": [{"id": str(number)}]},
        "segmentMembership": {namespace: {"a": {"status": "realized", **membership}}},
    }


def memberships(house, number=1):
    ((document,),) = house.rows("SELECT document FROM profiles WHERE key = :key", key=f"crmId:{number}")
    return decode(bytes(document))["segmentMembership"]


async def test_who_is_valid_until_a_moment_leaves_then_and_the_partner_is_told(house, expiring):
    await house.activate("a")
    await house.ingest(member(validUntil=iso(START + DAY)), member(2))
    await house.run()

    assert await expiring.sweep() == 0
    house.pass_time(24 * 3600)
    assert await expiring.sweep() == 1
    await house.run()

    assert house.partner.told() == [("1", "a", "realized"), ("2", "a", "realized"), ("1", "a", "exited")]
    assert memberships(house)["ups"]["a"] == {"status": "exited", "lastQualificationTime": iso(START + DAY)}
    assert sizes(house)["ups", "a"] == 1
    assert await expiring.sweep() == 0


async def test_an_external_membership_without_an_end_lasts_thirty_days(house, expiring):
    await house.ingest(member(1, "AAM"), member(2, "AAM", validUntil=iso(START + 40 * DAY)), member(3, "ups"))

    house.pass_time(30 * 24 * 3600)
    assert await expiring.sweep() == 1
    assert [memberships(house, number).popitem()[1]["a"]["status"] for number in (1, 2, 3)] == [
        "exited",
        "realized",
        "realized",
    ]


async def test_a_membership_that_was_prolonged_stays(house, expiring):
    await house.ingest(member(validUntil=iso(START + DAY)))
    await house.ingest(member(validUntil=iso(START + 3 * DAY), lastQualificationTime=iso(START + 1)))

    house.pass_time(2 * 24 * 3600)
    assert await expiring.sweep() == 0
    assert memberships(house)["ups"]["a"]["status"] == "realized"


async def test_what_was_left_thirty_days_ago_is_forgotten_once_it_is_told(house, expiring):
    await house.activate("a")
    await house.ingest(member())
    await house.run()
    house.pass_time(60)
    house.partner.default = 503
    gone = {"status": "exited", "lastQualificationTime": iso(house.clock.now())}
    await house.ingest({**member(), "segmentMembership": {"ups": {"a": gone, "b": gone}}, "city": "Rome"})
    house.pass_time(30 * 24 * 3600)

    assert await expiring.sweep() == 1
    assert list(memberships(house)["ups"]) == ["a"]
    assert await expiring.sweep() == 0

    house.partner.default = 200
    await house.run_out()
    house.pass_time(24 * 3600)
    assert await expiring.sweep() == 1
    assert memberships(house) == {}
    assert house.partner.told()[-1] == ("1", "a", "exited")
    assert house.rows("SELECT expires_at FROM profiles") == [(None,)]


async def test_many_are_swept_in_parts_and_an_interrupted_sweep_is_gone_on_with(house, expiring):
    await house.ingest(*(member(number, validUntil=iso(START + 1)) for number in range(AT_ONCE + 50)))
    house.pass_time(1)
    await expiring._sweep_part(house.caller.number, house.clock.now())
    assert sizes(house)["ups", "a"] == 50

    assert await expiring.sweep() == 50
    assert sizes(house)["ups", "a"] == 0


async def test_people_whom_nobody_has_looked_at_since_the_upgrade_are_looked_at(house, expiring):
    await house.ingest(person(1, "a"), member(2, validUntil=iso(START - 1)))
    house.store.write_now(lambda tx: tx.run("UPDATE profiles SET expires_at = 0"))

    assert await expiring.sweep() == 2
    assert house.rows("SELECT expires_at FROM profiles ORDER BY profile")[0] == (None,)
    assert memberships(house, 2)["ups"]["a"]["status"] == "exited"


async def test_a_time_that_is_none_is_refused_at_the_door(house):
    receipt = await house.ingestion.take(
        house.caller, orjson.dumps([member(validUntil="tomorrow"), member(2)]), lines=False
    )

    assert [(item.line, item.code) for item in receipt.rejected] == [(1, "segment-membership")]
