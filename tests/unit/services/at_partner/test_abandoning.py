"""Target connections that go while their partner has something of theirs: refused, or abandoned."""

import pytest

from headrace.errors import Conflict
from headrace.services import targets

WORDS = [{"name": "message", "value": "{{ error.message }}"}]
BODY = {"json": {"name": "{{ destination.name }}", "ref": "{{ destination.id }}"}}
CREATED = {"url": "https://partner.example/audiences", "httpMethod": "POST", "requestBody": BODY}
DELETED = {"url": "https://partner.example/audiences/partner-1", "httpMethod": "DELETE", "responseErrorFields": WORDS}


async def ended(branch, **events):
    """A target connection whose only dataflow was deleted, and whose partner does not delete."""
    await branch.author(**events)
    await branch.start("a")
    await branch.carry()
    branch.book.fail("DELETE", 423, 423)
    await branch.delete()


async def delete(branch, **asked):
    await targets.delete_target(branch.store, branch.clock, branch.caller, branch.targets["flow"], **asked)


def left(branch):
    return branch.rows("SELECT COUNT(*) FROM partner_audiences")[0][0]


async def test_what_is_to_be_deleted_keeps_the_connection(branch):
    await ended(branch)
    with pytest.raises(Conflict, match=r"the audience 'A'.*abandon=true"):
        await delete(branch)
    await branch.carry()
    with pytest.raises(Conflict):
        await delete(branch)


async def test_a_dataflow_that_the_partner_is_to_forget_keeps_the_connection(branch):
    await ended(branch, create=None, createDestination=CREATED, deleteDestination=DELETED)
    with pytest.raises(Conflict, match="the dataflow 'flow'"):
        await delete(branch)
    await delete(branch, abandon=True)
    assert (left(branch), await branch.carry()) == (0, [])


async def test_what_the_partner_has_deleted_holds_nothing(branch):
    await ended(branch)
    branch.book._faults.clear()
    assert await branch.carry() == []
    await delete(branch)
    assert branch.book.names() == []


async def test_an_abandoned_audience_stays_at_the_partner_and_in_the_audit_log(branch):
    await ended(branch)
    await branch.carry()
    await delete(branch, abandon=True)

    branch.pass_time(3600)
    assert await branch.carry() == []
    assert (left(branch), branch.book.names()) == (0, ["A"])
    assert branch.rows("SELECT id FROM audit WHERE action = 'abandon-audiences'") == [(branch.targets["flow"],)]


@pytest.mark.parametrize("refusals", [(), (423,)], ids=["deleted", "refused"])
async def test_a_request_that_is_under_way_when_its_connection_is_abandoned_ends_without_a_fault(branch, refusals):
    await ended(branch)
    branch.book._faults.clear()
    branch.book.fail("DELETE", *refusals)
    send = branch.partner.send

    async def send_after_the_end(request, **how):
        await delete(branch, abandon=True)
        return await send(request, **how)

    branch.partner.send = send_after_the_end
    assert await branch.carry() == ["Lists: not now"] * len(refusals)
    assert left(branch) == 0
