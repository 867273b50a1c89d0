"""Files that somebody asks for while an audience is evaluated: of the last evaluation, whole."""

import asyncio
import threading
from contextlib import asynccontextmanager, contextmanager

import pytest

from headrace.services.audiences import evaluating
from headrace.services.exports import asking, carrying
from headrace.store import runs
from unit.services.audiences.station import Station
from unit.services.exports.filing import activate_files, carries_files


@pytest.fixture
async def station(house, tmp_path):
    """An audience that a query defines, and a dataflow that writes its files; who comes is taken in one by one."""
    zones = carries_files(house, tmp_path / "partner")
    house.folder = await zones.directory_of(house.caller.tenant)
    station = Station(house, tmp_path)
    await station.lay(1, 2)
    await station.create()
    await station.evaluate()
    house.pass_time(3 * 3600)
    await activate_files(house, "a")
    return station


async def ask(house):
    (asked,) = await asking.export_now(house.store, house.clock, house.caller, {house.flows["flow"]: None})
    return asked.run


async def ended(house, run):
    async with asyncio.timeout(30):
        while (known := house.store.read_now(lambda tx: runs.get(tx, run.run))).ended_at is None:
            await house.runs.reconcile()
            await asyncio.sleep(0.02)
    assert known.state == "succeeded", known.reason
    (file,) = known.progress["files"]
    (path,) = house.folder.rglob(file["path"].rpartition("/")[2])
    return sorted(line.partition(",")[0] for line in path.read_text().splitlines()[1:])


async def test_it_evaluates_nothing_and_has_whom_the_last_evaluation_found(station):
    await station.lay(1, 2, 3)
    assert await ended(station.house, await ask(station.house)) == ["1", "2"]
    assert len(await station.history()) == 1


async def test_it_does_not_wait_for_an_evaluation_that_is_still_finding(station, monkeypatch):
    await station.lay(1, 2, 3)
    goes_on = asyncio.Event()

    async def waits(*_):
        await goes_on.wait()
        raise AssertionError

    monkeypatch.setattr(evaluating.Evaluating, "_find", waits)
    await station.acting.evaluate(station.caller, "a")
    assert await ended(station.house, await ask(station.house)) == ["1", "2"]
    goes_on.set()
    await station.house.orchestrator.finish()


@pytest.fixture
def one_by_one(station, monkeypatch):
    """Five come, one in a transaction; returns how to have something done after the first."""
    monkeypatch.setattr(evaluating, "AT_ONCE", 1)
    monkeypatch.setattr(evaluating, "REST", 0.0)
    monkeypatch.setattr(carrying, "LOOK", 0.01)
    take_part = evaluating.Evaluating._take_part

    async def evaluate(after_first):
        async def in_between(self, subject, steps, part, done, total):
            await take_part(self, subject, steps, part, done, total)
            if done == 1:
                await after_first()

        monkeypatch.setattr(evaluating.Evaluating, "_take_part", in_between)
        await station.acting.evaluate(station.caller, "a")
        await station.house.runs.reconcile()

    return evaluate


async def test_asked_for_while_one_is_taken_in_it_has_all_of_it(station, one_by_one):
    asked, house = [], station.house
    await station.lay(*range(1, 8))

    async def after_first():
        asked.append(await ask(house))
        await house.runs.reconcile()
        await asyncio.sleep(0.5)

    await one_by_one(after_first)
    await house.orchestrator.finish()
    assert await ended(house, asked[0]) == [str(number) for number in range(1, 8)]


async def test_people_are_looked_at_again_where_one_was_taken_in_meanwhile(station, one_by_one, monkeypatch):
    """Who is in is read when one of five is in; those who are looked at then are in no file."""
    house, is_in, is_read = station.house, threading.Event(), asyncio.Event()
    selecting, export = carrying.selecting, carrying.export

    @contextmanager
    def selects(*arguments):
        assert is_in.wait(20)
        with selecting(*arguments) as selected:
            yield selected

    @asynccontextmanager
    async def exports(*arguments):
        async with export(*arguments) as files:
            is_read.set()
            yield files

    async def after_first():
        is_in.set()
        await is_read.wait()

    monkeypatch.setattr(carrying, "selecting", selects)
    monkeypatch.setattr(carrying, "export", exports)
    await station.lay(*range(1, 8))
    run = await ask(house)
    await house.runs.reconcile()
    await asyncio.sleep(0.2)
    await one_by_one(after_first)
    assert await ended(house, run) == [str(number) for number in range(1, 8)]
