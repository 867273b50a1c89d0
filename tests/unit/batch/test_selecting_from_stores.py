"""The rows of exports from real stores, by real processes: in order, one moment, and an error where they end early."""

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import orjson
import pyarrow as pa
import pytest

from exports import Memory, look
from headrace.batch.export import Manner as Stored
from headrace.batch.export import export
from headrace.batch.members import unpacked
from headrace.batch.select import Manner
from headrace.batch.selecting import selecting
from headrace.batch.selection import AudienceWanted, Column, DedupeKey, Known, Wanted
from headrace.errors import AccountError, OperationError
from headrace.mapping import AttributeRow, IdentityRow
from headrace.mapping.consent import Consents, NamedPolicy
from headrace.model.consent import ConsentPolicy
from headrace.store.scanning import Profiles
from unit.services.house import House, person

STATUS = Column("status", AttributeRow("segmentMembership.seg_namespace.seg_id.status", "status"))
ID = Column("id", IdentityRow("crmId", "id"))
CITY = Column("city", AttributeRow("city", "city"))
POLICY = ConsentPolicy.model_validate({"name": "told", "conditions": [{"path": "mayTell", "operator": "exists"}]})
CONSENT = Consents([NamedPolicy("1", POLICY)])


@pytest.fixture
def house(tmp_path, lend_database):
    with lend_database() as database_url:
        built = House(tmp_path, database_url=database_url)
        built.people = Profiles(database_url or str(tmp_path / "headrace.db"), not database_url, built.caller.number)
        built.scratch = tmp_path / "scratch"
        yield built
        built.close()
    assert not processes()
    assert not list(built.scratch.glob("*"))


def processes():
    """The processes of exports that are there."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            said = (process / "cmdline").read_bytes()
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == os.getpid() and b"headrace.batch.picking" in said:
                found.append(int(process.name))
    return found


def wanted(*columns, manner=None, known=None, **more):
    audience = AudienceWanted(1, "ups", "a", None, manner or Manner("full", is_first=True), known or Known())
    return Wanted(columns or (ID, STATUS), (audience,), **more)


def after(asked, outcome, **more):
    """What is wanted of the next file, told who has changed."""
    (audience,), (one,) = asked.audiences, outcome.audiences
    manner = Manner("incremental", tells_status=True)
    return replace(asked, audiences=(replace(audience, manner=manner, known=Known(outcome.cut, one.members)),), **more)


def read(house, asked):
    with selecting(house.people, asked, house.scratch) as found:
        rows = [tuple(row.values()) for batch in found.rows.read("*") for row in batch.to_pylist()]
        return rows, found.outcome()


def fill(house, numbers, **more):
    sql = "INSERT INTO profiles (tenant, profile, key, document, sequence) VALUES (1, :n, :key, :document, :n)"
    rows = [{"n": n, "key": f"crmId:{n}", "document": document(n, **more)} for n in numbers]
    house.store.write_now(lambda tx: tx.many(sql, rows))


def document(number, **more):
    known = {
        "identityMap": {"crmId": [{"id": str(number)}]},
        "segmentMembership": {"ups": {"a": {"status": "realized"}}},
    }
    return b"\x01" + orjson.dumps({**known, **more})


async def test_the_next_file_has_who_came_who_went_and_who_has_another_identity(house):
    await house.ingest(person(1, "a"), person(2, "a"), person(3), person(4, "a"))
    rows, first = read(house, wanted())
    assert rows == [("1", "realized"), ("2", "realized"), ("4", "realized")]

    await house.ingest(person(1, "a", city="Faro"), person(2, a=False, minute=1), person(3, "a"))
    await house.ingest(person(4, "a", email=["d@example.com"]))
    rows, second = read(house, after(wanted(), first))

    assert rows == [("2", "exited"), ("3", "realized"), ("4", "realized")]
    assert read(house, after(wanted(), second))[0] == []


async def test_who_withdraws_consent_leaves_and_who_gives_it_enters(house):
    await house.ingest(person(1, "a", mayTell="y"), person(2, "a"))
    asked = wanted(consent=CONSENT)
    rows, first = read(house, asked)
    assert rows == [("1", "realized")]
    assert first.audiences[0].excluded == {"consent": 1}

    await house.ingest(person(1, "a"), person(2, "a", mayTell="y"))
    rows, second = read(house, after(asked, first))

    assert rows == [("1", "exited"), ("2", "realized")]
    assert unpacked(second.audiences[0].members).to_pylist() == [2]


async def test_of_whom_is_erased_nothing_is_said_and_nothing_kept(house):
    await house.ingest(person(1, "a"), person(2, "a"))
    _, first = read(house, wanted())
    house.store.write_now(lambda tx: tx.run("DELETE FROM profiles WHERE profile = 1"))

    rows, second = read(house, after(wanted(), first))

    assert rows == []
    assert (second.looked, second.audiences[0].received) == (1, 0)
    assert unpacked(second.audiences[0].members).to_pylist() == [2]


async def test_rows_come_by_the_numbers_of_people_however_they_lie(house):
    fill(house, range(3000, 0, -1))
    house.store.write_now(lambda tx: tx.run("UPDATE profiles SET document = document WHERE profile % 7 = 0"))

    rows, outcome = read(house, wanted())

    assert [int(id_) for id_, _ in rows] == list(range(1, 3001))
    assert (outcome.cut, outcome.looked) == (3000, 3000)


async def test_another_sandbox_is_not_looked_at(house):
    fill(house, [1])
    others = replace(house.people, tenant=house.people.tenant + 1)

    with selecting(others, wanted(), house.scratch) as found:
        assert list(found.rows.read("*")) == []
        assert found.outcome().looked == 0


async def test_a_key_takes_all_before_the_first(house):
    fill(house, range(1, 2001), city="Faro")

    rows, outcome = read(house, wanted(ID, CITY, key=DedupeKey(paths=("city",))))

    assert rows == [("1", "Faro")]
    assert outcome.audiences[0].excluded == {"duplicate": 1999}
    assert len(unpacked(outcome.audiences[0].members)) == 2000


async def test_the_first_rows_are_there_before_the_last_are_made(house):
    fill(house, range(1, 40_001), city="x" * 400)

    with selecting(house.people, wanted(ID, CITY), house.scratch) as found:
        batches = found.rows.read("*")
        assert next(batches).num_rows
        with pytest.raises(OperationError, match="read to their end"):
            found.outcome()
        assert sum(batch.num_rows for batch in batches) < 40_000
        assert found.outcome().looked == 40_000


async def test_what_is_selected_is_exported(house):
    fill(house, range(1, 6))
    storage = Memory()
    with selecting(house.people, wanted(), house.scratch) as found:
        await exported(found, look("csv"), storage, Stored(lambda part: f"{part}.csv", max_rows=4))

    assert storage.files["2.csv"].splitlines()[-1] == b"5,realized"
    assert found.outcome().audiences[0].rows == 5


async def test_an_export_that_is_cancelled_leaves_no_process(house):
    fill(house, range(1, 40_001))
    with selecting(house.people, wanted(), house.scratch) as found:
        storage = Slow()
        task = asyncio.create_task(exported(found, look("json"), storage, Stored(str, max_rows=2000)))
        await storage.begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def exported(found, how, storage, manner):
    async with export(found.rows, how, storage, manner) as files:
        await files.publish()


class Slow:
    """A storage that takes the first piece and then waits."""

    def __init__(self):
        self.begun = asyncio.Event()

    async def stage(self, path, pieces, *, replaces=False):
        async for _ in pieces:
            self.begun.set()
            await asyncio.Event().wait()


async def test_a_process_that_dies_is_an_error_and_not_the_end(house):
    fill(house, range(1, 40_001), city="x" * 2000)
    with selecting(house.people, wanted(ID, CITY), house.scratch) as found:
        batches = found.rows.read("*")
        next(batches)
        (number,) = processes()
        os.kill(number, signal.SIGKILL)
        with pytest.raises(OperationError, match="cannot be made"):
            list(batches)


class Torn:
    """People of whom some can be read, and then no more."""

    module = "unit.batch.test_selecting_from_stores"
    told = b""

    def reading(self, columns):
        return self

    def failed(self, reason):
        return OperationError(f"not to be read: {reason}")


def people(told):
    """What is read of ``Torn``, by another process."""
    documents = [document(number) for number in (1, 2)]
    some = {"profile": [1, 2], "sequence": [1, 2], "identities_at": [None, None]}
    yield pa.record_batch({**some, "document": pa.array([one[1:] for one in documents], pa.binary())})
    raise OSError("where it is kept\nthe disk is gone")


async def test_people_who_cannot_be_read_to_their_end_are_an_error_and_not_fewer(house, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))

    with selecting(Torn(), wanted(), house.scratch) as found:
        with pytest.raises(OperationError, match="not to be read: the disk is gone"):
            list(found.rows.read("*"))
        with pytest.raises(OperationError, match="were not read"):
            found.outcome()


async def test_a_process_that_dies_while_all_are_gathered_is_an_error(house):
    fill(house, range(1, 10_001))
    lost = replace(house.people, address=f"{house.people.address}-of-another")

    with (
        pytest.raises(OperationError, match="people cannot be read"),
        selecting(lost, wanted(key=DedupeKey(namespace="crmId")), house.scratch),
    ):
        raise AssertionError("nothing is there to be read")


async def test_a_document_that_cannot_be_read_is_told_by_its_kind_alone(house):
    house.store.write_now(
        lambda tx: tx.run(
            "INSERT INTO profiles (tenant, profile, key, document) VALUES (1, 1, 'x', :d)", {"d": b"\x01{"}
        )
    )

    with selecting(house.people, wanted(), house.scratch) as found, pytest.raises(OperationError) as raised:
        list(found.rows.read("*"))

    assert raised.value.message == "the rows of the export cannot be made: InvalidInputException"


async def test_a_mapping_that_is_none_is_told_before_anything_is_started(house):
    with pytest.raises(AccountError), selecting(house.people, wanted(mandatory=("a..b",)), house.scratch):
        raise AssertionError("nothing is there to be read")
