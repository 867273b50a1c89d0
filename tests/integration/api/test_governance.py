"""Labels on data, policies over them, and dataflows that are held to both."""

import copy

import pytest

from support import AUTHORING, FLOWS

from .conftest import PEOPLE, PUBLISH, REQUESTS, codes, dataset_document

COVERED = ("unknown-marketing-action", "unknown-label", "unknown-policy", "unknown-dataset")
POLICIES = "/data/foundation/dulepolicy"
LABELS = "/governance/labels"
EMAIL = f"{POLICIES}/marketingActions/core/emailTargeting"
NO_LABELS = {"fields": {}, "datasets": {}, "namespaces": {}}


def made(answer):
    assert answer.status in (200, 201), answer.text[:2000]
    return answer.json


def policy(deny, **changes):
    return {
        "name": "No mail to the unwilling",
        "status": "ENABLED",
        "marketingActionRefs": [EMAIL],
        "deny": deny,
        **changes,
    }


@pytest.fixture
def clean(api):
    """Nothing labelled, no policy and no dataflow, before and after."""
    _clean(api)
    yield
    _clean(api)


def _clean(api):
    for flow in api.get(f"{FLOWS}/flows").json["items"]:
        assert api.delete(f"{FLOWS}/flows/{flow['id']}").status == 202
    for item in api.get(f"{POLICIES}/policies/custom").json["children"]:
        assert api.delete(f"{POLICIES}/policies/custom/{item['id']}").status == 204
    made(api.put(f"{POLICIES}/enabledCorePolicies", {"policyIds": []}))
    wanted = copy.deepcopy(NO_LABELS)
    for item in api.get(LABELS).json["items"]:
        wanted[f"{item['kind']}s"][item["name"]] = []
    made(api.post(LABELS, wanted))


@pytest.fixture
def document(operator, clean):
    """A dataflow that maps the customer's number and the address, for campaigns by e-mail."""
    document = operator.flow_document(operator.destination())
    rows = [("identityMap.crmId", "identityMap.customer"), ("personalEmail.address", "email")]
    return {**mapping(document, rows), "policy": {"enforcementRefs": [f"{EMAIL}/constraints"]}}


def mapping(document, rows):
    params = document["transformations"][0]["params"]
    selectors = [
        {"type": "JSON_PATH", "value": {"path": source, "mapping": {"source": source, "destination": target, **more}}}
        for source, target, *rest in rows
        for more in [{"sourceType": rest[0]} if rest else {}]
    ]
    params = {**params, "profileSelectors": {"selectors": selectors}}
    return {**document, "transformations": [{"name": "GeneralTransform", "params": params}]}


def violations(answer):
    assert answer.status == 409, (answer.status, answer.text)
    assert answer.json["code"] == "policy-violation"
    return answer.json["violations"]


def test_a_dataflow_that_violates_a_policy_is_not_made(api, document):
    known = made(api.post(f"{POLICIES}/policies/custom", policy({"label": "C4"})))
    made(api.post(LABELS, {"fields": {"personalEmail": ["C4"]}}))

    (found,) = violations(api.post(f"{FLOWS}/flows", document))

    assert found["policy"] == {"id": known["id"], "name": known["name"], "kind": "custom"}
    assert found["marketingActions"] == ["emailTargeting"]
    (way,) = found["lineage"]
    named = [(step["noun"], step["name"]) for step in way["steps"]]
    assert named[:4] == [
        ("field", "personalEmail"),
        ("field", "personalEmail.address"),
        ("mapping", "personalEmail.address -> email"),
        ("dataflow", document["name"]),
    ]
    assert named[4][0] == "destination"
    assert [(fix["action"], fix["noun"]) for fix in found["fixes"]] == [
        ("remove", "mapping"),
        ("unlabel", "field"),
        ("remove", "marketing action"),
        ("disable", "policy"),
    ]
    assert document["name"] not in [item["name"] for item in api.get(f"{FLOWS}/flows").json["items"]]


ADDRESS = {"fields": {"personalEmail": ["C4"]}}
NOT_MAPPED = {"fields": {"person": ["C4"], "homeAddress.city": ["C4"]}, "namespaces": {"Email": ["C4"]}}
CALCULATED = ("lower(personalEmail.address)", "email", "EXPRESSION")
CARRIED = {
    "a field above": ({"fields": {"personalEmail": ["C4"]}}, None),
    "the field": ({"fields": {"personalEmail.address": ["C4"]}}, None),
    "a field below one that is sent": ({"fields": {"personalEmail.address.domain": ["C4"]}}, None),
    "a namespace": ({"namespaces": {"crmId": ["C4"]}}, None),
    "a namespace as a field": ({"fields": {"identityMap.crmId": ["C4"]}}, None),
    "a calculated field": ({"fields": {"personalEmail": ["C4"]}}, CALCULATED),
    "a namespace in a calculated field": (
        {"namespaces": {"crmId": ["C4"]}},
        ("identityMap.crmId[0].id", "email", "EXPRESSION"),
    ),
}


def enforced(api, deny=None, **changes):
    return made(api.post(f"{POLICIES}/policies/custom", policy(deny or {"label": "C4"}, **changes)))


def kept(api, document):
    answer = api.post(f"{FLOWS}/flows", document)
    assert answer.status == 201, answer.text
    return answer.json["id"]


def patched(api, flow, *operations):
    etag = api.get(f"{FLOWS}/flows/{flow}").json["items"][0]["etag"]
    return api.patch(f"{FLOWS}/flows/{flow}", [*operations], etag)


@pytest.mark.parametrize(("labels", "row"), CARRIED.values(), ids=CARRIED)
def test_a_label_counts_wherever_what_carries_it_is_sent(api, document, labels, row):
    enforced(api)
    made(api.post(LABELS, labels))
    rows = [("identityMap.crmId", "identityMap.customer"), row or ("personalEmail.address", "email")]

    (found,) = violations(api.post(f"{FLOWS}/flows", mapping(document, rows)))

    assert found["labels"] == ["C4"]


def test_labels_on_what_is_not_mapped_count_for_nothing(api, document):
    enforced(api)
    made(api.post(LABELS, NOT_MAPPED))

    kept(api, document)


def test_a_policy_denies_its_own_actions_and_labels_only(api, document):
    enforced(api, {"operator": "AND", "operands": [{"label": "C4"}, {"label": "I1"}]})
    enforced(api, marketingActionRefs=[f"{POLICIES}/marketingActions/core/analytics"])
    enforced(api, status="DRAFT")
    enforced(api, status="DISABLED")
    made(api.post(LABELS, ADDRESS))
    flow = kept(api, document)

    (found,) = violations(api.post(LABELS, {"namespaces": {"crmId": ["I1"]}}))

    assert found["labels"] == ["C4", "I1"]
    assert found["dataflow"]["id"] == flow
    assert {way["label"]: way["steps"][0]["name"] for way in found["lineage"]} == {"C4": "personalEmail", "I1": "crmId"}


def test_a_dataset_brings_its_labels_to_what_it_fills(api, document):
    filled = {**dataset_document(), "attributes": [{"column": "city", "path": "personalEmail.address"}]}
    dataset = made(api.post("/datasets", {**dataset_document(), "identities": [], "name": "cities"}))["id"]
    enforced(api)
    made(api.post(LABELS, {"datasets": {dataset: ["C4"]}}))
    kept(api, document)

    (found,) = violations(api.put(f"/datasets/{dataset}", {**filled, "identities": []}))

    assert [step["noun"] for step in found["lineage"][0]["steps"]] == [
        "dataset",
        "field",
        "mapping",
        "dataflow",
        "destination",
    ]
    assert api.get(f"/datasets/{dataset}").json["name"] == "cities"
    assert api.delete(f"/datasets/{dataset}").status == 409, "people stay, so would the labels have to"
    made(api.post(LABELS, {"datasets": {dataset: []}}))
    assert api.delete(f"/datasets/{dataset}").status == 204


LATER = {
    "a label": lambda api: api.post(LABELS, ADDRESS),
    "a policy": lambda api: api.post(f"{POLICIES}/policies/custom", policy({"label": "I1"})),
    "a status": lambda api: api.patch(
        f"{POLICIES}/policies/custom/{_drafted(api)}", [{"op": "replace", "path": "/status", "value": "ENABLED"}], None
    ),
    "a core policy": lambda api: api.put(f"{POLICIES}/enabledCorePolicies", ["corepolicy_0001", "corepolicy_0007"]),
}


def _drafted(api):
    (found,) = [
        item for item in api.get(f"{POLICIES}/policies/custom").json["children"] if item["name"] == "to be enforced"
    ]
    return found["id"]


@pytest.mark.parametrize("change", LATER.values(), ids=LATER)
def test_a_later_change_may_not_put_a_dataflow_in_violation(api, document, change):
    enforced(api)
    enforced(api, {"label": "I1"}, status="DRAFT", name="to be enforced")
    made(api.post(LABELS, {"namespaces": {"crmId": ["I1", "C8"]}}))
    measuring = {
        "enforcementRefs": [*document["policy"]["enforcementRefs"], "/dulepolicy/marketingActions/core/analytics"]
    }
    flow = kept(api, {**document, "policy": measuring})
    before = state(api)

    assert {item["dataflow"]["id"] for item in violations(change(api))} == {flow}

    assert state(api) == before, "nothing was changed"
    assert api.get(f"/dataflows/{flow}/policy-check").json["violations"] == []


def state(api):
    places = (LABELS, f"{POLICIES}/policies/custom", f"{POLICIES}/enabledCorePolicies")
    return [api.get(place).json for place in places]


def test_a_change_of_a_dataflow_may_not_violate_what_it_did_not(api, document):
    enforced(api)
    made(api.post(LABELS, ADDRESS))
    flow = kept(api, {**document, "policy": {}})

    answer = patched(api, flow, {"op": "add", "path": "/policy/enforcementRefs/-", "value": f"{EMAIL}/constraints"})

    (found,) = violations(answer)
    assert found["dataflow"]["id"] == flow
    assert patched(api, flow, {"op": "replace", "path": "/name", "value": "another"}).status == 200


def test_a_disabled_dataflow_stops_no_change_and_is_not_set_going(api, document):
    flow = kept(api, document)
    made(api.post(f"{FLOWS}/flows/{flow}/action?op=disable", None))
    enforced(api)
    made(api.post(LABELS, ADDRESS))

    (found,) = violations(api.post(f"{FLOWS}/flows/{flow}/action?op=enable", None))

    checked = made(api.get(f"/dataflows/{flow}/policy-check"))
    assert checked["violations"] == [found]
    assert checked["state"] == "disabled"
    assert patched(api, flow, {"op": "add", "path": "/description", "value": "as before"}).status == 200
    assert api.get("/governance/violations").json["items"] == []
    mended = {"op": "replace", "path": "/policy/enforcementRefs", "value": []}
    assert patched(api, flow, mended).status == 200
    made(api.post(f"{FLOWS}/flows/{flow}/action?op=enable", None))


def test_what_a_destination_is_for_counts_for_all_its_dataflows(api, operator, clean):
    destination = operator.destination(marketingActions=["EMAIL_TARGETING"])
    document = operator.flow_document(destination)
    enforced(api)
    made(api.post(LABELS, ADDRESS))

    (found,) = violations(api.post(f"{FLOWS}/flows", document))

    assert "marketing action" not in [fix["noun"] for fix in found["fixes"]], "its author alone may take it off"


WRONG = {
    "a label that is none": (LABELS, {"fields": {"a": ["C99"]}}, {"/fields/a": "unknown-label"}),
    "a path that is none": (LABELS, {"fields": {"a..b": ["C1"]}}, {"/fields/a..b": "invalid-path"}),
    "no such dataset": (LABELS, {"datasets": {"x": ["C1"]}}, {"/datasets/x": "unknown-dataset"}),
    "no name": (LABELS, {"namespaces": {"": ["C1"]}}, {"/namespaces/": "invalid"}),
    "no such action": (
        f"{POLICIES}/policies/custom",
        policy({"label": "C1"}, marketingActionRefs=["/dulepolicy/marketingActions/core/emails"]),
        {"/marketingActionRefs/0": "unknown-marketing-action"},
    ),
    "an expression over nothing": (
        f"{POLICIES}/policies/custom",
        policy({"operator": "OR", "operands": []}),
        {"/deny/operands": "invalid"},
    ),
    "another operator": (
        f"{POLICIES}/policies/custom",
        policy({"operator": "NOT", "operands": [{"label": "C1"}]}),
        {"/deny/operator": "not-allowed"},
    ),
    "an unknown label in it": (
        f"{POLICIES}/policies/custom",
        policy({"label": "C99"}),
        {"/deny": "unknown-label"},
    ),
}


@pytest.mark.parametrize(("path", "body", "expected"), WRONG.values(), ids=WRONG)
def test_what_is_not_right_is_refused(api, path, body, expected):
    assert codes(api.post(path, body)) == expected


def test_an_unknown_core_policy_is_refused(api):
    assert codes(api.put(f"{POLICIES}/enabledCorePolicies", {"policyIds": ["x"]})) == {"/policyIds/0": "unknown-policy"}


def test_a_dataflow_names_actions_that_there_are(api, document):
    wrong = {**document, "policy": {"enforcementRefs": ["/dulepolicy/marketingActions/custom/calls", "/another"]}}
    where = "/policy/enforcementRefs"

    assert codes(api.post(f"{FLOWS}/flows", wrong)) == {
        f"{where}/0": "unknown-marketing-action",
        f"{where}/1": "unknown-marketing-action",
    }
    assert codes(api.post(f"{FLOWS}/flows", {**document, "policy": {"enforcementRefs": "x"}})) == {where: "invalid"}


def test_what_is_in_use_is_not_deleted_and_may_come_again(api, document):
    label, action = f"{POLICIES}/labels/custom/L1", f"{POLICIES}/marketingActions/custom/calls"
    made(api.put(label, {"name": "L1", "category": "Custom", "friendlyName": "Bought"}))
    made(api.put(action, {"name": "calls"}))
    known = enforced(api, {"label": "L1"}, marketingActionRefs=["../marketingActions/custom/calls"], status="DRAFT")
    made(api.post(LABELS, {"fields": {"loyalty": ["L1"]}}))
    flow = kept(api, {**document, "policy": {"enforcementRefs": ["/dulepolicy/marketingActions/custom/calls"]}})

    uses = {path: [use["noun"] for use in api.delete(path).json["uses"]] for path in (label, action)}

    assert uses == {label: ["policy", "field"], action: ["policy", "dataflow"]}
    assert api.delete(f"{FLOWS}/flows/{flow}").status == 202
    assert api.delete(f"{POLICIES}/policies/custom/{known['id']}").status == 204
    made(api.post(LABELS, {"fields": {"loyalty": []}}))
    for path in (label, action):
        assert api.delete(path).status == 204
        assert api.get(path).status == 404
        assert api.delete(path).status == 404
        made(api.put(path, {"name": path.rpartition("/")[2]}))
        assert api.delete(path).status == 204


def test_core_names_are_taken_and_a_place_is_of_one_name(api):
    assert api.put(f"{POLICIES}/labels/custom/C1", {"name": "C1"}).status == 409
    assert api.put(f"{POLICIES}/marketingActions/custom/analytics", {"name": "analytics"}).status == 409
    assert codes(api.put(f"{POLICIES}/labels/custom/L1", {"name": "L2"})) == {"/name": "wrong-id"}


def test_every_change_is_in_the_audit(api, clean):
    made(api.put(f"{POLICIES}/labels/custom/L3", {"name": "L3"}))
    known = enforced(api, {"label": "L3"}, status="DRAFT")
    made(api.post(LABELS, {"fields": {"loyalty": ["L3"]}}))
    made(api.put(f"{POLICIES}/enabledCorePolicies", {"policyIds": ["corepolicy_0002"]}))

    entries = api.get("/audit?limit=4").json["items"]

    assert [(item["action"], item["noun"], item["id"]) for item in entries] == [
        ("replace", "enabled-core-policies", "enabled-core-policies"),
        ("replace", "labels", "field:loyalty"),
        ("create", "policy", known["id"]),
        ("create", "usage-label", "L3"),
    ]
    assert entries[1]["details"] == {"labels": ["L3"]}


def test_an_author_may_not_put_dataflows_here_in_violation(api, operator, clean):
    destination = operator.destination()
    flow = kept(api, operator.flow_document(destination))
    enforced(api)
    made(api.post(LABELS, ADDRESS))
    place = f"{AUTHORING}/destinations/{destination}"
    document = api.get(place).json

    (found,) = violations(api.put(place, {**document, "marketingActions": ["EMAIL_TARGETING"]}))

    assert found["dataflow"]["id"] == flow
    assert api.get(place).json == document
    assert api.put(place, {**document, "marketingActions": ["ANALYTICS"]}).status == 200


def test_a_published_version_that_would_violate_a_policy_waits(headrace, api, operator, clean):
    reviewer = headrace.as_client()
    destination = operator.destination()
    _publish(api, reviewer, destination)
    flow = kept(api, operator.flow_document(destination))
    target = api.get(f"{FLOWS}/flows/{flow}").json["items"][0]["targetConnectionIds"][0]
    place = f"{AUTHORING}/destinations/{destination}"
    made(api.put(place, {**api.get(place).json, "marketingActions": ["EMAIL_TARGETING"]}))
    enforced(api)
    made(api.post(LABELS, ADDRESS))

    config = _publish(api, reviewer, destination)

    assert api.get(f"/dataflows/{flow}/policy-check").json["violations"] == []
    waiting = api.get(f"{FLOWS}/targetConnections/{target}").json["items"][0]["x-headrace"]["consentRequired"]
    assert waiting["configId"] == config
    (found,) = violations(api.post(f"{FLOWS}/targetConnections/{target}/consent", {"configId": config}))
    assert found["dataflow"]["id"] == flow
    _clean(api)
    assert api.post(f"{FLOWS}/targetConnections/{target}/consent", {"configId": config}).status == 200


def _publish(api, reviewer, destination):
    submitted = made(api.post(PUBLISH, {"destinationId": destination, "destinationAccess": "ALL"}))
    config = submitted["publishDetailsList"][-1]["configId"]
    made(reviewer.post(f"{REQUESTS}/{config}/approve", None))
    return config


def test_names_are_of_one_sandbox(api):
    label = f"{POLICIES}/labels/custom/L4"
    made(api.put(label, {"name": "L4", "friendlyName": "here"}))
    there = {"x-sandbox-name": "elsewhere"}
    made(api.post("/access/sandboxes", {"name": "elsewhere"}))

    assert api.send("GET", label, None, there).status == 404
    made(api.send("PUT", label, {"name": "L4", "friendlyName": "there"}, there))
    assert api.send("DELETE", label, None, there).status == 204

    assert api.get(label).json["friendlyName"] == "here"
    assert api.send("GET", LABELS, None, there).json == {"items": []}


WHOLE = {"name": "whole people", "format": "ndjson", "shape": "profiles"}


def test_a_dataset_of_whole_profiles_brings_its_labels_to_everything(api, document):
    dataset = made(api.post("/datasets", {**WHOLE, "location": str(PEOPLE)}))["id"]
    enforced(api, {"operator": "AND", "operands": [{"label": "C4"}, {"label": "S2"}]})
    made(api.post(LABELS, {"datasets": {dataset: ["C4"]}, "fields": {"homeAddress": ["S2"]}}))
    kept(api, document)
    rows = [("identityMap.crmId", "identityMap.customer"), ("homeAddress.city", "email")]

    (found,) = violations(api.post(f"{FLOWS}/flows", mapping(document, rows)))

    assert {(way["label"], way["steps"][0]["name"]) for way in found["lineage"]} == {
        ("C4", "whole people"),
        ("S2", "homeAddress"),
    }
    asked = [{"entityType": "dataSet", "entityId": dataset}]
    judged = made(api.post(f"{EMAIL}/constraints", asked))
    assert judged["discoveredLabels"][0]["dataSetLabels"]["fields"] == [{"path": "homeAddress", "labels": ["S2"]}]
    assert len(judged["violatedPolicies"]) == 1


def test_a_dataset_that_a_source_names_is_used_whole(api, document):
    dataset = made(api.post("/datasets", {**dataset_document(), "name": "sent as it is"}))["id"]
    enforced(api)
    made(api.post(LABELS, {"fields": {"address": ["C4"]}}))
    flow = kept(api, document)
    source = f"{FLOWS}/sourceConnections/{document['sourceConnectionIds'][0]}"
    etag = api.get(source).json["items"][0]["etag"]
    naming = [{"op": "add", "path": "/params", "value": {"datasets": [{"dataSetId": dataset}]}}]

    (found,) = violations(api.patch(source, naming, etag))

    assert found["dataflow"]["id"] == flow
    assert ("dataset", "sent as it is") in [(fix["noun"], fix["name"]) for fix in found["fixes"]]
