"""Partners that want to hear of dataflows: what is told them, and what waits until it is."""

from unit.services.at_partner.branch import Branch
from unit.services.house import person

URL = "https://partner.example/audiences"
WORDS = [{"name": "message", "value": "{{ error.message }}"}]
BODY = {"json": {"name": "{{ destination.name }}", "ref": "{{ destination.id }}"}}
CREATED = {"url": URL, "httpMethod": "POST", "requestBody": BODY, "responseErrorFields": WORDS}
CHANGED = {"url": f"{URL}/partner-1", "httpMethod": "PATCH", "requestBody": BODY, "responseErrorFields": WORDS}
DELETED = {"url": f"{URL}/partner-1", "httpMethod": "DELETE", "responseErrorFields": WORDS}


async def begun(branch: Branch, *ids):
    events = {"createDestination": CREATED, "updateDestination": CHANGED, "deleteDestination": DELETED}
    await branch.author(**events)
    await branch.start(*ids)


async def test_a_dataflow_sends_nothing_until_the_partner_has_heard_of_it(branch):
    await begun(branch, "a")
    branch.book.fail("POST", 400)
    await branch.ingest(person(1, "a"))

    assert await branch.carry() == ["Lists: not now"]
    assert (branch.own_row().state, branch.own_row().reason) == ("failed", "Lists: not now")
    assert (branch.mapped(), branch.book.names()) == ([], [])

    await branch.retry()
    assert await branch.carry() == []
    assert branch.book.names() == ["A", "flow"]
    await branch.tell()
    assert branch.partner.knows() == {("1", "a")}


async def test_a_change_of_the_dataflow_is_told(branch):
    await begun(branch, "a")
    await branch.carry()
    await branch.map_audience("b")
    await branch.carry()

    assert sorted(method for method, _ in branch.book.asked) == ["PATCH", "POST", "POST", "POST"]
    assert branch.mapped() == ["a", "b"]


async def test_a_change_that_cannot_be_told_holds_nothing_up(branch):
    await begun(branch, "a")
    await branch.carry()
    branch.book.fail("PATCH", 400)
    await branch.map_audience("b")
    await branch.carry()

    assert branch.own_row().state == "failed"
    assert branch.mapped() == ["a", "b"]


async def test_that_a_dataflow_was_deleted_is_told_and_tried_again(branch):
    await begun(branch, "a")
    await branch.carry()
    branch.book.fail("DELETE", 400, 400)
    await branch.delete()
    assert len(await branch.carry()) == 2

    assert branch.own_row().state == "failed"
    branch.pass_time(120)
    assert await branch.carry() == []
    assert (branch.own_row(), branch.row()) == (None, None)
    assert branch.book.names() == []
