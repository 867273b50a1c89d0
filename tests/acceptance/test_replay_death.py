"""However often the process dies in a replay, everybody is told of, and nothing is lost or counted twice."""

import signal
import zlib

import pytest

from headrace.cli.demo import TOKEN, connect
from headrace.testkit.oracle import Truth, compare
from headrace.testkit.partner import Partner
from headrace.testkit.profiles import generate, ndjson
from support import Server, eventually

PEOPLE = 6000
AT_ONCE = 1000
SUM = ("delivered", "superseded", "withheld", "parked", "pending")


@pytest.fixture
def partner():
    with Partner.in_thread(token=TOKEN, default=200) as partner:
        yield partner


@pytest.mark.campaign
def test_a_replay_that_is_killed_again_and_again_tells_of_everybody(tmp_path, partner):
    truth = Truth()
    with Server(tmp_path, egress_allow=partner.origin, retry_steps="0.1,0.2,0.5,1,1") as server:
        client = server.start()
        flow = connect(client, "moviestar", partner).dataflow
        ledger = f"/dataflows/{flow}/ledger"
        partner._default = lambda received: 422 if zlib.crc32(received.body) % 10 else 200
        lines = [line for line in b"".join(ndjson(generate(PEOPLE, seed=11))).splitlines() if line]
        for start in range(0, PEOPLE, AT_ONCE):
            some = lines[start : start + AT_ONCE]
            client.send("POST", "/ingest/profiles", b"\n".join(some), "application/x-ndjson")
            truth.take(some)
        eventually("most is parked", lambda: client.get(ledger)["pending"] == 0)
        laid_aside = client.get(ledger)["parked"]
        assert laid_aside > 2000

        partner._default, partner.delay = 200, 0.5
        run = client.post(f"/dataflows/{flow}/parked/replay", {"all": True})["run"]["id"]
        looked = [0]
        for _ in range(2):
            eventually("it goes on", lambda c=client: c.get(f"/runs/{run}")["progress"]["looked"] > looked[-1])
            looked.append(client.get(f"/runs/{run}")["progress"]["looked"])
            client.close()
            server.kill()
            assert server.process.returncode == -signal.SIGKILL
            partner.delay = max(0.0, partner.delay - 0.25)
            client = server.start()
            balance = client.get(ledger)
            assert balance["accepted"] == sum(balance[state] for state in SUM)
        eventually("the replay is done", lambda: client.get(f"/runs/{run}")["endedAt"])
        eventually("nothing is pending", lambda: client.get(ledger)["pending"] == 0)
        balance, progress = client.get(ledger), client.get(f"/runs/{run}")["progress"]
        client.close()

    assert looked == sorted({*looked})
    assert looked[1] < laid_aside, "it was killed before its end"
    assert progress["looked"] == progress["of"] == laid_aside
    assert progress["requeued"] + progress["superseded"] + progress["withheld"] == laid_aside
    assert balance["parked"] == 0
    assert balance["accepted"] == balance["delivered"] + balance["superseded"]
    assert compare("moviestar", truth, [item for item in partner.received if item.answered == 200], parked=set()) == []
