"""Who is in an audience is found out by a query, taken in once whoever dies, and held where very many would leave."""

import itertools
import shutil

import pytest

from headrace.datasets.engine import BadQuery
from headrace.errors import Conflict
from headrace.services.audiences import evaluating, finding
from headrace.services.in_use import InUse
from unit.services.house import person

HUNDREDS = [*range(300)]


async def test_who_comes_and_who_goes_is_taken_in_and_told(station):
    house = station.house
    await house.activate("a")
    await house.ingest(person(1), person(2), person(3))
    await station.lay(1, 2)
    await station.create()

    first = await station.evaluate()
    await house.run()
    house.pass_time(60)
    await station.lay(2, 3, 3)
    second = await station.evaluate()
    await house.run()

    assert (first.state, first.members_before, first.members_after, first.entered, first.left) == (
        "applied",
        0,
        2,
        2,
        0,
    )
    assert (second.state, second.members_before, second.members_after, second.entered, second.left) == (
        "applied",
        2,
        2,
        1,
        1,
    )
    assert sorted(house.partner.told()) == [
        ("1", "a", "exited"),
        ("1", "a", "realized"),
        ("2", "a", "realized"),
        ("3", "a", "realized"),
    ]
    assert station.members() == ["crmId:2", "crmId:3"]
    assert await station.size() == 2
    assert [item["snapshot"] for item in second.snapshots] == [2]


async def test_what_names_nobody_is_told_and_left_out(station):
    await station.lay(1, "", "x" * 600)
    await station.create("SELECT id FROM shop UNION ALL SELECT NULL")

    found = await station.evaluate()

    assert (found.members_after, found.rejected) == (1, 3)
    assert {item["code"] for item in found.rejects} == {"no-key", "key-too-long"}


async def test_an_evaluation_that_fails_changes_nothing_and_says_why(station):
    await station.lay(1)
    await station.create()
    await station.evaluate()
    known = await station.declaring.read(station.caller, "a")
    broken = {**known.declared.document, "query": "SELECT id FROM shop WHERE CAST(id || 'x' AS INTEGER) > 1"}
    await station.declaring.replace(station.caller, "a", broken, None)

    found = await station.evaluate()

    assert found.state == "failed"
    assert "Conversion Error" in found.reason
    assert station.run(found.run).reason == found.reason
    assert station.members() == ["crmId:1"]


async def test_where_very_many_would_leave_somebody_has_to_confirm_it(station):
    await station.lay(*HUNDREDS)
    await station.create()
    await station.evaluate()
    await station.lay(1)

    held = await station.evaluate()
    assert (held.state, held.left) == ("held", 299)
    assert "299 of 300 members would leave" in held.reason
    assert len(station.members()) == 300
    with pytest.raises(Conflict, match="is not held"):
        await station.acting.decide(station.caller, "a", 1, is_right=True)

    station.house.pass_time(60)
    await station.acting.decide(station.caller, "a", held.evaluation, is_right=True)
    done = await station.carried("a", held.evaluation)
    assert done.state == "applied"
    assert station.members() == ["crmId:1"]


async def test_a_held_evaluation_is_dropped_by_word_or_by_a_newer_one(station):
    await station.lay(*HUNDREDS)
    await station.create()
    await station.evaluate()
    await station.lay(1)
    first = await station.evaluate()
    assert (await station.acting.decide(station.caller, "a", first.evaluation, is_right=False)).state == "dropped"
    second = await station.evaluate()
    assert second.state == "held"

    await station.lay(*HUNDREDS)
    assert (await station.evaluate()).state == "applied"
    assert [item.state for item in await station.history()] == ["applied", "dropped", "dropped", "applied"]
    assert len(station.members()) == 300


async def test_more_may_leave_where_the_audience_says_so_and_a_hundred_always(station):
    await station.lay(*range(250))
    await station.create(largestRemoval=80)
    await station.evaluate()
    await station.lay(*range(100))
    assert (await station.evaluate()).state == "applied"
    await station.lay()
    assert (await station.evaluate()).state == "applied"
    assert await station.size() == 0


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("nth", range(1, 8))
async def test_whoever_dies_nobody_is_left_out_or_told_twice(station, monkeypatch, nth):
    house = station.house
    monkeypatch.setattr(evaluating, "AT_ONCE", 3)
    await house.activate("a")
    await station.lay(*range(10))
    await station.create()
    await station.evaluate()
    await station.lay(*range(7, 17))
    taken = house.rows("SELECT sequence FROM tenants")[0][0]
    count = itertools.count(1)

    def die(_name):
        if next(count) == nth:
            raise Killed

    monkeypatch.setattr(evaluating, "crashpoint", die)
    asked = await station.acting.evaluate(station.caller, "a")
    run = await take(station, asked.run)
    subject = None
    with pytest.raises(Killed):
        await carry(station, run)
    del subject
    await carry(station, run)

    found = await station.carried("a", asked.evaluation)
    assert (found.state, found.entered, found.left, found.done) == ("applied", 7, 7, 14)
    assert station.members() == sorted(f"crmId:{number}" for number in range(7, 17))
    assert house.rows("SELECT sequence FROM tenants")[0][0] == taken + 14
    assert await station.size() == 10


async def test_what_was_begun_and_not_ended_is_put_right_by_the_next_one(station, monkeypatch):
    monkeypatch.setattr(evaluating, "AT_ONCE", 3)
    await station.lay(*range(10))
    await station.create()
    await station.evaluate()
    await station.lay(*range(5, 15))
    count = itertools.count(1)

    def die(_name):
        if next(count) == 4:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(evaluating, "crashpoint", die)
        asked = await station.acting.evaluate(station.caller, "a")
        with pytest.raises(Killed):
            await carry(station, await take(station, asked.run))
    await station.house.runs.cancel(station.caller, asked.run)
    (cancelled,) = [item for item in await station.history() if item.evaluation == asked.evaluation]
    assert (cancelled.state, cancelled.ended_at) == ("failed", station.house.clock.now())
    assert len(station.members()) > 10
    station.house.pass_time(60)
    await station.lay(*range(3, 8))

    assert (await station.evaluate()).state == "applied"
    assert station.members() == sorted(f"crmId:{number}" for number in range(3, 8))


async def take(station, run):
    """Have a run under way without anybody who carries it."""
    executor = station.house.runs.executor
    station.house.store.write_now(
        lambda tx: tx.run("UPDATE runs SET state = 'running', executor = :e WHERE run = :r", {"e": executor, "r": run})
    )
    return station.run(run)


async def carry(station, run):
    from headrace.services.steps import HeldSteps

    steps = HeldSteps(Plain(run.run), station.run(run.run), run.executor, station.house.store, station.house.clock)
    await station.evaluating.carry(run, steps)


class Plain:
    """Steps that are done each time."""

    def __init__(self, run):
        self.run = run

    async def step(self, _name, work):
        return await work()


async def test_a_new_snapshot_and_a_schedule_ask_for_an_evaluation(station):
    await station.lay(1)
    await station.create(onSnapshot=True, schedule="0 4 * * *")
    await station.lay(1, 2)
    await station.house.carry_runs()
    assert [(item.cause, item.state, item.entered) for item in await station.history()] == [("snapshot", "applied", 2)]

    station.house.pass_time(24 * 3600)
    await station.house.carry_runs()
    assert [item.cause for item in await station.history()] == ["schedule", "snapshot"]
    await station.declaring.delete(station.caller, "a", None)
    assert station.house.rows("SELECT count(*) FROM schedules") == [(0,)]
    assert not [*station.lists.glob("*/*")]


async def test_a_look_ahead_says_who_it_would_be(station):
    await station.lay(*range(20), 3)
    await station.create()

    seen = await station.acting.preview(station.caller, {**QUERY_OF("SELECT id FROM shop WHERE id > '1'; -- all")})

    assert seen.count == 18
    assert len(seen.sample) == 10
    assert station.members() == []


def QUERY_OF(query):
    return {"name": "x", "kind": "sql", "key": "id", "query": query}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT id FROM nowhere", r"there is no dataset 'nowhere' \(line 1, column 16\); these are: shop"),
        ("SELECT id FROM shop;\nDROP TABLE shop", "line 2, column 1"),
        ("DELETE FROM shop", "line 1, column 1"),
        ("SELECT id FRM shop x y", "syntax error"),
    ],
)
async def test_what_is_no_query_over_datasets_is_refused_where_it_is_declared(station, query, said):
    await station.lay(1)
    with pytest.raises(BadQuery, match=said):
        await station.create(query)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT content AS id FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv('https://example.com/x.csv')",
        "SELECT other FROM shop",
    ],
)
async def test_nothing_else_can_be_read(station, query):
    await station.lay(1)
    with pytest.raises(BadQuery):
        await station.acting.preview(station.caller, QUERY_OF(query))


async def test_what_is_sent_and_what_is_read_is_not_deleted(station):
    await station.lay(1)
    await station.create()
    await station.house.activate("a")

    with pytest.raises(InUse, match="dataflow 'flow'"):
        await station.declaring.delete(station.caller, "a", None)
    with pytest.raises(InUse, match="audience 'A'"):  # The dataflow calls it so.
        await station.datasets.delete(station.caller, station.dataset, None)
    await station.house.delete()
    await station.declaring.delete(station.caller, "a", None)
    await station.datasets.delete(station.caller, station.dataset, None)


async def test_a_list_that_was_lost_is_no_guess_and_begins_anew_by_what_people_carry(station):
    await station.lay(*range(8))
    await station.create()
    await station.evaluate()
    shutil.rmtree(station.lists)
    station.house.pass_time(60)
    await station.lay(*range(6, 12))

    lost = await station.evaluate()
    assert (lost.state, "--anew" in lost.reason) == ("failed", True)
    assert len(station.members()) == 8

    asked = await station.acting.evaluate(station.caller, "a", anew=True)
    found = await station.carried("a", asked.evaluation)
    assert (found.state, found.members_before, found.members_after, found.entered, found.left) == (
        "applied", 8, 6, 4, 6,
    )  # fmt: skip
    assert station.members() == sorted(f"crmId:{number}" for number in range(6, 12))
    assert (await station.evaluate()).state == "applied"


async def test_an_evaluation_anew_is_not_taken_for_one_that_waits_already(station):
    await station.lay(1)
    await station.create()

    one = await station.acting.evaluate(station.caller, "a")
    other = await station.acting.evaluate(station.caller, "a", anew=True)

    assert (one.evaluation, one.part, other.evaluation, other.part) == (1, "all", 2, "anew")


async def test_a_query_that_takes_too_long_is_ended_and_says_so(station, monkeypatch):
    await station.lay(1)
    await station.create(
        "SELECT a.range || '' AS id FROM range(1000000) a, range(1000000) b, shop WHERE hash(a.range, b.range) = 1"
    )
    monkeypatch.setattr(finding, "LONGEST", 0.3)
    monkeypatch.setattr(finding, "LONGEST_PREVIEW", 0.2)

    late = await station.evaluate()

    assert (late.state, "more than 0 seconds: ask for less" in late.reason) == ("failed", True)
    slow = {"name": "x", "kind": "sql", "key": "id", "query": (await station.definition()).query}
    with pytest.raises(BadQuery, match="ask for less"):
        await station.acting.preview(station.caller, slow)
