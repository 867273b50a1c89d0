"""People of a snapshot are taken in whoever dies, beside those who are sent, in memory that does not grow."""

import signal
import subprocess
import sys
import time

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import objects
from headrace.store.database import Store
from support import Server, eventually

PEOPLE = 4000
DOCUMENT = {
    "name": "people",
    "format": "parquet",
    "key": "id",
    "attributes": [{"column": "city", "path": "person.city"}],
}
#: Reads a snapshot to its end, twice, and says by how much its memory has grown since the first million rows.
READER = """
import sys
from pathlib import Path
import pyarrow.compute as pc
from headrace.datasets.places import Place, Places
from headrace.datasets.rows import Surroundings
from headrace.datasets.snapshot import Snapshot
from headrace.datasets.sources import Sources
from headrace.model.dataset import Dataset
from headrace.model.reading import read

path = Path(sys.argv[1])
document = {"name": "a", "format": sys.argv[2], "location": str(path), "key": "id",
            "attributes": [{"column": "city", "path": "person.city"}]}
surroundings = Surroundings(Places((Place(path.parent),)), Sources(), str)
snapshot = Snapshot.take(surroundings, read(Dataset, document)[0])

def peak():  # Not ru_maxrss: whoever forks this process hands down its own.
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) // 1024

def scan(most):  # Both ways of reading have their buffers, so both have read a half before the rest may take no more.
    seen = 0
    for batch in snapshot.scan(["city"], pc.field("city") == "Bern"):
        seen += batch.num_rows
        if seen >= most:
            break
    return seen

rows = 0
for _ in snapshot.profiles():
    rows += 1
    if rows == 1_000_000:
        scan(500_000)
        early = peak()
scanned = scan(sys.maxsize)
print(rows, scanned, early, peak())
"""


def table(count):
    return pa.table(
        {
            "id": pa.array([f"C-{number}" for number in range(count)]),
            "city": pa.array(["Bern" if number % 2 else "Ulm" for number in range(count)]),
            "note": pa.array([f"something said of number {number}" * 4 for number in range(count)]),
        }
    )


def prepared(client, folder):
    """Declare a dataset with a snapshot, and return its id."""
    dataset = client.post("/datasets", {**DOCUMENT, "location": f"{folder}/people.parquet"})["id"]
    taking = client.send("POST", f"/datasets/{dataset}/snapshots")["run"]["id"]
    eventually("the snapshot is taken", lambda: client.get(f"/runs/{taking}")["state"] == "succeeded")
    return dataset


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "people").mkdir()
    pq.write_table(table(PEOPLE), tmp_path / "people" / "people.parquet", row_group_size=1000)
    return tmp_path / "people"


@pytest.mark.parametrize("deaths", [1, pytest.param(3, marks=pytest.mark.campaign)])
def test_a_load_that_is_killed_again_and_again_takes_everybody_in_once(tmp_path, folder, deaths):
    with Server(tmp_path, dataset_directories=str(folder)) as server:
        client = server.start()
        load = client.send("POST", f"/datasets/{prepared(client, folder)}/load")["id"]
        seen = [0]
        for _ in range(deaths):
            eventually("it goes on", lambda c=client: c.get(f"/runs/{load}")["progress"]["done"] > seen[-1])
            seen.append(client.get(f"/runs/{load}")["progress"]["done"])
            client.close()
            server.kill()
            assert server.process.returncode == -signal.SIGKILL
            client = server.start()
        eventually("it is done", lambda: client.get(f"/runs/{load}")["state"] == "succeeded")
        progress = client.get(f"/runs/{load}")["progress"]
        client.close()

    assert progress == {"rows": PEOPLE, "done": PEOPLE, "accepted": PEOPLE, "rejected": 0, "rejects": []}
    assert seen == sorted({*seen})
    assert people_in(server) == PEOPLE


@pytest.mark.campaign
def test_people_in_a_bucket_are_taken_in(tmp_path, folder):
    with objects.server() as storage, Server(tmp_path, **bucket_of(storage, tmp_path)) as server:
        storage.bucket().put("crm/people.parquet", (folder / "people.parquet").read_bytes())
        client = server.start()
        load = client.send("POST", f"/datasets/{prepared(client, 's3://lake/crm')}/load")["id"]
        eventually("it is done", lambda: client.get(f"/runs/{load}")["state"] == "succeeded")
        client.close()

    assert people_in(server) == PEOPLE


def bucket_of(storage, folder):
    """Declare a bucket as an operator does, and return the settings."""
    lines = (
        '[lake]\ntype = "s3"\nurl = "s3://lake/crm"',
        f'endpoint = "{storage.endpoint}"\naccess_key = "{objects.KEY}"\nsecret_key = "{objects.SECRET}"\n',
    )
    (folder / "sources.toml").write_text("\n".join(lines))
    return {"dataset_sources": str(folder / "sources.toml"), "egress_allow": storage.endpoint}


def test_who_sends_people_meanwhile_does_not_wait_for_a_load(tmp_path, folder):
    with Server(tmp_path, dataset_directories=str(folder)) as server:
        client = server.start()
        dataset = prepared(client, folder)
        load = client.send("POST", f"/datasets/{dataset}/load")["id"]
        waited = []
        while client.get(f"/runs/{load}")["state"] in ("asked", "running"):
            began = time.monotonic()
            person = orjson.dumps({"profileId": f"live-{len(waited)}"})
            client.send("POST", "/ingest/profiles", person, "application/x-ndjson")
            waited.append(time.monotonic() - began)
        client.close()

    assert len(waited) > 5
    assert sorted(waited)[len(waited) // 2] < 0.5, waited
    assert people_in(server) == PEOPLE + len(waited)


@pytest.mark.campaign
@pytest.mark.parametrize("format_", ["parquet", "csv"])
def test_two_million_people_are_read_in_memory_that_does_not_grow(tmp_path, format_):
    count, part = 2_000_000, table(100_000)
    path = tmp_path / f"people.{format_}"
    if format_ == "parquet":
        with pq.ParquetWriter(path, part.schema) as writer:
            for _ in range(count // part.num_rows):
                writer.write_table(part)
    else:
        rows = zip(*(part.column(name).to_pylist() for name in part.column_names), strict=True)
        text = "".join(f"{','.join(row)}\n" for row in rows)
        with path.open("w") as file:
            file.write(f"{','.join(part.column_names)}\n")
            file.writelines(text for _ in range(count // part.num_rows))

    said = subprocess.run(
        [sys.executable, "-c", READER, str(path), format_], capture_output=True, text=True, check=True
    ).stdout

    rows, scanned, early, late = map(int, said.split())
    assert (rows, scanned) == (count, count // 2)
    assert late - early < 32, f"{early} MiB after a million rows, {late} MiB at the end"
    assert late < 400


def people_in(server):
    store = Store.open(server.data)
    try:
        return store.read_now(lambda tx: tx.run("SELECT count(*) FROM profiles").fetchone()[0])
    finally:
        store.close()
