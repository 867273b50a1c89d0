"""Who is erased is in no list of members any more, comes into no new one, and nobody else is disturbed by that."""

import asyncio
import itertools

import pyarrow.parquet as pq
import pytest

from headrace.datasets import members, removal
from headrace.errors import RequestError
from headrace.services.audiences import evaluating
from headrace.store import evaluations
from unit.services.audiences.test_evaluating import Killed, carry, take
from unit.services.audiences.test_uploading import SPACE, UPLOAD
from unit.services.house import person

CANARY, MAIL, TIER = "canary-crm-0815", "canary.person@example.com", "canary in platinum"
TEXTS = (CANARY, MAIL, TIER)
FILE = f"mail,tier\na@x.example,gold\n{MAIL},{TIER}\nb@x.example,tin\n".encode()


def found_in_files(station):
    """Return the files of audiences that have a canary: in some byte, or in a row."""
    files = [path for path in station.lists.rglob("*") if path.is_file()]
    in_bytes = {path for path in files for text in TEXTS if text.encode() in path.read_bytes()}
    lists = [path for path in files if path.suffix == ".parquet"]
    return in_bytes | {path for path in lists for text in TEXTS if text in str(pq.read_table(path).to_pylist())}


def keys(station, audience, name=members.LIST):
    """Return the keys in the newest list of an audience."""
    (number,) = station.house.rows("SELECT audience FROM audiences WHERE id = :id", id=audience)[0]
    directories = [path for path in station.lists.glob(f"*/{number}/*") if path.name.isdigit()]
    newest = max(directories, key=lambda path: int(path.name))
    return sorted(str(row["key"]) for part in members.read(newest, name, 0, 100) for row in part)


async def ended(station, id_, most=12):
    """Have an erasure looked at until it is done."""
    for _ in range(most):
        state, _ = await station.house.receipts(id_)
        if state == "done":
            return True
        await station.house.run_out()
    return False


async def lives(station):
    """Have the canary in a list by a query, and in one with what else is known of them, by a file."""
    house = station.house
    await house.activate("a")
    await house.open()
    await house.ingest(person(CANARY, email=[MAIL]), *(person(number) for number in range(40)))
    await station.lay(CANARY, *range(40))
    await station.create()
    await station.declaring.create(station.caller, UPLOAD)
    assert (await station.evaluate()).entered == 41
    assert (await station.upload(FILE, "n")).entered == 3
    await house.run_out()
    assert len(found_in_files(station)) >= 2


async def test_who_is_erased_is_in_no_list_and_comes_into_none(station):
    house = station.house
    await lives(station)
    others = [f"crmId:{number}" for number in range(40)]

    id_ = await house.erase(namespace="Email", id=MAIL)
    assert await ended(station, id_)

    assert found_in_files(station) == set()
    assert keys(station, "a") == sorted(others)
    assert keys(station, "n") == ["Email:a@x.example", "Email:b@x.example"]
    house.pass_time(60)
    again, uploaded = await station.evaluate(), await station.upload(FILE, "n")
    await house.run_out()
    assert (again.state, again.members_after, again.entered, again.left) == ("applied", 40, 0, 0)
    assert (uploaded.state, uploaded.members_after, uploaded.left) == ("applied", 2, 0)
    assert [(item["file"], item["line"], item["code"]) for item in again.rejects] == [("query", 1, "erased")]
    assert [(item["file"], item["line"], item["code"]) for item in uploaded.rejects] == [("upload", 3, "erased")]
    assert found_in_files(station) == set()
    assert [who for who, _, status in house.partner.told() if status == "exited"] == [CANARY]
    assert station.members() == sorted(others)
    assert await station.size() == 40
    assert await station.size("n") == len(station.members(SPACE, "n")) == 2


async def test_who_is_let_in_again_comes_back_with_the_next_evaluation(station):
    await lives(station)
    id_ = await station.house.erase(f"crmId:{CANARY}")
    assert await ended(station, id_)

    await station.house.erasures.lift(station.caller, id_)
    station.house.pass_time(60)

    assert (await station.evaluate()).entered == 1
    assert f"crmId:{CANARY}" in station.members()


@pytest.mark.parametrize("nth", [2, 4])
@pytest.mark.parametrize("whom", [8, 12, 2])
async def test_nobody_is_missed_where_somebody_is_erased_half_way(station, monkeypatch, nth, whom):
    monkeypatch.setattr(evaluating, "AT_ONCE", 3)
    await station.lay(*range(10))
    await station.create()
    await station.evaluate()
    await station.lay(*range(7, 17))
    count = itertools.count(1)

    def die(_name):
        if next(count) == nth:
            raise Killed

    monkeypatch.setattr(evaluating, "crashpoint", die)
    asked = await station.acting.evaluate(station.caller, "a")
    run = await take(station, asked.run)
    with pytest.raises(Killed):
        await carry(station, run)
    station.house.runs._held[run.run] = run.kind

    id_ = await station.house.erase(f"crmId:{whom}")
    await ended(station, id_)
    await carry(station, run)

    found = await station.carried("a", asked.evaluation)
    assert (found.state, found.done) == ("applied", found.entered + found.left)
    assert station.members() == sorted(f"crmId:{number}" for number in range(7, 17) if number != whom)
    assert keys(station, "a") == station.members()
    assert await station.size() == len(station.members())
    told = found.members_after + found.rejected - (whom < 7)
    assert told in (10, 9), "who was erased is counted where they had still to be taken in"


async def test_an_evaluation_that_is_held_is_taken_in_without_them(station):
    await station.lay(*range(300))
    await station.create()
    await station.evaluate()
    await station.lay(1, 500, 501)
    held = await station.evaluate()
    assert held.state == "held"

    for whom in (500, 7):
        assert await ended(station, await station.house.erase(f"crmId:{whom}"))
    station.house.pass_time(60)
    await station.acting.decide(station.caller, "a", held.evaluation, is_right=True)
    done = await station.carried("a", held.evaluation)

    assert (done.state, done.done, done.rejected) == ("applied", 301, 2)
    assert [item["code"] for item in done.rejects] == ["erased", "erased"]
    assert station.members() == keys(station, "a") == ["crmId:1", "crmId:501"]


async def test_a_file_that_waits_to_be_read_is_read_without_them(station):
    house = station.house
    await station.declaring.create(station.caller, UPLOAD)
    await station.acting.upload(station.caller, "n", chunks(FILE), "csv", part="all", valid_until=None)

    id_ = await house.erase(namespace="Email", id=MAIL)
    assert await ended(station, id_)

    (found,) = await station.history("n")
    assert (found.state, found.members_after, found.rejected) == ("applied", 2, 1)
    assert found_in_files(station) == set()


async def test_an_erasure_is_not_done_while_a_list_is_half_made(station):
    house = station.house
    await station.declaring.create(station.caller, UPLOAD)
    asked = await station.acting.upload(station.caller, "n", chunks(FILE), "csv", part="all", valid_until=None)
    run = await take(station, asked.run)
    house.runs._held[run.run] = run.kind  # It is carried, and takes its time.
    half = half_made(station, asked)

    id_ = await house.erase(namespace="Email", id=MAIL)
    assert not await ended(station, id_)
    assert half.exists()

    await carry(station, run)
    house.store.write_now(lambda tx: tx.run("UPDATE runs SET state = 'succeeded' WHERE run = :r", {"r": run.run}))
    assert await ended(station, id_)
    assert found_in_files(station) == set()
    assert keys(station, "n") == ["Email:a@x.example", "Email:b@x.example"]


async def test_what_nobody_works_on_any_more_is_removed(station):
    house = station.house
    await station.declaring.create(station.caller, UPLOAD)
    failed = await station.upload(FILE.replace(b"mail", b"post"), "n")
    assert failed.state == "failed"
    half = half_made(station, failed)
    left = half.parent / "upload-of-nobody.csv"
    left.write_bytes(FILE)

    id_ = await house.erase(namespace="Email", id=MAIL)
    assert (await house.receipts(id_, look=False))[0] == "telling", "somebody may be uploading it"
    assert await ended(station, id_)

    assert found_in_files(station) == set()
    assert not half.exists()
    (known,) = await station.history("n")
    assert known.reason.endswith("its file was removed because somebody was erased: upload it again")
    await house.runs.retry(station.caller, failed.run)
    again = await station.carried("n", failed.evaluation)
    assert again.state == "failed"
    assert "upload it again" in again.reason


async def test_who_dies_half_way_takes_them_out_of_the_rest_later(station, monkeypatch):
    await lives(station)
    sync, count = removal.sync, itertools.count()

    def die(path):
        if next(count) == 2:
            raise OSError("the disk is gone")
        sync(path)

    monkeypatch.setattr(removal, "sync", die)
    id_ = await station.house.erase(f"crmId:{CANARY}")
    assert "cannot be changed: the disk is gone" in str(station.house.rows("SELECT reason FROM runs"))
    assert found_in_files(station)

    assert await ended(station, id_)
    assert found_in_files(station) == set()
    assert len(keys(station, "a")) == 40


async def test_words_of_theirs_in_a_reason_are_removed(station):
    await station.lay(CANARY)
    await station.house.ingest(person(CANARY))
    await station.create("SELECT CAST(id AS INTEGER) AS id FROM shop")
    assert CANARY in (await station.evaluate()).reason

    await station.house.erase(f"crmId:{CANARY}")

    assert [item.reason for item in await station.history()] == ["removed: it may have named somebody who was erased"]


async def chunks(content):
    await asyncio.sleep(0)
    if not content:
        raise RequestError("nothing")
    yield content


def half_made(station, evaluation):
    """Leave what an evaluation has when it dies while it makes its list."""
    directory = station.declaring.directory_of(station.caller.number, evaluation.audience)
    directory /= f"{evaluation.evaluation}.new"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "raw.parquet").write_bytes(b"PAR1 " + MAIL.encode())
    return directory


def test_all_evaluations_are_read_in_their_order(house):
    def work(tx):
        for number in (2, 1):
            evaluations.add(tx, 1, evaluations.Evaluation(7, number, 1, "run", "asked", "all", "applied", 0))
        return [item.evaluation for item in evaluations.all_of(tx, 1, 7)]

    assert house.store.write_now(work) == [1, 2]
