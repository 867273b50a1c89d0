"""How exports stand: when files are due, which were published last, and how many were missed."""

import pytest

from headrace.services.activations import standing as activations
from headrace.services.exports import standing
from headrace.store import dataflows
from unit.services.exports import told
from unit.services.exports.filing import activate_files
from unit.services.exports.test_asking import ask, change
from unit.services.exports.test_due import at
from unit.services.exports.test_flow_runs import look

SELECTORS = "/transformations/0/params/segmentSelectors/selectors"


def stands(house, flow="flow"):
    def read(tx):
        stored = dataflows.get(tx, house.caller.number, house.flows[flow])
        return standing.of_dataflow(tx, stored, house.clock.now())

    return {item["audience"]: item for item in house.store.read_now(read)}


async def test_before_the_first_file_the_next_slot_is_known(house):
    await activate_files(house, "a", "b", mode="FIRST_FULL_THEN_INCREMENTAL", frequency="EVERY_6_HOURS")
    assert stands(house)["a"] == {
        "audience": "a",
        "namespace": "ups",
        "takesPart": True,
        "exportMode": "FIRST_FULL_THEN_INCREMENTAL",
        "frequency": "EVERY_6_HOURS",
        "triggerType": "SCHEDULED",
        "nextSlot": "2026-03-20T12:00:00.000000Z",
        "missed": 0,
        "underWay": None,
        "last": None,
    }


async def test_what_is_under_way_what_was_published_and_what_was_missed(house):
    await activate_files(house, "a", mode="FIRST_FULL_THEN_INCREMENTAL", frequency="EVERY_6_HOURS")
    house.clock.at = at("2026-03-21T00:30")
    (run,) = look(house)
    now = stands(house)["a"]
    assert (now["underWay"], now["missed"], now["nextSlot"]) == (run.run, 2, "2026-03-21T06:00:00.000000Z")

    told.publish(house, run)
    now = stands(house)["a"]
    assert now["underWay"] is None
    slot, moment = "2026-03-21T00:00:00.000000Z", "2026-03-21T00:30:00.000000Z"
    assert now["last"] == {"run": run.run, "cut": 7, "slot": slot, "publishedAt": moment}


async def test_what_was_asked_for_besides_is_not_what_was_published_last(house):
    await activate_files(house, "a")
    (asked,) = await ask(house, "a")
    assert stands(house)["a"]["underWay"] == asked.run.run
    told.publish(house, asked.run)
    assert stands(house)["a"]["last"] is None


@pytest.mark.parametrize(
    ("dates", "trigger"),
    [
        ({"frequency": "DAILY", "startDate": "2026-03-01", "triggerType": "AFTER_SEGMENT_EVAL"}, "AFTER_SEGMENT_EVAL"),
        ({"frequency": "DAILY", "startDate": "2026-03-01", "endDate": "2026-03-20", "startTime": "00:00"}, "SCHEDULED"),
    ],
    ids=["after evaluations", "ended"],
)
async def test_no_slot_is_known_that_hangs_on_evaluations_or_lies_after_the_end(house, dates, trigger):
    await activate_files(house, "a")
    await change(house, {"op": "replace", "path": f"{SELECTORS}/0/value/schedule", "value": dates})
    now = stands(house)["a"]
    assert (now["nextSlot"], now["triggerType"]) == (None, trigger)


async def test_activations_show_it_of_files_alone(house):
    await activate_files(house, "a")
    await house.activate("a", name="messages")
    shown = {item["name"]: item for item in await activations.listing(house.store, house.clock, house.caller)}
    assert [item["audience"] for item in shown["flow"]["exports"]] == ["a"]
    assert "exports" not in shown["messages"]
