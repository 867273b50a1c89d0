"""The page of made-up people says what is so, and the people that are checked in are those that are made."""

import re
import subprocess
import sys

import pyarrow.parquet as pq

from headrace.cli import examples
from headrace.testkit.people.audiences import OF_PEOPLE
from headrace.testkit.people.days import Scenario
from headrace.testkit.people.making import Wanted
from headrace.testkit.people.writing import texts, write_parquet
from support import environment

from .test_first_activation import BLOCK, WAIT, free_port

PEOPLE = examples.folder() / "people"
PAGE = (examples.folder().parent / "docs" / "people.md").read_text(encoding="utf-8")


def test_every_command_of_the_page_works(tmp_path):
    blocks = [block + (WAIT if "headrace serve" in block else "") for block in BLOCK.findall(PAGE)]
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "headrace"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -W error -m headrace "$@"\n')
    command.chmod(0o755)
    settings = environment(tmp_path)
    settings |= {"PATH": f"{command.parent}:{settings['PATH']}", "COLUMNS": "200"}

    ran = subprocess.run(
        ["bash", "-c", ("set -eu\ntrap 'kill $(jobs -p)' EXIT\n" + "".join(blocks)).replace("8000", str(free_port()))],
        cwd=tmp_path, env=settings, capture_output=True, text=True, timeout=180,
    )  # fmt: skip

    assert ran.returncode == 0, ran.stdout + ran.stderr
    (listed,) = re.findall(r"^```\n(day-.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert listed in ran.stdout
    made = sum(path.read_bytes().count(b"\n") for path in (tmp_path / "people" / "days").iterdir())
    assert f"{made:,}" in ran.stdout or str(made) in ran.stdout


def test_the_page_lists_every_audience_with_its_share():
    rows = re.findall(r"^\| ([^|,]+?)(?:,[^|]*)? \| ([\d.]+) % \| `([\w-]+)` \|$", PAGE, re.MULTILINE)

    told = {(name, id_): float(share) for name, share, id_ in rows}
    assert told == {(one.name, one.id): round(members.share * 100, 2) for one, members in OF_PEOPLE.items()}


def written(*wanted):
    return "".join(line for each in wanted for lines in texts(each) for line in lines).encode()


def test_the_people_of_the_examples_are_those_that_are_made(tmp_path):
    scenario = Scenario(120, 3)
    days = {f"day-{day:04}.ndjson": written(*scenario.sent_on(day)) for day in range(4)}
    write_parquet([Wanted(120)], tmp_path / "profiles.parquet")

    assert {path.name: path.read_bytes() for path in (PEOPLE / "days").iterdir()} == days
    assert (PEOPLE / "accounts.ndjson").read_bytes() == written(Wanted(7, kind="accounts"))
    assert (PEOPLE / "prospects.ndjson").read_bytes() == written(Wanted(40, kind="prospects"))
    assert pq.read_table(PEOPLE / "profiles.parquet").equals(pq.read_table(tmp_path / "profiles.parquet"))
