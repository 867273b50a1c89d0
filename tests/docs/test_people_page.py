"""The page of made-up people says what is so, and the people that are checked in are those that are made."""

import re

import pyarrow.parquet as pq

from docs.commands import blocks_of, run_page
from headrace.cli import examples
from headrace.testkit.people.audiences import OF_PEOPLE
from headrace.testkit.people.days import Scenario
from headrace.testkit.people.making import Wanted
from headrace.testkit.people.writing import texts, write_parquet

PEOPLE = examples.folder() / "people"
PAGE = (examples.folder().parent / "docs" / "people.md").read_text(encoding="utf-8")


def test_every_command_of_the_page_works(tmp_path):
    ran = run_page(blocks_of(PAGE), tmp_path)

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
