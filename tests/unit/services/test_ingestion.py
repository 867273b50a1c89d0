"""Ingestion: what is taken, what is refused line by line, and what it means for every dataflow."""

import asyncio

import orjson
import pytest

from headrace.errors import Conflict
from headrace.services import namespaces
from headrace.services.ingestion import LARGEST_RECORD, MOST_AT_ONCE, IdempotencyKeyReused, Unreadable
from headrace.store.database import StoreUnavailable
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


# -- patches ------------------------------------------------------------------------------------------------------


def patch(number=1, sequence=None, **content):
    ours = {} if sequence is None else {"x-headrace": {"sequence": sequence}}
    return orjson.dumps({"identityMap": {"crmId": [{"id": str(number)}]}, "patch": content, **ours})


async def take(house, *records, **how):
    body = b"\n".join(record if isinstance(record, bytes) else orjson.dumps(record) for record in records)
    return await house.ingestion.take(house.caller, body, lines=True, **how)


async def test_a_patch_changes_a_person_and_is_told(house):
    await house.activate("a")
    await house.ingest(person(1, "a", city="Lisbon"))
    await house.run()

    receipt = await take(house, patch(city="Porto"), patch(hats=2), b'{"patch": {}}', patch=True)

    assert (receipt.accepted, receipt.changes, rejected(receipt)) == (2, 1, [(3, "no-key")])
    assert document_of(house)["city"] == "Porto"


async def test_a_patch_that_takes_somebody_out_is_told(house):
    await house.activate("a")
    await house.ingest(person(1, "a"))
    await house.run()

    await take(house, patch(segmentMembership={"ups": {"a": None}}), patch=True)
    await house.run()

    assert house.partner.knows() == set()


async def test_what_comes_late_by_its_number_is_taken_and_changes_what_nobody_changed_since(house):
    await house.activate("a")
    await take(house, patch(sequence=5, city="Porto"), patch(sequence=3, city="Lisbon", hats=1), patch=True)

    assert document_of(house)["city"] == "Porto"
    assert document_of(house)["hats"] == 1


async def test_a_person_has_the_number_of_the_state_they_are_in(house):
    await house.ingest(person(1), person(2))
    await house.ingest(person(1, city="Lisbon"), person(2))

    assert house.rows("SELECT profile, sequence FROM profiles ORDER BY 1") == [(1, 3), (2, 2)]


# -- idempotency keys ---------------------------------------------------------------------------------------------

DAY = 24 * 3600


async def test_the_same_request_with_the_same_key_is_answered_as_it_was_and_taken_once(house):
    await house.activate("a")
    records = [person(1, "a"), b"{", person(2, "a")]
    first = await take(house, *records, key="k")
    before = house.rows("SELECT sequence FROM tenants")

    again = await take(house, *records, key="k")

    assert (again.accepted, again.rejected, again.is_repeated) == (first.accepted, first.rejected, True)
    assert rejected(again) == [(2, "json")]
    assert house.rows("SELECT sequence FROM tenants") == before


async def test_a_repeated_request_does_not_undo_what_came_since(house):
    await take(house, person(1, city="Lisbon"), key="k")
    await take(house, person(1, city="Porto"))

    await take(house, person(1, city="Lisbon"), key="k")

    assert document_of(house)["city"] == "Porto"


@pytest.mark.parametrize("how", [{}, {"replace": True}], ids=["another body", "another mode"])
async def test_another_request_with_the_same_key_is_refused(house, how):
    await take(house, person(1), key="k")

    with pytest.raises(IdempotencyKeyReused):
        await take(house, person(1) if how else person(2), key="k", **how)

    assert house.rows("SELECT count(*) FROM profiles") == [(1,)]


async def test_a_key_is_forgotten_after_a_day(house):
    await take(house, person(1), key="k")
    house.pass_time(DAY + 1)
    await take(house, person(1), key="other")

    assert not (await take(house, person(2), key="k")).is_repeated
    assert house.rows("SELECT key FROM taken_requests ORDER BY 1") == [("k",), ("other",)]


async def test_a_request_that_was_interrupted_goes_on_where_it_was(house, monkeypatch):
    people = [person(number) for number in range(2 * MOST_AT_ONCE + 7)]
    write, answers = house.store.write, iter([True, False])

    async def failing(work):
        if next(answers):
            return await write(work)
        raise StoreUnavailable

    monkeypatch.setattr(house.store, "write", failing)
    with pytest.raises(StoreUnavailable):
        await take(house, *people, key="k")
    monkeypatch.undo()
    assert house.rows("SELECT count(*) FROM profiles") == [(MOST_AT_ONCE,)]

    receipt = await take(house, *people, key="k")

    assert receipt.accepted == len(people)
    assert house.rows("SELECT sequence FROM tenants") == [(len(people),)], "no part was taken twice"
    assert (await take(house, *people, key="k")).is_repeated


async def test_the_same_request_twice_at_once_is_taken_once(house):
    await asyncio.gather(*(take(house, person(1, city="Lisbon"), person(2), key="k") for _ in range(5)))

    assert house.rows("SELECT sequence FROM tenants") == [(2,)]


# -- namespaces ---------------------------------------------------------------------------------------------------


async def test_a_namespace_that_nobody_declared_is_registered_and_the_person_taken(house):
    receipt = await take(house, person(1, email=["a@example.com"]), {"profileId": "x", "identityMap": {"zoo": []}})

    assert receipt.accepted == 2
    assert house.rows("SELECT code, is_declared FROM namespaces ORDER BY 1") == [("crmId", 0), ("zoo", 0)]


async def test_people_who_invent_namespaces_do_not_fill_the_registry(house, monkeypatch):
    monkeypatch.setattr("headrace.store.namespaces.MOST_BY_THEMSELVES", 3)

    receipt = await take(house, *({"identityMap": {f"n{n}": [{"id": "1"}]}} for n in range(9)))

    assert receipt.accepted == 9
    assert house.rows("SELECT count(*) FROM namespaces") == [(3,)]


async def test_people_are_kept_by_the_order_of_the_sandbox(house):
    await namespaces.set_order(house.store, house.clock, house.caller, {"codes": ["Phone", "Email"]})
    identities = {"Email": [{"id": "a@example.com"}], "Phone": [{"id": "+1"}], "ECID": [{"id": "9"}]}

    await take(house, {"identityMap": identities})

    assert house.rows("SELECT key FROM profiles") == [("Phone:+1",)]


async def test_the_order_stays_once_there_are_people(house):
    await house.ingest(person(1))

    with pytest.raises(Conflict):
        await namespaces.set_order(house.store, house.clock, house.caller, {"codes": ["Phone"]})
