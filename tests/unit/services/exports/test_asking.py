"""Exports that somebody asks for: the files of audiences now, whole, and once at a time."""

import pytest

from headrace.errors import Conflict, NotFound, RequestError
from headrace.services import activation
from headrace.services.exports import due
from headrace.services.exports.asking import MOST, export_now
from headrace.services.sending_again import NotCarried
from headrace.store import audit, export_schedules, runs
from unit.services.exports.filing import activate_files
from unit.services.exports.test_due import at

SELECTORS = "/transformations/0/params/segmentSelectors/selectors"


async def ask(house, *names, flow="flow"):
    return await export_now(house.store, house.clock, house.caller, {house.flows[flow]: names or None})


def end(house, run, state="succeeded"):
    house.store.write_now(lambda tx: runs.end(tx, run.run, state, house.clock.now()))


async def change(house, *operations):
    stored = await activation.get(house.store, house.caller, house.flows["flow"])
    version = activation.etag(stored)
    return await activation.patch(house.store, house.clock, house.caller, stored.id, version, [*operations])


async def test_each_audience_has_a_run_besides_its_schedule(house):
    await activate_files(house, "a", "b")
    before = house.store.read_now(lambda tx: export_schedules.of_dataflow(tx, house.caller.number, 1))

    asked = await ask(house, "a", "b")

    assert [item.audience for item in asked] == ["a", "b"]
    assert [(item.run.kind, item.run.subject["audiences"]) for item in asked] == [(due.KIND, [1]), (due.KIND, [2])]
    assert all(item.run.subject["besides"] and item.run.subject["slot"] is None for item in asked)
    assert house.store.read_now(lambda tx: export_schedules.of_dataflow(tx, house.caller.number, 1)) == before


async def test_without_a_choice_all_whose_dates_are_today(house):
    await activate_files(house, "a", "b")
    late = {"frequency": "DAILY", "startDate": "2031-01-01", "startTime": "00:00"}
    await change(house, {"op": "replace", "path": f"{SELECTORS}/1/value/schedule", "value": late})

    assert [item.audience for item in await ask(house)] == ["a"]


async def test_audiences_that_share_a_file_share_a_run(house):
    names = {"allowedFilenameAppendOptions": ["DATETIME"], "defaultFilenameAppendOptions": []}
    batch = {"segmentGroupingEnabled": True, "filenameConfig": {**names, "defaultFilename": "%MERGE_POLICY_ID%"}}
    await activate_files(house, "a", "b", "c", batch=batch)

    asked = await ask(house, "a", "c")

    assert len({item.run.run for item in asked}) == 1
    assert asked[0].run.subject["audiences"] == [1, 3]


async def test_one_run_of_an_audience_at_a_time(house):
    await activate_files(house, "a", "b")
    (first,) = await ask(house, "a")

    with pytest.raises(Conflict) as refused:
        await ask(house, "b", "a")

    flow = house.flows["flow"]
    expected = f"Run already going on for audience `a` for order `{flow}` with run id `{first.run.run}`"
    assert refused.value.message == expected
    assert len(house.store.read_now(lambda tx: runs.latest(tx, house.caller.number, 10))) == 1  # Nothing of `b` either.
    end(house, first.run)
    assert len(await ask(house, "b", "a")) == 2


async def test_a_run_of_the_schedule_counts_too(house):
    await activate_files(house, "a")
    house.clock.at = at("2026-03-20T12:00")
    house.store.write_now(lambda tx: due.ask_due(tx, house.clock.now()))

    with pytest.raises(Conflict, match="Run already going on"):
        await ask(house, "a")


async def test_while_it_goes_on_the_schedule_waits_and_then_makes_up_for_it(house):
    await activate_files(house, "a")
    (asked,) = await ask(house, "a")
    house.clock.at = at("2026-03-20T12:00")
    assert house.store.write_now(lambda tx: due.ask_due(tx, house.clock.now())) == []
    end(house, asked.run)
    house.pass_time(60)
    (run,) = house.store.write_now(lambda tx: due.ask_due(tx, house.clock.now()))
    assert run.subject["slot"] == at("2026-03-20T12:00")


async def test_who_is_not_sent_or_not_today_is_named(house):
    await activate_files(house, "a", "b")

    with pytest.raises(RequestError) as refused:
        await ask(house, "x", "a", "y", "c")

    assert refused.value.message == "Segments `x, y, c` are not part of this dataflow or out of schedule range!"


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [("2026-03-19T23:59", False), ("2026-03-20T00:00", True), ("2026-03-21T23:59", True), ("2026-03-22T00:00", False)],
)
async def test_today_has_to_lie_between_the_dates_of_which_the_end_is_none(house, moment, is_open):
    await activate_files(house, "a", endDate="2026-03-22")
    house.clock.at = at(moment)
    if is_open:
        assert len(await ask(house, "a")) == 1
    else:
        with pytest.raises(RequestError, match="out of schedule range!"):
            await ask(house, "a")


async def test_an_external_audience_is_named_by_either_id(house):
    await activate_files(house, "theirs", "other")
    external = {"op": "add", "path": f"{SELECTORS}/0/value/systemSegmentId", "value": "other"}
    await change(house, external)

    (asked,) = await ask(house, "other")  # The platform's own id goes before one that others gave.
    assert asked.run.subject["audiences"] == [1]
    end(house, asked.run)
    (asked,) = await ask(house, "theirs")
    assert asked.run.subject["audiences"] == [1]
    end(house, asked.run)
    (asked,) = await ask(house, "ups:other")
    assert asked.run.subject["audiences"] == [2]


async def test_named_twice_it_is_written_once(house):
    await activate_files(house, "a")
    assert len(await ask(house, "a", "ups:a", "a")) == 1


async def test_eighty_audiences_of_all_dataflows_are_the_most(house):
    await activate_files(house, "a")
    with pytest.raises(RequestError, match=f"81 audiences are more than the {MOST}"):
        await ask(house, *map(str, range(MOST + 1)))
    with pytest.raises(RequestError, match="not part of this dataflow"):
        await ask(house, *map(str, range(MOST)))


async def test_only_what_writes_files_and_goes(house):
    await activate_files(house, "a")
    await house.activate("a", name="messages")
    with pytest.raises(NotCarried, match="activate-now"):
        await ask(house, "a", flow="messages")
    with pytest.raises(NotFound):
        await export_now(house.store, house.clock, house.caller, {"nowhere": ["a"]})
    await activation.switch(house.store, house.clock, house.caller, house.flows["flow"], on=False)
    with pytest.raises(Conflict, match="enable it first"):
        await ask(house, "a")


async def test_the_audit_says_who_asked(house):
    await activate_files(house, "a")
    await ask(house, "a")
    entries = house.store.read_now(lambda tx: audit.latest(tx, house.caller.tenant.organization_number, 100))
    (entry,) = [entry for entry in entries if entry.action == "export-now"]
    assert (entry.actor, entry.details) == (house.caller.actor, {"audiences": ["a"]})
