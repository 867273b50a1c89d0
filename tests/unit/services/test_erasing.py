"""Erasure: whoever is erased is nowhere here any more, every partner that knows them is told, and nobody comes back."""

import orjson
import pytest

from headrace.connect.transport import Unanswered
from headrace.errors import Conflict, NotFound, OperationError
from headrace.model.problem import ConfigurationError
from headrace.services import erasing
from headrace.services.ingestion import Receipt, read_records
from headrace.store import withheld
from unit.services.house import person

ANA = {"email": ["ana.canary@example.com"]}


async def ready(house, *ids, name="flow", **more):
    await house.activate(*(ids or ("a",)), name=name, **more)
    await house.open()


def people(house):
    return [key for (key,) in house.rows("SELECT key FROM profiles ORDER BY key")]


async def test_who_is_erased_leaves_as_the_partner_knew_them_with_a_receipt(house):
    await ready(house)
    await house.ingest(person(1, "a", city="Bern"), person(2, "a"))
    await house.run()

    id_ = await house.erase("crmId:1")
    assert await house.receipts(id_, look=False) == ("telling", {"flow": "telling"})
    await house.run()

    assert house.partner.told()[2:] == [("1", "a", "exited")]
    assert await house.receipts(id_) == ("done", {"flow": "told"})
    assert people(house) == ["crmId:2"]
    assert await house.balance() == {"accepted": 3, "delivered": 3, "messages": 2}


async def test_each_partner_has_a_receipt(house):
    await ready(house, "a", name="knows")
    await ready(house, "b", name="knows not")
    await house.ingest(person(1, "a"))
    await house.run()

    id_ = await house.erase("crmId:1")
    await house.run()

    assert await house.receipts(id_) == ("done", {"knows": "told", "knows not": "unknown"})


async def test_somebody_who_is_not_known_is_kept_out_all_the_same(house):
    await ready(house)

    id_ = await house.erase("crmId:1")
    receipt = await house.ingest(person(1, "a"), person(2, "a"))

    assert await house.receipts(id_) == ("done", {"flow": "unknown"})
    assert [(item.line, item.code) for item in receipt.rejected] == [(1, "erased")]
    assert receipt.accepted == 1
    assert people(house) == ["crmId:2"]


async def test_nobody_comes_back_under_another_identity_that_they_had(house):
    await house.ingest(person(1, "a", **ANA))
    await house.erase("crmId:1")

    by_email = {"identityMap": {"Email": [{"id": "ana.canary@example.com"}]}}
    beside = person(7, "a", email=["ana.canary@example.com"])
    patch = {**by_email, "patch": {"city": "Bern"}}
    receipt = await house.ingest(by_email, beside, person(8))
    patched = await house.ingestion.take(house.caller, orjson.dumps(patch), lines=True, patch=True)

    assert [item.code for item in receipt.rejected] == ["erased", "erased"]
    assert [item.code for item in patched.rejected] == ["erased"]
    assert people(house) == ["crmId:8"]


async def test_everybody_who_has_an_identity_is_erased_by_it(house, monkeypatch):
    monkeypatch.setattr(erasing, "AT_ONCE", 2)
    await ready(house)
    await house.ingest(*[person(n, "a", **(ANA if n in (2, 5) else {})) for n in range(7)])
    await house.run()

    id_ = await house.erase(namespace="Email", id="ana.canary@example.com")
    await house.run()

    assert sorted(house.partner.told()[7:]) == [("2", "a", "exited"), ("5", "a", "exited")]
    assert await house.receipts(id_) == ("done", {"flow": "told"})
    assert people(house) == [f"crmId:{n}" for n in (0, 1, 3, 4, 6)]
    assert (await house.erasures.get(house.caller, id_)).people == 2


async def test_the_key_alone_erases_nobody_who_shares_an_identity(house):
    await house.ingest(person(1, "a", **ANA), person(2, "a", **ANA))

    await house.erase("crmId:1")

    assert people(house) == ["crmId:2"]


async def test_what_waits_is_withheld_and_nothing_is_sent(house):
    await ready(house)
    await house.ingest(person(1, "a"))

    id_ = await house.erase("crmId:1")
    await house.run()

    assert house.partner.messages == []
    assert await house.receipts(id_) == ("done", {"flow": "unknown"})
    assert await house.balance() == {"accepted": 1, "withheld": 1}
    assert dict(house.store.read_now(lambda tx: withheld.counts(tx, 1, 1))) == {"erased": 1}


@pytest.mark.parametrize("answer", [503, Unanswered("no answer")], ids=["refused", "unknown"])
async def test_what_may_have_arrived_is_taken_back(house, answer):
    house.partner.answers = [answer]
    await ready(house, includeSegmentId=True, includeSegmentStatus=True)
    await house.ingest(person(1, "a"))
    await house.run()

    id_ = await house.erase("crmId:1")
    await house.run_out()

    assert house.partner.told() == [("1", "a", "exited")]
    assert await house.receipts(id_) == ("done", {"flow": "told"})
    assert (await house.balance()).get("pending", 0) == 0


async def test_a_message_under_way_ends_and_is_taken_back(house):
    await ready(house)
    await house.ingest(person(1, "a", city="Bern"))
    asked = []

    def answers(_):
        if not asked:
            asked.append(house.erase("crmId:1"))
        return 200

    sent = house.partner.send

    async def send(request, **more):
        answer = await sent(request, **more)
        if asked:
            asked[0] = await asked[0] if not isinstance(asked[0], str) else asked[0]
        return answer

    house.partner.default, house.partner.send = answers, send
    await house.run_out()
    house.partner.default = 200
    await house.run_out()

    said = [
        membership["status"]
        for _, _, message in house.partner.messages
        for who in message["people"]
        for membership in who["segmentMembership"]["ups"].values()
    ]
    assert said == ["realized", "exited"]
    assert await house.receipts(asked[0]) == ("done", {"flow": "told"})


async def test_a_partner_that_refuses_is_told_again(house):
    await ready(house)
    await house.ingest(person(1, "a"))
    await house.run()
    house.partner.answers = [400]

    id_ = await house.erase("crmId:1")
    await house.run()
    assert await house.receipts(id_) == ("telling", {"flow": "failed"})
    report = await house.erasures.get(house.caller, id_)
    assert report.receipts[0].reason == "the partner answered 400"
    await house.run()
    house.pass_time(10)

    assert await house.receipts(id_) == ("done", {"flow": "told"})
    assert house.partner.told()[-1] == ("1", "a", "exited")


async def test_a_dataflow_that_is_disabled_is_told_when_it_goes_on(house):
    await ready(house)
    await house.ingest(person(1, "a"))
    await house.run()
    await house.switch(False)

    id_ = await house.erase("crmId:1")
    assert await house.receipts(id_) == ("telling", {"flow": "failed"})
    await house.switch(True)
    await house.run()
    house.pass_time(10)

    assert await house.receipts(id_) == ("done", {"flow": "told"})


async def test_a_dataflow_that_is_deleted_cannot_be_told(house):
    await ready(house)
    await house.ingest(person(1, "a"))
    await house.run()
    await house.switch(False)
    id_ = await house.erase("crmId:1")

    await house.delete()

    assert await house.receipts(id_) == ("done", {"flow": "cannot-be-told"})


async def test_what_is_not_mapped_any_more_cannot_be_taken_back(house):
    await ready(house, "a", "b")
    await house.ingest(person(1, "a"))
    await house.run()
    await house.unmap_audience(0)

    id_ = await house.erase("crmId:1")

    assert await house.receipts(id_) == ("done", {"flow": "cannot-be-told"})
    assert house.rows("SELECT 1 FROM lanes") == []


@pytest.mark.parametrize("by_audience", [True, False], ids=["a lane for each", "one lane"])
@pytest.mark.parametrize("answers", [[], [503, 404]], ids=["at once", "after a failure"])
async def test_who_is_left_in_what_is_not_mapped_is_said_though_the_rest_was_told(house, by_audience, answers):
    await ready(house, "a", "b", "c", **({"includeSegmentId": True} if by_audience else {}))
    await house.ingest(person(1, "a", "b", "c"))
    await house.run()
    await house.unmap_audience(0)
    await house.unmap_audience(0)
    house.partner.answers = answers

    id_ = await house.erase("crmId:1")
    await house.run_out()
    state = await house.receipts(id_)
    await house.run_out()

    if answers:
        assert state == ("telling", {"flow": "failed"})
    await house.receipts(id_)
    assert await house.receipts(id_) == ("done", {"flow": "cannot-be-told"})
    assert house.partner.knows() == {("1", "a"), ("1", "b")}
    (told,) = (await house.erasures.get(house.caller, id_)).receipts
    assert told.reason.endswith("ask it to take them out of ups:a, ups:b")
    assert house.rows("SELECT 1 FROM lanes") == []


async def test_what_is_mapped_again_before_the_rest_is_told_is_told_as_well(house):
    await ready(house, "a", "b")
    await house.ingest(person(1, "a", "b"))
    await house.run()
    await house.unmap_audience(0)
    id_ = await house.erase("crmId:1")

    await house.map_audience("a")
    await house.run()

    assert house.partner.knows() == set()
    assert await house.receipts(id_) == ("done", {"flow": "told"})


@pytest.mark.parametrize("by_audience", [True, False], ids=["a lane for each", "one lane"])
async def test_what_was_under_way_of_an_audience_that_is_not_mapped_is_waited_for(house, by_audience):
    await ready(house, "a", "b", **({"includeSegmentId": True} if by_audience else {}))
    house.partner.default = Unanswered("no answer")
    await house.ingest(person(1, "a"))
    await house.run()
    await house.unmap_audience(0)
    house.partner.default = 200

    id_ = await house.erase("crmId:1")
    assert (await house.receipts(id_, look=False))[0] == "telling"
    await house.run_out()

    assert await house.receipts(id_) == ("done", {"flow": "cannot-be-told"})
    assert house.rows("SELECT 1 FROM lanes") == []


async def test_what_was_under_way_of_an_audience_that_everybody_leaves_is_taken_back(house):
    await ready(house, "a", "b", includeSegmentId=True, includeSegmentStatus=True)
    house.partner.default = Unanswered("no answer")
    await house.ingest(person(1, "a"))
    await house.run()
    house.partner.default = 200
    await house.unmap_audience(0, exits=True)

    id_ = await house.erase("crmId:1")
    await house.run_out()

    assert house.partner.told() == [("1", "a", "exited")]
    assert await house.receipts(id_) == ("done", {"flow": "told"})


async def test_each_of_several_people_has_what_is_to_be_asked(house):
    await ready(house, "a", "b", includeSegmentId=True)
    await house.ingest(person(1, "a", **ANA), person(2, "b", **ANA))
    await house.run()
    await house.unmap_audience(0)
    await house.unmap_audience(0)

    id_ = await house.erase(namespace="Email", id="ana.canary@example.com")

    (told,) = (await house.erasures.get(house.caller, id_)).receipts
    assert told.people == 2
    assert "ups:a" in told.reason
    assert "ups:b" in told.reason


async def test_what_was_given_up_may_have_arrived_and_is_taken_back(house):
    house.partner.default = Unanswered("no answer")
    await ready(house)
    await house.ingest(person(1, "a"))
    await house.run_out()
    assert (await house.balance())["parked"] == 1
    house.partner.default = 200

    id_ = await house.erase("crmId:1")
    await house.run()

    assert house.partner.told() == [("1", "a", "exited")]
    assert await house.receipts(id_) == ("done", {"flow": "told"})
    assert await house.balance() == {"accepted": 2, "delivered": 1, "withheld": 1, "messages": 1}


async def test_of_what_was_parked_with_somebody_nothing_is_kept_and_nothing_again(house):
    body = '{"people": {{ input.profiles | toJson }}, "message": "{{ message.id }}"}'
    await ready(house, most=10, body=body)
    house.partner.default = 404
    await house.ingest(person(1, "a", city="canary-one"), person(2, "a", city="canary-two"))
    await house.run_out()
    assert [row for row in house.rows("SELECT content FROM parked_messages") if b"canary-one" in bytes(row[0])]

    await house.erase("crmId:1")

    assert house.rows("SELECT 1 FROM parked_messages") == house.rows("SELECT 1 FROM parked_people") == []
    assert [(key,) for key, _, _ in house.parked()] == [("crmId:2",)]


async def test_what_is_refused_of_an_exit_of_somebody_erased_is_not_kept(house):
    await ready(house)
    await house.ingest(person(1, "a"), person(2, "a"))
    await house.run()
    house.partner.default = 404

    await house.erase("crmId:1")
    await house.run()
    assert (await house.balance())["parked"] == 1

    assert house.rows("SELECT 1 FROM parked_messages") == []


async def test_each_identity_that_was_told_of_leaves(house):
    body = '{"people": "{% for who in input.profiles %}{{ who.identityMap.email[0].id }},{% endfor %}"}'
    await ready(house, split=True, mapping=(("identityMap.Email", "identityMap.email"),), body=body)
    await house.ingest(person(1, "a", email=["x", "y"]))
    await house.run()

    id_ = await house.erase("crmId:1")
    await house.run()

    assert [message["people"] for _, _, message in house.partner.messages] == ["x,y,", "x,y,"]
    assert await house.receipts(id_) == ("done", {"flow": "told"})
    assert house.rows("SELECT 1 FROM lanes") == []


async def test_a_number_that_somebody_erased_had_is_never_given_again(house):
    await ready(house)
    await house.ingest(person(1, "a"))
    await house.run()
    await house.erase("crmId:1")

    await house.ingest(person(2, "a"))
    await house.run()

    assert house.partner.told()[1:] == [("1", "a", "exited"), ("2", "a", "realized")]
    assert house.partner.knows() == {("2", "a")}


async def test_an_idempotent_request_is_answered_with_who_was_not_taken(house):
    await house.erase("crmId:1")
    body = b"\n".join(orjson.dumps(person(n)) for n in (1, 2))

    first = await house.ingestion.take(house.caller, body, lines=True, key="k")
    again = await house.ingestion.take(house.caller, body, lines=True, key="k")

    assert (first.accepted, [item.code for item in first.rejected]) == (1, ["erased"])
    assert (again.accepted, [item.code for item in again.rejected]) == (1, ["erased"])
    assert again.is_repeated


async def test_whose_erasure_is_lifted_may_be_sent_again(house):
    await ready(house)
    await house.ingest(person(1, "a", **ANA))
    await house.run()
    id_ = await house.erase("crmId:1")
    await house.run()

    await house.erasures.lift(house.caller, id_)
    await house.ingest(person(1, "a", **ANA))
    await house.run()

    assert [status for _, _, status in house.partner.told()] == ["realized", "exited", "realized"]
    with pytest.raises(Conflict, match="nobody is kept out"):
        await house.erasures.lift(house.caller, id_)
    actions = house.rows("SELECT action FROM audit WHERE noun = 'erasure' ORDER BY entry")
    assert actions == [("erase",), ("lift",)]


async def test_an_erasure_whose_people_are_not_removed_yet_is_not_lifted(house):
    asked = await house.erasures.ask(house.caller, {"profile": "crmId:1"})

    with pytest.raises(Conflict, match="not removed yet"):
        await house.erasures.lift(house.caller, asked.erasure.erasure)
    with pytest.raises(NotFound):
        await house.erasures.lift(house.caller, "another")


@pytest.mark.parametrize(
    "document",
    [{}, {"profile": "crmId"}, {"profile": "crmId:1", "identity": {"namespace": "Email", "id": "x"}}, {"profile": ""}],
)
async def test_an_erasure_that_does_not_say_whom_is_refused(house, document):
    with pytest.raises(ConfigurationError):
        await house.erasures.ask(house.caller, document)


async def test_an_erasure_that_was_interrupted_goes_on_by_itself(house, monkeypatch):
    monkeypatch.setattr(erasing, "AT_ONCE", 2)
    await ready(house)
    await house.ingest(*[person(n, "a", **ANA) for n in range(5)])
    await house.run()
    removed = erasing.Erasing._remove_person
    some = []

    def fails_once(self, tx, erasure, live, profile, key, found):
        some.append(profile)
        if len(some) == 4:
            raise OperationError("the disk is full")
        return removed(self, tx, erasure, live, profile, key, found)

    monkeypatch.setattr(erasing.Erasing, "_remove_person", fails_once)
    id_ = await house.erase(namespace="Email", id="ana.canary@example.com")
    assert len(people(house)) == 3
    assert [item.code for item in (await house.ingest(person(1, **ANA))).rejected] == ["erased"]

    await house.receipts(id_)
    await house.run()
    house.pass_time(10)

    assert await house.receipts(id_) == ("done", {"flow": "told"})
    assert people(house) == []
    assert house.partner.knows() == set()
    assert house.rows("SELECT state FROM runs ORDER BY asked_at, due_at")[0] == ("failed",)


async def test_a_load_leaves_out_who_was_erased(house):
    await house.erase("crmId:1")
    records = list(read_records(enumerate(orjson.dumps(person(n)) for n in (1, 2)), Receipt(), ()))
    receipt, told = Receipt(), []

    await house.ingestion.take_part(1, records, receipt, lambda tx, refused: told.extend(refused))

    assert [(item.line, item.code) for item in told] == [(0, "erased")]
    assert receipt.accepted == 1
    assert people(house) == ["crmId:2"]


async def test_who_was_withheld_for_want_of_consent_is_erased_without_a_word(house):
    await ready(house)
    await house.consent()
    await house.ingest(person(1, "a"))

    id_ = await house.erase("crmId:1")
    await house.run()

    assert house.partner.messages == []
    assert await house.receipts(id_) == ("done", {"flow": "unknown"})


async def test_who_is_erased_leaves_where_policies_bind(house):
    await ready(house, includeSegmentId=True, includeSegmentStatus=True)
    await house.consent()
    await house.ingest(person(1, "a", consents={"email": {"val": "y"}}))
    await house.run()

    id_ = await house.erase("crmId:1")
    await house.run()

    assert house.partner.told()[1:] == [("1", "a", "exited")]
    assert await house.receipts(id_) == ("done", {"flow": "told"})


async def test_a_run_that_is_repeated_removes_nobody_twice(house):
    await ready(house)
    await house.ingest(person(1, "a"))
    await house.run()
    id_ = await house.erase("crmId:1")

    for _ in range(3):
        await house.receipts(id_)
    await house.run()

    assert house.partner.told() == [("1", "a", "realized"), ("1", "a", "exited")]


async def test_what_no_lane_is_left_to_tell_is_withheld_while_another_is_under_way(house):
    house.partner.answers = [503]
    await ready(house, "a", "b", includeSegmentId=True)
    await house.ingest(person(1, "a"))
    await house.run()
    await house.ingest(person(1, "a", "b", city="Bern", minute=1))
    claimed_again = "UPDATE lanes SET claimed_seq = desired_seq WHERE claim_group IS NOT NULL"
    assert house.store.write_now(lambda tx: tx.run(claimed_again).rowcount) == 1

    await house.erase("crmId:1")
    await house.run_out()

    assert "pending" not in await house.balance()
