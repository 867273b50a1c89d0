"""``headrace parked`` as an operator types it."""

import json

import pytest

from headrace.cli.demo import TOKEN, connect
from headrace.testkit.partner import Answer, Partner
from headrace.testkit.profiles import generate, ndjson
from support import eventually, in_process


@pytest.fixture(scope="module")
def partner():
    with Partner.in_thread(token=TOKEN, default=Answer(400, body=b"not like this \x1b[2J")) as partner:
        yield partner


@pytest.fixture(scope="module")
def headrace(tmp_path_factory, partner):
    with in_process(tmp_path_factory.mktemp("parked"), egress_allow=partner.origin, retry_steps="0.05") as headrace:
        path = headrace.folder / "data" / "credentials.json"
        path.write_text(json.dumps(headrace.credentials))
        yield headrace


@pytest.fixture(scope="module")
def flow(headrace, partner):
    """A dataflow of which everything is parked."""
    flow = connect(headrace.client, "moviestar", partner).dataflow
    headrace.api.ingest(b"".join(ndjson(generate(20, seed=9))))
    headrace.wait_until_settled(flow)
    partner._default = 200
    return flow


@pytest.fixture
def parked(typed, monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    return lambda *words: typed("parked", *words)


def test_they_are_listed_and_counted(parked, flow):
    code, out, _ = parked("list", flow, "--limit", "2")
    assert code == 0
    assert "the partner answered 400" in out
    assert "older ones: --before" in out

    _, out, _ = parked("list", flow, "--counts", "--json")
    (counted,) = json.loads(out)
    assert counted["code"] == "status-400"
    _, out, _ = parked("list", flow, "--code", "status-404", "--json")
    assert json.loads(out) == []


def test_an_audience_is_asked_for_with_its_namespace(parked, flow):
    _, out, _ = parked("list", flow, "--json")
    audience = next(item["audience"] for item in json.loads(out) if item["audience"] is not None)

    _, out, _ = parked("list", flow, "--audience", audience["id"], "--namespace", audience["namespace"], "--json")

    assert {item["audience"]["id"] for item in json.loads(out)} == {audience["id"]}


def test_one_is_shown_with_what_was_sent_and_answered(parked, flow):
    _, out, _ = parked("list", flow, "--limit", "1", "--json")
    number = str(json.loads(out)[0]["number"])

    code, out, _ = parked("show", flow, number)

    assert code == 0
    assert "code: status-400" in out
    assert "POST http" in out
    assert "answered 400" in out
    assert "not like this \\x1b[2J" in out
    _, out, _ = parked("show", flow, number, "--json")
    assert json.loads(out)["kept"]["answer"]["status"] == 400


@pytest.mark.parametrize("words", [(), ("--all", "--code", "status-400")])
def test_whoever_means_nothing_or_all_and_some_is_asked_again(parked, flow, words):
    code, _, err = parked("replay", flow, *words)

    assert code == 2
    assert "--all" in err


def test_some_are_discarded_and_the_rest_is_replayed(parked, flow, headrace):
    _, out, _ = parked("list", flow, "--limit", "1", "--json")
    number = str(json.loads(out)[0]["number"])

    code, out, _ = parked("discard", flow, number, "--reason", "test people")
    assert (code, out.splitlines()) == (0, ["1 changes", "succeeded: 1 discarded"])

    code, out, _ = parked("replay", flow, "--all", "--json")
    assert code == 0
    asked = json.loads(out)
    assert asked["run"]["state"] == "succeeded"
    assert asked["run"]["progress"]["looked"] == asked["changes"] > 0
    assert headrace.wait_until_settled(flow)["parked"] == 0


def test_whoever_does_not_wait_is_given_the_run(parked, typed, flow):
    code, out, _ = parked("replay", flow, "--code", "none", "--no-wait")

    assert code == 0
    id_ = out.split()[-1]
    eventually("it has ended", lambda: json.loads(typed("runs", "show", id_, "--json")[1])["endedAt"])
