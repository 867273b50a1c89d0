"""An audience that is taken out of a dataflow, where the partner has it too."""

import pytest

from headrace.services import activation
from unit.services.house import person

PLACE = "/transformations/0/params/segmentSelectors/selectors/0"


async def sent(branch, **template):
    await branch.author(**template)
    await branch.start("a")
    await branch.carry()
    await branch.ingest(*[person(n, "a") for n in range(3)])
    await branch.tell()
    assert len(branch.partner.knows()) == 3
    branch.partner.messages.clear()


async def take_out(branch, *, exits=True):
    stored = await activation.get(branch.store, branch.caller, branch.flows["flow"])
    operations = [{"op": "remove", "path": PLACE}]
    etag = activation.etag(stored)
    await activation.patch(branch.store, branch.clock, branch.caller, stored.id, etag, operations, exits=exits)
    await branch.wake_all()
    await branch.carry()
    await branch.tell()


@pytest.mark.parametrize("exits", [False, True])
async def test_a_partner_that_can_delete_an_audience_does_and_nobody_is_told(branch, exits):
    await sent(branch)
    await take_out(branch, exits=exits)

    assert branch.book.names() == []
    assert branch.partner.messages == []


async def test_what_a_partner_has_deleted_is_not_taken_for_known(branch):
    await sent(branch)
    await take_out(branch)
    assert branch.rows("SELECT shown FROM lanes WHERE shown IS NOT NULL") == []

    await branch.map_audience("a")
    await branch.carry()
    await branch.tell()

    assert len(branch.partner.knows()) == 3


async def test_a_partner_that_cannot_delete_an_audience_is_told_who_left_by_the_name_it_has_for_it(branch):
    await sent(branch, delete=None)
    await take_out(branch)

    assert sorted(branch.partner.told()) == [(str(n), "a", "exited") for n in range(3)]
    (_, _, message) = branch.partner.messages[0]
    assert message["aliases"] == {"ups": {"a": "partner-1"}}
    assert branch.book.names() == ["A"]


async def test_a_partner_that_cannot_delete_an_audience_keeps_it_with_its_members_unless_that_is_asked_for(branch):
    await sent(branch, delete=None)
    await take_out(branch, exits=False)

    assert branch.partner.messages == []
    assert branch.book.names() == ["A"]


async def test_an_audience_that_is_made_anew_at_a_partner_gets_all_its_members(branch):
    await sent(branch, delete=None)
    await take_out(branch, exits=False)

    await branch.map_audience("a")
    await branch.carry()
    await branch.tell()

    assert branch.book.names() == ["A", "A"]
    assert len(branch.partner.knows()) == 3


async def test_a_new_name_that_a_partner_cannot_take_is_said(branch):
    await sent(branch, update=None)
    await branch.patch({"op": "replace", "path": f"{PLACE}/value/name", "value": "Another"})
    await branch.carry()

    assert branch.book.names() == ["A"]
    assert branch.row().reason == "the partner cannot be told of another name: it knows the audience as 'A'"
    assert branch.row().state == "ready"
