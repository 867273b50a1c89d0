"""Sending audiences again, through the API."""

import pytest

from headrace.testkit.profiles import generate, ndjson

DAY = 24 * 3600 * 1000


@pytest.fixture(scope="module")
def flow(headrace, operator):
    """A dataflow whose audiences were mapped long ago."""
    headrace.api.ingest(b"".join(ndjson(generate(20, seed=5))))
    flow = operator.flow("moviestar")
    headrace.wait_until_backfilled(flow)
    return flow


def test_what_was_just_mapped_is_not_sent_again_and_says_when_it_may_be(api, flow):
    refused = api.post(f"/dataflows/{flow}/activate-now", {})

    assert (refused.status, refused.json["code"]) == (429, "too-soon")
    assert 0 < int(refused.headers["retry-after"]) <= DAY // 1000
    assert "again from 20" in refused.json["detail"]


def test_a_day_later_runs_send_everybody_again(headrace, api, flow):
    headrace.app.store.write_now(
        lambda tx: tx.run("UPDATE dataflow_audiences SET mapped_at = mapped_at - :day", {"day": DAY})
    )
    before = api.get(f"/dataflows/{flow}/ledger").json

    runs = api.post(f"/dataflows/{flow}/activate-now", {}).json["items"]
    headrace.wait_until_backfilled(flow)

    after = api.get(f"/dataflows/{flow}/ledger").json
    done = [api.get(f"/runs/{run['id']}").json for run in runs]
    assert {run["state"] for run in done} == {"succeeded"}
    queued = sum(run["progress"]["queued"] for run in done)
    assert after["accepted"] - before["accepted"] == queued == sum(run["progress"]["members"] for run in done) > 0


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"audiences": []},
        {"audiences": "all"},
        {"audiences": ["a"]},
        {"audiences": [{"id": 1}]},
        {"audiences": [{"id": "a", "name": "b"}]},
        {"audience": "a"},
    ],
)
def test_a_body_of_another_form_is_refused_with_the_form(api, flow, body):
    refused = api.post(f"/dataflows/{flow}/activate-now", body)

    assert (refused.status, refused.json["code"]) == (400, "bad-request")
    assert "audiences" in refused.json["detail"]


def test_an_audience_that_is_not_sent_is_named(api, flow):
    refused = api.post(f"/dataflows/{flow}/activate-now", {"audiences": [{"id": "nobody's"}]})

    assert refused.status == 404
    assert "nobody's" in refused.json["detail"]
