"""Consent policies and erasures over HTTP."""

import pytest

from headrace.testkit.profiles import generate, ndjson
from support import eventually

POLICIES, ERASURES = "/governance/consent-policies", "/ingest/erasures"
CONDITION = {"path": "consents.marketing.email.val", "values": ["y"]}


@pytest.fixture
def policy(api):
    made = api.post(POLICIES, {"name": "e-mail", "enabled": False, "conditions": [CONDITION]})
    assert made.status == 201, made.text
    yield made.json
    api.delete(f"{POLICIES}/{made.json['id']}")


def test_a_policy_is_kept_listed_replaced_and_deleted(api, policy):
    where = f"{POLICIES}/{policy['id']}"
    document = {**policy, "description": "for newsletters"}

    assert api.get(where).json == policy
    assert policy in api.get(POLICIES).json["items"]
    replaced = api.put(where, document)
    assert replaced.status == 200, replaced.text
    assert replaced.json["description"] == "for newsletters"
    assert api.send("PUT", where, document, {"If-Match": policy["etag"]}).status == 412
    assert api.delete(where).status == 204
    assert api.get(where).status == 404


def test_a_second_policy_of_a_name_is_refused(api, policy):
    answer = api.post(POLICIES, {"name": "e-mail", "conditions": [CONDITION]})

    assert (answer.status, answer.json["code"]) == (409, "conflict")


def test_every_problem_of_a_policy_is_told(api):
    conditions = [{"path": "a", "operator": "in"}, {"path": "a", "values": ["y"], "absent": "maybe"}]

    answer = api.post(POLICIES, {"name": "", "conditions": conditions})

    told = {item["path"] for item in answer.json["errors"]}
    assert answer.status == 400
    assert told == {"/name", "/conditions/0/values", "/conditions/1/absent"}


def test_what_was_withheld_is_counted_by_reason(api, operator):
    flow = operator.flow("moviestar")

    assert api.get(f"/dataflows/{flow}/withheld").json == {"items": []}
    assert api.get("/dataflows/none/withheld").status == 404


def test_an_erasure_ends_in_receipts_and_keeps_the_person_out(api):
    (line,) = ndjson(generate(1, seed=77))
    key = '{"identityMap": {"crmId": [{"id": "erased-by-http"}]}}'
    assert api.ingest(key.encode()).json["accepted"] == 1

    asked = api.post(ERASURES, {"profile": "crmId:erased-by-http"})
    assert asked.status == 202, asked.text
    where = f"{ERASURES}/{asked.json['id']}"
    eventually("it is done", lambda: api.get(where).json["state"] == "done")

    done = api.get(where).json
    assert done["people"] == 1
    assert "erased-by-http" not in api.get(where).text
    assert done in api.get(ERASURES).json["items"]
    refused = api.ingest(key.encode() + b"\n" + line).json
    assert refused["accepted"] == 1
    assert [(item["line"], item["code"]) for item in refused["rejected"]] == [(1, "erased")]
    assert api.post(f"{where}/lift", {}).json["liftedAt"] is not None
    assert api.ingest(key.encode()).json["accepted"] == 1
    assert api.post(f"{where}/lift", {}).status == 409


def test_an_erasure_of_nobody_in_particular_is_refused(api):
    answer = api.post(ERASURES, {})

    assert (answer.status, answer.json["errors"][0]["code"]) == (400, "one-of-two")


def test_a_key_of_nobody_is_refused_with_the_form_of_one(api):
    answer = api.post(ERASURES, {"profile": "nobody"})

    assert (answer.status, answer.json["errors"][0]["code"]) == (400, "invalid")
    assert "`crmId:7`" in answer.text
