"""The run of an export: what the partner finds in the folder, whatever happens on the way."""

import gzip
import json
from functools import partial

import pytest

from headrace.connect.storage import NotStored
from headrace.connect.storage.local import LocalStorage
from headrace.services.exports import asking, carrying, due
from headrace.store import exports, runs
from headrace.store.backup import aftermath
from unit.services.exports.filing import activate_files, carries_files
from unit.services.house import START, person

NEWS = {"mode": "FIRST_FULL_THEN_INCREMENTAL", "frequency": "EVERY_3_HOURS"}
HOUR = 3600


@pytest.fixture
async def filed(house, tmp_path):
    """A house that writes files into a landing zone."""
    zones = carries_files(house, tmp_path / "partner")
    house.folder = await zones.directory_of(house.caller.tenant)
    house.pass_time(3 * HOUR)
    return house


async def exported(house, hours=24):
    """Let time pass, and carry what is due; return the new files by name, as lines."""
    before = set(house.folder.rglob("*"))
    house.pass_time(hours * HOUR)
    await house.carry_runs()
    await house.carry_runs()
    new = sorted(path for path in house.folder.rglob("*") if path.is_file() and path not in before)
    return {path.name: path.read_text().splitlines() for path in new if not path.name.startswith("manifest")}


async def rows(house, hours=24):
    """The rows of the one new file, without its header."""
    found = await exported(house, hours)
    if not found:
        return []
    ((header, *lines),) = found.values()
    assert header == "crm,city,status"
    return lines


def ended(house):
    found = house.store.read_now(lambda tx: runs.latest(tx, house.caller.number, 1, kind=due.KIND))
    return found[0]


async def test_a_full_file_has_every_member_each_time(filed):
    await activate_files(filed, "a")
    await filed.ingest(person(1, "a", city="Aachen"), person(2, "a", city="Bonn"), person(3, "b"))
    assert await rows(filed) == ["1,Aachen,realized", "2,Bonn,realized"]
    await filed.ingest(person(1, a=False, minute=1), person(2, "a", city="Celle"))
    assert await rows(filed) == ["2,Celle,realized"]


async def test_an_increment_has_what_is_new_since_the_last_that_was_published(filed):
    await activate_files(filed, "a", **NEWS)
    await filed.ingest(person(1, "a"), person(2, "a"))
    assert await rows(filed, 3) == ["1,,realized", "2,,realized"]
    await filed.ingest(person(1, a=False, minute=1), person(3, "a"))
    assert await rows(filed, 3) == ["1,,exited", "3,,realized"]
    assert await rows(filed, 3) == []
    await filed.ingest(person(1, "a", minute=2))
    assert await rows(filed, 3) == ["1,,realized"]


async def test_a_manifest_says_what_there_is(filed):
    await activate_files(filed, "a")
    await filed.ingest(person(1, "a"))
    await exported(filed)
    (path,) = filed.folder.rglob("manifest-*.json")
    said = json.loads(path.read_text())
    run = ended(filed)
    (file,) = said["exportResults"]
    found = filed.folder / file["sinkPath"].strip("/") / file["name"]
    assert said["flowRunId"] == run.run
    assert file["size"] == found.stat().st_size
    assert run.progress["metrics"]["recordSummary"]["outputRecordCount"] == 1


async def test_what_a_storage_refuses_is_in_the_next_file(filed):
    await activate_files(filed, "a", **NEWS)
    await filed.ingest(person(1, "a"))
    in_the_way = filed.folder / "out"
    in_the_way.write_text("no folder")
    filed.pass_time(3 * HOUR)
    await filed.carry_runs()
    assert ended(filed).state == "failed"
    in_the_way.unlink()
    assert await rows(filed, 3) == ["1,,realized"]


async def test_a_storage_that_cannot_be_reached_is_asked_again_for_the_same_files(filed, monkeypatch):
    await activate_files(filed, "a", **NEWS)
    await filed.ingest(person(1, "a"))

    async def unreached(*_, **__):
        raise NotStored("unreached", "the storage was not reached")

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "stage", unreached)
        assert await exported(filed, 3) == {}
    known = filed.store.read_now(lambda tx: runs.latest(tx, filed.caller.number, 2, kind=due.KIND))
    first, again = sorted(known, key=lambda run: run.due_at)
    assert (first.state, first.reason, again.retry_of) == ("failed", "the storage was not reached", first.run)
    assert await rows(filed, 0.02) == ["1,,realized"]
    (name,) = [path.name for path in filed.folder.rglob("*.csv")]
    assert name == "a_20260320_154640.csv", "its first moment names it"


async def test_what_is_shown_and_not_published_is_told_again(filed, monkeypatch):
    """A process dies between the files and the store: whoever they have is told as they are by the next ones."""
    await activate_files(filed, "a", **NEWS)
    await filed.ingest(person(1, "a"))
    assert await rows(filed, 3) == ["1,,realized"]
    await filed.ingest(person(2, "a"))
    with monkeypatch.context() as patch:
        patch.setattr(exports, "publish", fails)
        assert await rows(filed, 3) == ["2,,realized"]
        assert ended(filed).state == "failed"
    await filed.ingest(person(2, a=False, minute=1))
    assert await rows(filed, 3) == ["2,,exited"]


def fails(*_):
    raise RuntimeError


async def test_after_a_restore_whoever_files_may_have_is_told_again(filed):
    """Files after the backup said that 3 came and left, that 2 left, and that 4 came: nobody knows that any more."""
    await activate_files(filed, "a", **NEWS)
    await filed.ingest(person(1, "a"), person(2, "a"), person(3), person(4), person(5, a=False))
    assert await rows(filed, 3) == ["1,,realized", "2,,realized"]
    filed.store.write_now(lambda tx: aftermath.begin_anew(tx, START, filed.clock.now(), "restored"))
    await filed.ingest(person(2, a=False, minute=3), person(3, a=False, minute=2), person(4, "a", minute=1))
    assert await rows(filed, 3) == [], "it is held"
    await filed.switch(True)
    assert await exported(filed, 0) == {}, "it is not known yet whom files may have"

    (told,) = [lines[1:] for lines in (await exported(filed, 0.1)).values()]
    assert told == ["1,,realized", "2,,exited", "3,,exited", "4,,realized"]
    assert await rows(filed, 3) == []


async def test_after_a_restore_from_before_the_first_file_who_left_since_is_told(filed):
    await activate_files(filed, "a", **NEWS)
    await filed.ingest(person(1, "a"), person(2))
    filed.store.write_now(lambda tx: aftermath.begin_anew(tx, START, filed.clock.now(), "restored"))
    await filed.ingest(person(2, a=False, minute=3))
    await filed.switch(True)
    await filed.carry_runs()

    assert await rows(filed, 3) == ["1,,realized", "2,,exited"]


async def test_the_receipt_of_an_erasure_says_which_files_have_somebody(filed):
    await activate_files(filed, "a", "b", **NEWS)
    await filed.ingest(person(1, "a"), person(2, "b"), person(3))
    await exported(filed, 3)

    said = {}
    for number in (1, 3, 9):
        id_ = await erased(filed, number)
        (told,) = (await filed.erasures.get(filed.caller, id_)).receipts
        said[number] = (told.state, told.reason)

    assert said[1][0] == "cannot-be-told"
    assert said[1][1].startswith("files have them in A; no file from now on does")
    assert said[3] == (
        "unknown",
        "the last files do not have them as a member; older ones, which stay with the partner, may",
    )
    assert said[9] == ("unknown", None), "nobody was known"
    assert all("1" not in line for lines in (await exported(filed, 3)).values() for line in lines[1:])


async def erased(house, number):
    """Erase somebody, and return the id of the erasure."""
    report = await house.erasures.ask(house.caller, {"profile": f"crmId:{number}"})
    await house.carry_runs()
    return report.erasure.erasure


async def test_files_that_are_called_the_same_take_the_place_of_the_last(filed):
    batch = {"filenameConfig": {"allowedFilenameAppendOptions": ["SEGMENT_NAME"], "defaultFilenameAppendOptions": [],
        "defaultFilename": "%SEGMENT_ID%"}}  # fmt: skip
    await activate_files(filed, "a", batch=batch)
    await filed.ingest(person(1, "a"))
    assert list(await exported(filed)) == ["a.csv"]
    stale = filed.folder / "out" / "a" / "a_2.csv"
    stale.write_text("an older and longer set")
    await filed.ingest(person(1, a=False, minute=1), person(2, "a"))
    await exported(filed)
    assert stale.with_name("a.csv").read_text().splitlines() == ["crm,city,status", "2,,realized"]
    assert not stale.exists()


async def test_a_run_that_is_cancelled_leaves_nothing(filed, monkeypatch):
    await activate_files(filed, "a")
    await filed.ingest(person(1, "a"))

    def cancel(point):
        if point == "after_export_staged":
            now, run = filed.clock.now(), ended(filed).run
            filed.store.write_now(lambda tx: runs.end(tx, run, "cancelled", now))

    monkeypatch.setattr(carrying, "crashpoint", cancel)
    assert await exported(filed) == {}
    assert [path for path in filed.folder.rglob("*") if path.is_file()] == []
    assert filed.store.read_now(lambda tx: exports.get(tx, filed.caller.number, 1, 1)) is None


async def test_files_may_be_packed(filed):
    packed = {"compression": {"templatingStrategy": "NONE", "value": "gzip"}}
    await activate_files(filed, "a", formats=packed)
    await filed.ingest(person(1, "a"))
    filed.pass_time(24 * HOUR)
    await filed.carry_runs()
    (path,) = filed.folder.rglob("*.csv.gz")
    assert gzip.decompress(path.read_bytes()) == b"crm,city,status\n1,,realized\n"


async def now(house, *ids):
    """Have files written besides the schedule; return the run once it has ended."""
    (asked,) = await asking.export_now(house.store, house.clock, house.caller, {house.flows["flow"]: ids or None})
    await house.carry_runs()
    return house.store.read_now(lambda tx: runs.get(tx, asked.run.run))


def lying(house):
    """The files that lie there, by name."""
    return {path.name: path.read_text() for path in house.folder.rglob("*.csv")}


async def test_two_exports_within_one_second_have_two_names(filed):
    await activate_files(filed, "a")
    await filed.ingest(person(1, "a"))
    first, second = await now(filed), await now(filed)
    assert [first.state, second.state] == ["succeeded", "succeeded"]
    assert [*lying(filed)] == ["a_20260320_124640.csv", "a_20260320_124641.csv"]
    (file,) = second.progress["files"]
    assert file["path"].endswith("a_20260320_124641.csv")


async def test_another_s_file_stays_also_when_the_run_is_tried_again(filed):
    """Names have the day alone, so there is no other for this one."""
    await activate_files(filed, "a", called="%SEGMENT_ID%_%DATETIME(YYYYMMdd)%")
    await filed.ingest(person(1, "a"))
    (filed.folder / "out" / "a").mkdir(parents=True)
    theirs = filed.folder / "out" / "a" / "a_20260320.csv"
    theirs.write_text("of somebody else")
    run = await now(filed)
    assert (run.state, "already" in run.reason, run.progress["cause"]) == ("failed", True, "exists")
    again = await filed.runs.retry(filed.caller, run.run)
    await filed.carry_runs()
    assert filed.store.read_now(lambda tx: runs.get(tx, again.run)).state == "failed"
    assert theirs.read_text() == "of somebody else"


async def test_who_publishes_at_the_same_moment_keeps_the_name(filed, monkeypatch):
    """Somebody else has a file of the name between the look and the end: no part of ours stays beside it."""
    monkeypatch.setattr(carrying, "Manner", partial(carrying.Manner, max_rows=1))
    await activate_files(filed, "a")
    await filed.ingest(person(1, "a"), person(2, "a"))
    theirs = filed.folder / "out" / "a" / "a_20260320_124640_2.csv"

    def interfere(point):
        if point == "after_export_shown" and not theirs.exists():
            theirs.write_text("of somebody else")

    monkeypatch.setattr(carrying, "crashpoint", interfere)
    assert (await now(filed)).state == "succeeded"
    found = lying(filed)
    assert found.pop(theirs.name) == "of somebody else"
    assert sorted(found) == ["a_20260320_124641.csv", "a_20260320_124641_2.csv"]


async def test_what_was_shown_is_replaced_when_the_run_is_tried_again(filed, monkeypatch):
    await activate_files(filed, "a")
    await filed.ingest(person(1, "a"))
    with monkeypatch.context() as patch:
        patch.setattr(carrying.trying, "write_manifest", fails)
        run = await now(filed)
    assert (run.state, len(lying(filed))) == ("failed", 1)
    filed.pass_time(HOUR)
    await filed.runs.retry(filed.caller, run.run)
    await filed.carry_runs()
    assert [*lying(filed)] == ["a_20260320_124640.csv"]
