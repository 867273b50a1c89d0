"""The public Python client of the original, as it is published, for labels, marketing actions and policies."""

import aepp
import pytest
from aepp.policy import Policy

from support import in_process

SERVICE = "/data/foundation/dulepolicy"


@pytest.fixture(scope="module")
def headrace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("headrace")
    with in_process(folder, dataset_directories=str(folder)) as headrace:
        yield headrace


@pytest.fixture(scope="module")
def client(headrace):
    given = headrace.credentials
    aepp.configure(given["org"], None, given["client_secret"], given["client_id"], scopes="openid", sandbox="prod")
    aepp.config.endpoints["global"] = given["url"]
    aepp.config.config_object["imsEndpoint"] = given["url"]
    aepp.config.config_object["oauthTokenEndpointV2"] = f"{given['url']}/ims/token/v3"
    client = Policy(config=dict(aepp.config.config_object), header=dict(aepp.config.header))
    client.endpoint = given["url"] + aepp.config.endpoints["policy"]
    yield client
    client.connector.session.close()


def policy(name, labels, action="core/exportToThirdParty", **changes):
    operands = [{"label": label} for label in labels]
    return {
        "name": name,
        "status": "ENABLED",
        "marketingActionRefs": [f"https://platform.example{SERVICE}/marketingActions/{action}"],
        "deny": {"operator": "AND", "operands": operands},
        **changes,
    }


def test_labels_are_listed_page_by_page(client):
    everything = client.getCoreLabels()

    assert {"C1", "C10", "I1", "I2", "S1", "S2"} <= {label["name"] for label in everything}
    assert client.getCoreLabels(limit=5) == everything
    assert [label["name"] for label in client.getCoreLabels(prop="name==C1")] == ["C1"]
    assert client.getCoreLabel("C1") == next(label for label in everything if label["name"] == "C1")
    assert client.getCoreLabel("C99")["status"] == 404


def test_a_label_is_made_changed_and_listed(client):
    wanted = {"name": "L2", "category": "Custom", "friendlyName": "Purchases", "description": "What was bought"}
    made = client.updateCustomLabel("L2", wanted)

    assert {name: made[name] for name in wanted} == wanted
    assert client.getCustomLabel("L2") == made
    assert client.getCustomLabels() == [made]
    changed = client.updateCustomLabel("L2", {**wanted, "friendlyName": "Bought"})
    assert (changed["friendlyName"], changed["created"]) == ("Bought", made["created"])


def test_marketing_actions_are_made_listed_and_deleted(client):
    core = client.getMarketingActionsCores(limit=3)
    assert {"analytics", "emailTargeting", "exportToThirdParty"} <= {action["name"] for action in core}
    assert client.getMarketingActionsCore("analytics")["name"] == "analytics"
    made = [client.createOrupdateCustomMarketingAction(f"calls-{number}", "By telephone") for number in range(5)]

    assert client.getCustomMarketingAction("calls-1") == made[1]
    assert client.getCustomMarketingActions(limit=2) == made, "page by page"
    assert client.getCustomMarketingActions(prop="name==calls-3") == [made[3]]
    for action in made:
        assert client.deleteCustomMarketingAction(action["name"]) == 204
    assert client.getCustomMarketingActions() == []
    assert client.deleteCustomMarketingAction("calls-1")["status"] == 404


def test_policies_are_made_listed_and_found_by_what_they_deny(client):
    client.createOrupdateCustomMarketingAction("calls", "By telephone")
    made = client.createPolicy(policy("No calls", ["I1", "C4"], "custom/calls"))

    assert client.getPoliciesCustom(made["id"]) == made
    assert client.getPoliciesCustoms()["children"] == [made]
    assert client.getPoliciesCustoms(duleLabels="S1,C4")["children"] == [made]
    assert client.getPoliciesCustoms(duleLabels="S1")["children"] == []
    by_action = f"{SERVICE}/marketingActions/custom/calls"
    assert client.getPoliciesCustoms(marketingAction=by_action)["children"] == [made]
    assert client.getPoliciesCustoms(property="status==DRAFT")["children"] == []
    core = client.getPoliciesCore()["children"]
    assert client.getPoliciesCoreId(core[0]["id"]) == core[0]
    assert client.createPolicy(policy("x", ["C99"]))["errors"][0]["code"] == "unknown-label"


def test_policies_are_replaced_and_deleted_with_what_the_client_has_for_any_path(client):
    """The client has no method for these two."""
    made = client.createPolicy(policy("To be changed", ["C1"], status="DRAFT"))
    place = f"{client.endpoint}/policies/custom/{made['id']}"

    changed = client.connector.putData(place, data={**made, "status": "DISABLED"})
    patched = client.connector.patchData(place, data=[{"op": "replace", "path": "/status", "value": "DRAFT"}])

    assert (changed["status"], patched["status"], patched["name"]) == ("DISABLED", "DRAFT", "To be changed")
    assert client.connector.deleteData(place) == 204
    assert client.getPoliciesCustom(made["id"])["status"] == 404


def test_core_policies_are_enabled_by_their_ids(client):
    assert client.getEnabledCorePolicies()["policyIds"] == []

    assert client.createEnabledCorePolicies(["corepolicy_0001"])["policyIds"] == ["corepolicy_0001"]

    assert client.getEnabledCorePolicies()["policyIds"] == ["corepolicy_0001"]
    assert client.getPoliciesCoreId("corepolicy_0001")["status"] == "ENABLED"
    assert client.createEnabledCorePolicies([])["policyIds"] == []


def test_an_action_is_judged_for_labels(client, headrace):
    made = client.createPolicy(policy("Not both", ["C2", "I1"], "core/dataScience"))
    draft = client.createPolicy(policy("A draft", ["C2"], "core/dataScience", status="DRAFT"))
    where = f"{SERVICE}/marketingActions/core/dataScience/constraints"

    def violated(query):
        return [item["id"] for item in headrace.api.get(f"{where}?{query}").json["violatedPolicies"]]

    assert violated("duleLabels=C2,I1") == [made["id"]]
    assert violated("duleLabels=C2") == []
    assert violated("duleLabels=C2&includeDraft=true") == [draft["id"]]


def test_the_clients_own_call_for_labels_goes_to_a_path_that_is_none(client):
    """It leaves out the slash before `marketingActions`; mended, it is answered."""
    assert client.evaluateMarketingActionUsageLabel("core", "analytics", "C8")["status"] == 404
    mended = Policy(config=dict(aepp.config.config_object), header=dict(aepp.config.header))
    mended.endpoint = f"{client.endpoint}/"

    answer = mended.evaluateMarketingActionUsageLabel("core", "analytics", "C8,S1", draftEvaluation=True)

    assert answer["duleLabels"] == ["C8", "S1"]
    assert answer["marketingActionRef"] == f"{SERVICE}/marketingActions/core/analytics"
    mended.connector.session.close()


def test_an_action_is_judged_for_a_dataset(client, headrace):
    made = client.createPolicy(policy("No rough places", ["S2", "C9"], "core/analytics"))
    document = {
        "name": "people",
        "format": "csv",
        "location": str(headrace.folder / "people.csv"),
        "key": "id",
        "attributes": [{"column": "city", "path": "homeAddress.city"}, {"column": "tier", "path": "loyalty.tier"}],
    }
    dataset = headrace.api.post("/datasets", document)
    assert dataset.status == 201, dataset.text
    id_ = dataset.json["id"]
    put = {"datasets": {id_: ["C9"]}, "fields": {"homeAddress": ["S2"]}}
    assert headrace.api.post("/governance/labels", put).status == 200

    whole = client.evaluateMarketingActionDataset("core", "analytics", "dataSet", id_)
    part = client.evaluateMarketingActionDataset(
        "core", "analytics", "dataSet", id_, ["/properties/loyalty/properties/tier"], draftEvaluation=True
    )

    assert [item["id"] for item in whole["violatedPolicies"]] == [made["id"]]
    assert whole["discoveredLabels"] == [
        {
            "entityType": "dataSet",
            "entityId": id_,
            "dataSetLabels": {
                "connection": {"labels": []},
                "dataSet": {"labels": ["C9"]},
                "fields": [{"path": "homeAddress.city", "labels": ["S2"]}],
            },
        }
    ]
    assert (part["duleLabels"], part["violatedPolicies"]) == (["C9"], [])
    assert client.evaluateMarketingActionDataset("core", "analytics", "dataSet", "absent")["status"] == 404


def test_many_evaluations_are_answered_one_by_one(client):
    made = client.createPolicy(policy("No models", ["S1"], "core/segmentMatch"))
    reference = f"https://platform.example{SERVICE}/marketingActions/core/segmentMatch/constraints"

    answers = client.bulkEval(
        [
            {"evalRef": reference, "labels": ["S1", "C1"]},
            {"evalRef": reference, "labels": []},
            {"evalRef": reference, "entityList": [{"entityType": "dataSet", "entityId": "absent"}]},
            {"evalRef": "nowhere", "labels": []},
        ]
    )

    assert [answer["status"] for answer in answers] == [200, 200, 404, 400]
    assert [item["id"] for item in answers[0]["body"]["violatedPolicies"]] == [made["id"]]
    assert answers[1]["body"]["violatedPolicies"] == []
