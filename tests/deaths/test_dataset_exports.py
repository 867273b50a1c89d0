"""
An export of datasets that dies: after the next life there is one whole set of files, and increments go on from it.

What lay there at the death is whole or not there, and no row is missing or there twice for good.
"""

import asyncio
from pathlib import Path

import pytest

from headrace.services.exports import due
from headrace.store import executors, runs
from unit.services.exports.sending_datasets import EVERY_3_HOURS, Lake, people, read
from unit.services.house import START, House

LIFE = "deaths.test_dataset_exports:life"
HOUR = 3_600_000


async def opened(home, now):
    house = House(Path(home) / "data")
    lake = await Lake(house, Path(home)).open()
    house.clock.at = now
    return lake


async def life(home, now):
    """Carry what is due at a moment, to its end."""
    lake = await opened(home, now)
    await lake.house.store.write(lambda tx: executors.remove_others(tx, lake.house.runs.executor))
    for _ in range(3):
        await lake.house.carry_runs()
    lake.house.close()


async def exported(home):
    """Two datasets that are exported every three hours."""
    lake = await opened(home, START)
    lake.lay("people", "1.parquet", people(1))
    lake.lay("others", "1.parquet", people(11))
    ids = [await lake.dataset("people"), await lake.dataset("others")]
    await lake.look(*ids)
    await lake.export(*ids, schedule={**EVERY_3_HOURS, "startTime": START // 1000 + 3 * 3600})
    lake.house.close()
    return ids


async def added(home, now, ids, number):
    lake = await opened(home, now)
    lake.lay("people", f"{number}.parquet", people(number))
    lake.lay("others", f"{number}.parquet", people(number + 10))
    await lake.look(*ids)
    lake.house.close()


async def arrived(home, now):
    """Every row that the partner has, the states of the runs, and what is left of what was staged."""
    lake = await opened(home, now)
    rows = sorted(int(row["id"].removeprefix("C-")) for path in lake.files() for row in read(path))
    found = lake.house.store.read_now(lambda tx: runs.latest(tx, lake.house.caller.number, 10, kind=due.KIND))
    lake.house.close()
    return rows, {run.state for run in found}, [*lake.folder.rglob(".headrace-*")]


@pytest.mark.campaign  # The places to die are those of exports of people, which die in every run of the tests.
@pytest.mark.parametrize(
    "point",
    [
        "after_part_staged",
        "after_export_staged",
        "after_export_shown",
        "after_part_published",
        "after_export_published",
        "after_export_committed",
    ],
)
def test_a_death_at_any_step_leaves_one_whole_set_and_increments_go_on(lived, tmp_path, point):
    first, second, third = (START + hours * HOUR for hours in (3, 6, 9))
    ids = asyncio.run(exported(tmp_path))
    asyncio.run(life(tmp_path, first))
    asyncio.run(added(tmp_path, first, ids, 2))
    assert lived(LIFE, str(tmp_path), second, crash_at=point) == -9
    asyncio.run(life(tmp_path, second + 1))
    assert asyncio.run(arrived(tmp_path, second)) == ([1, 2, 11, 12], {"succeeded"}, [])
    asyncio.run(added(tmp_path, second, ids, 3))
    asyncio.run(life(tmp_path, third))
    assert asyncio.run(arrived(tmp_path, third)) == ([1, 2, 3, 11, 12, 13], {"succeeded"}, [])
