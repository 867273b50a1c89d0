"""Mapping sets: mappings that stand by themselves, and the dataflows that refer to them."""

import pytest

from headrace.testkit.profiles import AUDIENCES, generate, ndjson
from support import FLOWS

from .conftest import codes

COVERED = ("unknown-mapping-set", "unknown-schema", "dotted-target")
SETS = "/data/foundation/conversion/mappingSets"
SCHEMAS = "/data/foundation/conversion/schemas"
UNION = "/data/core/ups/config/entityTypes/_xdm.context.profile"
REFERENCE = "/transformations/0/params/profileMapping"
ROWS = [
    {"source": "identityMap.crmId", "sourceType": "ATTRIBUTE", "destination": "customer"},
    {"source": "personalEmail.address", "sourceType": "ATTRIBUTE", "destination": "email"},
]


def made(api, rows=ROWS, **more):
    answer = api.post(SETS, {"mappings": rows, "xdmVersion": "1.0", **more})
    assert answer.status == 201, answer.text
    return answer.json


@pytest.fixture
def document(operator):
    """A dataflow that has an audience and no mapping yet."""
    document = operator.flow_document(operator.destination())
    params = document["transformations"][0]["params"]
    return {**document, "transformations": [{**document["transformations"][0], "params": params}]}


def referring(document, reference):
    params = {**document["transformations"][0]["params"], "profileSelectors": {"selectors": []}}
    return {**document, "transformations": [{"name": "GeneralTransform", "params": {**params, **reference}}]}


def test_a_set_leads_from_one_schema_to_another(api):
    schemas = [
        api.post(SCHEMAS, {"name": name, "jsonSchema": {"type": "object"}}).json["id"] for name in ("people", "rows")
    ]

    kept = made(api, name="mine", inputSchema={"id": schemas[0]}, outputSchema={"id": schemas[1]})

    assert kept["version"] == 0
    assert kept["mappings"] == ROWS
    assert api.get(f"{SETS}/{kept['id']}").json == kept
    assert kept in api.get(SETS).json["data"]
    assert [item["id"] for item in api.get(f"{SETS}?name=mine").json["data"]] == [kept["id"]]
    assert api.get(f"{SCHEMAS}/{schemas[0]}").json["name"] == "people"
    assert {*schemas} <= {item["id"] for item in api.get(SCHEMAS).json["data"]}
    assert api.delete(f"{SETS}/{kept['id']}").status == 204
    assert set(api.get(f"{SETS}/{kept['id']}").json) == {"errorMessage", "errorDetails"}


WRONG = {
    "a target with a dot": ([{"source": "a", "destination": "b.c"}], {"/mappings/0/destination": "dotted-target"}),
    "a target twice": ([{"source": name, "destination": "x"} for name in "ab"], {"/mappings": "mapped-twice"}),
    "no path": ([{"source": "a..b", "destination": "x"}], {"/mappings/0/source": "invalid-path"}),
    "another kind": (
        [{"source": "a", "sourceType": "EXPRESSION", "destination": "x"}],
        {"/mappings/0/sourceType": "not-allowed"},
    ),
}


@pytest.mark.parametrize(("rows", "expected"), WRONG.values(), ids=WRONG)
def test_a_set_that_is_wrong_is_refused(api, rows, expected):
    assert codes(api.post(SETS, {"mappings": rows})) == expected


def test_a_set_between_schemas_that_are_not_there_is_refused(api):
    answer = api.post(SETS, {"mappings": ROWS, "inputSchema": {"id": "a"}, "outputSchema": {"id": "b"}})

    assert codes(answer) == {"/inputSchema/id": "unknown-schema", "/outputSchema/id": "unknown-schema"}


def test_a_dataflow_maps_as_its_set_says(headrace, api, partner, document):
    kept = made(api)
    empty = {"segmentSelectors": {"selectors": []}, "profileMapping": {}, "mandatoryFields": [], "primaryFields": []}
    flow = api.post(f"{FLOWS}/flows", referring(document, empty)).json
    value = {"mappingId": kept["id"], "mappingVersion": 0}
    one = AUDIENCES[0]
    audience = {"id": one.id, "namespace": one.namespace, "mappingId": "list"}
    selector = {"type": "PLATFORM_SEGMENT", "value": audience}
    where = "/transformations/0/params/segmentSelectors/selectors/-"

    patched = api.patch(
        f"{FLOWS}/flows/{flow['id']}",
        [{"op": "add", "path": REFERENCE, "value": value}, {"op": "add", "path": where, "value": selector}],
        flow["etag"],
    )

    assert patched.status == 200, patched.text
    api.ingest(b"".join(ndjson(generate(20, seed=8))))
    assert headrace.wait_until_settled(flow["id"])["messages"] > 0
    assert b"email" in partner.received[-1].body
    (item,) = api.get(f"{FLOWS}/flows/{flow['id']}").json["items"]
    shown = item["transformations"][0]["params"]["profileMapping"]
    assert shown["mappingId"] == kept["id"]
    refused = api.delete(f"{SETS}/{kept['id']}")
    assert (refused.status, refused.json["uses"][0]["id"]) == (409, flow["id"])
    assert api.delete(f"{FLOWS}/flows/{flow['id']}").status == 202
    assert api.delete(f"{SETS}/{kept['id']}").status == 204


def test_a_dot_in_a_namespace_is_escaped(api, operator):
    rows = [{"source": "identityMap.Phone_E//.164", "destination": "customer"}]
    document = operator.flow_document(operator.destination())
    reference = {"profileMapping": {"mappingId": made(api, rows)["id"], "mappingVersion": 0}}

    planned = api.post(f"{FLOWS}/flows", referring(document, reference))

    assert planned.status == 201, planned.text


def test_the_rows_of_a_set_are_checked_when_a_dataflow_is_saved(api, document):
    rows = [{"source": "identityMap.crmId", "destination": "no_such_target"}]

    answer = api.post(f"{FLOWS}/flows", referring(document, {"profileMapping": {"mappingId": made(api, rows)["id"]}}))

    assert "unknown-target" in codes(answer).values()


@pytest.mark.parametrize("version", [1, 7])
def test_a_set_that_is_not_there_is_refused(api, document, version):
    other = {"profileMapping": {"mappingId": made(api)["id"], "mappingVersion": version}}
    absent = {"profileMapping": {"mappingId": "absent", "mappingVersion": 0}}

    assert codes(api.post(f"{FLOWS}/flows", referring(document, other))) == {
        f"{REFERENCE}/mappingVersion": "unknown-mapping-set"
    }
    assert codes(api.post(f"{FLOWS}/flows", referring(document, absent))) == {
        f"{REFERENCE}/mappingId": "unknown-mapping-set"
    }


def test_the_schema_of_people_is_read_off_them(api):
    api.ingest(b'{"identityMap": {"crmId": [{"id": "S-1"}]}, "_acme": {"points": 3, "tags": ["a"], "vip": true}}')
    api.ingest(b'{"identityMap": {"crmId": [{"id": "S-2"}]}, "_acme": {"points": 1.5}}')

    schema = api.get(f"{UNION}?property=fullSchema==true&property=includeRelationshipDescriptors==true").json

    assert schema["properties"]["_acme"]["properties"] == {
        "points": {"type": "number"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "vip": {"type": "boolean"},
    }
    assert {"identityMap", "segmentMembership"} <= set(schema["properties"])
    assert schema["x-headrace"]["people"] > 1
