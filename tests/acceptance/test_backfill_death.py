"""However often the process dies, everybody who was a member before is told of once, and what happens goes first."""

import signal

import pytest

from headrace.cli.demo import TOKEN, connect
from headrace.testkit.oracle import Truth, compare
from headrace.testkit.partner import Partner
from headrace.testkit.profiles import generate, ndjson
from support import Server, eventually

PEOPLE = 9000
AT_ONCE = 1000


@pytest.fixture
def partner():
    with Partner.in_thread(token=TOKEN, default=200) as partner:
        yield partner


@pytest.mark.campaign
def test_a_backfill_that_is_killed_again_and_again_tells_of_everybody_once(tmp_path, partner):
    truth = Truth()
    with Server(tmp_path, egress_allow=partner.origin, retry_steps="0.1,0.2,0.5,1,1") as server:
        client = server.start()
        lines = [line for line in b"".join(ndjson(generate(PEOPLE, seed=11))).splitlines() if line]
        for start in range(0, PEOPLE, AT_ONCE):
            some = lines[start : start + AT_ONCE]
            client.send("POST", "/ingest/profiles", b"\n".join(some), "application/x-ndjson")
            truth.take(some)
        partner.delay = 0.5
        connected = connect(client, "moviestar", partner)
        looked = [0]
        for _ in range(3):
            eventually("it goes on", lambda c=client: _looked(c) > looked[-1])
            looked.append(_looked(client))
            client.close()
            server.kill()
            assert server.process.returncode == -signal.SIGKILL
            partner.delay = max(0.0, partner.delay - 0.25)
            client = server.start()
        eventually("the backfills are done", lambda: all(run["endedAt"] for run in _backfills(client)))
        ledger = f"/dataflows/{connected.dataflow}/ledger"
        eventually("nothing is pending", lambda: client.get(ledger)["pending"] == 0)
        balance, runs = client.get(ledger), _backfills(client)
        client.close()

    assert looked == sorted({*looked})
    assert {run["state"] for run in runs} == {"succeeded"}
    assert {run["progress"]["looked"] for run in runs} == {PEOPLE}
    assert balance["accepted"] == balance["delivered"] == sum(run["progress"]["queued"] for run in runs)
    assert compare("moviestar", truth, list(partner.received), parked=set()) == []


def _backfills(client):
    return client.get("/runs?kind=backfill")["items"]


def _looked(client):
    return sum(run["progress"].get("looked", 0) for run in _backfills(client))
