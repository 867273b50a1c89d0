"""What operators live through: audiences are made, fail, are mended, renamed and taken away, and nothing is lost."""

import pytest

from unit.services.at_partner.branch import CREATE, URL, template
from unit.services.house import person


async def test_an_audience_is_made_and_only_then_are_people_sent_under_its_name_there(branch):
    await branch.author()
    await branch.start("a")
    await branch.ingest(person(1, "a"))
    await branch.tell()

    assert branch.mapped() == []
    assert branch.partner.messages == []
    assert branch.row().state == "creating"

    assert await branch.carry() == []
    await branch.ingest(person(2, "a"))
    await branch.tell()

    assert branch.book.names() == ["A"]
    assert (branch.row().state, branch.row().alias, branch.row().attempts) == ("ready", "partner-1", 0)
    assert branch.partner.knows() == {("1", "a"), ("2", "a")}
    assert {m["aliases"]["ups"]["a"] for _, _, m in branch.partner.messages} == {"partner-1"}


async def test_other_audiences_of_the_dataflow_go_on_while_one_cannot_be_made(branch):
    await branch.author()
    await branch.start("a", "b")
    branch.book.fail("POST", 400)

    assert await branch.carry() == ["Lists: not now"]
    await branch.ingest(person(1, "a", "b"))
    await branch.tell()

    states = sorted((branch.row(number).state, branch.row(number).reason) for number in (1, 2))
    assert states == [("failed", "Lists: not now"), ("ready", None)]
    assert len(branch.partner.knows()) == 1

    branch.pass_time(59)
    assert await branch.carry() == []
    assert len(branch.book.names()) == 1
    branch.pass_time(1)
    assert await branch.carry() == []
    await branch.tell()

    assert branch.book.names() == ["A", "B"]
    assert branch.partner.knows() == {("1", "a"), ("1", "b")}


async def test_tries_wait_longer_each_time(branch):
    await branch.author()
    branch.book.fail("POST", *[403] * 9)
    await branch.start("a")
    await branch.carry()
    waits = []
    for _ in range(8):
        ((due,),) = branch.rows("SELECT due_at FROM runs WHERE state = 'asked'")
        waits.append((due - branch.clock.at) // 60_000)
        branch.clock.at = due
        assert await branch.carry() == ["Lists: not now"]

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert branch.row().attempts == 9


async def test_a_mended_template_is_tried_at_once(branch):
    await branch.author(create={**CREATE, "url": "https://partner.example/audiences/nowhere", "httpMethod": "PATCH"})
    await branch.start("a")
    (reason,) = await branch.carry()
    assert reason.startswith("Lists: there is no audience nowhere")

    await branch.save_template(template())
    assert await branch.carry() == []
    assert branch.book.names() == ["A"]
    assert branch.row().state == "ready"


async def test_a_renamed_audience_is_renamed_there_and_goes_on(branch):
    await branch.author()
    await branch.start("a")
    await branch.carry()
    where = "/transformations/0/params/segmentSelectors/selectors/0/value/name"
    await branch.patch({"op": "replace", "path": where, "value": "Shoppers"})

    assert branch.mapped() == ["a"]
    assert await branch.carry() == []
    assert branch.book.names() == ["Shoppers"]
    assert [method for method, _ in branch.book.asked] == ["POST", "PATCH"]


async def test_a_name_given_in_one_dataflow_is_told_to_every_partner_that_has_the_audience(branch):
    await branch.author()
    await branch.author(name="other")
    await branch.start("a")
    await branch.start("a", name="other", target="other")
    await branch.carry()
    where = "/transformations/0/params/segmentSelectors/selectors/0/value/name"
    await branch.patch({"op": "replace", "path": where, "value": "Shoppers"})
    await branch.carry()

    assert branch.book.names() == ["Shoppers", "Shoppers"]


async def test_the_audience_goes_with_the_last_dataflow_that_sends_it(branch):
    await branch.author()
    await branch.start("a")
    await branch.start("a", "b", name="second")
    await branch.carry()
    assert branch.book.names() == ["A", "B"]

    await branch.unmap_audience(0)
    await branch.carry()
    assert branch.book.names() == ["A", "B"]

    await branch.delete("second")
    assert branch.row().state == "deleting"
    assert await branch.carry() == []
    assert branch.book.names() == []
    assert branch.row() is None


async def test_a_delete_that_fails_is_kept_in_sight_and_tried_again(branch):
    await branch.author()
    await branch.start("a")
    await branch.carry()
    branch.book.fail("DELETE", 400)
    await branch.delete()

    assert await branch.carry() == ["Lists: not now"]
    assert (branch.row().state, branch.row().reason) == ("failed", "Lists: not now")
    branch.pass_time(60)
    assert await branch.carry() == []
    assert branch.row() is None


async def test_what_is_gone_there_already_is_deleted(branch):
    await branch.author()
    await branch.start("a")
    await branch.carry()
    branch.book.kept.clear()
    await branch.delete()

    assert await branch.carry() == []
    assert branch.row() is None


async def test_quick_wishes_come_to_what_was_wished_last(branch):
    await branch.author()
    await branch.start("a")
    await branch.unmap_audience(0)
    await branch.map_audience("a")
    await branch.carry()
    await branch.unmap_audience(0)
    await branch.map_audience("a")
    await branch.carry()

    assert branch.book.names() == ["A"]
    assert branch.mapped() == ["a"]
    assert branch.book.asked == [("POST", "/audiences")]


async def test_an_answer_that_was_lost_leads_to_no_second_audience(branch):
    await branch.author()
    await branch.start("a")
    branch.book.lose("POST")

    assert await branch.carry() == ["the connection ended"]
    branch.pass_time(60)
    assert await branch.carry() == []
    assert branch.book.names() == ["A"]
    assert [method for method, _ in branch.book.asked] == ["POST", "GET", "PATCH"]
    assert branch.row().alias == "partner-1"


async def test_an_audience_that_nobody_wants_any_more_is_found_and_deleted(branch):
    await branch.author()
    await branch.start("a")
    branch.book.lose("POST")
    await branch.carry()
    await branch.unmap_audience(0)

    assert await branch.carry() == []
    assert branch.book.names() == []
    assert branch.row() is None


async def test_without_a_way_to_look_the_operator_is_asked(branch):
    await branch.author(find=None)
    await branch.start("a")
    branch.book.lose("POST")
    await branch.carry()
    branch.pass_time(10_000)

    assert await branch.carry() == []
    assert branch.row().state == "failed"
    assert "look there" in branch.row().reason
    assert branch.book.asked == [("POST", "/audiences")]


async def test_a_partner_who_makes_no_second_audience_is_asked_again(branch):
    await branch.author(find=None, create={**CREATE, "x-headrace": {"createIsIdempotent": True}})
    await branch.start("a")
    branch.book.lose("POST")
    await branch.carry()
    branch.pass_time(60)
    await branch.carry()

    assert [method for method, _ in branch.book.asked] == ["POST", "POST"]
    assert branch.row().state == "ready"


@pytest.mark.parametrize("status", [400, 404, 409, 429, 501, 503])
async def test_what_was_refused_is_made_again_without_looking(branch, status):
    await branch.author(find=None)
    await branch.start("a")
    branch.book.fail("POST", status)
    await branch.carry()
    branch.pass_time(60)
    await branch.carry()

    assert branch.row().state == "ready"


async def test_an_audience_without_a_name_for_it_says_where_that_was_looked_for(branch):
    fields = [{"name": "externalAudienceId", "value": "{{ body.list.key }}"}]
    await branch.author(create={**CREATE, "responseFields": fields})
    await branch.start("a")

    (reason,) = await branch.carry()
    assert "`{{ body.list.key }}`" in reason
    branch.pass_time(60)
    assert await branch.carry() == []
    assert branch.book.names() == ["A"]


async def test_the_operators_values_are_checked_before_any_request(branch):
    await branch.author({**template(), "validations": [{"field": "login", "regex": "^[0-9]+$"}]})
    await branch.start("a")

    (reason,) = await branch.carry()
    assert "`login`" in reason
    assert branch.partner.requests == []
    await branch.save_template(template())
    assert await branch.carry() == []


async def test_a_partner_is_asked_first_whether_it_may_be(branch):
    validate = {
        "url": f"{URL}?ref=none",
        "httpMethod": "GET",
        "responseErrorFields": [{"name": "message", "value": "{{ root }}"}],
    }
    await branch.author(validate=validate)
    await branch.start("a")
    branch.book.fail("GET", 403)

    assert await branch.carry() == ['Lists: {"error":{"message":"not now"}}']
    assert branch.row().attempts == 1
    branch.pass_time(60)
    assert await branch.carry() == []
    assert [method for method, _ in branch.book.asked] == ["GET", "GET", "POST"]


async def test_a_message_has_another_id_when_the_partner_calls_the_audience_otherwise(branch):
    await branch.author()
    await branch.start("a")
    await branch.carry()
    await branch.ingest(person(1, "a"))
    before = branch.store.read_now(lambda tx: branch.live.of(tx, 1))[1].route.recipe.version
    fields = [*CREATE["responseFields"]]
    update = {"url": URL, "httpMethod": "POST", "requestBody": CREATE["requestBody"], "responseFields": fields}
    await branch.save_template(template(update=update))
    where = "/transformations/0/params/segmentSelectors/selectors/0/value/description"
    await branch.patch({"op": "add", "path": where, "value": "who buys"})
    await branch.carry()

    assert branch.row().alias == "partner-2"
    assert branch.store.read_now(lambda tx: branch.live.of(tx, 1))[1].route.recipe.version != before
