"""Schedules ask for each of their moments once, whoever dies, and make up for what was missed."""

import pytest

from headrace.errors import NotFound, RequestError
from headrace.model.cron import MINUTE, Cron
from headrace.services import schedules
from headrace.store import runs


class Diary:
    """One schedule of a house, every ten minutes."""

    def __init__(self, house):
        self.house = house
        self.given = (house.store, house.clock, house.caller)
        self.start = house.clock.now()
        arguments = (house.caller.number, "often", "count", {"n": 1}, "*/10 * * * *", "client:a", self.start)
        self.added = house.store.write_now(lambda tx: schedules.add(tx, *arguments))

    def ask(self):
        return self.house.store.write_now(lambda tx: schedules.ask_due(tx, self.house.clock.now()))

    def moments(self):
        found = self.house.store.read_now(lambda tx: runs.latest(tx, self.house.caller.number, 1000))
        return sorted(run.moment for run in found if run.moment is not None)


@pytest.fixture
def diary(house):
    return Diary(house)


async def test_every_moment_is_asked_for_once(diary):
    expected = list(Cron.parse("*/10 * * * *").between(diary.start, diary.start + 60 * MINUTE))
    for _ in range(120):
        diary.house.pass_time(30)
        diary.ask()
        assert diary.ask() == []

    assert diary.moments() == expected


async def test_a_transaction_that_fails_has_asked_for_nothing_and_nothing_is_lost(diary):
    diary.house.pass_time(600)

    def work(tx):
        assert schedules.ask_due(tx, diary.house.clock.now())
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await diary.house.store.write(work)

    assert diary.moments() == []
    assert [run.moment for run in diary.ask()] == diary.moments()


async def test_what_was_missed_is_made_up_for_by_one_run_that_says_so(diary):
    diary.house.pass_time(6 * 3600)
    (run,) = diary.ask()

    assert (run.progress["moments"], run.kind, run.subject) == (36, "count", {"n": 1})
    assert diary.ask() == []


async def test_of_a_very_long_silence_the_last_moment_is_asked_for(diary):
    diary.house.pass_time(400 * 24 * 3600)
    (run,) = diary.ask()

    assert run.progress["moments"] == schedules.MOST_COUNTED
    assert 0 <= diary.house.clock.now() - run.moment < 10 * MINUTE
    assert diary.ask() == []


async def test_a_paused_schedule_asks_for_nothing_and_goes_on_from_when_it_is_resumed(diary):
    paused = await schedules.pause(*diary.given, "often")
    diary.house.pass_time(3600)
    while_paused = diary.ask()
    resumed = await schedules.resume(*diary.given, "often")
    before = diary.ask()
    diary.house.pass_time(600)
    after = diary.ask()

    assert (paused.paused_at, resumed.paused_at) == (diary.start, None)
    assert (while_paused, before) == ([], [])
    assert [run.progress for run in after] == [{}]


async def test_a_run_can_be_had_now_without_moving_the_schedule(diary):
    run = await schedules.trigger(*diary.given, "often")

    assert (run.schedule, run.moment, run.state) == ("often", None, "asked")
    assert await schedules.listing(diary.house.store, diary.house.caller) == [diary.added]


async def test_a_span_that_is_filled_twice_has_each_of_its_runs_once(diary):
    diary.house.pass_time(6 * 3600)
    diary.ask()
    start, end = diary.start, diary.start + 3600 * 1000
    first = await schedules.backfill(*diary.given, "often", start, end)
    wider = await schedules.backfill(*diary.given, "often", start - 3600 * 1000, end)

    assert len(first) == 6
    assert len(wider) in (6, 7)  # The start itself is of the wider span, where it is a moment.
    assert len(set(diary.moments())) == len(diary.moments()) == 1 + len(first) + len(wider)


async def test_a_moment_that_was_filled_before_the_schedule_came_to_it_is_not_asked_for_again(diary):
    diary.house.pass_time(600)
    filled = await schedules.backfill(*diary.given, "often", diary.start, diary.house.clock.now())

    assert len(filled) == 1
    assert diary.ask() == []


@pytest.mark.parametrize(
    ("start", "end"),
    [
        pytest.param(0, -1, id="backwards"),
        pytest.param(0, 10 * MINUTE, id="beyond now"),
        pytest.param(-11_000 * MINUTE, 0, id="too many"),
    ],
)
async def test_a_span_that_cannot_be_filled_is_refused(diary, start, end):
    with pytest.raises(RequestError):
        await schedules.backfill(*diary.given, "often", diary.start + start, diary.start + end)


async def test_a_schedule_of_another_sandbox_is_not_found(diary):
    with pytest.raises(NotFound):
        await schedules.trigger(*diary.given, "nowhere")
