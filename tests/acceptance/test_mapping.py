"""A mapping that computes and hashes: what an operator maps arrives at the partner as the partner expects it."""

import hashlib

import orjson

from headrace.cli.demo import TOKEN
from headrace.model.flow import PROFILE_STORE_SPEC
from headrace.testkit.partner import Partner
from support import AUTHORING, FLOWS, eventually, in_process

HASH = "sha256(lower($))"
BODY = """{"people": [{% for p in input.profiles %}{"phones": {{ p.identityMap.phone_sha256 | toJson }}, \
"attributes": {{ p.attributes | toJson }}}{% if not loop.last %}, {% endif %}{% endfor %}], \
"list": "{{ input.aggregationKey.segmentAlias }}"}"""
AUDIENCE = {"id": "night-ferries", "namespace": "ups", "name": "Night ferries", "mappingId": "list-7"}
DESTINATION = {
    "name": "Telegraph",
    "description": "Takes telephone numbers.",
    "status": "TEST",
    "customerAuthenticationConfigurations": [{"authType": "BEARER"}],
    "customerDataFields": [],
    "uiAttributes": {"category": "advertising", "connectionType": "Server-to-server", "frequency": "Streaming"},
    "identityNamespaces": {
        "phone_sha256": {
            "acceptsAttributes": True,
            "transformation": HASH,
            "acceptedGlobalNamespaces": {"Phone": {"requiredTransformation": HASH}},
        }
    },
    "schemaConfig": {
        "profileRequired": True,
        "segmentRequired": True,
        "identityRequired": True,
        "segmentNamespaceDenyList": [],
        "requiredMappings": [
            {"sourceType": "text/plain", "source": "metadata.segment.alias", "destination": "list"},
            {
                "sourceType": "text/x.aep-xl",
                "source": 'iif(segmentMembership.ups.aep_seg_id.status == "exited", "remove", "add")',
                "destination": "action",
            },
        ],
    },
    "audienceMetadataConfig": {"mapUserInput": True},
    "aggregation": {
        "aggregationType": "BEST_EFFORT",
        "bestEffortAggregation": {"maxUsersPerRequest": 10, "aggregationKey": {"includeSegmentId": True}},
    },
}
ROWS = [
    {"sourceType": "text/x.schema-path", "source": "identityMap.Phone", "destination": "identityMap.phone_sha256"},
    {
        "sourceType": "text/x.schema-path",
        "source": "homePhone.number",
        "destination": "identityMap.phone_sha256",
        "x-headrace": {"transformation": HASH, "region": "DE"},
    },
    {
        "sourceType": "EXPRESSION",
        "source": "array_to_string('_', transformArray(organizations, o -> ucase(o.name)))",
        "destination": "organizations",
    },
    {"sourceType": "text/x.aep-xl", "source": "points / visits", "destination": "share"},
    {"sourceType": "text/x.schema-path", "source": "organizations", "destination": "raw"},
]
PERSON = {
    "profileId": "ann",
    "identityMap": {"Phone": [{"id": "+1 (202) 555-0123"}, {"id": "555-0123"}]},
    "homePhone": {"number": "030 / 1234567"},
    "organizations": [{"name": "Acme"}, {"name": "Energy"}],
    "points": 7,
    "visits": 0,
}


def person(status, time):
    return {**PERSON, "segmentMembership": {"ups": {AUDIENCE["id"]: {"status": status, "lastQualificationTime": time}}}}


def hashed(number):
    return {"id": hashlib.sha256(number.encode()).hexdigest()}


def server_at(partner):
    text = {"templatingStrategy": "PEBBLE_V1", "value": BODY, "x-headrace": {"escaping": "none"}}
    url = {"templatingStrategy": "NONE", "value": f"{partner.origin}/people"}
    template = {"httpMethod": "POST", "contentType": "application/json", "requestBody": text}
    return {
        "name": "Telegraph",
        "destinationServerType": "URL_BASED",
        "urlBasedDestination": {"url": url},
        "httpTemplate": template,
    }


def dataflow(api, partner):
    """Author the destination, sign in, and map as an operator does; return the dataflow's id."""
    server = api.post(f"{AUTHORING}/destination-servers", server_at(partner)).json["instanceId"]
    delivery = {"authenticationRule": "CUSTOMER_AUTHENTICATION", "destinationServerId": server}
    authored = api.post(f"{AUTHORING}/destinations", {**DESTINATION, "destinationDelivery": [delivery]})
    assert authored.status == 200, authored.text
    spec = {"id": authored.json["instanceId"], "version": "1.0"}
    auth = {"specName": "BEARER", "params": {"token": TOKEN}}
    account = api.post(f"{FLOWS}/connections", {"name": "account", "connectionSpec": spec, "auth": auth}).json["id"]
    source = {"name": "profiles", "connectionSpec": {"id": PROFILE_STORE_SPEC}}
    target = {"name": "target", "baseConnectionId": account, "connectionSpec": spec, "params": {}}
    params = {
        "segmentSelectors": {"selectors": [{"type": "PLATFORM_SEGMENT", "value": AUDIENCE}]},
        "profileSelectors": {
            "selectors": [{"type": "JSON_PATH", "value": {"path": row["source"], "mapping": row}} for row in ROWS]
        },
    }
    made = api.post(
        f"{FLOWS}/flows",
        {
            "name": "to Telegraph",
            "sourceConnectionIds": [api.post(f"{FLOWS}/sourceConnections", source).json["id"]],
            "targetConnectionIds": [api.post(f"{FLOWS}/targetConnections", target).json["id"]],
            "transformations": [{"name": "GeneralTransform", "params": params}],
        },
    )
    assert made.status == 201, made.text
    return made.json["id"]


def test_a_telephone_number_and_a_calculated_field_arrive_as_the_partner_expects(tmp_path):
    with (
        Partner.in_thread(token=TOKEN) as partner,
        in_process(tmp_path, egress_allow=partner.origin, renderers=1) as headrace,
    ):
        flow = dataflow(headrace.api, partner)

        def told(status, time, count):
            answer = headrace.api.post("/ingest/profiles", [person(status, time)])
            assert answer.json["accepted"] == 1, answer.text
            eventually(f"message {count} arrives", lambda: len(partner.received) >= count)
            return orjson.loads(partner.received[-1].body)

        entered = told("realized", "2026-03-01T10:00:00Z", 1)
        left = told("exited", "2026-03-02T10:00:00Z", 2)
        metrics = headrace.api.get("/metrics").text

    def message(action):
        attributes = {
            "list": {"value": "list-7"},
            "action": {"value": action},
            "organizations": {"value": "ACME_ENERGY"},
            "share": {},
            "raw": {},
        }
        phones = [hashed("+12025550123"), hashed("+49301234567")]
        return {"people": [{"phones": phones, "attributes": attributes}], "list": "list-7"}

    assert entered == message("add")
    assert left == message("remove")
    for target, reason in [
        ("phone_sha256", "phone-without-region"),
        ("share", "calculation-failed"),
        ("raw", "list-or-object"),
    ]:
        labels = f'dataflow="{flow}",reason="{reason}",target="{target}"'
        assert f"headrace_values_left_out_values_total{{{labels}}} 2.0" in metrics
