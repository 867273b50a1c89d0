"""Keys are rotated twice while messages leave, and the server is killed in the middle: nothing fails or is lost."""

import contextlib
import http.client
import subprocess
import threading
import time
from contextlib import closing

import pytest

from headrace.cli.client import sign_in
from headrace.cli.demo import TOKEN, connect
from headrace.connect.keyfile import LocalKeyFile
from headrace.connect.keyring import Keyring
from headrace.errors import RequestError
from headrace.services.sealing import Safe
from headrace.store import access, documents
from headrace.store.database import Store
from headrace.store.keys import StoredKeys
from headrace.testkit.partner import Partner
from headrace.testkit.profiles import generate, ndjson
from support import PATIENCE, Server, command, environment, eventually

pytestmark = pytest.mark.campaign

#: Accounts beside those that are used: enough for a rotation to be killed in its middle.
MANY = 3_000


def opened(server):
    """Return a store that no server has, with its keyring and its sandbox."""
    store = Store.open(server.data)
    (tenant,) = store.read_now(access.all_tenants)
    return store, Safe(Keyring(LocalKeyFile(server.home / "master.key"), StoredKeys(store)), tenant)


def fill(server):
    store, safe = opened(server)
    with closing(store):
        made = [(f"account-{number}", safe.seal(f"account-{number}", {"token": "s3cret"})) for number in range(MANY)]

        def work(tx):
            for id_, params in made:
                document = {"name": id_, "auth": {"specName": "BEARER", "params": params}}
                documents.add(tx, safe.tenant.tenant, "account", id_, document, 1, "me")

        store.write_now(work)


class Load:
    """People who change all the time, sent by somebody who tries again until they are taken."""

    def __init__(self, server):
        self.server = server
        self.rounds = 0
        self._stopped = threading.Event()
        self._client = server.start()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopped.set()
        self._thread.join(PATIENCE)
        self._client.close()

    def replace(self, client):
        self._client = client

    def go_on(self, rounds=3):
        """Wait until so many more rounds of people were taken in."""
        wanted = self.rounds + rounds
        eventually("people are taken in", lambda: self.rounds >= wanted)

    def _send(self):
        everybody = list(generate(20))
        while not self._stopped.is_set():
            people = [{**person, "loyalty": {"points": self.rounds}} for person in everybody]
            with contextlib.suppress(OSError, http.client.HTTPException, RequestError):
                self._client.send("POST", "/ingest/profiles", b"".join(ndjson(people)), "application/x-ndjson")
                self.rounds += 1
            time.sleep(0.02)


def keys(server, *words):
    line = command("keys", *words, "--data-dir", str(server.data))
    return subprocess.run(
        line, env=environment(server.home), cwd=server.home, capture_output=True, text=True, timeout=PATIENCE
    )


def is_in_its_middle(client):
    seals = [key["values"] for key in client.get("/keys")["organizations"][0]["keys"]]
    return len(seals) == 2 and seals[1] > 0


@pytest.fixture(scope="module")
def rotated(tmp_path_factory):
    """Rotate twice under load with a death between: the server, its partner, what was seen on the way."""
    home = tmp_path_factory.mktemp("rotation")
    with Partner.in_thread(token=TOKEN) as partner, Server(home, egress_allow=partner.origin) as server:
        client = server.start()
        flow = connect(client, "moviestar", partner).dataflow
        client.close()
        server.stop()
        fill(server)
        with Load(server) as load:
            load.go_on()
            rotating = subprocess.Popen(
                command("keys", "rotate", "--data-dir", str(server.data)),
                env=environment(home),
                cwd=home,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            with closing(sign_in(server.data / "credentials.json")) as watching:
                eventually("the rotation is in its middle", lambda: is_in_its_middle(watching))
            server.kill()
            assert rotating.wait(PATIENCE) != 0
            client = server.start()
            load.replace(client)
            half_way = client.get("/keys")["organizations"][0]["keys"]
            load.go_on()
            resumed = keys(server, "rotate", "--resume", "--prune")
            again = keys(server, "rotate", "--prune")
            master = keys(server, "rotate-master", "--prune")
            load.go_on()
        with closing(sign_in(server.data / "credentials.json")) as client:
            path = f"/dataflows/{flow}/ledger"
            eventually("everything is settled", lambda: client.get(path)["pending"] == 0)
            ledger, after = client.get(path), client.get("/keys")
        server.stop()
        yield server, partner, half_way, [resumed, again, master], ledger, after


def test_it_was_killed_in_the_middle_and_the_next_call_went_on(rotated):
    _, _, half_way, commands, _, _ = rotated

    assert len(half_way) == 2
    assert all(key["values"] > 0 for key in half_way)
    assert [ran.returncode for ran in commands] == [0, 0, 0], [ran.stderr for ran in commands]
    assert "removed k" in commands[0].stdout


def test_no_send_failed(rotated):
    server, partner, _, _, ledger, _ = rotated

    assert set(partner.statuses) == {200}
    assert ledger["parked"] == 0
    assert ledger["accepted"] == ledger["delivered"] + ledger["superseded"] + ledger["withheld"]
    log = server.log.read_text()
    assert not [word for word in ("retried", "parked", "stopped", "failed", "Traceback") if word in log]


def test_nothing_is_unreadable_and_one_key_has_it_all(rotated):
    server, _, half_way, _, _, after = rotated
    (key,) = after["organizations"][0]["keys"]
    assert key["id"] not in {known["id"] for known in half_way}
    assert key["values"] == sum(known["values"] for known in half_way)
    assert [item["masterKey"] for item in after["wrapped"]] == [after["masterKey"]]

    store, safe = opened(server)
    with closing(store):
        accounts = store.read_now(lambda tx: documents.all_of(tx, safe.tenant.tenant, "account"))
        texts = {safe.open(item.id, item.document["auth"]["params"])["token"].reveal() for item in accounts}
    assert len(accounts) == MANY + 1
    assert texts == {"s3cret", TOKEN}
