"""A destination that follows profiles, from what is authored to what the partner is told."""

import pytest

from headrace.model.problem import ConfigurationError
from unit.services.house import person


@pytest.fixture
async def whole(house, monkeypatch):
    """A dataflow to a destination that follows profiles and has no identity of its own."""
    authored = house.destination_document

    def following(*args, **policy):
        document = authored(*args, **policy)
        del document["identityNamespaces"]
        return {**document, "x-headrace": {"trigger": "profile"}}

    monkeypatch.setattr(house, "destination_document", following)
    await house.activate("a", "b", mapping=(("city", "city"),))
    await house.ingest(person(1, "a", city="Rome", email=["x"]))
    await house.run()
    return house


def last(house):
    (told,) = house.partner.messages[-1][2]["people"]
    return told


async def test_the_same_value_written_again_is_told_again(whole):
    await whole.ingest(person(1, "a", city="Rome", email=["x"]))
    await whole.run()

    assert len(whole.partner.messages) == 2
    assert last(whole)["attributes"] == {"city": {"value": "Rome"}}
    assert last(whole)["segmentMembership"] == {}


async def test_a_patch_of_something_else_is_not_told(whole):
    await whole.ingestion.take(
        whole.caller, b'{"identityMap": {"crmId": [{"id": "1"}]}, "patch": {"shoe": 43}}', lines=True, patch=True
    )
    await whole.run()

    assert len(whole.partner.messages) == 1


async def test_all_identities_are_told_when_one_changes(whole):
    await whole.ingest(person(1, "a", city="Rome", email=["x", "y"]))
    await whole.run()

    assert last(whole)["identityMap"] == {"crmId": [{"id": "1"}], "Email": [{"id": "x"}, {"id": "y"}]}


async def test_the_audience_that_changed_is_told_and_the_partner_knows_both(whole):
    await whole.ingest(person(1, "a", "b", city="Rome", email=["x"], minute=1))
    await whole.run()
    assert last(whole)["segmentMembership"]["ups"].keys() == {"b"}

    await whole.ingest(person(1, "b", a=False, city="Rome", email=["x"], minute=2))
    await whole.run()
    assert {id_: item["status"] for id_, item in last(whole)["segmentMembership"]["ups"].items()} == {"a": "exited"}


async def test_who_was_a_member_before_is_told_whole(whole):
    await whole.ingest(person(2, "c", city="Oslo"))
    await whole.map_audience("c")
    await whole.backfill()
    await whole.run()

    assert last(whole)["segmentMembership"]["ups"].keys() == {"c"}
    assert last(whole)["identityMap"] == {"crmId": [{"id": "2"}]}


async def test_no_identity_can_be_mapped(whole):
    row = {"source": "identityMap.crmId", "destination": "identityMap.id"}
    where = "/transformations/0/params/profileSelectors/selectors/-"
    value = {"type": "JSON_PATH", "value": {"path": "identityMap.crmId", "mapping": row}}

    with pytest.raises(ConfigurationError) as refused:
        await whole.patch({"op": "add", "path": where, "value": value})

    problems = {(item.code, item.pointer) for item in refused.value.problems}
    assert ("not-mappable", "/transformations/0/params/profileSelectors/selectors/1/value") in problems
