"""When files are due: each slot has its run once, whoever looks, and what was missed is made up for once."""

from datetime import UTC, datetime

import pytest

from headrace.services.exports import due
from headrace.store import export_schedules, exports, runs
from headrace.store.exports import Published
from unit.services.exports.filing import activate_files, scheduled

HOUR = 3600
SELECTORS = "/transformations/0/params/segmentSelectors/selectors"


def at(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def asked(house):
    """The runs that were asked for: which audiences, and for which slot."""
    found = house.store.read_now(lambda tx: runs.latest(tx, house.caller.number, 100, kind=due.KIND))
    slots = [(run.subject["audiences"], run.subject["slot"], run.subject["besides"]) for run in found]
    return sorted(slots, key=lambda item: (item[1], item[0]))


def look(house, *, ends=True):
    """Look for what is due, as ``Runs`` does; with ``ends``, whatever was asked for is done."""
    now = house.clock.now()
    found = house.store.write_now(lambda tx: due.ask_due(tx, now))
    if ends:
        house.store.write_now(lambda tx: [runs.end(tx, run.run, "succeeded", now) for run in found])
    return found


def standing(house, audience=1, dataflow=1):
    return house.store.read_now(lambda tx: export_schedules.get(tx, house.caller.number, dataflow, audience))


async def test_a_file_is_due_at_its_time_and_once(house):
    await activate_files(house, "a")
    assert look(house) == []
    house.clock.at = at("2026-03-20T12:00")
    assert len(look(house)) == 1
    assert look(house) == []
    assert asked(house) == [([1], at("2026-03-20T12:00"), False)]
    assert standing(house).next_at == at("2026-03-21T12:00")


async def test_each_audience_has_a_run_of_its_own(house):
    await activate_files(house, "a", "b")
    house.clock.at = at("2026-03-20T12:00")
    look(house)
    assert [audiences for audiences, _, _ in asked(house)] == [[1], [2]]


async def test_audiences_that_share_a_file_have_one_run(house):
    names = {"allowedFilenameAppendOptions": ["DATETIME"], "defaultFilenameAppendOptions": []}
    batch = {"segmentGroupingEnabled": True, "filenameConfig": {**names, "defaultFilename": "%MERGE_POLICY_ID%"}}
    await activate_files(house, "a", "b", batch=batch)
    house.clock.at = at("2026-03-20T12:00")
    look(house)
    assert asked(house) == [([1, 2], at("2026-03-20T12:00"), False)]


async def test_one_run_makes_up_for_what_nobody_looked_for(house):
    await activate_files(house, "a")
    house.clock.at = at("2026-03-25T11:00")
    look(house)
    assert asked(house) == [([1], at("2026-03-24T12:00"), False)]
    assert standing(house).missed == 4


async def test_while_a_run_is_under_way_no_other_is_asked_for(house):
    await activate_files(house, "a", mode="FIRST_FULL_THEN_INCREMENTAL", frequency="EVERY_3_HOURS")
    house.clock.at = at("2026-03-20T12:00")
    (run,) = look(house, ends=False)
    house.clock.at = at("2026-03-20T18:30")
    assert look(house) == []
    house.store.write_now(lambda tx: runs.end(tx, run.run, "failed", house.clock.now(), "why"))
    house.pass_time(15)
    look(house)
    assert [slot for _, slot, _ in asked(house)] == [at("2026-03-20T12:00"), at("2026-03-20T18:00")]
    assert standing(house).missed == 1


async def test_the_end_date_is_the_first_day_without(house):
    await activate_files(house, "a", endDate="2026-03-22")
    for day in ("20", "21", "22", "23"):
        house.clock.at = at(f"2026-03-{day}T12:00")
        look(house)
    assert [slot for _, slot, _ in asked(house)] == [at("2026-03-20T12:00"), at("2026-03-21T12:00")]
    assert standing(house).next_at is None


async def test_once_is_once(house):
    await activate_files(house, "a", frequency="ONCE", start="2026-03-01")
    look(house)
    house.pass_time(1000 * HOUR)
    look(house)
    assert len(asked(house)) == 1


async def test_a_dataflow_that_does_not_go_waits_and_then_has_one_file(house):
    await activate_files(house, "a")
    await house.switch(False)
    house.clock.at = at("2026-03-22T13:00")
    assert look(house) == []
    await house.switch(True)
    look(house)
    assert asked(house) == [([1], at("2026-03-22T12:00"), False)]


async def test_other_dates_begin_anew(house):
    await activate_files(house, "a")
    value = scheduled(time="15:00")["schedule"]
    await house.patch({"op": "replace", "path": f"{SELECTORS}/0/value/schedule", "value": value})
    house.clock.at = at("2026-03-20T12:30")
    assert look(house) == []
    house.clock.at = at("2026-03-20T15:00")
    assert len(look(house)) == 1


async def test_what_does_not_change_the_dates_leaves_them(house):
    await activate_files(house, "a")
    house.clock.at = at("2026-03-20T13:00")
    await house.patch({"op": "replace", "path": "/name", "value": "other"})
    assert len(look(house)) == 1


@pytest.mark.parametrize("frequency", ["ONCE", "DAILY"])
async def test_a_file_follows_an_evaluation(house, frequency):
    await activate_files(house, "a", frequency=frequency, time=None, triggerType="AFTER_SEGMENT_EVAL")
    assert look(house) == []
    for _ in range(2):
        house.pass_time(HOUR)
        house.store.write_now(lambda tx: due.after_evaluation(tx, house.caller.number, 1, house.clock.now()))
        look(house)
        assert look(house) == []
    assert len(asked(house)) == (1 if frequency == "ONCE" else 2)


async def test_an_audience_that_is_taken_out_is_forgotten(house):
    await activate_files(house, "a", "b")
    published = Published(1, None, "r", 1)
    house.store.write_now(lambda tx: exports.publish(tx, house.caller.number, 1, 1, published, []))
    await house.unmap_audience(0)
    assert standing(house) is None
    assert house.store.read_now(lambda tx: exports.get(tx, house.caller.number, 1, 1)) is None
    assert standing(house, audience=2) is not None


async def test_a_dataflow_that_is_deleted_has_no_files_any_more(house):
    await activate_files(house, "a")
    house.clock.at = at("2026-03-20T12:00")
    (run,) = look(house, ends=False)
    await house.delete()
    house.pass_time(100 * HOUR)
    assert look(house) == []
    assert house.store.read_now(lambda tx: runs.get(tx, run.run)).state == "cancelled"


async def test_nothing_is_sent_as_messages(house):
    await activate_files(house, "a")
    assert house.rows("SELECT count(*) FROM runs WHERE kind = 'backfill'") == [(0,)]
    assert house.store.read_now(lambda tx: house.live.of(tx, house.caller.number)) == {}
