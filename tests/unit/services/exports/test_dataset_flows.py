"""Dataflows of datasets as operators make them: what is kept, what is refused, what may be changed."""

import pytest

from headrace.clock import iso
from headrace.errors import Conflict, NotFound, RequestError
from headrace.model.flow import DATA_LAKE_SPEC, DATASET_FLOW_SPEC, PROFILE_STORE_SPEC, STREAMING_FLOW_SPEC
from headrace.model.problem import ConfigurationError
from headrace.services import activation, declared, flow_runs, flow_specs, sources
from headrace.services.exports import asking, asking_datasets, due
from headrace.services.exports.standing import of_dataflow
from headrace.services.in_use import SOURCE
from headrace.services.sending_again import NotCarried
from headrace.store import export_schedules
from headrace.store.export_schedules import DATASETS
from unit.services.exports.filing import activate_files
from unit.services.exports.sending_datasets import EVERY_3_HOURS, JSON, Lake, people


@pytest.fixture
async def lake(house, tmp_path):
    made = await Lake(house, tmp_path).open()
    made.lay("people", "a.parquet", people(1))
    made.id = await made.dataset()
    await made.look(made.id)
    return made


def codes(error):
    return [(problem.code, problem.pointer) for problem in error.value.problems]


def standing(lake):
    return lake.house.store.read_now(lambda tx: export_schedules.get(tx, lake.house.caller.number, 1, DATASETS))


async def patch(lake, *operations):
    house = lake.house
    stored = await activation.get(house.store, house.caller, house.flows["flow"])
    version = activation.etag(stored)
    return await activation.patch(house.store, house.clock, house.caller, stored.id, version, [*operations])


def replaced(path, value):
    return {"op": "replace", "path": path, "value": value}


# -- source connections -----------------------------------------------------------------------------------------------


async def test_datasets_are_named_by_id_and_name_and_are_there(lake):
    house = lake.house

    async def make(params):
        document = {"name": "lake", "connectionSpec": {"id": DATA_LAKE_SPEC}, "params": params}
        with pytest.raises(ConfigurationError) as refused:
            await sources.create_source(house.store, house.clock, house.caller, document)
        return codes(refused)

    first = "/params/datasets/0"
    assert await make({}) == [("missing-field", "/params/datasets")]
    assert await make({"datasets": [{"name": "n"}]}) == [("missing-field", f"{first}/dataSetId")]
    assert await make({"datasets": [{"dataSetId": lake.id, "name": ""}]}) == [("invalid", f"{first}/name")]
    unknown = {"dataSetId": "nobody's", "name": "n"}
    assert await make({"datasets": [unknown]}) == [("unknown-dataset", f"{first}/dataSetId")]
    named = {"dataSetId": lake.id, "name": "n"}
    assert await make({"datasets": [named, named]}) == [("named-twice", "/params/datasets/1/dataSetId")]


async def test_a_source_connection_stays_with_its_datasets(lake):
    house, id_ = lake.house, await lake.source(lake.id)
    known = await declared.read(house.store, house.caller, SOURCE, id_)

    async def change(*operations):
        etag = declared.etag(await declared.read(house.store, house.caller, SOURCE, id_))
        return await sources.change_source(house.store, house.clock, house.caller, id_, etag, [*operations])

    assert (await change(replaced("/name", "other"))).document["params"] == known.document["params"]
    with pytest.raises(ConfigurationError, match="make another source connection"):
        await change(replaced("/params/datasets/0/name", "another"))
    with pytest.raises(ConfigurationError, match="make another source connection"):
        await change(replaced("/connectionSpec/id", PROFILE_STORE_SPEC))


# -- dataflows --------------------------------------------------------------------------------------------------------


async def test_a_dataflow_of_datasets_keeps_no_transformation_and_has_a_schedule(lake):
    stored = await lake.export(lake.id)
    assert stored.document["transformations"] == []
    assert standing(lake).next_at == stored.document["scheduleParams"]["startTime"] * 1000


async def test_its_schedule_and_its_datasets_may_be_replaced(lake):
    stored = await lake.export(lake.id)
    start = stored.document["scheduleParams"]["startTime"] + 7200
    changed = await patch(lake, replaced("/scheduleParams", {"startTime": start, **EVERY_3_HOURS}))
    assert (changed.document["transformations"], standing(lake).next_at) == ([], start * 1000)
    lake.lay("others", "a.parquet", people(2))
    other = await lake.dataset("others")
    await lake.look(other)
    await patch(lake, replaced("/sourceConnectionIds", [await lake.source(lake.id, other)]))
    assert sorted(row["id"] for row in await lake.rows()) == ["C-1", "C-2"]
    with pytest.raises(ConfigurationError, match="takes datasets"):
        await patch(lake, replaced("/sourceConnectionIds", [await people_source(lake)]))


async def people_source(lake):
    document = {"name": "people", "connectionSpec": {"id": PROFILE_STORE_SPEC}}
    return (await sources.create_source(lake.house.store, lake.house.clock, lake.house.caller, document)).id


@pytest.mark.parametrize(
    ("params", "found"),
    [
        (None, [("missing-field", f"/scheduleParams/{name}") for name in ("startTime", "interval", "timeUnit")]),
        ({"startTime": 1, "interval": 1}, [("missing-field", "/scheduleParams/timeUnit")]),
        ({"startTime": 1, "interval": 2, "timeUnit": "hour"}, [("schedule-clash", "/scheduleParams/interval")]),
        (
            {"startTime": 1, "interval": 1, "timeUnit": "day", "exportMode": "DAILY_FULL_EXPORT"},
            [("schedule-clash", "/scheduleParams/interval")],
        ),
        ({"startTime": 1, "interval": 12, "timeUnit": "hour"}, [("not-offered", "/scheduleParams/interval")]),
        (
            {"startTime": 1, "interval": 1, "timeUnit": "day", "foldernameTemplate": "%SEGMENT_ID%"},
            [("unknown-macro", "/scheduleParams/foldernameTemplate")],
        ),
    ],
)
async def test_the_schedule_is_needed_and_checked(lake, params, found):
    house = lake.house
    flow = {
        "name": "datasets",
        "sourceConnectionIds": [await lake.source(lake.id)],
        "targetConnectionIds": [await lake.target()],
        "transformations": [],
        **({"scheduleParams": params} if params is not None else {}),
    }
    with pytest.raises(ConfigurationError) as refused:
        await activation.create(house.store, house.clock, house.caller, flow)
    assert codes(refused) == found


async def test_audiences_and_mappings_are_refused(lake):
    await lake.export(lake.id)
    selector = {"value": {"id": "a", "namespace": "ups"}}
    params = {"segmentSelectors": {"selectors": [selector]}, "profileSelectors": {"selectors": []}}
    with pytest.raises(ConfigurationError, match="without audiences"):
        await patch(lake, replaced("/transformations", [{"name": "GeneralTransform", "params": params}]))


async def test_people_and_datasets_do_not_go_to_each_others_destinations(lake):
    house = lake.house
    schedule = {"startTime": 1, **EVERY_3_HOURS}
    flow = {"name": "x", "transformations": [], "scheduleParams": schedule}
    people_ = {**flow, "sourceConnectionIds": [await people_source(lake)], "targetConnectionIds": [await lake.target()]}
    with pytest.raises(ConfigurationError, match="this destination takes datasets"):
        await activation.create(house.store, house.clock, house.caller, people_)
    await activate_files(house, "a")
    target = (await activation.get(house.store, house.caller, house.flows["flow"])).document["targetConnectionIds"]
    sent = {**flow, "sourceConnectionIds": [await lake.source(lake.id)], "targetConnectionIds": target}
    with pytest.raises(ConfigurationError, match="does not take any"):
        await activation.create(house.store, house.clock, house.caller, sent)


async def test_a_dataflow_that_is_deleted_is_forgotten(lake):
    await lake.export(lake.id, formats=JSON)
    await lake.rows()
    assert lake.published() == {lake.id: 1}
    await activation.delete(lake.house.store, lake.house.clock, lake.house.caller, lake.house.flows["flow"])
    assert (standing(lake), lake.published()) == (None, {})


# -- now --------------------------------------------------------------------------------------------------------------


async def now(lake, *datasets, flow=None):
    house = lake.house
    house.pass_time(60)
    wanted = {flow or house.flows["flow"]: datasets}
    return await asking_datasets.export_datasets_now(house.store, house.clock, house.caller, wanted)


async def test_datasets_are_written_now_whole_and_the_schedule_goes_on(lake):
    await lake.export(lake.id)
    await lake.rows()
    (asked,) = await now(lake, lake.id)
    with pytest.raises(Conflict, match=f"Run already going on for dataset `{lake.id}`.*{asked.run.run}"):
        await now(lake, lake.id)
    assert await lake.rows(0) == people(1)
    assert lake.last.run == asked.run.run
    lake.lay("people", "b.parquet", people(2))
    await lake.look(lake.id)
    await now(lake, lake.id)
    assert await lake.rows(0) == people(1, 2)
    assert await lake.rows() == people(2)


async def test_what_is_not_there_is_not_written_now(lake):
    await lake.export(lake.id)
    with pytest.raises(RequestError, match="Datasets `other` are not part of this dataflow"):
        await now(lake, "other")
    with pytest.raises(NotFound):
        await now(lake, lake.id, flow="nobody's")
    house = lake.house
    with pytest.raises(NotCarried, match="writes datasets"):
        await asking.export_now(house.store, house.clock, house.caller, {house.flows["flow"]: ["a"]})
    await activate_files(house, "a")
    with pytest.raises(NotCarried, match="sends people"):
        await now(lake, lake.id)
    assert lake.house.store.read_now(lambda tx: [*due.unended(tx, 1, house.flows["flow"])]) == []


async def test_it_shows_when_datasets_are_due_and_which_snapshots_are_there(lake):
    house = lake.house
    stored = await lake.export(lake.id)

    def shown():
        return house.store.read_now(lambda tx: of_dataflow(tx, stored, house.clock.now()))

    (before,) = shown()
    assert (before["exportMode"], before["frequency"]) == ("FIRST_FULL_THEN_INCREMENTAL", "EVERY_3_HOURS")
    assert before["nextSlot"] == iso(stored.document["scheduleParams"]["startTime"] * 1000)
    assert (before["last"], before["underWay"]) == (None, None)
    assert before["datasets"] == [{"id": lake.id, "name": "dataset 1", "last": None}]

    await lake.pass_slot()

    (after,) = shown()
    assert after["last"] == after["datasets"][0]["last"]
    assert after["last"]["snapshot"] == 1


async def test_it_is_of_a_kind_of_its_own(lake):
    """Kinds are told to clients that ask which destinations take datasets; runs are of the dataflow's kind."""
    await activate_files(lake.house, "a", name="people")
    await lake.export(lake.id)
    house = lake.house
    by_id = {kind["id"]: kind for kind in await flow_specs.kinds(house.store, house.caller)}
    of_datasets, of_people = by_id[DATASET_FLOW_SPEC], by_id[STREAMING_FLOW_SPEC]
    assert of_datasets["sourceConnectionSpecIds"] == [DATA_LAKE_SPEC]
    (destination,) = of_datasets["targetConnectionSpecIds"]
    assert house.destinations["people"] in of_people["targetConnectionSpecIds"]
    assert destination not in of_people["targetConnectionSpecIds"]
    await now(lake, lake.id)
    (run,) = await flow_runs.listing(house.store, house.caller, house.clock.now(), house.flows["flow"])
    assert run["flowSpec"]["id"] == DATASET_FLOW_SPEC
    flows = await activation.listing(house.store, house.caller)
    inherited = await flow_specs.inherited(house.store, house.caller, flows)
    shown = {flow.id: flow_specs.of_flow(inherited[flow.id])["id"] for flow in flows}
    assert shown == {house.flows["flow"]: DATASET_FLOW_SPEC, house.flows["people"]: STREAMING_FLOW_SPEC}
