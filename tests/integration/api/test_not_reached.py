"""Whoever makes Headrace call an address of their choosing learns nothing of the network that it is in."""

import socket
import statistics
import time
from contextlib import ExitStack

import pytest

from headrace.testkit.partner import Partner
from support import FLOWS, in_process

from .conftest import DESTINATIONS, SERVERS, Operator
from .test_look_ups import FIELDS, LISTS, Desk

TOLD_AFTER = 0.1
ROUNDS = 40
LIMIT = 40


@pytest.fixture(scope="module")
def places():
    """Origins that are not reached, each for another reason."""
    with ExitStack() as held:
        closed = socket.create_server(("127.0.0.1", 0))
        origin = f"http://127.0.0.1:{closed.getsockname()[1]}"
        closed.close()
        yield {
            "closed": origin,
            "silent": f"http://127.0.0.1:{_silent(held)}",
            "blocked address": "http://127.0.0.1:9",
            "blocked name": "https://localhost:9443",
            "no name": "https://absent.invalid",
        }


def _silent(held):
    """Listen, and take no more connections than are waiting already: who connects then gets no answer."""
    listener = held.enter_context(socket.socket())
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    for _ in range(4):
        waiting = held.enter_context(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(listener.getsockname())
    return listener.getsockname()[1]


@pytest.fixture(scope="module")
def headrace(tmp_path_factory, partner, places, lend_database):
    folder = tmp_path_factory.mktemp("headrace")
    allowed = ", ".join([partner.origin, places["closed"], places["silent"]])
    settings = {"egress_allow": allowed, "unreached_after": TOLD_AFTER, "calls_per_minute": 100_000}
    with lend_database() as database_url, in_process(folder, database_url=database_url, **settings) as headrace:
        yield headrace


@pytest.fixture
def desk(api, operator, partner):
    partner.gets = {"/lists": LISTS, "/fields": FIELDS}
    return Searcher(api, operator, partner)


class Searcher(Desk):
    """Somebody who has a destination, and points it at one address after the other."""

    def ready(self):
        self.destination_id = super().destination(schema="/fields")
        self.account_id = self.account(self.destination_id)
        document = self.api.get(f"{DESTINATIONS}/{self.destination_id}").json
        sources = [document["schemaConfig"]["dynamicSchemaConfig"], document["customerDataFields"][2]]
        self.servers = [source["dynamicEnum"]["destinationServerId"] for source in sources]
        return self

    def point_at(self, origin):
        for server in self.servers:
            document = self.api.get(f"{SERVERS}/{server}").json
            document["urlBasedDestination"]["url"]["value"] = f"{origin}/fields"
            assert self.api.put(f"{SERVERS}/{server}", document).status == 200

    def tried(self):
        return self.api.post(f"{FLOWS}/connections/{self.account_id}/test", {})

    def looked_up(self):
        return self.choices(self.destination_id, self.account_id, "?fresh=true")

    def connected(self):
        params = {"region": "eu", "list": "7"}
        return self.operator.target(self.destination_id, self.account_id, params)


DOORS = ("tried", "looked_up", "connected")


@pytest.mark.parametrize("door", DOORS)
def test_no_answer_tells_why_an_address_was_not_reached(desk, places, door):
    desk.ready()
    answers = {}
    for name, origin in places.items():
        desk.point_at(origin)
        answer = getattr(desk, door)()
        answers[name] = (answer.status, answer.text.replace(origin, "ORIGIN"))

    assert "ORIGIN" in answers["closed"][1]
    assert set(answers.values()) == {answers["closed"]}, answers


def test_a_sign_in_at_an_address_that_is_not_reached_tells_no_more(api, operator, places):
    answers = set()
    for origin in (places["closed"], places["blocked address"], places["blocked name"]):
        way = {
            "authType": "OAUTH2",
            "grant": "OAUTH2_CLIENT_CREDENTIALS",
            "accessTokenUrl": f"{origin}/token",
            "clientId": "a",
            "clientSecret": "canary-secret-of-a-client",
        }
        destination = operator.destination(customerAuthenticationConfigurations=[way])
        document = {"name": "a", "connectionSpec": {"id": destination, "version": "1.0"}}
        document["auth"] = {"specName": "OAUTH2", "params": {}}
        account = api.post(f"{FLOWS}/connections", document).json["id"]
        for _ in range(2):  # The second time, Headrace does not even ask.
            trial = api.post(f"{FLOWS}/connections/{account}/test", {})
            answers.add(trial.text.replace(origin, "ORIGIN"))

    assert len(answers) == 1, answers


@pytest.mark.campaign
def test_the_time_does_not_tell_a_blocked_address_from_a_closed_port(desk, places):
    """
    Nobody does better than by guessing who sees the times alone.

    The measure is how often a blocked address takes longer than a closed port, over all pairs: a half is chance. They
    are asked in turn, so that a busy machine slows both. Three tenths to either side of chance are more than four
    standard deviations of forty each.
    """
    desk.ready()
    closed, blocked = [], []
    for _ in range(ROUNDS):
        for origin, times in ((places["closed"], closed), (places["blocked name"], blocked)):
            desk.point_at(origin)
            times.append(_seconds(desk.tried))

    assert min(closed + blocked) >= TOLD_AFTER
    assert 0.2 <= _longer(blocked, closed) <= 0.8, (statistics.median(closed), statistics.median(blocked))


def _seconds(ask):
    began = time.perf_counter()
    assert not ask().json["ok"]
    return time.perf_counter() - began


def _longer(one, other):
    """Return how often one of the first takes longer than one of the others; half of those that take as long."""
    pairs = [(a, b) for a in one for b in other]
    return sum(1.0 if a > b else 0.5 if a == b else 0.0 for a, b in pairs) / len(pairs)


def test_a_blocked_address_is_in_the_audit_and_a_closed_port_is_not(api, desk, places):
    desk.ready()
    for name in ("closed", "blocked name"):
        desk.point_at(places[name])
        desk.tried()
        desk.tried()

    entries = [item for item in api.get("/audit?limit=1000").json["items"] if item["id"] == desk.account_id]
    (entry,) = [item for item in entries if item["action"] == "blocked"]
    assert entry["actor"].startswith("client:")
    assert (entry["noun"], entry["sandbox"]) == ("account", "prod")
    assert entry["details"] == {"target": "https://localhost:9443"}
    assert api.get("/audit/verify").json["whole"]


def test_who_asks_too_often_has_to_wait(tmp_path, lend_database):
    with Partner.in_thread() as partner, lend_database() as database_url:
        settings = {"egress_allow": partner.origin, "calls_per_minute": LIMIT, "database_url": database_url}
        with in_process(tmp_path, **settings) as headrace:
            operator = Operator(headrace, partner)
            account = operator.account(operator.destination()).json["id"]
            path = f"{FLOWS}/connections/{account}/test"
            answers = [headrace.api.post(path, {}) for _ in range(LIMIT + 1)]
            other = headrace.api.post(f"{FLOWS}/connections/{account}/authorize", {})

    assert [answer.status for answer in answers] == [200] * LIMIT + [429]
    refused = answers[-1]
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json["code"] == other.json["code"] == "too-many-calls"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert f"try again in {refused.headers['retry-after']} seconds" in refused.json["detail"]
