"""Messages that wait for each other: full, or old enough, whatever else happens meanwhile."""

import pytest

from headrace.services import activation, authoring
from unit.services.house import BODY, STEPS, person

WAITS = 301
SIZE = 1000
BY_STATUS = {"includeSegmentId": True, "includeSegmentStatus": True}


def sizes(house):
    return [len(message["people"]) for _, _, message in house.partner.messages]


async def test_a_message_leaves_when_the_first_in_it_has_waited_long_enough(house):
    await house.activate("a", waits=WAITS, includeSegmentId=True)
    await house.ingest(person(1, "a"))
    house.pass_time(WAITS - 1)
    await house.ingest(person(2, "a"))
    await house.run()
    assert sizes(house) == []
    assert await house.balance() == {"accepted": 2, "pending": 2}

    house.pass_time(1)
    await house.run()

    assert sizes(house) == [2]
    assert house.partner.messages[0][2]["key"]["segmentId"] == "a"
    assert await house.balance() == {"accepted": 2, "delivered": 2, "messages": 1}


async def test_a_full_message_leaves_at_once_and_what_is_over_stays(house):
    await house.activate("a", waits=WAITS)
    await house.ingest(*(person(number, "a") for number in range(SIZE - 1)))
    await house.run()
    assert sizes(house) == []

    await house.ingest(*(person(number, "a") for number in range(SIZE, SIZE + 6)))
    house.pass_time(1)
    await house.run()

    assert sizes(house) == [SIZE]
    house.pass_time(WAITS)
    await house.run()
    assert sizes(house) == [SIZE, 5]


async def test_a_newer_state_moves_to_its_group_and_not_its_time(house):
    await house.activate("a", waits=WAITS, **BY_STATUS)
    await house.ingest(person(1, "a"))
    house.pass_time(WAITS - 1)
    await house.ingest(person(1, a=False, minute=1), person(2, "a", minute=1))
    house.pass_time(1)

    await house.run()

    assert house.partner.told() == [("1", "a", "exited")]
    assert await house.balance() == {"accepted": 3, "superseded": 1, "delivered": 1, "pending": 1, "messages": 1}
    house.pass_time(WAITS - 1)
    await house.run()
    assert house.partner.told() == [("1", "a", "exited"), ("2", "a", "realized")]


async def test_a_retry_goes_when_it_is_due_and_new_changes_wait_on(house):
    house.partner.answers = [503]
    await house.activate("a", waits=WAITS)
    await house.ingest(person(1, "a"))
    house.pass_time(WAITS)
    await house.run()
    await house.ingest(person(2, "a"))

    house.pass_time(STEPS[0])
    await house.run()

    assert house.partner.statuses == [503, 200]
    assert sizes(house) == [1, 1]


async def test_what_waits_lasts_beyond_the_process(house):
    await house.activate("a", waits=WAITS)
    await house.ingest(person(1, "a"))
    await house.run()
    house.pass_time(100)
    house.outbox = None
    await house.run()
    assert sizes(house) == []

    house.pass_time(WAITS - 100)
    await house.run()

    assert sizes(house) == [1]


@pytest.mark.parametrize("leaves_at", ["once", "an earlier time"])
async def test_what_waits_follows_another_policy(house, leaves_at):
    await house.activate("a", waits=3600)
    await house.ingest(person(1, "a"))
    await house.run()
    house.pass_time(WAITS)
    await house.run()
    assert sizes(house) == []

    document = house.destination_document() if leaves_at == "once" else house.destination_document(waits=WAITS)
    where = (house.store, house.clock, house.keyring, house.caller, authoring.DESTINATION)
    await authoring.save(*where, document, id_=house.destinations["flow"])
    await house.wake_all()
    house.pass_time(1)  # It is looked at once a second at the most.
    await house.run()

    assert sizes(house) == [1]


async def test_members_from_before_wait_like_all_others(house):
    await house.open()
    await house.ingest(*(person(number, "a") for number in range(SIZE + 5)))
    await house.activate("a", waits=WAITS, includeSegmentId=True)
    await house.backfill()
    await house.run()
    assert sizes(house) == [SIZE]

    house.pass_time(WAITS)
    await house.run()

    assert sizes(house) == [SIZE, 5]


async def test_a_backfill_of_any_size_goes_on_while_messages_fill(house, monkeypatch):
    monkeypatch.setattr("headrace.services.backfilling.MOST_WAITING", 10)
    await house.open()
    await house.ingest(*(person(number, "a") for number in range(2 * SIZE)))
    await house.activate("a", waits=WAITS, includeSegmentId=True)

    for _ in range(10):
        await house.backfill()
        await house.run()
        house.pass_time(1)

    assert sizes(house) == [SIZE, SIZE]


async def test_who_leaves_with_an_audience_is_told_before_it_is_forgotten(house):
    await house.activate("a", waits=WAITS)
    await house.ingest(person(1, "a"))
    house.pass_time(WAITS)
    await house.run()

    stored = await activation.get(house.store, house.caller, house.flows["flow"])
    without = [{"op": "remove", "path": "/transformations/0/params/segmentSelectors/selectors/0"}]
    where = (house.store, house.clock, house.caller, stored.id, activation.etag(stored))
    await activation.patch(*where, without, exits=True)
    await house.backfill()
    house.pass_time(WAITS)
    await house.run()
    await house.backfill()

    assert house.partner.told() == [("1", "a", "realized"), ("1", "a", "exited")]
    assert (await house.balance())["delivered"] == 2


async def test_a_dataflow_that_is_off_keeps_what_waits_and_one_that_is_deleted_withholds_it(house):
    await house.activate("a", waits=WAITS)
    await house.ingest(person(1, "a"))
    await house.switch(on=False)
    house.pass_time(WAITS)
    await house.run()
    assert sizes(house) == []

    await house.switch(on=True)
    await house.run()
    assert sizes(house) == [1]

    await house.ingest(person(2, "a"))
    await house.delete()
    house.pass_time(WAITS)
    await house.run()
    assert sizes(house) == [1]


async def test_consent_that_is_withdrawn_while_a_message_fills_is_told_as_a_leave(house):
    await house.activate("a", waits=WAITS, **BY_STATUS)
    await house.consent()
    await house.ingest(person(1, "a", consents={"email": {"val": "y"}}))
    house.pass_time(WAITS)
    await house.run()
    assert house.partner.told() == [("1", "a", "realized")]

    await house.ingest(person(1, "a", consents={"email": {"val": "n"}}, minute=1))
    await house.ingest(person(2, "a", consents={"email": {"val": "n"}}, minute=1))
    await house.carry_runs()
    house.pass_time(WAITS)
    await house.run()

    assert house.partner.told() == [("1", "a", "realized"), ("1", "a", "exited")]


async def test_a_message_that_can_be_about_one_person_alone_does_not_wait(house):
    await house.activate("a", waits=WAITS, body=BODY.replace("input.profiles", "[input.profile]"))
    await house.ingest(person(1, "a"), person(2, "a"))

    await house.run()

    assert sizes(house) == [1, 1]


async def test_however_often_it_is_woken_a_dataflow_that_waits_is_looked_at_once_a_second(house):
    await house.activate("a", waits=WAITS)
    await house.ingest(*(person(number, "a") for number in range(SIZE - 1)))
    await house.run()

    await house.ingest(person(SIZE, "a"))
    await house.run()
    assert sizes(house) == []
    house.pass_time(1)
    await house.run()
    assert sizes(house) == [SIZE]


async def test_dataflows_with_much_to_send_take_turns(house, monkeypatch):
    monkeypatch.setattr("headrace.services.delivery.ENOUGH_CLAIMED", 2)
    monkeypatch.setattr("headrace.services.delivery.MOST_CLAIMED", 2)
    for name in ("one", "two", "three"):
        await house.activate("a", name=name, most=2)
    await house.ingest(*(person(number, "a") for number in range(6)))

    await house.run()

    senders = [message["key"]["destinationInstanceId"] for _, _, message in house.partner.messages]
    assert len(senders) == 9
    for start in (0, 3, 6):
        assert set(senders[start : start + 3]) == set(house.flows.values())
    for name in house.flows:
        assert await house.balance(name) == {"accepted": 6, "delivered": 6, "messages": 3}
