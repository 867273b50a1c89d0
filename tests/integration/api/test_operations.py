"""The ledger, what is parked, and how the process is."""

import contextlib
import json

import pytest
from prometheus_client.parser import text_string_to_metric_families

from headrace.testkit.profiles import generate, ndjson
from support import FLOWS, Api, eventually, in_process

from .conftest import SERVERS, paths

#: Ours are also all paths below these, and those of these ends.
OURS_BELOW = (
    "/activations",
    "/audiences",
    "/keys",
    "/publishing/requests",
    "/access",
    "/audit",
    "/runs",
    "/schedules",
    "/datasets",
    "/governance",
)
OURS_AFTER = ("/versions", "/versions/{version}", "/versions/{version}/restore", "/diff", "/consent", "/withdraw")
STATES = ("delivered", "superseded", "withheld", "parked", "pending")
OURS_OF_FLOWS = (
    "/connectionSpecs/{id}/choices",
    "/connectionSpecs/{id}/schema",
    "/connections/{id}/action",
    "/connections/{id}/authorize",
    "/flows/{id}/audiences/atPartner",
    "/flows/{id}/audiences/retry",
    "/flows/{id}/audiences/{namespace}/{audience}/adopt",
    "/targetConnections/{id}/audiences",
)
OURS = {
    "/alerts",
    "/alerts/subscriptions",
    "/alerts/subscriptions/{id}",
    "/alerts/subscriptions/{id}/test",
    "/ingest/profiles",
    "/ingest/erasures",
    "/ingest/erasures/{id}",
    "/ingest/erasures/{id}/lift",
    "/dataflows/{id}/ledger",
    "/dataflows/{id}/ledger/check",
    "/ledger/check",
    "/history",
    "/dataflows/{id}/parked",
    "/dataflows/{id}/parked/counts",
    "/dataflows/{id}/parked/discard",
    "/dataflows/{id}/parked/replay",
    "/dataflows/{id}/parked/{number}",
    "/dataflows/{id}/parked/{number}/message",
    "/dataflows/{id}/policy-check",
    "/dataflows/{id}/withheld",
    "/dataflows/{id}/activate-now",
    "/data/foundation/flowservice/targetConnections/{id}/test",
    "/backups",
    "/healthz",
    "/metrics",
    "/namespace-order",
    "/quota",
    "/quotas",
    "/quotas/{id}",
    *(f"{FLOWS}{path}" for path in OURS_OF_FLOWS),
}


@pytest.fixture(scope="module")
def flow(headrace, partner, operator):
    """A dataflow of which something was delivered and something parked."""
    flow = operator.flow("moviestar")
    partner._script.extend([200, 400, 200, 422, 200, 400])
    headrace.api.ingest(b"".join(ndjson(generate(30, seed=9))))
    headrace.wait_until_settled(flow)
    return flow


def test_the_ledger_accounts_for_every_change(api, flow):
    ledger = api.get(f"/dataflows/{flow}/ledger").json

    assert set(ledger) == {"accepted", "messages", *STATES}
    assert ledger["accepted"] == sum(ledger[state] for state in STATES) > 0
    assert ledger["parked"] > 0


def test_the_ledger_by_audience_adds_up(api, flow):
    ledger = api.get(f"/dataflows/{flow}/ledger?by=audience").json

    audiences = ledger.pop("audiences")
    for state in ("accepted", *STATES):
        assert sum(row[state] for row in audiences) == ledger[state]
    named = [row["audience"] for row in audiences if row["audience"] is not None]
    assert {"namespace", "id", "name"} == set(named[0])
    assert "Loyal customers" in [audience["name"] for audience in named]
    assert paths(api.get(f"/dataflows/{flow}/ledger?by=person")) == ["/query/by"]


def test_what_is_parked_is_listed_newest_first_with_its_reason(api, flow):
    items = api.get(f"/dataflows/{flow}/parked").json["items"]

    assert len(items) == api.get(f"/dataflows/{flow}/ledger").json["parked"]
    assert {item["code"] for item in items} == {"status-400", "status-422"}
    assert {item["reason"] for item in items} == {"the partner answered 400", "the partner answered 422"}
    assert [item["number"] for item in items] == sorted((item["number"] for item in items), reverse=True)
    assert all(item["profile"].startswith("crmId:C-") for item in items)
    assert all(item["attempts"] == 1 and item["parkedAt"].endswith("Z") for item in items)


def test_what_is_parked_is_listed_in_pages(api, flow):
    everything = api.get(f"/dataflows/{flow}/parked").json
    assert everything["next"] is None

    seen, before = [], ""
    while True:
        page = api.get(f"/dataflows/{flow}/parked?limit=2{before}").json
        seen += page["items"]
        if page["next"] is None:
            break
        before = f"&before={page['next']}"

    assert seen == everything["items"]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "before=x", "before=-1", f"before={10**30}"])
def test_a_page_that_is_none_is_refused(api, flow, query):
    assert paths(api.get(f"/dataflows/{flow}/parked?{query}")) == [f"/query/{query.split('=')[0]}"]


def test_the_ledger_is_held_against_the_rows(api, flow):
    right = {"ok": True, "dataflows": 1, "differences": []}

    assert api.get(f"/dataflows/{flow}/ledger/check").json == right
    assert api.get("/ledger/check").json["ok"]


def test_what_partners_were_told_of_a_person(api, flow):
    key = api.get(f"/dataflows/{flow}/parked").json["items"][0]["profile"]

    found = api.post("/history", {"profile": key, "dataflow": flow}).json

    assert {event["what"] for event in found["events"]} >= {"accepted", "parked"}
    assert found["dataflows"][0]["parked"][0]["code"] in ("status-400", "status-422")
    assert found["next"] is None
    assert found["kept"] == {"days": 30}


@pytest.mark.parametrize(
    "body",
    [[], {}, {"profile": 7}, {"profile": "x", "who": 1}, {"profile": "x", "from": 3}, {"profile": "x", "until": "y"}],
)
def test_a_question_that_is_none_is_refused(api, body):
    assert api.post("/history", body).status == 400


def test_who_is_not_there_has_no_history(api, flow):
    assert api.post("/history", {"profile": "crmId:nobody"}).status == 404
    key = api.get(f"/dataflows/{flow}/parked").json["items"][0]["profile"]
    assert api.post("/history", {"profile": key, "dataflow": "absent"}).status == 404


@pytest.mark.parametrize(
    "path", ["/dataflows/absent/ledger", "/dataflows/absent/ledger/check", "/dataflows/absent/parked"]
)
def test_a_dataflow_that_is_not_there_is_404(api, path):
    answer = api.get(path)

    assert answer.status == 404
    assert answer.json["code"] == "not-found"
    assert answer.json["type"] == "urn:headrace:not-found"


def test_the_process_says_that_it_is_well_to_everybody(headrace):
    api = Api(headrace.api.url)

    assert api.get("/healthz").json == {"status": "ok"}
    api.close()


def samples(text):
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_are_prometheus_text_and_agree_with_the_ledger(headrace, api, flow):
    ledger = api.get(f"/dataflows/{flow}/ledger").json
    nobody = Api(api.url)

    def scraped():
        answer = nobody.get("/metrics")
        is_read = samples(answer.text).get(("headrace_changes", ("dataflow", flow), ("state", "accepted")))
        return answer if is_read == ledger["accepted"] else None

    answer = eventually("the ledger is read again", scraped)
    nobody.close()

    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    metrics = samples(answer.text)
    for state in ("accepted", *STATES):
        assert metrics["headrace_changes", ("dataflow", flow), ("state", state)] == ledger[state]
    assert metrics["headrace_message_delivered_total", ("dataflow", flow)] == ledger["messages"]
    assert metrics["headrace_message_delivered_waited_seconds_count", ("dataflow", flow)] == ledger["messages"]
    answered = ("headrace_request_answered_seconds_count", ("answer", "2xx"), ("dataflow", flow))
    assert metrics[answered] == ledger["messages"]
    assert metrics["headrace_group_rendered_total", ("dataflow", flow)] >= 1
    assert metrics["headrace_oldest_waiting_seconds", ("dataflow", flow)] == 0
    assert metrics["headrace_dataflows", ("state", "enabled")] >= 1
    assert metrics[("headrace_process_resident_memory_bytes",)] > 1_000_000
    assert metrics[("headrace_profiles_ingested_accepted_total",)] >= 30
    assert "crmId" not in answer.text


def test_every_metric_is_explained(api, flow):
    for family in text_string_to_metric_families(api.get("/metrics").text):
        assert family.documentation, family.name
        assert family.name.startswith("headrace_")


def test_metrics_on_an_address_that_others_reach_need_a_token(tmp_path):
    with in_process(tmp_path, host="0.0.0.0") as headrace:
        answer = headrace.api.get("/metrics")

    assert answer.status == 403
    assert "HEADRACE_METRICS_TOKEN" in answer.json["detail"]


def test_metrics_with_a_token_are_for_whoever_has_it(tmp_path):
    with in_process(tmp_path, host="0.0.0.0", metrics_token="watcher") as headrace:
        api = headrace.api
        assert api.get("/metrics", {"Authorization": None}).status == 401
        assert api.get("/metrics").status == 401, "an access token is another thing"
        assert api.get("/metrics", {"Authorization": "Bearer wätcher"}).status == 401
        assert api.get("/metrics", {"Authorization": "Bearer watcher"}).status == 200


def test_the_reference_is_whole(api):
    document = api.get("/openapi.json").json

    assert document["openapi"].startswith("3.1")
    assert len(document["paths"]) >= 17
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            assert operation["responses"]
            if method in ("post", "put") and "/authoring/" in path and not path.endswith("/restore"):
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                assert schema["$ref"].removeprefix("#/components/schemas/") in document["components"]["schemas"]
    names = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))


def test_every_reference_in_the_reference_leads_somewhere(api):
    text = api.get("/openapi.json").text
    schemas = json.loads(text)["components"]["schemas"]

    for name in {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}:
        assert name in schemas


def test_every_field_of_a_block_is_explained_in_the_reference(api):
    schemas = api.get("/openapi.json").json["components"]["schemas"]

    for name in ("Destination", "DestinationServer", "BaseConnection", "TargetConnection", "Flow", "Aggregation"):
        for field, schema in schemas[name]["properties"].items():
            assert schema.get("description"), (name, field)


def test_what_is_ours_is_marked_and_the_originals_is_not(api):
    paths_ = api.get("/openapi.json").json["paths"]

    marked = {path for path, methods in paths_.items() if all(item.get("x-headrace") for item in methods.values())}
    assert {path for path in marked if not path.startswith(OURS_BELOW) and not path.endswith(OURS_AFTER)} == OURS
    assert all(marked & {path for path in paths_ if path.endswith(end)} for end in OURS_AFTER)
    strict = next(item for item in paths_[SERVERS]["post"]["parameters"] if item["name"] == "strict")
    assert strict["schema"]["x-headrace"] is True


def test_a_path_that_is_not_there_is_told_in_the_one_shape(api):
    answer = api.get("/nowhere")

    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json) == {"type", "title", "status", "detail", "code"}


def test_a_body_that_is_too_large_is_413_and_the_connection_goes_on(api):
    """The module's server reads a mebibyte."""
    for path in ("/ingest/profiles", SERVERS, "/ims/token/v3"):
        answer = api.post(path, b"x" * ((1 << 20) + 1), {"Content-Type": "application/json"})

        assert answer.status == 413, path
        assert answer.json["code"] == "too-large"
    assert api.get("/healthz").status == 200


def test_a_body_that_turns_out_to_be_too_large_is_413(api):
    def pieces():
        for _ in range(40):
            yield b"y" * 65_536

    sender = Api(api.url)
    headers = {**api.headers, "Content-Type": "application/x-ndjson"}
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # It may be told before everything is sent.
        sender._connection.request("POST", "/ingest/profiles", pieces(), headers, encode_chunked=True)
    response = sender._connection.getresponse()

    assert response.status == 413
    assert json.loads(response.read())["code"] == "too-large"
    sender.close()


def test_a_fault_of_ours_shows_nothing_of_its_inside_and_is_announced(headrace, monkeypatch):
    async def fails(*_):
        raise RuntimeError("the inside")

    monkeypatch.setattr("headrace.services.monitoring.balance", fails)

    answer = headrace.api.get("/dataflows/x/ledger")

    assert answer.status == 500
    assert answer.json == {
        "type": "urn:headrace:internal",
        "title": "InternalError",
        "status": 500,
        "detail": "Headrace failed; its log says why",
        "code": "internal",
    }
    assert samples(headrace.api.get("/metrics").text)[("headrace_request_failed_total",)] == 1
