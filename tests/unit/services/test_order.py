"""What keeps order, and keeps one lane's trouble its own, when time runs out, identities vanish or the store fails."""

import asyncio

import pytest

from headrace.connect.transport import Unanswered
from headrace.store.database import StoreUnavailable
from headrace.streaming.slots import Slots
from unit.services.house import person

MAIL = (("identityMap.Email", "identityMap.email"),)


def told(house):
    """Return what the partner was told: identities, the status in the key, and each audience's status."""
    return [
        (
            entry["identityMap"],
            message["key"].get("segmentStatus"),
            {id_: membership["status"] for id_, membership in entry["segmentMembership"].get("ups", {}).items()},
        )
        for _, _, message in house.partner.messages
        for entry in message["people"]
    ]


async def test_a_lane_never_has_two_messages_under_way(house):
    """Groups that were claimed ahead of a fast partner, which then hangs, wait for longer than their lease."""
    house.slots = Slots(2, lambda: house.clock.at / 1000)
    await house.activate("a", most=1)
    await house.ingest(*[person(n, "a") for n in range(100, 160)])
    await house.run()
    deliver, under_way, twice, calls = house.partner.send, set(), [], 0

    async def slow(request, **more):
        nonlocal calls
        calls += 1
        who = request.body.split(b'"id":[{"id":"')[1].split(b'"')[0].decode()
        twice.extend([who] if who in under_way else [])
        under_way.add(who)
        try:
            if calls <= 4:
                await asyncio.sleep(0)
                house.pass_time(15)
                raise Unanswered("the deadline passed")
            if calls == 6:
                await house.ingest(person(int(who), a=False, minute=1))
                house.pass_time(5)
                for _ in range(200):
                    await asyncio.sleep(0.001)
            return await deliver(request, **more)
        finally:
            under_way.discard(who)

    house.partner.send = slow
    await house.ingest(*[person(n, "a") for n in range(1, 7)])
    await house.run()

    assert calls > 6
    assert twice == []


async def test_an_identity_that_is_gone_is_taken_back(house):
    await house.activate("a", split=True, mapping=MAIL)
    await house.ingest(person(1, "a", email=["old"]))
    await house.run()
    await house.ingest(person(1, "a", email=["new"], minute=1))
    await house.run()

    last = {identities["email"][0]["id"]: statuses for identities, _, statuses in told(house)}
    assert last == {"old": {"a": "exited"}, "new": {"a": "realized"}}


async def test_an_identity_that_is_gone_before_it_was_told_is_never_told_as_a_member(house):
    await house.activate("a", split=True, mapping=MAIL)
    await house.ingest(person(1, "a", email=["old"]))
    await house.ingest(person(1, "a", email=["new"], minute=1))
    await house.run()

    assert all(identities["email"][0]["id"] != "old" or s == {"a": "exited"} for identities, _, s in told(house))


async def test_what_a_group_has_in_common_is_true_of_every_entry(house):
    key = {"includeSegmentId": True, "includeSegmentStatus": True, "includeIdentity": True, "oneIdentityPerGroup": True}
    await house.activate("a", mapping=MAIL, **key)
    await house.ingest(person(1, "a", email=["old"]))
    await house.ingest(person(1, a=False, minute=1))
    await house.run()

    assert all(statuses == {"a": status} for _, status, statuses in told(house))


async def test_a_person_without_identities_in_a_group_leaves_as_the_partner_knew_them(house):
    mapping = (*MAIL, ("identityMap.crmId", "identityMap.id"))
    await house.activate("a", mapping=mapping, includeIdentity=True, oneIdentityPerGroup=True)
    await house.ingest(person(1, "a", email=["old"]))
    await house.run()
    await house.ingest(person(1, "a", minute=1))
    await house.run()

    assert all(identities for identities, _, _ in told(house))
    assert told(house)[-1][2] == {"a": "exited"} or told(house)[-2][2] == {"a": "exited"}


async def test_a_settlement_that_fails_leaves_the_requests_of_others_alone(house, monkeypatch):
    await house.activate("a", most=1)
    await house.open()
    write, failures, arrived, finished = house.store.write, iter([RuntimeError("broken")]), [], []

    async def failing(work):
        if "settle" in work.__qualname__ and (failure := next(failures, None)) is not None:
            raise failure
        return await write(work)

    deliver = house.partner.send

    async def slowly(request, **more):
        arrived.append(1)
        for _ in range(3 * len(arrived)):
            await asyncio.sleep(0)
        response = await deliver(request, **more)
        finished.append(1)
        return response

    monkeypatch.setattr(house.store, "write", failing)
    house.partner.send = slowly
    await house.ingest(*[person(n, "a") for n in range(4)])
    await house.run()

    assert len(arrived) == len(finished) >= 4


async def test_what_is_known_is_written_once_the_store_takes_it_again(house, monkeypatch):
    monkeypatch.setattr("headrace.services.delivery.STORE_PAUSE", 0)
    await house.activate("a", most=1)
    await house.open()
    write, failures = house.store.write, iter([StoreUnavailable("full")] * 3)

    async def failing(work):
        if "settle" in work.__qualname__ and (failure := next(failures, None)) is not None:
            raise failure
        return await write(work)

    monkeypatch.setattr(house.store, "write", failing)
    await house.ingest(person(1, "a"))
    await house.run()

    assert len(house.partner.messages) == 1
    assert (await house.balance())["delivered"] == 1


@pytest.mark.parametrize("key", [{}, {"includeSegmentId": True}], ids=["whole-person", "by-audience"])
async def test_an_exit_while_an_audience_was_not_mapped_is_told_when_it_is_mapped_again(house, key):
    await house.activate("a", "b", **key)
    await house.ingest(person(1, "a", "b"))
    await house.run()
    await house.unmap_audience(0)
    await house.ingest(person(1, "b", a=False, minute=1))
    await house.run()
    await house.map_audience("a")
    await house.backfill()
    await house.run()

    assert house.partner.knows() == {("1", "b")}
