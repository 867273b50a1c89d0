"""One document says who is sent where: planned, tried on the people who are there, applied, applied again."""

import pytest

from headrace.connect.secrets import MASK
from headrace.testkit.profiles import AUDIENCES, generate, ndjson
from support import AUTHORING, FLOWS, eventually
from unit.services.exports.filing import destination as for_files
from unit.services.exports.filing import scheduled, server

from .conftest import codes

COVERED = ("ambiguous", "unknown-audience")
SECRET = "canary-token-of-an-activation"


@pytest.fixture(scope="module")
def people(headrace):
    headrace.api.ingest(b"".join(ndjson(generate(60, seed=4))))


@pytest.fixture
def wanted(operator, request):
    """Two audiences to a destination at which somebody signs in already."""
    destination = operator.destination()
    operator.account(destination, name="ours")
    audiences = [
        {"id": one.id, "namespace": one.namespace, "name": one.name, "mappingId": f"list of {one.name}"}
        for one in AUDIENCES[:2]
    ]
    return {
        "name": request.node.name,
        "destination": destination,
        "account": "ours",
        "connection": {"workspace": "harbour-2026"},
        "audiences": audiences,
        "mapping": [{"identityMap.crmId": "identityMap.customer"}, {"personalEmail.address": "email"}],
    }


def planned(api, document, query=""):
    answer = api.post(f"/activations/plan{query}", document)
    assert answer.status == 200, answer.text
    return answer.json


def steps(plan, *actions):
    return [(step["noun"], step["name"]) for step in plan["steps"] if step["action"] in actions]


def everything(api):
    nouns = ("connections", "sourceConnections", "targetConnections", "flows")
    return [api.get(f"{FLOWS}/{noun}?count=true").json["count"] for noun in nouns]


def test_a_plan_says_what_would_be_made_and_makes_nothing(api, people, wanted):
    before = everything(api)

    plan = planned(api, wanted)

    assert everything(api) == before
    assert steps(plan, "keep") == [("account", "ours")]
    assert ("dataflow", wanted["name"]) in steps(plan, "create")
    assert ("mapping", "personalEmail.address -> email") in steps(plan, "create")
    assert steps(plan, "change", "remove") == []
    assert plan["dataflow"] is None


def test_what_was_counted_is_what_then_leaves(headrace, api, people, partner, wanted):
    plan = planned(api, wanted)
    heard = len(partner.received)

    applied = api.post("/activations", wanted)

    assert applied.status == 200, applied.text
    headrace.wait_until_backfilled(applied.json["dataflow"])
    told = [*partner.received][heard:]
    leaving = plan["leaving"]
    assert 0 < leaving["people"] <= leaving["entries"]
    assert (leaving["looked"], leaving["next"]) == (leaving["of"], None)
    ledger = api.get(f"/dataflows/{applied.json['dataflow']}/ledger").json
    assert ledger["accepted"] == leaving["entries"], "this destination groups by audience: a change is an entry"
    assert ledger["messages"] == len(told) >= leaving["messages"] >= 1
    for sample in plan["samples"]:
        came = {(item.method, f"{partner.origin}{item.path}") for item in told}
        assert (sample["method"], sample["url"]) in came
    assert plan["samples"][0]["people"] <= leaving["mostPerMessage"]
    assert plan["samples"][0]["body"].startswith("{")


def test_whom_dates_keep_back_is_not_counted(api, people, wanted):
    dated = [{**audience, "schedule": {"startDate": "2999-01-01"}} for audience in wanted["audiences"]]

    plan = planned(api, {**wanted, "audiences": dated})

    assert plan["leaving"]["people"] == 0
    assert planned(api, wanted)["leaving"]["people"] > 0


def test_a_second_time_nothing_happens(api, wanted):
    first = api.post("/activations", wanted).json
    before = everything(api)

    second = api.post("/activations", wanted).json

    assert everything(api) == before
    assert second["dataflow"] == first["dataflow"]
    assert {step["action"] for step in second["steps"]} == {"keep"}
    assert planned(api, wanted)["leaving"]["people"] == 0


def test_what_differs_is_changed(api, people, wanted):
    flow = api.post("/activations", wanted).json["dataflow"]
    other = {**wanted, "description": "for the harbour", "connection": {"workspace": "harbour-2027"}}
    other |= {"audiences": wanted["audiences"][1:], "mapping": wanted["mapping"][:1]}

    changed = api.post("/activations", other).json

    assert changed["dataflow"] == flow
    assert steps(changed, "change") == [("target connection", wanted["name"]), ("dataflow", wanted["name"])]
    assert [noun for noun, _ in steps(changed, "remove")] == ["audience", "mapping"]
    (item,) = api.get(f"{FLOWS}/flows/{flow}").json["items"]
    assert item["description"] == "for the harbour"
    assert len(item["transformations"][0]["params"]["segmentSelectors"]["selectors"]) == 1
    (target,) = api.get(f"{FLOWS}/targetConnections/{item['targetConnectionIds'][0]}").json["items"]
    assert target["params"] == {"workspace": "harbour-2027"}


def test_an_account_is_made_only_of_what_says_how_to_sign_in(headrace, api, wanted):
    new = {**wanted, "account": "another"}
    assert codes(api.post("/activations/plan", new)) == {"/account": "unknown-account"}
    new["auth"] = {"specName": "BEARER", "params": {"token": SECRET}}

    plan, applied = planned(api, new), api.post("/activations", new)

    assert ("account", "another") in steps(plan, "create")
    assert SECRET not in str(plan) + applied.text
    accounts = api.get(f"{FLOWS}/connections?property=name==another").json["items"]
    assert [account["auth"]["params"] for account in accounts] == [{"token": MASK}]
    assert ("account", "another") in steps(planned(api, new), "keep")


def test_things_are_found_by_name(api, operator, people, wanted):
    destination = operator.destination(name="moviestar")
    operator.account(destination, name="the movies'")
    renamed = f"Movies of {wanted['name']}"
    document = api.get(f"/data/core/activation/authoring/destinations/{destination}").json
    server = {key: value for key, value in document.items() if key != "x-headrace"}
    api.put(f"/data/core/activation/authoring/destinations/{destination}", {**server, "name": renamed})
    audience = {"name": AUDIENCES[0].name, "namespace": AUDIENCES[0].namespace, "mappingId": "list"}
    api.post("/activations", wanted)  # Which makes the audiences known by name.

    answer = api.post(
        "/activations/plan",
        {**wanted, "name": "by name", "destination": renamed, "account": "the movies'", "audiences": [audience]},
    )

    assert "unknown-destination" not in answer.text
    assert "unknown-audience" not in answer.text


WRONG = {
    "a destination that is not there": ({"destination": "nowhere"}, {"/destination": "unknown-destination"}),
    "an audience that is not there": ({"audiences": [{"name": "nobody"}]}, {"/audiences/0": "unknown-audience"}),
    "an audience of another namespace": (
        {"audiences": [{"id": AUDIENCES[0].id, "namespace": "elsewhere", "name": "a", "mappingId": "a"}]},
        {"/audiences/0/namespace": "unknown-audience"},
    ),
    "an audience without the partner's id": (
        {"audiences": [{"id": "a"}]},
        {"/audiences/0/mappingId": "missing-field"},
    ),
    "an audience without a name": ({"audiences": [{}]}, {"/audiences/0/id": "missing-field"}),
    "a row of nothing": ({"mapping": [{}]}, {"/mapping/0": "invalid"}),
    "a row of too much": ({"mapping": [{"source": "a", "target": "b", "more": 1}]}, {"/mapping/0": "invalid"}),
    "no account": ({"account": None}, {"/account": "missing-field"}),
    "no such field of the form": ({"connection": {"other": 1}}, None),
    "no identity": ({"mapping": [{"personalEmail.address": "email"}]}, {"/mapping": "no-identity"}),
    "an unknown identity": ({"mapping": [{"identityMap.crmId": "identityMap.x"}]}, None),
}


@pytest.mark.parametrize(("changes", "expected"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_is_refused_before_anything_is_made(api, people, wanted, changes, expected):
    before = everything(api)

    answers = [api.post(path, {**wanted, **changes}) for path in ("/activations/plan", "/activations")]

    assert everything(api) == before
    for answer in answers:
        assert answer.status == 400, answer.text
        assert expected is None or codes(answer) == expected


def test_a_name_of_several_is_told_with_their_ids(api, operator, wanted):
    again = operator.account(wanted["destination"], name="ours").json["id"]

    answer = api.post("/activations/plan", wanted)

    assert codes(answer) == {"/account": "ambiguous"}
    assert again in answer.text


def test_counting_goes_on_where_it_stopped(api, people, wanted):
    whole = planned(api, wanted)["leaving"]
    found, after = [], 0
    while after is not None:
        found.append(planned(api, wanted, f"?limit=7&samples=0&after={after}")["leaving"])
        after = found[-1]["next"]

    assert len(found) > 5
    for name in ("people", "entries", "looked"):
        assert sum(part[name] for part in found) == whole[name]


def test_activations_are_listed_with_how_far_they_are(headrace, api, people, wanted):
    flow = api.post("/activations", wanted).json["dataflow"]

    def shown():
        (item,) = api.get(f"/activations?property=id=={flow}").json["items"]
        return item

    item = shown()
    assert (item["name"], item["state"]) == (wanted["name"], "enabled")
    assert (item["destination"]["id"], item["account"]["name"]) == (wanted["destination"], "ours")
    assert "identityMap.crmId -> identityMap.customer" in item["mapping"]
    eventually("the members were looked at", lambda: shown()["backfill"] == {"looked": 0, "of": 0})


@pytest.fixture
def denied(api):
    """Campaigns by e-mail are denied for addresses, while a test runs."""
    actions = ["/dulepolicy/marketingActions/core/emailTargeting"]
    deny = {"name": "no mail", "status": "ENABLED", "marketingActionRefs": actions, "deny": {"label": "C4"}}
    policy = api.post("/data/foundation/dulepolicy/policies/custom", deny).json["id"]
    assert api.post("/governance/labels", {"fields": {"personalEmail": ["C4"]}}).status == 200
    yield policy
    assert api.delete(f"/data/foundation/dulepolicy/policies/custom/{policy}").status == 204
    assert api.post("/governance/labels", {"fields": {"personalEmail": []}}).status == 200


def test_a_plan_shows_what_policies_deny_and_nothing_of_it_is_made(api, people, wanted, denied):
    mailing = {**wanted, "marketingActions": ["emailTargeting"]}
    before = everything(api)

    (found,) = planned(api, mailing)["violations"]

    assert found["policy"]["id"] == denied
    assert [step["noun"] for step in found["lineage"][0]["steps"]][-2:] == ["dataflow", "destination"]
    answer = api.post("/activations", mailing)
    assert (answer.status, answer.json["code"]) == (409, "policy-violation")
    assert answer.json["violations"] == [found]
    assert everything(api) == before, "no account and no connection is left behind"


def test_what_the_data_is_for_is_said_by_names(api, people, wanted, denied):
    measuring = {**wanted, "marketingActions": ["analytics"]}
    applied = api.post("/activations", measuring).json

    shown = api.get(f"{FLOWS}/flows/{applied['dataflow']}").json["items"][0]

    assert shown["policy"] == {"enforcementRefs": ["/dulepolicy/marketingActions/core/analytics/constraints"]}
    assert steps(planned(api, measuring), "create", "change", "remove") == []
    assert steps(planned(api, wanted), "create", "change", "remove") == [], "without a word they stay as they are"
    (changed,) = [step for step in planned(api, {**wanted, "marketingActions": []})["steps"] if step["changes"]]
    assert changed["changes"] == ["marketing actions"]
    assert planned(api, {**wanted, "marketingActions": ["emailTargeting"]})["violations"]


def test_marketing_actions_are_there_and_said_once(api, wanted):
    where = "/marketingActions/0"
    assert codes(api.post("/activations/plan", {**wanted, "marketingActions": ["calls"]})) == {
        where: "unknown-marketing-action"
    }
    twice = {**wanted, "marketingActions": [], "policy": {"enforcementRefs": []}}
    assert codes(api.post("/activations/plan", twice)) == {"/policy": "one-of-two"}


# -- which rows files have ----------------------------------------------------------------------------------------


def words(plan):
    return [change for step in plan["steps"] if step["noun"] == "dataflow" for change in step["changes"]]


def test_a_file_says_which_rows_files_have(api, people, request):
    name = request.node.name
    served = api.post(f"{AUTHORING}/destination-servers", server()).json["instanceId"]
    made = api.post(f"{AUTHORING}/destinations", for_files(served, name))
    assert made.status == 200, made.text
    audience = {"id": AUDIENCES[0].id, "namespace": AUDIENCES[0].namespace, "name": AUDIENCES[0].name, **scheduled()}
    key = [{"fieldType": "ATTRIBUTE", "attributePath": "personalEmail.address"}]
    document = {
        "name": name,
        "destination": name,
        "audiences": [audience],
        "mapping": [{"personalEmail.address": "email"}],
        "mandatoryFields": ["personalEmail.address"],
        "primaryFields": key,
    }

    assert words(planned(api, document)) == [
        "mandatory: personalEmail.address",
        "one row for each: personalEmail.address",
    ]
    applied = api.post("/activations", document)
    assert applied.status == 200, applied.text
    params = api.get(f"{FLOWS}/flows/{applied.json['dataflow']}").json["items"][0]["transformations"][0]["params"]
    assert (params["mandatoryFields"], params["primaryFields"]) == (["personalEmail.address"], key)

    silent = {key: value for key, value in document.items() if key not in ("mandatoryFields", "primaryFields")}
    assert words(planned(api, silent)) == [], "what it does not speak of stays"
    other = {**document, "mandatoryFields": [], "primaryFields": []}
    assert words(planned(api, other)) == ["mandatory: nothing", "one row for each: nothing"]
    applied = api.post("/activations", other)
    assert applied.status == 200, applied.text
    assert words(planned(api, other)) == []

    answer = api.post("/activations/plan", {**document, "primaryFields": key * 3})
    assert codes(answer) == {"/primaryFields/2": "wrong-key"}
