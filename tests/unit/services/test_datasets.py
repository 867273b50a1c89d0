"""Datasets are declared, looked at, and taken in, each row once, whoever dies."""

import json
import os

import pytest

from headrace.datasets.places import Misplaced, Place, Places
from headrace.datasets.sources import Source, Sources, UnknownSource
from headrace.errors import Conflict, NotFound, StaleVersion
from headrace.model.problem import ConfigurationError
from headrace.model.profile import decode
from headrace.services import declared, loading, sources
from headrace.services import runs as running
from headrace.services.datasets import LOAD, TAKE, Datasets, Ground
from headrace.services.in_use import InUse
from headrace.services.loading import Loading
from headrace.services.taking_snapshots import COPIES_KEPT, TakingSnapshots
from headrace.store import audit, runs
from unit.datasets.yard import Yard, people, profile
from unit.services.house import person


class Station:
    """A house with datasets, and a yard in which they lie."""

    def __init__(self, house, directory):
        (directory / "yard").mkdir()
        self.house = house
        self.caller = house.caller
        self.yard = Yard((directory / "yard").resolve(), directory / "copies")
        places = Places((Place(self.yard.directory),))
        self.ground = Ground(places, Sources((Source("crm", "sqlite", "sqlite:///absent"),)), directory / "kept")
        self.datasets = Datasets(house.store, house.clock, self.ground)
        self.loading = Loading(self.datasets, house.ingestion, house.events.append)
        house.runs.register(TAKE, TakingSnapshots(self.datasets).carry)
        house.runs.register(LOAD, self.loading.carry)

    async def create(self, format_="parquet", count=3, **said):
        return await self.datasets.create(
            self.caller, {"name": "people", **self.yard.declared(format_, people(count)), **said}
        )

    async def ready(self, *given, **said):
        made = await self.create(*given, **said)
        await self.snapshot(made.id)
        return made

    async def snapshot(self, id_):
        run, stored = await self.datasets.ask_for_snapshot(self.caller, id_)
        await self.house.carry_runs()
        return self.run(run.run), await self.datasets.snapshot(self.caller, id_, stored.number)

    async def load(self, id_, number=None):
        run = await self.datasets.ask_for_load(self.caller, id_, number)
        await self.house.carry_runs()
        return self.run(run.run)

    def run(self, id_):
        return self.house.store.read_now(lambda tx: runs.get(tx, id_))

    def known(self):
        """The people in the store, without what is in all of them."""
        rows = self.house.rows("SELECT document FROM profiles ORDER BY profile")
        return [
            {name: value for name, value in decode(bytes(row[0])).items() if name != "segmentMembership"}
            for row in rows
        ]


@pytest.fixture
def station(house, tmp_path):
    return Station(house, tmp_path)


async def test_a_dataset_is_created_listed_replaced_and_deleted(station):
    made = await station.create()

    ((item, snapshot),) = await station.datasets.listing(station.caller)
    assert (item, snapshot) == (made, None)
    changed = await station.datasets.replace(
        station.caller, made.id, {**made.document, "name": "others"}, declared.etag(made)
    )
    assert (await station.datasets.read(station.caller, made.id))[0] == changed
    with pytest.raises(StaleVersion):
        await station.datasets.delete(station.caller, made.id, declared.etag(made))
    await station.datasets.delete(station.caller, made.id, declared.etag(changed))
    with pytest.raises(NotFound, match="there is no dataset"):
        await station.datasets.read(station.caller, made.id)
    actions = station.house.rows("SELECT action FROM audit WHERE noun = 'dataset' ORDER BY entry")
    assert [action for (action,) in actions] == ["create", "replace", "delete"]


@pytest.mark.parametrize(
    ("document", "error"),
    [
        pytest.param({"format": "csv"}, ConfigurationError, id="nothing but a format"),
        pytest.param({"format": "csv", "key": "id", "location": "/etc/passwd"}, Misplaced, id="outside"),
        pytest.param({"format": "csv", "key": "id", "location": "s3://lake/people"}, Misplaced, id="no bucket"),
        pytest.param({"format": "delta", "key": "id", "location": "s3://lake/t"}, ConfigurationError, id="delta there"),
        pytest.param({"format": "csv", "key": "id", "location": "relative"}, Misplaced, id="relative"),
        pytest.param(
            {"format": "sql", "key": "id", "source": "other", "query": "SELECT 1"}, UnknownSource, id="no such source"
        ),
        pytest.param(
            {"format": "iceberg", "key": "id", "source": "crm", "table": "a.b"}, UnknownSource, id="of another kind"
        ),
    ],
)
async def test_a_dataset_that_could_not_be_read_is_not_kept(station, document, error):
    with pytest.raises(error):
        await station.datasets.create(station.caller, {"name": "people", **document})


async def test_a_snapshot_says_what_lies_there(station):
    made = await station.create("csv", types={"age": "whole"})

    run, snapshot = await station.snapshot(made.id)

    assert (run.state, run.progress) == ("succeeded", {"rows": 3, "badRows": 0})
    assert (snapshot.state, snapshot.rows, snapshot.bad_rows, snapshot.number) == ("ready", 3, 0, 1)
    assert [column["name"] for column in snapshot.columns] == ["id", "email", "city", "age"]
    assert snapshot.bytes == (station.yard.directory / "people.csv").stat().st_size
    assert (await station.datasets.read(station.caller, made.id))[1] == snapshot


async def test_a_snapshot_that_cannot_be_taken_says_why(station):
    made = await station.create("csv", key="nobody")

    run, snapshot = await station.snapshot(made.id)

    reason = "there is no column 'nobody'; these are: id, email, city, age"
    assert (run.state, run.reason) == ("failed", reason)
    assert (snapshot.state, snapshot.reason) == ("failed", reason)
    with pytest.raises(Conflict, match="no snapshot of it is ready"):
        await station.datasets.ask_for_load(station.caller, made.id, None)
    with pytest.raises(Conflict, match="its snapshot 1 is not ready"):
        await station.datasets.ask_for_load(station.caller, made.id, 1)
    with pytest.raises(NotFound, match="has no snapshot 2"):
        await station.datasets.ask_for_load(station.caller, made.id, 2)


async def test_a_snapshot_whose_run_was_cancelled_has_failed(station):
    made = await station.create()
    run, stored = await station.datasets.ask_for_snapshot(station.caller, made.id)
    assert (await station.datasets.snapshot(station.caller, made.id, stored.number)).state == "taking"

    await station.house.runs.cancel(station.caller, run.run)

    (shown,) = await station.datasets.snapshots(station.caller, made.id, 10, None)
    assert (shown.state, shown.reason) == ("failed", "its run ended before it was taken: take another")
    assert await station.datasets.snapshot(station.caller, made.id, stored.number) == shown


async def test_bad_rows_are_counted_and_the_first_are_listed(station):
    made = await station.create("csv", types={"age": "whole"})
    path = station.yard.lay("people.csv", "id,email,city,age\n" + "C-1,a,b,x\n" * 150 + "C-2,a,b,2\n")

    _, snapshot = await station.snapshot(made.id)

    assert (snapshot.rows, snapshot.bad_rows, len(snapshot.bad)) == (1, 150, 100)
    assert snapshot.bad[0] == {
        "file": str(path),
        "line": 2,
        "code": "type",
        "reason": "`age` is no whole number of 64 bits",
    }


async def test_a_sample_shows_the_first_people_and_is_written_down(station):
    made = await station.ready(count=5)

    rows = await station.datasets.sample(station.caller, made.id, None, 2)

    assert [row["profile"] for row in rows] == [profile(row) for row in people(2).to_pylist()]
    entries = station.house.store.read_now(lambda tx: audit.latest(tx, 1, 1))
    assert (entries[0].action, entries[0].details) == ("sample", {"rows": 2})


@pytest.mark.parametrize("format_", ["parquet", "ndjson", "delta", "iceberg"])
async def test_people_are_loaded_as_if_they_had_been_sent(station, format_):
    if format_ == "iceberg":
        declared_ = station.yard.declared("iceberg", people(7))
        ground = Ground(station.ground.places, Sources(station.yard.sources), station.ground.copies)
        object.__setattr__(station.datasets, "ground", ground)
        made = await station.datasets.create(station.caller, {"name": "people", **declared_})
        await station.snapshot(made.id)
    else:
        made = await station.ready(format_, 7)

    run = await station.load(made.id)

    assert (run.state, run.progress) == (
        "succeeded",
        {"rows": 7, "done": 7, "accepted": 7, "rejected": 0, "rejects": []},
    )
    assert sorted(station.known(), key=lambda one: one["profileId"]) == [profile(row) for row in people(7).to_pylist()]


async def test_what_is_loaded_reaches_the_partner(station):
    await station.house.activate("loyal", mapping=(("identityMap.crmId", "identityMap.id"),))
    documents = [json.dumps(person(number, "loyal")) for number in range(3)]
    path = station.yard.lay("people.ndjson", "\n".join(documents))
    made = await station.datasets.create(
        station.caller, {"name": "people", "format": "ndjson", "location": str(path), "shape": "profiles"}
    )
    await station.snapshot(made.id)

    await station.load(made.id)
    await station.house.run_out()

    assert len(station.house.partner.knows()) == 3


async def test_rows_that_are_refused_are_listed_with_line_and_reason(station):
    lines = ['{"profileId": "1"}', "no", '{"name": "nobody"}', '{"profileId": "2"}', '{"profileId": 3}']
    path = station.yard.lay("people.ndjson", "\n".join(lines))
    made = await station.datasets.create(
        station.caller, {"name": "people", "format": "ndjson", "location": str(path), "shape": "profiles"}
    )
    await station.snapshot(made.id)

    run = await station.load(made.id)

    progress = run.progress
    assert (progress["rows"], progress["done"], progress["accepted"], progress["rejected"]) == (5, 5, 2, 3)
    assert sorted((row["line"], row["code"]) for row in progress["rejects"]) == [
        (2, "json"),
        (3, "no-key"),
        (5, "profile-id"),
    ]
    assert {row["file"] for row in progress["rejects"]} == {str(path)}


async def test_a_load_goes_on_where_it_was_when_the_process_died(station, monkeypatch):
    monkeypatch.setattr(loading, "AT_ONCE", 2)
    made = await station.ready("csv", 7)
    run = await station.datasets.ask_for_load(station.caller, made.id, None)
    taken = []
    take = Loading._take

    async def dies(self, run, steps, part, order):
        await take(self, run, steps, part, order)
        taken.append(len(part))
        if len(taken) == 2:
            raise running.RunLost

    monkeypatch.setattr(Loading, "_take", dies)
    await station.house.carry_runs()
    assert (station.run(run.run).state, station.run(run.run).progress["done"]) == ("running", 4)

    await station.house.carry_runs()

    assert (station.run(run.run).state, station.run(run.run).progress["done"]) == ("succeeded", 7)
    assert taken == [2, 2, 2, 1]
    assert station.known() == [profile(row) for row in people(7).to_pylist()]


async def test_a_part_and_how_far_the_load_has_come_are_kept_together(station, monkeypatch):
    made = await station.ready("csv", 3)
    run = await station.datasets.ask_for_load(station.caller, made.id, None)

    def fails(*_):
        raise RuntimeError

    monkeypatch.setattr("headrace.services.ingestion.keep", fails)
    await station.house.carry_runs()

    assert (station.run(run.run).state, station.known()) == ("failed", [])
    assert station.run(run.run).reason == "internal: RuntimeError"


async def test_a_load_of_a_changed_file_fails_and_says_so(station):
    made = await station.ready("csv", 3)
    os.utime(station.yard.directory / "people.csv", ns=(1, 1))

    run = await station.load(made.id)

    assert run.state == "failed"
    assert "was changed since the snapshot: take a new one" in run.reason


async def test_a_snapshot_is_read_as_its_dataset_was_declared_then(station):
    made = await station.ready("csv", 2)
    others = {**made.document, "attributes": [], "identities": []}
    await station.datasets.replace(station.caller, made.id, others, None)

    await station.load(made.id)

    assert station.known() == [profile(row) for row in people(2).to_pylist()]


async def test_a_dataset_that_is_being_read_is_not_deleted_and_one_that_is_exported_is(station):
    made = await station.create()
    await station.datasets.ask_for_snapshot(station.caller, made.id)
    with pytest.raises(InUse, match="in use by run"):
        await station.datasets.delete(station.caller, made.id, None)
    await station.house.carry_runs()

    named = {"datasets": [{"dataSetId": made.id, "name": "people"}]}
    connection = {"name": "lake", "connectionSpec": {"id": "23598e46-f560-407b-88d5-ea6207e49db0"}, "params": named}
    await sources.create_source(station.house.store, station.house.clock, station.caller, connection)
    await station.datasets.delete(station.caller, made.id, None)
    assert await station.datasets.listing(station.caller) == []


def copies_in(ground):
    return sorted(path.parent.name for path in ground.copies.rglob("part-*"))


async def test_the_answers_of_a_database_are_kept_as_long_as_newer_ones_are_few(station):
    declared_ = station.yard.declared("sql", people(3))
    ground = Ground(station.ground.places, Sources(station.yard.sources), station.ground.copies)
    object.__setattr__(station.datasets, "ground", ground)
    made = await station.datasets.create(station.caller, {"name": "people", **declared_})

    for _ in range(COPIES_KEPT + 2):
        run, _ = await station.snapshot(made.id)
        assert run.state == "succeeded"

    assert copies_in(ground) == ["3", "4", "5"]
    assert len(await station.datasets.sample(station.caller, made.id, None, 10)) == 3
    run = await station.load(made.id, 1)
    assert "is gone: take a new snapshot" in run.reason
    await station.datasets.delete(station.caller, made.id, None)
    assert copies_in(ground) == []


async def test_copies_are_removed_where_somebody_was_erased(station):
    declared_ = station.yard.declared("sql", people(3))
    ground = Ground(station.ground.places, Sources(station.yard.sources), station.ground.copies)
    object.__setattr__(station.datasets, "ground", ground)
    query = await station.datasets.create(station.caller, {"name": "people", **declared_})
    await station.snapshot(query.id)
    file = await station.ready("parquet", name="files")
    assert copies_in(station.ground) == ["1"]

    await station.datasets.forget_copies(station.caller.number)

    assert copies_in(station.ground) == []
    _, snapshot = await station.datasets.read(station.caller, file.id)
    assert snapshot.state == "ready"
    assert (await station.datasets.read(station.caller, query.id))[1] is None
    (failed,) = await station.datasets.snapshots(station.caller, query.id, 10, None)
    assert (failed.state, "erased" in failed.reason) == ("failed", True)
    _, taken = await station.snapshot(query.id)
    assert taken.state == "ready"
