"""Scans: everybody or who has changed, as columns, as of one moment, while the writer goes on."""

import contextlib
import subprocess
import sys
import threading
from pathlib import Path

import orjson
import pyarrow as pa
import pytest

from headrace.errors import OperationError
from headrace.store.scanning import Profiles
from headrace.store.wanted import BATCH, BATCH_OF_DOCUMENTS
from unit.services.house import House, person


@pytest.fixture
def house(tmp_path, lend_database):
    with lend_database() as database_url:
        built = House(tmp_path, database_url=database_url)
        built.people = Profiles(database_url or str(tmp_path / "headrace.db"), not database_url, built.caller.number)
        yield built
        built.close()


def scanned(house, columns, since=None):
    with house.people.scan(columns, since) as reader:
        return reader.read_all().to_pylist()


def sequence_of(house):
    ((number,),) = house.rows("SELECT sequence FROM tenants")
    return number


async def test_everybody_is_read_as_columns(house):
    await house.ingest(person(1, "a", city="Lisbon", hats={"count": 2}), person(2))

    rows = scanned(house, ["key", "profile", "city", "hats.count", "hats", "city.street"])

    nothing = dict.fromkeys(("city", "hats.count", "hats", "city.street"))
    assert sorted(rows, key=lambda row: row["profile"]) == [
        {**nothing, "key": "crmId:1", "profile": 1, "city": '"Lisbon"', "hats.count": "2", "hats": '{"count":2}'},
        {**nothing, "key": "crmId:2", "profile": 2},
    ]


async def test_memberships_and_the_document_are_columns(house):
    await house.ingest(person(1, "a"))

    (row,) = scanned(house, ["segmentMembership", "document", "sequence"])

    assert orjson.loads(row["document"])["segmentMembership"] == orjson.loads(row["segmentMembership"])
    assert row["sequence"] == sequence_of(house)


@pytest.mark.parametrize("count", [2, BATCH_OF_DOCUMENTS, 2 * BATCH_OF_DOCUMENTS + 1])
async def test_documents_of_however_many_are_whole(house, count):
    fill(house, count)

    rows = scanned(house, ["profile", "document"])

    assert [row["profile"] for row in rows] == list(range(1, count + 1))
    assert {row["document"] for row in rows} == {b'{"version":0}'}


async def test_who_is_gone_leaves_no_hole(house):
    fill(house, 3 * BATCH)
    house.store.write_now(
        lambda tx: tx.run("DELETE FROM profiles WHERE profile > 2 AND profile < :n", {"n": 3 * BATCH})
    )

    assert [row["profile"] for row in scanned(house, ["profile"])] == [1, 2, 3 * BATCH]
    assert [row["profile"] for row in scanned(house, ["profile", "version"], 2)] == [3 * BATCH]


def test_a_path_that_no_attribute_can_have_is_refused():
    with pytest.raises(ValueError, match="path"), Profiles("", True, 1).scan(['a"b']):
        pass


async def test_only_who_has_changed_since_is_read(house):
    await house.ingest(person(1), person(2), person(3))
    since = sequence_of(house)
    await house.ingest(person(1), person(2, city="Lisbon"), person(4))

    assert sorted(row["key"] for row in scanned(house, ["key"], since)) == ["crmId:2", "crmId:4"]
    assert scanned(house, ["key"], sequence_of(house)) == []


async def test_it_is_known_since_when_somebody_has_an_identity(house):
    def known():
        return [row["identities_at"] for row in scanned(house, ["identities_at"])]

    await house.ingest(person(1, "a"))
    assert known() == [None]

    also = {**person(1, "a"), "identityMap": {"crmId": [{"id": "1"}], "Email": [{"id": "a@example.com"}]}}
    await house.ingest(also)
    since = sequence_of(house)
    assert known() == [since]

    await house.ingest({**also, "city": "Porto"}, {**also, "identityMap": {"crmId": [{"id": "1"}]}, "city": "Faro"})
    assert known() == [since]


async def test_an_identity_and_something_else_in_one_request_are_told_apart(house):
    await house.ingest(person(1, "a"))
    also = {**person(1, "a"), "identityMap": {"crmId": [{"id": "1"}], "Email": [{"id": "a@example.com"}]}}

    await house.ingest(also, {**also, "city": "Porto"})

    ((row),) = scanned(house, ["identities_at", "sequence"])
    assert row == {"identities_at": sequence_of(house) - 1, "sequence": sequence_of(house)}


async def test_who_was_there_before_there_were_numbers_is_in_a_whole_scan_alone(house):
    await house.ingest(person(1))
    house.store.write_now(lambda tx: tx.run("UPDATE profiles SET sequence = NULL"))

    assert scanned(house, ["key", "sequence"]) == [{"key": "crmId:1", "sequence": None}]
    assert scanned(house, ["key"], 0) == []


async def test_nobody_is_no_rows_with_the_columns_asked_for(house):
    with house.people.scan(["key", "city"]) as reader:
        assert reader.schema == pa.schema([("key", pa.string()), ("city", pa.string())])
        assert reader.read_all().num_rows == 0


async def test_another_sandbox_is_not_read(house):
    await house.ingest(person(1))

    with Profiles(house.people.address, house.people.is_file, house.caller.number + 1).scan(["key"]) as reader:
        assert reader.read_all().num_rows == 0


def fill(house, count, start=0):
    sql = "INSERT INTO profiles (tenant, profile, key, document, sequence) VALUES (1, :n, :key, :document, :n)"
    rows = [
        {"n": n, "key": f"crmId:{n}", "document": b'\x01{"version":0}'} for n in range(start + 1, start + count + 1)
    ]
    house.store.write_now(lambda tx: tx.many(sql, rows))


def write_versions(house, stop):
    """Give everybody the next version, all in one transaction, again and again; a checkpoint after each."""
    version = 0
    while not stop.is_set():
        version += 1
        document = b'\x01{"version":%d}' % version
        house.store.write_now(lambda tx, d=document: tx.run("UPDATE profiles SET document = :d", {"d": d}))


async def test_a_scan_sees_one_moment_while_the_writer_goes_on(house):
    fill(house, BATCH + 4000)
    stop = threading.Event()
    writer = threading.Thread(target=write_versions, args=(house, stop))
    writer.start()
    try:
        for _ in range(2):
            with house.people.scan(["version"]) as reader:
                versions = pa.Table.from_batches(reader).column("version").to_pylist()
            assert len(versions) == BATCH + 4000
            assert len(set(versions)) == 1
    finally:
        stop.set()
        writer.join()


async def test_a_scan_may_be_left_before_its_end(house):
    fill(house, BATCH + 1)

    with house.people.scan(["key"]) as reader:
        assert reader.read_next_batch().num_rows > 0

    await house.ingest(person("new"))


async def test_somebody_else_reads_people_by_their_numbers(house):
    fill(house, 100)
    fill(house, 5000, start=100)
    house.store.write_now(lambda tx: tx.run("DELETE FROM profiles WHERE profile <= 50"))
    fill(house, 50)
    reading = house.people.reading(["key", "document", "version"])

    table = read_elsewhere(reading)

    assert table.column("key").to_pylist() == [f"crmId:{number}" for number in range(1, 5101)]
    assert table.column_names == ["key", "document", "version"]


def read_elsewhere(reading):
    """Read people in a process of its own: in this one, two libraries would have the file."""
    program = f"""
import sys, pyarrow as pa
from {reading.module} import people
table = pa.Table.from_batches(people(sys.stdin.buffer.read()))
with pa.ipc.new_stream(sys.stdout.buffer, table.schema) as stream:
    stream.write_table(table)
"""
    ran = subprocess.run([sys.executable, "-c", program], input=reading.told, capture_output=True, check=True)
    return pa.ipc.open_stream(ran.stdout).read_all()


async def test_a_store_that_cannot_be_read_is_an_error_and_not_nobody(tmp_path):
    with (
        pytest.raises(OperationError, match="cannot be read"),
        Profiles(str(tmp_path / "no.db"), True, 1).scan(["key"]) as reader,
    ):
        reader.read_all()


def peak_of_children():
    """Return the largest memory that a process of a scan has had so far, in bytes."""
    peaks = [0]
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if b"headrace.store.scan_" in (process / "cmdline").read_bytes():
                status = (process / "status").read_text()
                peaks += [int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM")]
    return max(peaks)


@pytest.mark.campaign
@pytest.mark.parametrize("columns", [["key"], ["key", "version", "document"]])
async def test_a_million_people_are_read_in_memory_that_stays_flat(house, columns):
    count = 1_000_000
    for start in range(0, count, 100_000):
        fill(house, 100_000, start)

    before, rows, peaks = pa.total_allocated_bytes(), 0, []
    with house.people.scan(columns) as reader:
        for batch in reader:
            rows += batch.num_rows
            assert pa.total_allocated_bytes() - before < 64 << 20
            if rows % (50 * BATCH) < BATCH:
                peaks.append(peak_of_children())

    assert rows == count
    assert max(peaks) < min(peak for peak in peaks if peak) + (32 << 20)
