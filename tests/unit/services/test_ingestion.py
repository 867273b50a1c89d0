"""Ingestion: what is taken, what is refused line by line, and what it means for every dataflow."""

import orjson
import pytest

from headrace.services.ingestion import LARGEST_RECORD, MOST_AT_ONCE, Unreadable
from unit.services.house import person


def rejected(receipt):
    return [(item.line, item.code) for item in receipt.rejected]


def document_of(house, number=1):
    ((document,),) = house.rows("SELECT document FROM profiles WHERE key = :key", key=f"crmId:{number}")
    return orjson.loads(document[1:])


async def test_people_are_taken_and_their_changes_with_them(house):
    await house.activate("a")

    receipt = await house.ingest(person(1, "a"), person(2, "a"), person(3))

    assert (receipt.accepted, receipt.changes, receipt.rejected) == (3, 2, [])
    assert await house.balance() == {"accepted": 2, "pending": 2}
    assert house.rows("SELECT key FROM profiles ORDER BY 1") == [("crmId:1",), ("crmId:2",), ("crmId:3",)]


async def test_a_batch_is_taken_without_the_records_that_are_not_right(house):
    await house.activate("a")
    deep = b'{"profileId": "deep", "x": ' + b"[" * 300 + b"]" * 300 + b"}"
    lines = [
        orjson.dumps(person(1, "a")),
        b"{",
        b"",
        b"[1]",
        b"{}",
        b'{"profileId": "x", "segmentMembership": 7}',
        deep,
        b'{"profileId": "' + b"x" * LARGEST_RECORD + b'"}',
        orjson.dumps(person(2, "a")) + b"\r",
        b'{"profileId": "7", "identityMap": {"Email": [{}]}}',
    ]

    receipt = await house.ingestion.take(house.caller, b"\n".join(lines) + b"\n", lines=True)

    assert receipt.accepted == 2
    assert rejected(receipt) == [
        (2, "json"),
        (4, "not-an-object"),
        (5, "no-key"),
        (6, "segment-membership"),
        (7, "too-deep"),
        (8, "too-large"),
        (10, "identity-map"),
    ]
    assert await house.balance() == {"accepted": 2, "pending": 2}


async def test_an_array_counts_its_places(house):
    body = orjson.dumps([person(1, "a"), 7, {}, person(2, "a")])

    receipt = await house.ingestion.take(house.caller, body, lines=False)

    assert receipt.accepted == 2
    assert rejected(receipt) == [(2, "not-an-object"), (3, "no-key")]


@pytest.mark.parametrize(
    ("body", "lines"),
    [(b"{", True), (b"x\ny", True), (b"1\n[]", True), (b"{", False), (b"{}", False), (b"[1, 2", False), (b"", False)],
    ids=["cut off", "no JSON", "no objects", "cut off array", "no array", "half an array", "nothing"],
)
async def test_what_is_no_profiles_at_all_is_refused(house, body, lines):
    with pytest.raises(Unreadable):
        await house.ingestion.take(house.caller, body, lines=lines)


@pytest.mark.parametrize(("body", "lines"), [(b"", True), (b"\n \n", True), (b"[]", False)])
async def test_nobody_is_no_error(house, body, lines):
    receipt = await house.ingestion.take(house.caller, body, lines=lines)

    assert (receipt.accepted, receipt.rejected) == (0, [])


async def test_profiles_that_can_be_read_and_not_kept_are_no_unreadable_request(house):
    receipt = await house.ingest({}, {"profileId": 7})

    assert receipt.accepted == 0
    assert rejected(receipt) == [(1, "no-key"), (2, "profile-id")]


async def test_the_same_batch_twice_changes_nothing_twice(house):
    await house.activate("a")
    people = [person(1, "a", city="Lisbon"), person(2, a=False), person(3, "a", "b")]
    await house.ingest(*people)
    before = house.rows("SELECT * FROM lanes"), house.rows("SELECT * FROM changes"), document_of(house)

    receipt = await house.ingest(*people)

    assert (receipt.accepted, receipt.changes) == (3, 0)
    assert (house.rows("SELECT * FROM lanes"), house.rows("SELECT * FROM changes"), document_of(house)) == before


async def test_the_same_batch_twice_changes_nothing_twice_even_without_times(house):
    await house.activate("a")
    record = {"profileId": "1", "segmentMembership": {"ups": {"a": {"status": "realized"}}}}
    await house.ingest(record)
    house.pass_time(5)

    receipt = await house.ingest(record)

    assert receipt.changes == 0


async def test_a_membership_without_a_time_has_begun_when_it_came(house):
    await house.ingest({**person(1), "segmentMembership": {"ups": {"a": {"status": "realized"}}}})

    membership = document_of(house)["segmentMembership"]["ups"]["a"]
    assert membership == {"status": "realized", "lastQualificationTime": "2026-03-20T09:46:40.000000Z"}


async def test_one_person_twice_in_a_batch_is_one_person(house):
    await house.activate("a")

    receipt = await house.ingest(person(1, "a"), person(1, a=False, minute=1), person(1, "a", minute=2))

    assert (receipt.accepted, receipt.changes) == (3, 3)
    assert house.rows("SELECT count(*) FROM profiles") == [(1,)]
    await house.run()
    assert await house.balance() == {"accepted": 3, "delivered": 1, "superseded": 2, "messages": 1}
    assert house.partner.told() == [("1", "a", "realized")]


async def test_two_dataflows_each_hear_of_what_they_send(house):
    await house.activate("a", "b", name="first")
    await house.activate("b", name="second")

    receipt = await house.ingest(person(1, "a"), person(2, "b"), person(3, "c"))

    assert receipt.changes == 3
    assert await house.balance("first") == {"accepted": 2, "pending": 2}
    assert await house.balance("second") == {"accepted": 1, "pending": 1}
    assert house.woken[-1] == (1, [1, 2])


async def test_who_has_nothing_to_hear_is_not_woken(house):
    await house.activate("a", name="first")
    await house.activate("b", name="second")

    await house.ingest(person(1, "b"))

    assert house.woken[-1] == (1, [2])


async def test_an_older_state_that_comes_late_is_counted_and_not_told(house):
    await house.activate("a")
    await house.ingest(person(1, "a", minute=5))
    await house.run()

    receipt = await house.ingest(person(1, a=False, minute=1))
    await house.run()

    assert receipt.changes == 1
    assert house.partner.told() == [("1", "a", "realized")]
    assert await house.balance() == {"accepted": 2, "delivered": 1, "superseded": 1, "messages": 1}


async def test_a_late_state_of_what_is_not_mapped_is_nobodys_business(house):
    await house.activate("a")
    await house.ingest(person(1, "b", minute=5))

    assert (await house.ingest(person(1, b=False, minute=1))).changes == 0


async def test_in_replace_mode_who_is_not_mentioned_has_left(house):
    await house.activate("a", "b")
    await house.ingest(person(1, "a", "b"))
    await house.run()

    await house.ingest(person(1, "b"), replace=True)
    await house.run()

    assert house.partner.knows() == {("1", "b")}


async def test_without_replace_who_is_not_mentioned_stays(house):
    await house.activate("a", "b")
    await house.ingest(person(1, "a", "b"))

    await house.ingest(person(1, "b"))

    assert set(document_of(house)["segmentMembership"]["ups"]) == {"a", "b"}


async def test_a_large_batch_is_kept_in_several_turns_and_counted_as_one(house):
    await house.activate("a")
    count = 2 * MOST_AT_ONCE + 7

    receipt = await house.ingest(*[person(number, "a") for number in range(count)])

    assert (receipt.accepted, receipt.changes) == (count, count)
    assert (await house.balance())["accepted"] == count
    assert house.announced()["ProfilesIngested"] == 1


async def test_a_newer_record_has_a_higher_number(house):
    await house.activate("a")
    await house.ingest(person(1, "a"), person(2, "a"))
    await house.ingest(person(1, a=False, minute=1))

    sequence = dict(house.rows("SELECT profile, desired_seq FROM lanes"))
    assert sequence[1] > sequence[2]
