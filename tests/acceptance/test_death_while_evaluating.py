"""Whoever dies while an audience is evaluated: nobody is left out, nobody is taken in twice."""

import contextlib
import signal

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from headrace.store.database import Store
from support import Server, eventually

QUERY = {"name": "Buyers", "kind": "sql", "audienceId": "a", "query": "SELECT id FROM shop", "key": "id"}


def lay(folder, ids):
    pq.write_table(pa.table({"id": [f"C-{number}" for number in ids]}), folder / "shop.parquet")


def snapshot(client, dataset):
    run = client.send("POST", f"/datasets/{dataset}/snapshots")["run"]["id"]
    eventually("the snapshot is taken", lambda: client.get(f"/runs/{run}")["state"] == "succeeded")


def newest(client):
    return client.get("/audiences/a/evaluations?limit=1")["items"][0]


def members(server):
    with contextlib.closing(Store.open(server.data, "")) as store:
        rows = store.read_now(lambda tx: tx.run("SELECT key, document FROM profiles").fetchall())
        (sequence,) = store.read_now(lambda tx: tx.run("SELECT sequence FROM tenants").fetchone())
    found = {key for key, document in rows if b'"realized"' in bytes(document)}
    assert all(orjson.loads(bytes(document)[1:]) for _, document in rows)
    return found, sequence


@pytest.mark.parametrize(
    ("point", "points"),
    [
        ("after_audience_list:1", ("after_audience_part:1",)),
        pytest.param("after_audience_part:1", (), marks=pytest.mark.campaign),
        pytest.param("after_audience_part:3", (), marks=pytest.mark.campaign),
    ],
)
def test_an_evaluation_goes_on_whoever_dies(tmp_path, point, points):
    folder = tmp_path / "people"
    folder.mkdir()
    lay(folder, range(1000))
    with Server(tmp_path, dataset_directories=str(folder)) as server:
        client = server.start()
        said = {"name": "shop", "format": "parquet", "location": str(folder / "shop.parquet"), "key": "id"}
        dataset = client.post("/datasets", said)["id"]
        snapshot(client, dataset)
        client.post("/audiences", {**QUERY, "largestRemoval": 100})
        client.send("POST", "/audiences/a/evaluate")
        eventually("it is taken in", lambda: newest(client)["state"] == "applied")
        client.close()
        server.stop()

        lay(folder, range(800, 1900))
        client = server.start(crash_at=point)
        snapshot(client, dataset)
        client.send("POST", "/audiences/a/evaluate")
        eventually("the process is dead", lambda: server.process.poll() is not None)
        assert server.process.returncode == -signal.SIGKILL
        client.close()
        for again in points:
            assert server.start_to_end(crash_at=again) == -signal.SIGKILL
        client = server.start()
        eventually("it is gone on with", lambda: newest(client)["state"] == "applied")
        found = newest(client)
        size = client.get("/audiences/a")["size"]
        client.close()
        server.stop()

    assert (found["entered"], found["left"], found["done"], size) == (900, 800, 1700, 1100)
    assert members(server) == ({f":C-{number}" for number in range(800, 1900)}, 1000 + 1700)
