"""Exports in the shape of the flow service, tried again and cancelled as operators do."""

import pytest

from headrace.errors import Conflict
from headrace.services import flow_runs
from headrace.services.exports import due
from headrace.services.listing import Query
from headrace.store import runs
from unit.services.exports import told
from unit.services.exports.filing import activate_files
from unit.services.exports.test_asking import ask
from unit.services.exports.test_due import at


async def shown(house, run):
    return await flow_runs.get(house.store, house.caller, run.run, house.clock.now())


async def listed(house, *properties):
    found = await flow_runs.listing(house.store, house.caller, house.clock.now())
    kept, query = flow_runs.chosen(found, Query(properties))
    return [run["id"] for run in query.page(kept[::-1]).items]


def look(house):
    return house.store.write_now(lambda tx: due.ask_due(tx, house.clock.now()))


@pytest.fixture
async def run(house):
    """A run of the schedule, two slots late, which has begun."""
    await activate_files(house, "a", mode="FIRST_FULL_THEN_INCREMENTAL", frequency="EVERY_3_HOURS")
    house.clock.at = at("2026-03-20T18:30")
    (found,) = look(house)
    told.begin(house, found)
    return found


async def test_what_was_published_has_the_metrics_of_the_original(house, run):
    told.publish(house, run, rows=80, excluded={"missing-field": 15, "consent": 5})

    item = await shown(house, run)

    metrics = item["metrics"]
    assert metrics["statusSummary"] == {"status": "success", "activityRefs": [one["id"] for one in item["activities"]]}
    assert metrics["durationSummary"] == {"startedAtUTC": house.clock.now(), "completedAtUTC": house.clock.now()}
    assert metrics["latencySummary"] is None
    assert metrics["sizeSummary"] == {"inputBytes": 1600, "outputBytes": 800}
    assert metrics["fileSummary"] == {"inputFileCount": 0, "outputFileCount": 1}
    records = metrics["recordSummary"]
    assert (records["inputRecordCount"], records["outputRecordCount"], records["skippedRecordCount"]) == (100, 80, 20)
    assert {info["code"] for info in records["skippedInfo"]} == {"ACTIVATION_BATCH-0000-SKIP"}
    why = [(info["x-headrace"]["reason"], info["count"]) for info in records["skippedInfo"]]
    assert why == [("missing-field", 15), ("consent", 5)]
    (source,) = records["sourceSummaries"]
    assert source["entitySummaries"] == [{"id": "segment:a", "inputRecordCount": 100, "skippedRecordCount": 20}]
    assert [one["name"].split()[2] for one in item["activities"]] == ["XdmProcessor", "Publisher"]
    assert item["predecessors"] is None
    assert item["providerRefId"] == run.run


async def test_ours_says_which_files_of_whom_and_for_which_slot(house, run):
    told.publish(house, run)

    ours = (await shown(house, run))["x-headrace"]

    assert (ours["kind"], ours["slot"], ours["moment"]) == (
        "export",
        "2026-03-20T18:00:00.000000Z",
        "2026-03-20T18:30:00.000000Z",
    )
    assert (ours["missed"], ours["besides"], ours["tried"]) == (2, False, 0)
    assert ours["audiences"] == [{"id": "a", "namespace": "ups", "name": "A"}]
    assert ours["files"] == [{"path": "out/a_1.csv", "rows": 40, "bytes": 400, "sha256": "5e" * 32}]
    assert not {"metrics", "activities", "cut"} & ours.keys()


async def test_while_it_goes_on_it_says_how_far_it_is(house, run):
    told.half(house, run, rows=40, of=100, seconds=20)

    item = await shown(house, run)

    assert item["metrics"]["statusSummary"] == {"status": "processing"}
    ours = item["x-headrace"]
    assert (ours["rows"], ours["of"], ours["share"], ours["etaSeconds"], ours["parts"]) == (40, 100, 0.4, 30, 1)


async def test_what_failed_says_why_and_of_whom(house, run):
    told.fail(house, run)

    item = await shown(house, run)

    metrics, (reading, writing) = item["metrics"], item["activities"]
    why = {"code": "ACTIVATION_BATCH-0000-FAILED", "message": "the storage has no room", "type": "Error"}
    both = [reading["id"], writing["id"]]
    assert metrics["statusSummary"] == {"status": "failed", "errors": [why], "activityRefs": both}
    assert [one["statusSummary"]["status"] for one in (reading, writing)] == ["failed", "failed"]
    (source,) = metrics["recordSummary"]["sourceSummaries"]
    assert source["entitySummaries"] == [{"id": "segment:a"}]


async def test_runs_are_found_by_their_audience_and_status_in_any_letters(house, run):
    told.publish(house, run)
    await activate_files(house, "b", "c", name="other")
    other = {item.audience: item.run for item in await ask(house, "b", "c", flow="other")}
    told.fail(house, other["b"])

    by_audience = "metrics.recordSummary.sourceSummaries[].id=={}"
    assert await listed(house, by_audience.format("b")) == [other["b"].run]
    assert await listed(house, by_audience.format("segment:b")) == [other["b"].run]
    assert sorted(await listed(house, by_audience.format("a,c"))) == sorted([run.run, other["c"].run])
    assert await listed(house, by_audience.format("nobody's")) == []
    assert await listed(house, "metrics.statusSummary.status==Success") == [run.run]
    assert await listed(house, "metrics.statusSummary.status==FAILED", by_audience.format("c")) == []
    assert await listed(house, f"metrics.recordSummary.targetSummaries[].entitySummaries[].id=={'segment:a'}") == [
        run.run
    ]


async def test_runs_of_a_quiet_dataflow_are_found_behind_however_many_of_others(house, run, monkeypatch):
    monkeypatch.setattr(flow_runs, "MOST", 2)
    told.publish(house, run)
    await activate_files(house, "b", "c", name="other")
    house.clock.at += 1000
    await ask(house, "b", "c", flow="other")

    found = await flow_runs.listing(house.store, house.caller, house.clock.now(), run.subject["dataflow"])

    assert run.run not in await listed(house)
    assert [item["id"] for item in found] == [run.run]


async def test_tried_again_it_is_the_same_export_for_the_same_moment(house, run):
    told.fail(house, run)
    house.pass_time(600)

    again = await house.runs.retry(house.caller, run.run)

    kept = {name: run.subject[name] for name in ("dataflow", "target", "audiences", "slot", "moment", "besides")}
    assert kept.items() <= again.subject.items()
    assert (again.subject["export"], again.subject["tried"], again.retry_of) == (run.run, 1, run.run)
    item = await shown(house, again)
    assert (item["providerRefId"], item["x-headrace"]["retryOf"]) == (run.run, run.run)
    told.fail(house, again)
    third = await house.runs.retry(house.caller, again.run)
    assert third.subject["export"] == run.run


async def test_what_is_cancelled_can_be_tried_again(house, run):
    await house.runs.cancel(house.caller, run.run)
    item = await shown(house, run)
    (why,) = item["metrics"]["statusSummary"]["errors"]
    assert (item["metrics"]["statusSummary"]["status"], why["message"]) == ("failed", "the run was cancelled")
    assert why["x-headrace"] == {"cause": "cancelled"}
    again = await house.runs.retry(house.caller, run.run)
    assert again.subject["moment"] == run.subject["moment"]


async def test_it_is_not_tried_again_while_files_of_its_audience_are_written(house, run):
    told.fail(house, run)
    (newer,) = await ask(house, "a")

    with pytest.raises(Conflict, match=f"Run already going on for audience `a` .*`{newer.run.run}`"):
        await house.runs.retry(house.caller, run.run)

    assert not house.store.read_now(lambda tx: runs.is_tried_again(tx, run.run))
