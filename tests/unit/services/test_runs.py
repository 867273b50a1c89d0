"""Runs are begun when they are due, end as their work ended, and can be cancelled and tried again."""

import asyncio

import pytest

from headrace.errors import Conflict, NotFound, PartnerError
from headrace.services import runs as running
from headrace.services.runs import KEPT
from headrace.store import executors, runs
from support import eventually


class Place:
    """The runs of a house; ``look`` is one look for them, and carrying what it began."""

    def __init__(self, house):
        self.house = house
        self.runs = house.runs
        self.look = house.carry_runs

    def ask(self, kind="count", due_at=None, **subject):
        tenant, now = self.house.caller.number, self.house.clock.now()
        return self.house.store.write_now(lambda tx: runs.ask(tx, tenant, kind, subject, "client:a", now, due_at)).run

    def row(self, run):
        return self.house.store.read_now(lambda tx: runs.get(tx, run))

    def change(self, sql, **given):
        self.house.store.write_now(lambda tx: tx.run(sql, given))


@pytest.fixture
def place(house):
    return Place(house)


async def test_a_run_that_is_asked_for_is_done_and_has_succeeded(place):
    done = []

    async def work(run, steps):
        done.append(await steps.step("one", lambda: _value(run.subject["n"])))
        await steps.note(done=1)

    place.runs.register("count", work)
    run = place.ask(n=7)
    await place.look()

    row = place.row(run)
    assert (row.state, row.reason, row.progress, done) == ("succeeded", None, {"done": 1}, [7])
    assert row.executor == place.runs.executor
    assert place.house.announced() == {"RunBegan": 1, "RunEnded": 1}


async def test_a_run_is_not_begun_before_it_is_due(place):
    place.runs.register("count", _nothing)
    run = place.ask(due_at=place.house.clock.now() + 1000)

    await place.look()
    before = place.row(run).state
    place.house.pass_time(1)
    await place.look()

    assert (before, place.row(run).state) == ("asked", "succeeded")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(PartnerError("the partner is closed"), "the partner is closed", id="ours says what"),
        pytest.param(ValueError("a secret"), "internal: ValueError", id="any other only its name"),
    ],
)
async def test_a_run_whose_work_raises_has_failed_with_the_reason(place, error, reason):
    async def work(run, steps):
        raise error

    place.runs.register("count", work)
    run = place.ask()
    await place.look()

    assert (place.row(run).state, place.row(run).reason) == ("failed", reason)
    assert place.house.announced() == {"RunBegan": 1, "RunFailed": 1}


async def test_no_more_runs_of_a_kind_are_under_way_than_was_said(place):
    gate, two_are, under_way = asyncio.Event(), asyncio.Event(), []

    async def work(run, steps):
        under_way.append(run.run)
        if len(under_way) == 2:
            two_are.set()
        await gate.wait()

    place.runs.register("count", work, at_once=2)
    asked = {place.ask() for _ in range(5)}
    await place.runs.reconcile()
    await asyncio.wait_for(two_are.wait(), 30)
    await place.runs.reconcile()
    await asyncio.sleep(0.05)
    first = len(under_way)
    gate.set()
    for _ in range(3):
        await place.look()

    assert first == 2
    assert set(under_way) == asked
    assert len(under_way) == 5


async def test_a_run_of_a_kind_that_nobody_knows_waits(place):
    place.runs.register("count", _nothing)
    run = place.ask("unheard-of")
    await place.look()

    assert place.row(run).state == "asked"


async def test_a_run_of_a_dead_process_is_taken_over_when_it_has_been_silent_for_long(place):
    done = []

    async def work(run, steps):
        done.append(run.run)

    place.runs.register("count", work)
    run = place.ask()
    place.change("UPDATE runs SET state = 'running', executor = 'dead' WHERE run = :run", run=run)
    place.house.store.write_now(lambda tx: executors.beat(tx, "dead"))
    await place.look()
    fresh = list(done)
    place.change("UPDATE executors SET seen_at = seen_at - 31000 WHERE executor = 'dead'")
    await place.look()

    assert (fresh, done) == ([], [run])
    assert place.house.announced() == {"RunTakenOver": 1, "RunEnded": 1}


async def test_whoever_has_the_store_alone_takes_over_at_once(place):
    place.runs.register("count", _nothing)
    run = place.ask()
    place.change("UPDATE runs SET state = 'running', executor = 'dead' WHERE run = :run", run=run)
    place.house.store.write_now(lambda tx: executors.beat(tx, "dead"))
    await place.runs.start()
    await asyncio.to_thread(eventually, "it has ended", lambda: place.row(run).state != "running")
    await place.runs.stop()

    assert place.row(run).state == "succeeded"


async def test_stopping_ends_even_where_something_wakes_it_at_that_moment(place):
    for _ in range(20):
        await place.runs.start()
        await asyncio.sleep(0.01)
        place.runs.wake()
        async with asyncio.timeout(10):
            await place.runs.stop()


async def test_a_run_whose_taking_was_not_answered_is_begun(place):
    place.runs.register("count", _nothing)
    run = place.ask()
    place.change("UPDATE runs SET state = 'running', executor = :me WHERE run = :run", run=run, me=place.runs.executor)
    await place.look()

    assert place.row(run).state == "succeeded"


async def test_a_process_that_lost_its_run_does_no_further_step_and_leaves_the_row_alone(place):
    done = []

    async def work(run, steps):
        await steps.step("one", lambda: _value(done.append(1)))
        place.change("UPDATE runs SET executor = 'another' WHERE run = :run", run=run.run)
        await steps.step("two", lambda: _value(done.append(2)))

    place.runs.register("count", work)
    run = place.ask()
    await place.look()

    row = place.row(run)
    assert (done, row.state, row.executor) == ([1], "running", "another")


async def test_what_a_step_writes_under_hold_is_not_written_by_a_process_that_lost_its_run(place):
    async def work(run, steps):
        place.change("UPDATE runs SET executor = 'another' WHERE run = :run", run=run.run)

        def write(tx):
            tx.run("UPDATE runs SET reason = 'written' WHERE run = :run", {"run": run.run})
            steps.hold(tx)

        await place.house.store.write(write)

    place.runs.register("count", work)
    run = place.ask()
    await place.look()

    assert place.row(run).reason is None


async def test_a_cancelled_run_does_no_further_step(place):
    done = []

    async def work(run, steps):
        await steps.step("one", lambda: _value(done.append(1)))
        await place.runs.cancel(place.house.caller, run.run)
        await steps.step("two", lambda: _value(done.append(2)))

    place.runs.register("count", work)
    run = place.ask()
    await place.look()

    assert (done, place.row(run).state) == ([1], "cancelled")
    assert place.house.announced() == {"RunBegan": 1, "RunEnded": 1}
    with pytest.raises(Conflict, match="cancelled"):
        await place.runs.cancel(place.house.caller, run)


async def test_a_failed_run_is_tried_again_by_a_new_one_that_points_to_it_once(place):
    async def work(run, steps):
        if run.retry_of is None:
            raise PartnerError("closed")

    place.runs.register("count", work)
    run = place.ask(n=1)
    await place.look()
    again = await place.runs.retry(place.house.caller, run)
    await place.look()

    assert (again.retry_of, again.subject) == (run, {"n": 1})
    assert [place.row(id_).state for id_ in (run, again.run)] == ["failed", "succeeded"]
    for id_ in (run, again.run):
        with pytest.raises(Conflict):
            await place.runs.retry(place.house.caller, id_)


async def test_runs_are_listed_newest_first_page_by_page(place):
    asked = []
    for n in range(5):
        asked.append(place.ask(n=n))
        place.house.pass_time(1)
    store, caller = place.house.store, place.house.caller
    first = await running.listing(store, caller, 3, kind=None, state=None)
    rest = await running.listing(store, caller, 3, before=first[-1].run, kind="count", state="asked")

    assert [run.run for run in [*first, *rest]] == asked[::-1]
    with pytest.raises(NotFound):
        await running.get(store, caller, "nowhere")


async def test_ended_runs_are_kept_for_thirty_days(place):
    place.runs.register("count", _nothing)
    old = place.ask()
    await place.look()
    place.house.pass_time(KEPT / 1000 - 1)
    young = place.ask()
    await place.look()
    place.house.pass_time(3600)
    await place.look()

    assert place.row(old) is None
    assert place.row(young) is not None


async def _value(value):
    return value


async def _nothing(run, steps):
    pass
