"""``headrace activate-now`` as an operator types it."""

import json

import pytest

from headrace.cli.demo import TOKEN, connect
from headrace.testkit.partner import Partner
from headrace.testkit.profiles import AUDIENCES, generate, ndjson
from support import in_process

DAY = 24 * 3600 * 1000


@pytest.fixture(scope="module")
def partner():
    with Partner.in_thread(token=TOKEN, default=200) as partner:
        yield partner


@pytest.fixture(scope="module")
def headrace(tmp_path_factory, partner):
    with in_process(tmp_path_factory.mktemp("now"), egress_allow=partner.origin) as headrace:
        path = headrace.folder / "data" / "credentials.json"
        path.write_text(json.dumps(headrace.credentials))
        yield headrace


@pytest.fixture(scope="module")
def flow(headrace, partner):
    """A dataflow whose audiences were mapped yesterday."""
    headrace.api.ingest(b"".join(ndjson(generate(20, seed=5))))
    flow = connect(headrace.client, "moviestar", partner).dataflow
    headrace.wait_until_backfilled(flow)
    headrace.app.store.write_now(
        lambda tx: tx.run("UPDATE dataflow_audiences SET mapped_at = mapped_at - :day", {"day": DAY})
    )
    return flow


def test_one_audience_is_sent_again_and_then_not_for_a_day(headrace, typed, flow):
    audience = f"{AUDIENCES[0].namespace}:{AUDIENCES[0].id}"

    code, out, _ = typed("activate-now", flow, "--audience", audience, "--json")

    assert code == 0
    (run,) = json.loads(out)["items"]
    assert (run["kind"], run["subject"]["dataflow"], run["subject"]["reason"]) == ("backfill", flow, "again")
    headrace.wait_until_backfilled(flow)
    code, _, err = typed("activate-now", flow, "--audience", audience)
    assert code == 2
    assert "less than 24 hours ago" in err


def test_the_runs_are_named_and_are_among_those_of_the_dataflow(headrace, typed, flow):
    others = [word for item in AUDIENCES[1:] for word in ("--audience", f"{item.namespace}:{item.id}")]

    code, out, _ = typed("activate-now", flow, *others)

    assert code == 0
    _, listed, _ = typed("runs", "list", "--dataflow", flow, "--json")
    assert {*out.split()} <= {run["id"] for run in json.loads(listed)}
