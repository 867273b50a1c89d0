"""``headrace ledger`` and ``headrace history`` as an operator types them."""

import json

import pytest

from headrace.cli.demo import TOKEN, connect
from headrace.testkit.partner import Partner
from headrace.testkit.profiles import generate, ndjson
from support import in_process


@pytest.fixture(scope="module")
def partner():
    with Partner.in_thread(token=TOKEN) as partner:
        yield partner


@pytest.fixture(scope="module")
def headrace(tmp_path_factory, partner):
    with in_process(tmp_path_factory.mktemp("books"), egress_allow=partner.origin) as headrace:
        path = headrace.folder / "data" / "credentials.json"
        path.write_text(json.dumps(headrace.credentials))
        yield headrace


@pytest.fixture(scope="module")
def flow(headrace, partner):
    """A dataflow of which something was delivered and something parked."""
    partner._script.extend([200, 400])
    flow = connect(headrace.client, "moviestar", partner).dataflow
    headrace.api.ingest(b"".join(ndjson(generate(30, seed=9))))
    headrace.wait_until_settled(flow)
    return flow


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")


def test_the_ledger_is_shown_in_all_and_by_audience(flow, typed):
    code, out, _ = typed("ledger", "show", flow)
    shown = json.loads(typed("ledger", "show", flow, "--json")[1])

    assert code == 0
    assert "in all" in out
    assert str(shown["accepted"]) in out
    assert all(f"/{row['audience']['id']} " in out for row in shown["audiences"] if row["audience"])


def test_a_ledger_that_is_right_is_verified_and_one_that_is_not_is_named(headrace, flow, typed):
    assert typed("ledger", "verify")[:2] == (0, "dataflows looked at: 1, figures that are wrong: 0\n")
    assert typed("ledger", "verify", flow)[0] == 0
    steal = "UPDATE parked SET audience = audience + :by"
    headrace.app.store.write_now(lambda tx: tx.run(steal, {"by": 500}))

    code, out, _ = typed("ledger", "verify", flow)
    found = json.loads(typed("ledger", "verify", "--json")[1])

    assert code == 1
    assert f"dataflow {flow}, " in out
    assert "parked, and the rows 0" in out
    assert found["ok"] is False
    headrace.app.store.write_now(lambda tx: tx.run(steal, {"by": -500}))
    assert typed("ledger", "verify")[0] == 0
    assert typed("ledger", "verify", "another")[0] == 2


def test_the_hours_of_a_dataflow_are_listed(flow, typed):
    code, out, _ = typed("ledger", "hours", flow)
    listed = json.loads(typed("ledger", "hours", flow, "--json")[1])
    ledger = json.loads(typed("ledger", "show", flow, "--json")[1])

    assert code == 0
    assert "status-400" in out
    assert sum(hour["x-headrace"]["ledger"]["delivered"] for hour in listed) == ledger["delivered"]
    assert len(json.loads(typed("ledger", "hours", flow, "--limit", "1", "--json")[1])) == 1
    assert typed("ledger", "hours", "another")[0] == 2


def test_what_a_partner_was_told_of_a_person(headrace, flow, typed):
    parked = headrace.api.get(f"/dataflows/{flow}/parked").json["items"]
    key = parked[0]["profile"]

    code, out, _ = typed("history", key)
    shown = json.loads(typed("history", key, "--json", "--flow", flow)[1])

    assert code == 0
    assert "parked: status-400" in out
    assert {event["what"] for event in shown["events"]} >= {"accepted", "parked"}
    assert all(event["dataflow"] == flow for event in shown["events"])
    assert typed("history", key, "--from", "2999-01-01")[1].count("accepted") == 0
    assert typed("history", key, "--from", "today")[0] == 2
    assert typed("history", "crmId:nobody")[0] == 2
