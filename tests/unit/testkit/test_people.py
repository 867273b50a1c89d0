"""Made-up people, companies and prospects: the same everywhere, in either form, and in whatever order days come."""

import hashlib
import io
import json
import random
import subprocess
import sys
import unicodedata
from dataclasses import replace
from itertools import chain, permutations

import orjson
import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from headrace.cli import profiles as command
from headrace.datasets.rows import Piece
from headrace.datasets.shape import Shaping
from headrace.model.dataset import Dataset
from headrace.model.profile import decode, key_of, parse
from headrace.testkit.people import making
from headrace.testkit.people.audiences import OF_ACCOUNTS, OF_PROSPECTS
from headrace.testkit.people.days import Scenario
from headrace.testkit.people.making import Wanted
from headrace.testkit.people.writing import texts, write_ndjson, write_parquet
from unit.services.house import House

KINDS = ("profiles", "accounts", "prospects")


def lines_of(*wanted):
    return [line.strip() for each in wanted for part in texts(each) for line in part]


def records_of(*wanted):
    return [orjson.loads(line) for line in lines_of(*wanted)]


def without_nulls(value):
    if isinstance(value, dict):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value


# -- the same everywhere ----------------------------------------------------------------------------------------------

#: What seed 1 makes, for good: another digest here means that everybody is somebody else now, in every test.
DIGESTS = {
    "profiles": "871dc867d0762429bc0cd5cdde44896fe50124046dd19580df9c567b3d66582b",
    "accounts": "3e220e96a06e1823ca42d967d7a2e3e47405f39992b85b5ee0a4797347e90f4e",
    "prospects": "81236d1dfcc8b67a87b2b1c4aac8154942b669f717e7cdfbd23d898df425cc01",
}


@pytest.mark.parametrize("kind", KINDS)
def test_records_are_the_same_for_good(kind):
    written = io.BytesIO()
    write_ndjson([Wanted(1_000, kind=kind)], written)

    assert hashlib.sha256(written.getvalue()).hexdigest() == DIGESTS[kind]


def test_another_process_makes_the_same(headrace, tmp_path):
    words = ["profiles", "generate", "--count", "300", "--seed", "9", "--days", "2", "--output"]
    line = [sys.executable, "-m", "headrace", *words, str(tmp_path / "one")]
    subprocess.run(line, check=True, timeout=120)
    assert headrace(*words[2:], str(tmp_path / "two")).exit_code == 0

    days = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    assert days == {path.name: path.read_bytes() for path in (tmp_path / "two").iterdir()}
    assert sorted(days) == ["day-0000.ndjson", "day-0001.ndjson", "day-0002.ndjson"]


@pytest.mark.parametrize(("part", "makers"), [(1, 1), (7, 3), (1000, 2)])
def test_how_the_work_is_divided_changes_nothing(monkeypatch, part, makers):
    whole = lines_of(Wanted(20, start=3))
    monkeypatch.setattr(making, "PART", part)
    monkeypatch.setattr(making, "MAKERS", makers)

    assert lines_of(Wanted(20, start=3)) == whole


def test_two_seeds_share_no_browser():
    browsers = [
        {one["id"] for person in records_of(Wanted(2_000, seed)) for one in person["identityMap"].get("ECID", ())}
        for seed in (1, 2)
    ]

    assert not browsers[0] & browsers[1]


def test_a_seed_has_an_end():
    assert len(lines_of(Wanted(1, start=making.MOST - 1))) == 1
    with pytest.raises(ValueError, match="take another seed"):
        Wanted(2, start=making.MOST - 1)


# -- what they are ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_made_is_taken_by_the_ingest_door(kind):
    for line in lines_of(Wanted(500, kind=kind)):
        assert parse(line.encode()) == orjson.loads(line)


@pytest.mark.parametrize("kind", KINDS)
def test_every_record_has_a_key_of_its_own(kind):
    assert len({key_of(record) for record in records_of(Wanted(2_000, kind=kind))}) == 2_000


def test_texts_are_written_as_python_writes_them():
    lines = lines_of(Wanted(2_000))

    assert lines == [json.dumps(json.loads(line), ensure_ascii=False, separators=(",", ":")) for line in lines]
    names = {record["person"]["name"].get("nickname") for record in map(json.loads, lines)} - {None}
    assert any(unicodedata.normalize("NFC", name) != name for name in names), "combining marks"
    assert any("\u200d" in name for name in names), "joined emoji"
    lengths = {len(record["person"]["name"]["firstName"]) for record in map(json.loads, lines)}
    assert (min(lengths), max(lengths)) == (1, 55)


def test_hashes_are_those_of_the_addresses():
    hashed = 0
    for person in records_of(Wanted(2_000)):
        mails = [one["id"] for one in person["identityMap"]["Email"]]
        hashes = [hashlib.sha256(mail.lower().encode()).hexdigest() for mail in mails]
        found = [one["id"] for one in person["identityMap"].get("Email_LC_SHA256", [])]
        assert found == hashes[: len(found)]
        hashed += len(found)
    assert hashed > 300


def test_whom_people_work_for_is_among_the_accounts():
    accounts = {account["accountKey"]: account for account in records_of(Wanted(101, kind="accounts"))}
    employers = [person["employer"] for person in records_of(Wanted(2_000)) if "employer" in person]

    assert len(employers) > 200
    assert all(accounts[one["accountKey"]]["accountName"] == one["name"] for one in employers)
    assert all(account.get("parentAccountKey", "") < key for key, account in accounts.items())


def test_prospects_are_no_customers():
    prospects = records_of(Wanted(1_000, kind="prospects"))

    assert not any("crmId" in prospect["identityMap"] for prospect in prospects)
    assert not any("accountKey" in prospect for prospect in prospects)


@pytest.mark.parametrize(("kind", "audiences"), [("accounts", OF_ACCOUNTS), ("prospects", OF_PROSPECTS)])
def test_their_audiences_have_the_shares_that_they_say(kind, audiences):
    memberships = [record["segmentMembership"] for record in records_of(Wanted(10_000, kind=kind))]
    for audience, members in audiences.items():
        states = [held.get(audience.namespace, {}).get(audience.id, {}).get("status") for held in memberships]
        expected = 10_000 * members.share
        assert abs(states.count("realized") - expected) < 5 * expected**0.5, audience.name


# -- Parquet ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_numbered", [False, True])
def test_parquet_says_what_the_lines_say(tmp_path, kind, is_numbered):
    wanted = Wanted(700, seed=4, kind=kind, is_numbered=is_numbered and kind == "profiles")
    write_parquet([wanted], tmp_path / "made.parquet")

    table = pq.read_table(tmp_path / "made.parquet")
    shaping = Shaping(Dataset(name="made", format="parquet", location="/made", shape="profiles"), table.schema)
    people = [
        orjson.loads(document)
        for batch in table.to_batches()
        for _, _, document in shaping.rows(Piece("made", list(range(batch.num_rows)), batch))
    ]
    assert people == [without_nulls(record) for record in records_of(wanted)]


def test_parquet_of_nobody_has_columns(tmp_path):
    write_parquet([Wanted(0)], tmp_path / "nobody.parquet")

    table = pq.read_table(tmp_path / "nobody.parquet")
    assert table.num_rows == 0
    assert "identityMap" in table.column_names


# -- days -------------------------------------------------------------------------------------------------------------

SCENARIO = Scenario(120, 4, seed=6)


def sent(scenario, day):
    return [line.encode() for line in lines_of(*scenario.sent_on(day))]


@pytest.fixture
def take(tmp_path):
    """Take records into a new house; return everybody as they are kept there, by key."""
    houses = []

    async def take(records):
        houses.append(House(tmp_path / str(len(houses))))
        for start in range(0, len(records), 200):
            receipt = await houses[-1].ingest(*records[start : start + 200])
            assert not receipt.rejected
        return {key: decode(bytes(kept)) for key, kept in houses[-1].rows("SELECT key, document FROM profiles")}

    yield take
    for house in houses:
        house.close()


async def test_days_taken_in_any_order_end_in_the_same_state(take):
    days = [sent(SCENARIO, day) for day in range(5)]
    kept = await take(list(chain(*days)))

    orders = random.Random(1).sample([*permutations(days)], 6)
    for order in [list(reversed(days)), *orders]:
        assert await take(list(chain(*order))) == kept


async def test_records_taken_one_by_one_in_any_order_end_in_the_same_state(take):
    records = [record for day in range(5) for record in sent(SCENARIO, day)]
    kept = await take(records)

    for seed in (1, 2):
        shuffled = random.Random(seed).sample(records, len(records)) + random.Random(seed).sample(records, 50)
        assert await take(shuffled) == kept


async def test_at_last_people_are_as_on_the_last_day(take):
    kept = await take([record for day in range(5) for record in sent(SCENARIO, day)])

    at_last = {key_of(person): person for person in records_of(SCENARIO.at_last())}
    assert kept.keys() == at_last.keys()
    assert len(kept) == 124
    for key, person in at_last.items():
        attributes = {name: kept[key].get(name) for name in person if name not in ("segmentMembership", "x-headrace")}
        assert attributes == {name: person[name] for name in attributes}
        for namespace, audiences in person["segmentMembership"].items():
            for audience, state in audiences.items():
                held = kept[key]["segmentMembership"][namespace][audience]
                assert {**state, "sequence": held["sequence"]} == held


MANY, DAYS = 2_000, 7


@pytest.fixture(scope="module")
def many():
    """Days of many people: what each record says, by day and key."""
    scenario = Scenario(MANY, DAYS)
    return [records_of(*scenario.sent_on(day)) for day in range(DAYS + 1)]


def test_in_days_everything_happens(many):
    before = {key_of(person): person for person in many[0]}
    seen = set()
    for day in many[1:]:
        for after in day:
            known = before.get(key_of(after))
            seen |= {"somebody new"} if known is None else set(_happened(known, after))
            before[key_of(after)] = after

    happened = {"somebody new", "entered", "left", "moved house", "agreed", "withdrew", "a new device", "bought"}
    assert seen == {*happened, "late", "again"}


def _happened(before, after):
    number, newest = after["x-headrace"]["sequence"], before["x-headrace"]["sequence"]
    if number <= newest:
        yield "late" if number < newest else "again"
        return
    agreed = [person["consents"]["marketing"]["email"]["val"] == "y" for person in (before, after)]
    states = [dict(_states(person)) for person in (before, after)]
    happened = {
        "entered": any(now and not states[0].get(where) for where, now in states[1].items()),
        "left": any(was and not states[1].get(where) for where, was in states[0].items()),
        "moved house": before.get("homeAddress") != after.get("homeAddress"),
        "agreed": agreed == [False, True],
        "withdrew": agreed == [True, False],
        "a new device": before["identityMap"].get("ECID") != after["identityMap"].get("ECID"),
        "bought": before.get("commerce", {}).get("orders", 0) < after.get("commerce", {}).get("orders", 0),
    }
    yield from (name for name, is_so in happened.items() if is_so)


def _states(person):
    for namespace, audiences in person["segmentMembership"].items():
        for audience, membership in audiences.items():
            yield (namespace, audience), membership["status"] == "realized"


def test_a_day_changes_about_one_in_ten(many):
    assert all(MANY / 20 < len(day) < MANY / 5 for day in many[1:])


def test_who_is_late_comes_in_the_end(many):
    scenario = Scenario(MANY, DAYS)
    due = sum(len(lines_of(replace(scenario._of(day), only="all"))) for day in range(1, DAYS + 1))
    repeated = sum(len(lines_of(scenario._of(day, "repeated"))) for day in range(1, DAYS + 1))

    assert sum(len(day) for day in many[1:]) == due + repeated
    assert repeated > 0


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def headrace():
    app = typer.Typer()
    app.add_typer(command.app)
    return lambda *arguments: CliRunner().invoke(app, ["profiles", "generate", *arguments])


def test_days_of_parquet_hold_what_days_of_lines_do(headrace, tmp_path):
    for name in ("ndjson", "parquet"):
        ran = headrace("--count", "50", "--days", "3", "--format", name, "--output", str(tmp_path / name))
        assert ran.exit_code == 0, ran.output
    for day in range(4):
        lines = (tmp_path / "ndjson" / f"day-{day:04}.ndjson").read_bytes().splitlines()
        numbers = pq.read_table(tmp_path / "parquet" / f"day-{day:04}.parquet").column("x-headrace").to_pylist()
        assert numbers == [orjson.loads(line)["x-headrace"] for line in lines]


REFUSED = {
    "Parquet on standard output": (["--format", "parquet"], "Parquet is a file: name one"),
    "a file that is a directory": (["-o", "."], "is a directory: name a file in it"),
    "days on standard output": (["--days", "2"], "days are files of a directory"),
    "days of accounts": (["--days", "2", "--kind", "accounts", "-o", "new"], "nothing happens to accounts"),
    "days beside something else": (["--days", "2", "-o", "."], "name an empty directory"),
    "nowhere": (["-o", "missing/people.ndjson"], "cannot be written: No such file"),
    "more than there are": (["--count", "5000000000", "-o", "new"], "take another seed"),
}


@pytest.mark.parametrize(("arguments", "told"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_written_is_refused(headrace, tmp_path, monkeypatch, arguments, told):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    (tmp_path / "something").touch()

    ran = headrace(*arguments)

    assert ran.exit_code == 2
    assert told in ran.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["something"]
