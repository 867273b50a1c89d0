"""Exports of datasets: what the partner finds in the folder, and what was added since, whatever happens on the way."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headrace.connect.storage import NotStored
from headrace.connect.storage.local import LocalStaged
from headrace.model.problem import ConfigurationError
from headrace.services import activation
from headrace.services.exports import carrying_datasets, due, looks
from headrace.store import exported_datasets, runs
from unit.services.exports.sending_datasets import JSON, ONCE, PARQUET, Lake, people, read, text
from unit.services.house import person


@pytest.fixture
async def lake(house, tmp_path):
    return await Lake(house, tmp_path).open()


async def laid(lake, **more):
    """A dataset of two files that was looked at and is exported, and its whole export."""
    lake.lay("people", "a.parquet", people(1, 2))
    lake.lay("people", "b.parquet", people(3))
    id_ = await lake.dataset()
    await lake.look(id_)
    await lake.export(id_, **more)
    assert await lake.rows() == people(1, 2, 3)
    return id_


# -- what was added ---------------------------------------------------------------------------------------------------


async def test_the_first_export_has_all_rows_and_later_ones_what_was_added(lake):
    id_ = await laid(lake)
    assert lake.told == [("whole", 3)]
    lake.lay("people", "c.parquet", people(4, 5))
    await lake.look(id_)
    assert await lake.rows() == people(4, 5)
    assert lake.told == [("files", 2)]


async def test_where_nobody_has_looked_there_is_nothing_new(lake):
    id_ = await laid(lake)
    lake.lay("people", "c.parquet", people(4))
    assert await lake.pass_slot() == []
    assert (lake.last.state, lake.told) == ("succeeded", [("nothing-new", 0)])
    await lake.look(id_)
    assert await lake.rows() == people(4)


async def test_a_snapshot_of_the_same_files_adds_no_file_and_the_manifest_says_so(lake):
    id_ = await laid(lake)
    await lake.look(id_)
    assert await lake.pass_slot() == []
    assert (lake.told, lake.published()) == ([("files", 0)], {id_: 2})
    empty = [said for said in lake.manifests() if not said["exportResults"]]
    assert [(said["flowRunId"], said["x-headrace"]) for said in empty] == [(lake.last.run, {"files": 0, "rows": 0})]
    assert lake.last.progress["metrics"]["recordSummary"]["outputRecordCount"] == 0


async def test_snapshots_in_between_are_made_up_for(lake):
    id_ = await laid(lake)
    for number in (4, 5):
        lake.lay("people", f"{number}.parquet", people(number))
        await lake.look(id_)
    assert await lake.rows() == people(4, 5)
    assert lake.published() == {id_: 3}


async def selected(lake, *rows):
    """A dataset of a table that is exported, and its whole export."""
    id_ = await lake.table(*rows)
    await lake.look(id_)
    await lake.export(id_)
    assert await lake.rows() == list(rows)
    return id_


async def test_where_there_is_no_telling_files_apart_rows_are_compared(lake):
    id_ = await selected(lake, *people(1, 2, 3))
    lake.insert(*people(3, 4))
    lake.run("UPDATE people SET age = 20 WHERE id = 'C-2'")
    lake.run("DELETE FROM people WHERE id = 'C-1'")
    await lake.look(id_)
    changed = {**people(2)[0], "age": 20}
    assert sorted(await lake.rows(), key=str) == sorted([changed, *people(3, 4)], key=str)
    assert lake.told == [("rows", 3)]
    await lake.look(id_)
    assert (await lake.pass_slot(), lake.told) == ([], [("rows", 0)])


async def test_the_copies_that_were_exported_are_kept_as_long_as_they_are_needed(lake):
    id_ = await selected(lake, *people(1))
    for number in range(2, 7):
        lake.insert(*people(number))
        await lake.look(id_)
    assert sorted(row["id"] for row in await lake.rows()) == [f"C-{number}" for number in range(2, 7)]
    assert lake.told == [("rows", 5)]


async def test_a_snapshot_that_is_gone_means_whole_again_and_that_is_said(lake):
    id_ = await laid(lake)
    lake.lay("people", "a.parquet", people(7))
    await lake.look(id_)
    assert await lake.rows() == people(7, 3)
    assert lake.told == [("whole", 2)]
    (warning,) = lake.last.progress["warnings"]
    assert "exported whole: what was exported last cannot be read any more" in warning
    lake.lay("people", "c.parquet", people(8))
    await lake.look(id_)
    assert await lake.rows() == people(8)


async def test_other_columns_mean_whole_again(lake):
    id_ = await selected(lake, *people(1))
    document = {"name": "people", "format": "sql", "source": "crm", "key": "id"}
    other = {**document, "query": "SELECT id, email, CAST(age AS TEXT) AS age FROM people ORDER BY id"}
    await lake.datasets.replace(lake.house.caller, id_, other, None)
    await lake.look(id_)
    assert await lake.rows() == [{**people(1)[0], "age": "1"}]
    assert "its columns are others than before" in lake.last.progress["warnings"][0]


async def test_a_new_column_is_compared_with_nothing(lake):
    id_ = await selected(lake, *people(1, 2))
    lake.run("ALTER TABLE people ADD COLUMN city TEXT")
    lake.run("UPDATE people SET city = 'Bern' WHERE id = 'C-2'")
    document = {"name": "people", "format": "sql", "source": "crm", "key": "id"}
    await lake.datasets.replace(lake.house.caller, id_, {**document, "query": "SELECT * FROM people ORDER BY id"}, None)
    await lake.look(id_)
    assert await lake.rows() == people(2, city="Bern")


async def test_a_run_that_failed_in_between_loses_nothing(lake, monkeypatch):
    id_ = await laid(lake)
    lake.lay("people", "c.parquet", people(4))
    await lake.look(id_)
    with monkeypatch.context() as patch:
        patch.setattr(LocalStaged, "publish", full)
        assert await lake.pass_slot() == []
    assert (lake.last.state, lake.published()) == ("failed", {id_: 1})
    lake.lay("people", "d.parquet", people(5))
    await lake.look(id_)
    assert await lake.rows() == people(4, 5)


async def full(self):
    await self.discard()
    raise NotStored("full", "there is no room")


async def test_a_run_that_died_after_its_files_were_seen_writes_them_again_under_their_names(lake, monkeypatch):
    id_ = await laid(lake)
    lake.lay("people", "c.parquet", people(4))
    await lake.look(id_)
    with monkeypatch.context() as patch:
        patch.setattr(exported_datasets, "put", fails)
        seen = await lake.pass_slot()
    assert (lake.last.state, lake.published()) == ("failed", {id_: 1})
    lake.house.pass_time(1)
    await lake.house.runs.retry(lake.house.caller, lake.last.run)
    assert await lake.pass_slot(0) == []
    assert (lake.last.state, lake.published()) == ("succeeded", {id_: 2})
    assert [row for path in seen for row in pq.read_table(path).to_pylist()] == people(4)


def fails(*_):
    raise RuntimeError


async def test_a_run_that_is_cancelled_leaves_nothing(lake, monkeypatch):
    id_ = await laid(lake)
    lake.lay("people", "c.parquet", people(4))
    await lake.look(id_)

    def cancel(point):
        if point == "after_export_staged":
            now, run = lake.house.clock.now(), lake.last.run
            lake.house.store.write_now(lambda tx: runs.end(tx, run, "cancelled", now))

    with monkeypatch.context() as patch:
        patch.setattr(carrying_datasets, "crashpoint", cancel)
        assert await lake.pass_slot() == []
    assert lake.published() == {id_: 1}
    assert [path for path in lake.folder.rglob(".*") if path.is_file()] == []
    assert await lake.rows() == people(4)


async def test_a_storage_that_cannot_be_reached_is_asked_again_under_the_same_names(lake, monkeypatch):
    lake.lay("people", "a.parquet", people(1))
    id_ = await lake.dataset()
    await lake.look(id_)
    await lake.export(id_)
    with monkeypatch.context() as patch:
        patch.setattr(LocalStaged, "publish", unreached)
        assert await lake.pass_slot() == []
    (failed,) = asked(lake, "failed")
    (again,) = asked(lake, "asked")
    assert (again.retry_of, again.subject["export"]) == (failed.run, failed.run)
    assert again.due_at > lake.house.clock.now()
    (path,) = await lake.pass_slot(1)
    assert read(path) == people(1)
    assert asked(lake, "succeeded")[0].retry_of == failed.run


async def unreached(self):
    await self.discard()
    raise NotStored("unreached", "nobody answers")


def asked(lake, state):
    number = lake.house.caller.number
    return lake.house.store.read_now(lambda tx: runs.latest(tx, number, 10, kind=due.KIND, state=state))


# -- several datasets -------------------------------------------------------------------------------------------------


async def test_all_datasets_of_a_dataflow_have_one_run_and_a_folder_each(lake):
    lake.lay("people", "a.parquet", people(1))
    lake.lay("events", "a.parquet", people(2))
    ids = [await lake.dataset("people"), await lake.dataset("events")]
    await lake.look(*ids)
    await lake.export(*ids)
    found = await lake.pass_slot()
    moment = datetime.fromtimestamp(lake.last.subject["moment"] / 1000, UTC).strftime("exportTime=%Y%m%d%H%M")
    assert {(path.parent.parent.name, path.parent.name) for path in found} == {(id_, moment) for id_ in ids}
    assert all(re.fullmatch("part-00001-[0-9a-f]{32}.gz.parquet", path.name) for path in found)
    assert len({path.name for path in found}) == 2
    assert len(lake.manifests()) == 2


async def test_the_operator_names_the_folder(lake):
    lake.lay("people", "a.parquet", people(1))
    id_ = await lake.dataset()
    await lake.look(id_)
    await lake.export(id_, foldernameTemplate="%DESTINATION%_%DATASET_NAME%_%day of%")
    (path,) = await lake.pass_slot()
    assert path.parent.name == "flow_dataset 1_day of"


async def test_what_was_deleted_or_never_looked_at_is_left_out_and_that_is_said(lake):
    lake.lay("people", "a.parquet", people(1))
    ids = [await lake.dataset(), await lake.dataset(), await lake.dataset()]
    await lake.look(*ids[:2])
    await lake.export(*ids)
    await lake.datasets.delete(lake.house.caller, ids[0], None)
    assert await lake.rows() == people(1)
    assert lake.last.progress["warnings"] == [
        "'dataset 1' was left out: the dataset was deleted: take it out of the dataflow",
        "'dataset 3' was left out: no snapshot of it is ready: take one",
    ]
    await lake.datasets.delete(lake.house.caller, ids[1], None)
    await lake.pass_slot()
    assert lake.last.state == "failed"
    assert lake.last.reason.startswith("there is nothing to export: 'dataset 1': the dataset was deleted")


# -- what is written --------------------------------------------------------------------------------------------------


async def test_nested_columns_are_kept_in_both_formats(lake):
    rows = [{"id": "C-1", "home": {"city": "Bern", "zip": None}, "likes": ["tea"], "extra": [("a", 1)]}]
    fields = [("id", pa.string()), ("home", pa.struct([("city", pa.string()), ("zip", pa.int64())]))]
    fields += [("likes", pa.list_(pa.string())), ("extra", pa.map_(pa.string(), pa.int64()))]
    lake.lay("nested", "a.parquet", rows, pa.schema(fields))
    id_ = await lake.dataset("nested", identities=[])
    await lake.look(id_)
    await lake.export(id_, formats=PARQUET)
    assert await lake.rows() == rows
    await activation.delete(lake.house.store, lake.house.clock, lake.house.caller, lake.house.flows["flow"])
    await lake.export(id_, formats=JSON)
    assert await lake.rows() == [{"id": "C-1", "home": {"city": "Bern"}, "likes": ["tea"], "extra": {"a": 1}}]


def in_parts_of(rows, monkeypatch):
    """Have files end after so many rows."""
    look_of = looks.look_of_datasets
    monkeypatch.setattr(
        carrying_datasets, "look_of_datasets", lambda look, values: replace(look_of(look, values), max_rows=rows)
    )


async def test_files_are_split_by_rows_and_an_older_longer_set_gives_way(lake, monkeypatch):
    lake.lay("people", "a.parquet", people(*range(5)))
    id_ = await lake.dataset()
    await lake.look(id_)
    await lake.export(id_)
    in_parts_of(2, monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(exported_datasets, "put", fails)
        assert [len(pq.read_table(path)) for path in await lake.pass_slot()] == [2, 2, 1]
    in_parts_of(4, monkeypatch)
    lake.house.pass_time(1)
    await lake.house.runs.retry(lake.house.caller, lake.last.run)
    await lake.pass_slot(0)
    assert [len(pq.read_table(path)) for path in lake.files()] == [4, 1]


async def test_a_dataset_is_written_once_and_whole(lake):
    lake.lay("people", "a.parquet", people(1))
    id_ = await lake.dataset()
    await lake.look(id_)
    await lake.export(id_, schedule=ONCE)
    assert await lake.rows() == people(1)
    assert await lake.pass_slot(48) == []


async def test_of_events_the_last_year_is_written(lake):
    now = lake.house.clock.now() // 1000
    days = [{"id": f"C-{age}", "at": datetime.fromtimestamp(now - age * 86400, UTC)} for age in (1, 364, 366)]
    lake.lay("events", "a.parquet", [*days, {"id": "C-0", "at": None}])
    id_ = await lake.dataset("events", identities=[], timestamp="at")
    await lake.look(id_)
    await lake.export(id_)
    assert [row["id"] for row in await lake.rows()] == ["C-1", "C-364", "C-0"]


async def test_who_was_erased_is_in_no_file(lake):
    lake.lay("people", "a.parquet", people(1, 2, 3))
    id_ = await lake.dataset()
    await lake.look(id_)
    await lake.house.ingest(person(9, email=["p2@example.com"]))
    await lake.house.erase(namespace="Email", id="p2@example.com")
    await lake.look(id_)
    await lake.export(id_)
    assert await lake.rows() == people(1, 3)
    assert lake.last.progress["metrics"]["recordSummary"]["skippedRecordCount"] == 1


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formats", "word"),
    [({"fileType": text("CSV")}, "csv"), ({"fileType": text("JSON")}, "compressed")],
)
async def test_datasets_in_other_formats_are_refused_before_any_run(lake, formats, word):
    with pytest.raises(ConfigurationError, match=word):
        await lake.target(formats)


async def test_columns_that_the_engine_would_mix_up_are_refused_by_name(lake):
    lake.lay("people", "a.parquet", [{"id": "C-1", "email": "one@harbor.test", "Email": "two@harbor.test"}])
    id_ = await lake.dataset()
    await lake.look(id_)

    await lake.export(id_)

    assert await lake.pass_slot() == []
    assert lake.last.state == "failed"
    assert "two columns are named `Email`, in whatever case of letters; rename one" in lake.last.reason
