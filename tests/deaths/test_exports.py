"""
An export that dies: after the next life there is one whole set of files, and increments go on from what was published.

What lay there at the death is whole or not there, and no later file tells anybody too little for it.
"""

import asyncio
import csv
import hashlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.services.exports import due
from headrace.store import executors, runs
from unit.services.exports.filing import activate_files, carries_files
from unit.services.house import START, House, person

PROGRAM = "import asyncio, sys; from deaths.test_exports import life; asyncio.run(life(sys.argv[1], int(sys.argv[2])))"
HOUR = 3_600_000


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


def lived(home, now, point=""):
    env = {**os.environ, "HEADRACE_CRASH_AT": point, "PYTHONPATH": str(Path(__file__).parents[1])}
    program = [sys.executable, "-c", PROGRAM, str(home), str(now)]
    return subprocess.run(program, env=env, timeout=120, check=False).returncode


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
def test_a_death_at_any_step_of_an_export_leaves_one_whole_set(tmp_path, point):
    (tmp_path / "partner").mkdir()
    first, second = START + 3 * HOUR, START + 6 * HOUR
    asyncio.run(ingested(tmp_path, START, person(1, "a"), person(2, "a")))
    assert lived(tmp_path, first) == 0
    assert sets(tmp_path) == [{"1": "realized", "2": "realized"}]

    asyncio.run(ingested(tmp_path, first, person(1, a=False, minute=1), person(3, "a")))
    assert lived(tmp_path, second, point) == -9
    asyncio.run(ingested(tmp_path, second, person(3, a=False, minute=2)))
    assert lived(tmp_path, second) == 0

    known = {}
    for told in sets(tmp_path):
        known |= told
    if known.get("3") == "realized":  # It was published before the third had left: the next increment says so.
        assert lived(tmp_path, second + 3 * HOUR) == 0
        known |= sets(tmp_path)[-1]
    assert {who for who, status in known.items() if status == "realized"} == {"2"}
    assert len(list((tmp_path / "partner").rglob("*.csv"))) == len([told for told in sets(tmp_path) if told])
    assert not list((tmp_path / "partner").rglob(".headrace-*"))
    assert set(states(tmp_path, second)) == {"succeeded"}
