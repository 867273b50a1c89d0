"""Consent and erasure at a partner that really listens: who withdraws leaves, who is erased leaves and is gone."""

import orjson
import pytest

from headrace.cli.demo import TOKEN
from headrace.model.flow import PROFILE_STORE_SPEC
from headrace.testkit.partner import Answer, Partner
from support import AUTHORING, FLOWS, eventually, in_process

BODY = '{"people": {{ input.profiles | toJson }}}'
AUDIENCE = {"id": "ferries", "namespace": "ups", "name": "Ferries", "mappingId": "list-7"}
POLICY = {
    "name": "e-mail marketing",
    "conditions": [{"path": "consents.marketing.email.val", "values": ["y", "vi"]}],
}
CANARY = {"id": "canary-4711", "email": "canary@example.com", "city": "Canaryville-on-Sea"}


def person(id_, consent, *, minute=0, email="somebody@example.com", city="Bern"):
    membership = {"status": "realized", "lastQualificationTime": f"2026-03-01T10:{minute:02}:00Z"}
    return {
        "identityMap": {"crmId": [{"id": id_, "primary": True}], "Email": [{"id": email}]},
        "segmentMembership": {"ups": {AUDIENCE["id"]: membership}},
        "consents": {"marketing": {"email": {"val": consent}}},
        "city": city,
    }


def dataflow(api, partner):
    """Author a destination and send an audience there; return the dataflow's id."""
    text = {"templatingStrategy": "PEBBLE_V1", "value": BODY, "x-headrace": {"escaping": "none"}}
    server = {
        "name": "Ferries",
        "destinationServerType": "URL_BASED",
        "urlBasedDestination": {"url": {"templatingStrategy": "NONE", "value": f"{partner.origin}/people"}},
        "httpTemplate": {"httpMethod": "POST", "contentType": "application/json", "requestBody": text},
    }
    server_id = api.post(f"{AUTHORING}/destination-servers", server).json["instanceId"]
    destination = {
        "name": "Ferries",
        "status": "TEST",
        "customerAuthenticationConfigurations": [{"authType": "BEARER"}],
        "identityNamespaces": {"id": {"acceptsCustomNamespaces": True}},
        "schemaConfig": {"segmentRequired": True, "profileRequired": True},
        "aggregation": {"aggregationType": "BEST_EFFORT", "bestEffortAggregation": {"maxUsersPerRequest": 10}},
        "destinationDelivery": [{"authenticationRule": "CUSTOMER_AUTHENTICATION", "destinationServerId": server_id}],
    }
    authored = api.post(f"{AUTHORING}/destinations", destination)
    assert authored.status == 200, authored.text
    spec = {"id": authored.json["instanceId"], "version": "1.0"}
    auth = {"specName": "BEARER", "params": {"token": TOKEN}}
    account = api.post(f"{FLOWS}/connections", {"name": "account", "connectionSpec": spec, "auth": auth}).json["id"]
    source = {"name": "profiles", "connectionSpec": {"id": PROFILE_STORE_SPEC}}
    target = {"name": "target", "baseConnectionId": account, "connectionSpec": spec, "params": {}}
    rows = [{"source": "identityMap.crmId", "destination": "identityMap.id"}, {"source": "city", "destination": "city"}]
    selectors = [{"type": "JSON_PATH", "value": {"path": row["source"], "mapping": row}} for row in rows]
    params = {
        "segmentSelectors": {"selectors": [{"type": "PLATFORM_SEGMENT", "value": AUDIENCE}]},
        "profileSelectors": {"selectors": selectors},
    }
    document = {
        "name": "to Ferries",
        "sourceConnectionIds": [api.post(f"{FLOWS}/sourceConnections", source).json["id"]],
        "targetConnectionIds": [api.post(f"{FLOWS}/targetConnections", target).json["id"]],
        "transformations": [{"name": "GeneralTransform", "params": params}],
    }
    made = api.post(f"{FLOWS}/flows", document)
    assert made.status == 201, made.text
    return made.json["id"]


def told(partner):
    """What the partner was told, in order: (person, status)."""
    return [
        (who["identityMap"]["id"][0]["id"], who["segmentMembership"]["ups"][AUDIENCE["id"]]["status"])
        for received in partner.received
        for who in orjson.loads(received.body)["people"]
    ]


@pytest.fixture
def partner():
    with Partner.in_thread(token=TOKEN) as partner:
        yield partner


def test_a_withdrawal_reaches_the_partner_as_an_exit(tmp_path, partner):
    with in_process(tmp_path, egress_allow=partner.origin, renderers=1) as headrace:
        api = headrace.api
        flow = dataflow(api, partner)
        assert api.post("/governance/consent-policies", POLICY).status == 201

        api.post("/ingest/profiles", [person("ann", "y"), person("bob", "n")])
        eventually("ann enters", lambda: told(partner) == [("ann", "realized")])
        api.post("/ingest/profiles", [person("ann", "n", minute=1)])
        eventually("ann leaves", lambda: told(partner)[1:] == [("ann", "exited")])
        api.post("/ingest/profiles", [person("bob", "vi", minute=2)])
        eventually("bob enters", lambda: told(partner)[2:] == [("bob", "realized")])
        headrace.wait_until_settled(flow)

        ledger = api.get(f"/dataflows/{flow}/ledger").json
        reasons = api.get(f"/dataflows/{flow}/withheld").json["items"]

    assert ("bob", "exited") not in told(partner)
    assert (ledger["accepted"], ledger["delivered"], ledger["withheld"]) == (4, 3, 1)
    assert reasons == [{"reason": "consent: e-mail marketing", "changes": 1}]


def test_a_policy_that_is_made_later_reaches_those_who_are_known(tmp_path, partner):
    with in_process(tmp_path, egress_allow=partner.origin, renderers=1) as headrace:
        api = headrace.api
        dataflow(api, partner)
        api.post("/ingest/profiles", [person("ann", "y"), person("bob", "n")])
        eventually("both enter", lambda: sorted(told(partner)) == [("ann", "realized"), ("bob", "realized")])

        made = api.post("/governance/consent-policies", POLICY).json
        eventually("bob leaves", lambda: told(partner)[2:] == [("bob", "exited")])
        assert api.delete(f"/governance/consent-policies/{made['id']}").status == 204
        eventually("bob enters", lambda: told(partner)[3:] == [("bob", "realized")])


def test_who_is_erased_leaves_the_partner_and_the_data_directory(tmp_path, partner):
    canary = person(CANARY["id"], "y", email=CANARY["email"], city=CANARY["city"])
    with in_process(tmp_path, egress_allow=partner.origin, renderers=1) as headrace:
        api = headrace.api
        flow = dataflow(api, partner)
        api.post("/ingest/profiles", [canary, person("ann", "y")])
        eventually("both enter", lambda: len(told(partner)) == 2)
        headrace.wait_until_settled(flow)

        identity = {"namespace": "Email", "id": CANARY["email"]}
        erasure = api.post("/ingest/erasures", {"identity": identity}).json["id"]
        eventually("it is done", lambda: api.get(f"/ingest/erasures/{erasure}").json["state"] == "done")
        report = api.get(f"/ingest/erasures/{erasure}").json
        refused = api.post("/ingest/profiles", [canary]).json
        log = api.get("/audit").text
        found_while_it_runs = _files_with_the_canary(tmp_path)

    assert told(partner)[2:] == [(CANARY["id"], "exited")]
    assert [(item["dataflow"], item["state"]) for item in report["receipts"]] == [(flow, "told")]
    assert report["people"] == 1
    assert [item["code"] for item in refused["rejected"]] == ["erased"]
    assert not any(text in log for text in CANARY.values())
    assert found_while_it_runs == []
    assert _files_with_the_canary(tmp_path) == []


def test_what_is_kept_of_a_refused_message_goes_with_who_is_erased(tmp_path, partner):
    with in_process(tmp_path, egress_allow=partner.origin, renderers=1) as headrace:
        api = headrace.api
        flow = dataflow(api, partner)
        partner._default = lambda received: Answer(404, (("X-Said", CANARY["id"]),), received.body)
        api.post("/ingest/profiles", [person(CANARY["id"], "y", email=CANARY["email"], city=CANARY["city"])])
        headrace.wait_until_settled(flow)
        (item,) = api.get(f"/dataflows/{flow}/parked").json["items"]
        kept = api.get(f"/dataflows/{flow}/parked/{item['number']}/message").text
        assert kept.count(CANARY["id"]) > 2

        identity = {"namespace": "Email", "id": CANARY["email"]}
        erasure = api.post("/ingest/erasures", {"identity": identity}).json["id"]
        eventually("it is done", lambda: api.get(f"/ingest/erasures/{erasure}").json["state"] == "done")
        found_while_it_runs = _files_with_the_canary(tmp_path)

    assert found_while_it_runs == []
    assert _files_with_the_canary(tmp_path) == []


def _files_with_the_canary(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if any(text.encode() in path.read_bytes() for text in CANARY.values())]
