"""What the query of an audience reads counts for the dataflows that send the audience."""

import pytest

from headrace.services.governance import holding
from headrace.services.governance.evaluating import PolicyViolation
from headrace.store import dataflows, documents, governance
from headrace.store.governance import PutLabels
from unit.services.audiences.station import QUERY

EMAIL = "/dulepolicy/marketingActions/core/emailTargeting"


async def lives(station, *, declared=True):
    """Have a dataflow for e-mails that sends an audience, and a policy against that for what is labelled C4."""
    house = station.house
    await station.lay(1, 2)
    other = {"name": "open", "format": "parquet", "location": str(station.yard / "shop.parquet"), "key": "id"}
    await station.datasets.create(station.caller, other)
    if declared:
        await station.create("SELECT id FROM open")
    await house.activate("a", mapping=[("identityMap.crmId", "identityMap.id")])

    def work(tx):
        (flow,) = dataflows.all_of(tx, house.caller.number)
        dataflows.change(tx, flow, 0, document={**flow.document, "policy": {"enforcementRefs": [EMAIL]}})
        deny = {"name": "No", "status": "ENABLED", "marketingActionRefs": [EMAIL], "deny": {"label": "C4"}}
        documents.add(tx, house.caller.number, "policy", "p", deny, 0, "client:a")
        governance.put(tx, house.caller.number, PutLabels("dataset", station.dataset, ["C4"], 0))

    house.store.write_now(work)


def standing(house):
    return house.store.read_now(lambda tx: holding.standing(tx, house.caller.tenant))


async def test_a_definition_by_which_a_dataflow_would_violate_a_policy_is_refused(station):
    await lives(station)
    assert standing(station.house) == []
    document = {**QUERY, "query": "SELECT id FROM shop JOIN open USING (id)"}

    with pytest.raises(PolicyViolation) as refused:
        await station.declaring.replace(station.caller, "a", document, None)

    (violation,) = refused.value.violations
    steps = [(step["noun"], step["name"]) for step in violation["lineage"][0]["steps"]]
    assert steps[:2] == [("dataset", "shop"), ("audience", "Buyers")]
    assert steps[-2][0] == "dataflow"
    assert "take the audience 'Buyers' out of the dataflow 'flow'" in [fix["message"] for fix in violation["fixes"]]
    known = await station.declaring.read(station.caller, "a")
    assert known.declared.document["query"] == "SELECT id FROM open"
    changed = {**document, "query": "SELECT id FROM open WHERE id > '1'"}
    await station.declaring.replace(station.caller, "a", changed, None)


async def test_an_audience_that_is_declared_where_it_is_sent_already_is_held_to_policies_too(station):
    await lives(station, declared=False)

    with pytest.raises(PolicyViolation):
        await station.create()

    await station.create("SELECT id FROM open")


async def test_a_dataflow_that_is_to_send_such_an_audience_is_refused(station):
    await lives(station)
    await station.create(audienceId="b", name="Others")

    with pytest.raises(PolicyViolation, match="the audience '"):
        await station.house.map_audience("b")
