"""A partner takes a part of a message: whom it takes arrives, and the others are accounted for with its words."""

import contextlib
import math

import orjson
import pytest

from headrace.model.flow import PROFILE_STORE_SPEC
from headrace.testkit.partner import Answer, Partner
from support import AUTHORING, FLOWS, eventually, in_process

COUNT = 100
AUDIENCE = {"id": "night-ferries", "namespace": "ups", "name": "Night ferries", "mappingId": "list-7"}
ROW = {"sourceType": "text/x.schema-path", "source": "identityMap.crmId", "destination": "identityMap.customer"}
DESTINATION = {
    "name": "Harbour",
    "status": "TEST",
    "identityNamespaces": {"customer": {"acceptsCustomNamespaces": True}},
    "schemaConfig": {"profileRequired": True, "segmentRequired": True, "identityRequired": True},
    "audienceMetadataConfig": {"mapUserInput": True},
    "aggregation": {"aggregationType": "BEST_EFFORT", "bestEffortAggregation": {"maxUsersPerRequest": COUNT}},
}
BODY = (
    "[{% for p in input.profiles %}{{ p.identityMap.customer[0].id | toJson }}{% if not loop.last %},{% endif %}"
    "{% endfor %}]"
)
ANSWERS = {
    "results": {
        "path": "results",
        "by": "id",
        "id": "customer",
        "entryId": "identityMap.customer[0].id",
        "success": {"path": "status"},
        "reason": "why",
    }
}


@pytest.fixture
def dock(tmp_path, lend_database):
    """Start Headrace and send a hundred people to a partner; what is yielded does that."""
    with contextlib.ExitStack() as stack:
        database_url = stack.enter_context(lend_database())

        def send(partner, **additions):
            where = {"database_url": database_url} if database_url else {}
            settings = {"egress_allow": partner.origin, "renderers": 1, "retry_steps": "0.1,0.1,0.1", **where}
            api = stack.enter_context(in_process(tmp_path, **settings)).api
            flow = dataflow(api, partner, additions)
            people = [person(number) for number in range(COUNT)]
            assert api.post("/ingest/profiles", people).json["accepted"] == COUNT
            ledger = f"/dataflows/{flow}/ledger"
            eventually("everything is settled", lambda: not api.get(ledger).json["pending"])
            return api.get(ledger).json, api.get(f"/dataflows/{flow}/parked").json["items"]

        yield send


def person(number):
    membership = {"status": "realized", "lastQualificationTime": "2026-03-01T10:00:00Z"}
    return {
        "identityMap": {"crmId": [{"id": str(number)}]},
        "segmentMembership": {"ups": {AUDIENCE["id"]: membership}},
    }


def dataflow(api, partner, additions, **more):
    text = {"templatingStrategy": "PEBBLE_V1", "value": BODY, "x-headrace": {"escaping": "none"}}
    http = {"httpMethod": "POST", "contentType": "application/json", "requestBody": text, "x-headrace": additions}
    server = {
        "name": "Harbour",
        "destinationServerType": "URL_BASED",
        "urlBasedDestination": {"url": {"templatingStrategy": "NONE", "value": f"{partner.origin}/people"}},
        "httpTemplate": http,
    }
    authored = api.post(f"{AUTHORING}/destination-servers", server)
    assert authored.status == 200, authored.text
    delivery = {"authenticationRule": "NONE", "destinationServerId": authored.json["instanceId"]}
    authored = api.post(f"{AUTHORING}/destinations", {**DESTINATION, **more, "destinationDelivery": [delivery]})
    assert authored.status == 200, authored.text
    spec = {"id": authored.json["instanceId"], "version": "1.0"}
    source = {"name": "profiles", "connectionSpec": {"id": PROFILE_STORE_SPEC}}
    target = {"name": "target", "connectionSpec": spec, "params": {}}
    row = {"type": "JSON_PATH", "value": {"path": ROW["source"], "mapping": ROW}}
    params = {
        "segmentSelectors": {"selectors": [{"type": "PLATFORM_SEGMENT", "value": AUDIENCE}]},
        "profileSelectors": {"selectors": [row]},
    }
    made = api.post(
        f"{FLOWS}/flows",
        {
            "name": "to Harbour",
            "sourceConnectionIds": [api.post(f"{FLOWS}/sourceConnections", source).json["id"]],
            "targetConnectionIds": [api.post(f"{FLOWS}/targetConnections", target).json["id"]],
            "transformations": [{"name": "GeneralTransform", "params": params}],
        },
    )
    assert made.status == 201, made.text
    return made.json["id"]


def arrived(partner):
    return sorted(int(one) for request in partner.received if request.answered == 200 for one in request.json())


def test_one_person_whom_the_partner_refuses_keeps_nobody_else_from_it(dock):
    with Partner.in_thread(default=lambda received: 400 if "62" in received.json() else 200) as partner:
        ledger, parked = dock(partner)

        assert arrived(partner) == [number for number in range(COUNT) if number != 62]
        assert len(partner.received) <= 1 + 2 * math.ceil(math.log2(COUNT))
    assert (ledger["accepted"], ledger["delivered"], ledger["parked"]) == (COUNT, COUNT - 1, 1)
    assert [(item["profile"], item["reason"]) for item in parked] == [("crmId:62", "the partner answered 400")]


def test_an_answer_in_parts_is_taken_at_its_word(dock):
    seen = set()

    def answer(received):
        results = [{"customer": one, "status": status_of(one), "why": f"no berth for {one}"} for one in received.json()]
        seen.update(received.json())
        return Answer(207, body=orjson.dumps({"results": results[::-1]}))

    def status_of(one):
        if one == "62":
            return 422
        return 503 if one in ("7", "8") and one not in seen else 201

    with Partner.in_thread(default=answer) as partner:
        ledger, parked = dock(partner, answers=ANSWERS)

        assert [sorted(request.json()) for request in list(partner.received)[1:]] == [["7", "8"]]
    assert (ledger["delivered"], ledger["parked"], ledger["messages"]) == (COUNT - 1, 1, 2)
    reasons = [(item["profile"], item["reason"]) for item in parked]
    assert reasons == [("crmId:62", "the partner refused it alone: no berth for 62")]
