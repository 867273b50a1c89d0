"""Parked changes through HTTP: found, looked into, replayed, discarded; and what is kept tells no secret."""

import json

import pytest

from headrace.cli.demo import TOKEN
from headrace.testkit.partner import Answer
from headrace.testkit.profiles import generate, ndjson
from support import eventually

LONG = b"x" * 5000


@pytest.fixture(scope="module")
def flow(headrace, partner, operator):
    """A dataflow of which everything is parked, by a partner that repeats what it was told, with the token."""
    flow = operator.flow("moviestar")

    def repeat(received):
        said = received.headers["authorization"].encode() + b" " + received.body + LONG
        headers = (("Set-Cookie", "session=canary-cookie"), ("X-Trace", TOKEN), ("X-Plain", "plain"))
        return Answer(422, headers, said)

    partner._default = repeat
    headrace.api.ingest(b"".join(ndjson(generate(20, seed=9))))
    headrace.wait_until_settled(flow)
    partner._default = 200
    return flow


def parked(api, flow, query=""):
    return api.get(f"/dataflows/{flow}/parked{query}").json["items"]


def ended(api, asked):
    assert asked.status == 202, asked.text
    path = f"/runs/{asked.json['run']['id']}"
    return eventually("the run has ended", lambda: run if (run := api.get(path).json)["endedAt"] else None)


def test_a_change_is_shown_in_detail(api, flow):
    item = parked(api, flow)[0]

    shown = api.get(f"/dataflows/{flow}/parked/{item['number']}").json

    assert shown == item
    assert (shown["code"], shown["status"], shown["attempts"]) == ("status-422", 422, 1)
    assert shown["firstTriedAt"] <= shown["parkedAt"]
    assert shown["configurationChanged"] is False
    assert shown["message"]


def test_what_was_sent_and_answered_is_shown_without_what_signs_in(api, flow, partner):
    item = parked(api, flow)[0]

    shown = api.get(f"/dataflows/{flow}/parked/{item['number']}/message").json

    assert shown["kept"] is True
    assert shown["message"] == item["message"]
    request, answer = shown["request"], shown["answer"]
    (received,) = [it for it in partner.received if it.answered == 422 and it.body.decode() == request["body"]]
    assert (request["method"], request["bytes"], request["truncated"]) == ("POST", len(received.body), False)
    assert request["url"].endswith(received.path)
    assert "authorization" not in {header["name"].lower() for header in request["headers"]}
    assert answer["status"] == 422
    assert answer["truncated"] is True
    assert len(answer["body"].encode()) == 2048
    assert answer["body"].startswith("Bearer [secret] ")
    said = {header["name"].lower(): header["value"] for header in answer["headers"]}
    assert (said["x-plain"], said["x-trace"]) == ("plain", "[secret]")
    assert "canary" not in said["set-cookie"]


def test_no_secret_is_in_what_is_kept(headrace, flow):
    rows = headrace.app.store.read_now(lambda tx: tx.run("SELECT content FROM parked_messages").fetchall())

    kept = b" ".join(bytes(content) for (content,) in rows)

    assert b"X-Plain" in kept
    assert TOKEN.encode() not in kept
    assert b"canary-cookie" not in kept


def test_only_who_may_see_people_sees_what_was_said_of_them(headrace, flow, api):
    item = parked(api, flow)[0]
    watcher = headrace.as_client(without="profiles:read")

    path = f"/dataflows/{flow}/parked/{item['number']}"
    assert watcher.get(path).status == 200
    assert watcher.get(f"{path}/message").status == 403


def test_they_are_counted_by_code(api, flow):
    counted = api.get(f"/dataflows/{flow}/parked/counts").json

    ledger = api.get(f"/dataflows/{flow}/ledger").json
    (item,) = counted["items"]
    assert counted["changes"] == item["changes"] == item["unchangedConfiguration"] == ledger["parked"]
    assert (item["code"], item["reason"]) == ("status-422", "the partner answered 422")


@pytest.mark.parametrize("query", ["code=status-400", "profile=nobody", "message=none", "to=2020-01-01T00:00:00Z"])
def test_what_does_not_meet_a_condition_is_not_listed(api, flow, query):
    assert parked(api, flow, f"?{query}") == []
    assert api.get(f"/dataflows/{flow}/parked/counts?{query}").json == {"changes": 0, "items": []}


def test_what_meets_all_conditions_is_listed(api, flow):
    item = next(item for item in parked(api, flow) if item["audience"] is not None)
    about = f"profile={item['profile']}&audience={item['audience']['id']}&namespace={item['audience']['namespace']}"

    found = parked(api, flow, f"?{about}&code=status-422&message={item['message']}&from=2020-01-01T00:00:00Z")

    assert item in found
    assert {it["profile"] for it in found} == {item["profile"]}


@pytest.mark.parametrize("path", ["/dataflows/absent/parked/counts", "/dataflows/absent/parked/1"])
def test_a_dataflow_that_is_not_there_is_404(api, path):
    assert api.get(path).status == 404


@pytest.mark.parametrize("number", [0, 10**6, 10**30])
def test_a_change_that_is_not_parked_is_404(api, flow, number):
    assert api.get(f"/dataflows/{flow}/parked/{number}").status == 404
    assert api.get(f"/dataflows/{flow}/parked/{number}/message").status == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"all": False},
        {"all": True, "code": "status-422"},
        {"numbers": []},
        {"numbers": ["1"]},
        {"numbers": [True]},
        {"numbers": [10**30]},
        {"code": 7},
        {"audience": "a"},
        {"audience": {"name": "a"}},
        {"from": "yesterday"},
        {"from": "2026-01-01T00:00:00"},
        {"all": True, "resume": "yes"},
        {"all": True, "else": 1},
        {"numbers": list(range(1001))},
    ],
    ids=str,
)
def test_what_says_nothing_of_which_is_refused(api, flow, body):
    assert api.post(f"/dataflows/{flow}/parked/replay", body).status == 400


@pytest.mark.parametrize("reason", [None, "", "  ", 7, "x" * 501])
def test_whoever_discards_says_why(api, flow, reason):
    assert api.post(f"/dataflows/{flow}/parked/discard", {"all": True, "reason": reason}).status == 400


def test_some_are_discarded_and_the_rest_is_replayed(api, flow, headrace):
    before = api.get(f"/dataflows/{flow}/ledger").json
    numbers = [item["number"] for item in parked(api, flow)[:2]]

    run = ended(api, api.post(f"/dataflows/{flow}/parked/discard", {"numbers": numbers, "reason": "test people"}))
    assert (run["kind"], run["state"], run["progress"]["discarded"]) == ("discard", "succeeded", 2)
    withheld = api.get(f"/dataflows/{flow}/withheld").json
    assert "discarded" in json.dumps(withheld)

    asked = api.post(f"/dataflows/{flow}/parked/replay", {"all": True})
    assert asked.json["changes"] == before["parked"] - 2
    assert asked.json["waitsFor"] is None
    assert ended(api, asked)["state"] == "succeeded"
    after = headrace.wait_until_settled(flow)

    assert after["accepted"] == before["accepted"]
    assert after["parked"] == 0
    assert after["withheld"] == before["withheld"] + 2
    assert after["delivered"] + after["superseded"] == before["delivered"] + before["superseded"] + before["parked"] - 2
    assert {run["kind"] for run in api.get("/runs?kind=replay").json["items"]} == {"replay"}
    assert headrace.app.store.read_now(lambda tx: tx.run("SELECT 1 FROM parked_messages").fetchall()) == []
