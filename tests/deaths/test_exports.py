"""
An export that dies: after the next life there is one whole set of files, and increments go on from what was published.

What lay there at the death is whole or not there, and no later file tells anybody too little for it.
"""

import asyncio
import csv
import hashlib
import io
import json
import shutil
from pathlib import Path

import pytest

from headrace.services.exports import due
from headrace.store import executors, runs
from unit.services.exports.filing import activate_files, carries_files
from unit.services.house import START, House, person

LIFE = "deaths.test_exports:life"
HOUR = 3_600_000
FIRST, SECOND, THIRD = (START + hours * HOUR for hours in (3, 6, 9))


async def life(home, now):
    """Carry what is due at a moment, to its end."""
    house = opened(home, now)
    await house.store.write(lambda tx: executors.remove_others(tx, house.runs.executor))
    for _ in range(3):
        await house.carry_runs()
    house.close()


def opened(home, now):
    house = House(Path(home) / "data")
    house.clock.at = now
    carries_files(house, Path(home) / "partner")
    return house


async def ingested(home, now, *people):
    house = opened(home, now)
    if not house.rows("SELECT 1 FROM dataflows"):
        await activate_files(house, "a", mode="FIRST_FULL_THEN_INCREMENTAL", frequency="EVERY_3_HOURS")
    await house.ingest(*people)
    house.close()


def sets(home):
    """The sets of files that are whole: what manifests list, each file as it is said to be; newest last."""
    found = []
    for path in sorted((home / "partner").rglob("manifest-*.json"), key=lambda path: path.stat().st_mtime_ns):
        people = {}
        for file in json.loads(path.read_text())["exportResults"]:
            data = path.with_name(file["name"]).read_bytes()
            assert str(path.parent).endswith(file["sinkPath"])
            assert (len(data), hashlib.sha256(data).hexdigest()) == (file["size"], file["x-headrace"]["sha256"])
            people |= {row["crm"]: row["status"] for row in csv.DictReader(io.StringIO(data.decode()))}
        found.append(people)
    return found


def states(home, now):
    house = opened(home, now)
    found = house.store.read_now(lambda tx: runs.latest(tx, house.caller.number, 10, kind=due.KIND))
    house.close()
    return [run.state for run in found]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """What there is after the first export of two people, for each test to copy."""
    home = tmp_path_factory.mktemp("exported")
    (home / "partner").mkdir()
    asyncio.run(ingested(home, START, person(1, "a"), person(2, "a")))
    asyncio.run(life(home, FIRST))
    assert sets(home) == [{"1": "realized", "2": "realized"}]
    return home


@pytest.mark.parametrize(
    "point",
    [
        "after_run_begun",
        "after_export_staged",
        "after_export_shown",
        "after_part_published",
        "after_export_published",
        "after_export_committed",
    ],
)
def test_a_death_at_any_step_of_an_export_leaves_one_whole_set(lived, exported, tmp_path, point):
    shutil.copytree(exported, tmp_path, dirs_exist_ok=True)
    asyncio.run(ingested(tmp_path, FIRST, person(1, a=False, minute=1), person(3, "a")))
    assert lived(LIFE, str(tmp_path), SECOND, crash_at=point) == -9
    asyncio.run(ingested(tmp_path, SECOND, person(3, a=False, minute=2)))
    assert lived(LIFE, str(tmp_path), SECOND) == 0

    known = {}
    for told in sets(tmp_path):
        known |= told
    if known.get("3") == "realized":  # It was published before the third had left: the next increment says so.
        assert lived(LIFE, str(tmp_path), THIRD) == 0
        known |= sets(tmp_path)[-1]
    assert {who for who, status in known.items() if status == "realized"} == {"2"}
    assert len(list((tmp_path / "partner").rglob("*.csv"))) == len([told for told in sets(tmp_path) if told])
    assert not list((tmp_path / "partner").rglob(".headrace-*"))
    assert set(states(tmp_path, SECOND)) == {"succeeded"}
