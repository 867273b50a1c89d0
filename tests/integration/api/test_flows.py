"""Operators sign in at a partner, choose audiences and a mapping, and switch dataflows on and off."""

import json

import pytest

from headrace.model.flow import PROFILE_STORE_SPEC
from headrace.store import ledger
from headrace.testkit.profiles import AUDIENCES, generate, ndjson
from support import FLOWS, eventually

from .conftest import codes, paths

SELECTORS = "/transformations/0/params/segmentSelectors/selectors"
MAPPING = "/transformations/0/params/profileSelectors/selectors"
TOKEN = "canary-token-Zx81-of-the-operator"


def audience(number, **changes):
    chosen = AUDIENCES[number]
    value = {"id": chosen.id, "namespace": chosen.namespace, "name": chosen.name, "mappingId": f"list-{number}"}
    return {"type": "PLATFORM_SEGMENT", "value": {**value, **changes}}


def row(source, target):
    mapping = {"sourceType": "text/x.schema-path", "source": source, "destination": target}
    return {"type": "JSON_PATH", "value": {"path": source, "mapping": mapping}}


def read(api, kind, id_):
    (item,) = api.get(f"{FLOWS}/{kind}/{id_}").json["items"]
    return item


# -- connection specs ------------------------------------------------------------------------------------------------


def test_a_destination_is_a_connection_spec_with_what_it_asks_for(api, operator):
    destination = operator.destination()

    (spec,) = api.get(f"{FLOWS}/connectionSpecs/{destination}").json["items"]

    assert (spec["id"], spec["name"], spec["version"]) == (destination, "Lighthouse", "1.0")
    (way,) = spec["authSpec"]
    assert (way["name"], way["type"], way["spec"]["required"]) == ("BEARER", "BEARER", ["token"])
    assert spec["targetSpec"]["spec"]["required"] == ["workspace"]
    assert spec["targetSpec"]["spec"]["properties"]["workspace"]["pattern"] == "^[a-z]+-[0-9]{4}$"
    assert spec in api.get(f"{FLOWS}/connectionSpecs").json["items"]


def test_the_profile_store_is_a_connection_spec(api):
    (spec,) = api.get(f"{FLOWS}/connectionSpecs/{PROFILE_STORE_SPEC}").json["items"]

    assert spec["name"] == "profileStore"
    assert spec in api.get(f"{FLOWS}/connectionSpecs").json["items"]


@pytest.mark.parametrize("kind", ["connectionSpecs", "connections", "sourceConnections", "targetConnections", "flows"])
def test_an_unknown_id_is_404_in_the_flow_services_shape(api, kind):
    answer = api.get(f"{FLOWS}/{kind}/absent")

    assert answer.status == 404
    assert set(answer.json) == {"errorMessage", "errorDetails"}
    assert "'absent'" in answer.json["errorDetails"]


# -- accounts --------------------------------------------------------------------------------------------------------


def test_an_account_is_created_and_its_token_never_read_back(headrace, api, operator):
    created = operator.account(operator.destination(), TOKEN)

    assert created.status == 201
    assert set(created.json) == {"id", "etag"}
    account = read(api, "connections", created.json["id"])
    assert account["auth"]["specName"] == "BEARER"
    assert account["auth"]["params"] == {"token": "••••"}
    assert account["etag"] == created.json["etag"]
    everything = api.get(f"{FLOWS}/connections").text + created.text + api.get("/metrics").text
    assert account["id"] in everything
    assert TOKEN not in everything


def test_a_token_is_not_kept_as_it_is(headrace, operator):
    operator.account(operator.destination(), TOKEN)

    kept = headrace.kept()

    assert b"specName" in kept
    assert TOKEN.encode() not in kept
    assert b"canary" not in kept


def test_the_same_token_has_the_same_fingerprint_and_another_has_another(api, operator):
    destination = operator.destination()
    accounts = [operator.account(destination, token).json["id"] for token in (TOKEN, TOKEN, "another")]

    first, again, other = (
        read(api, "connections", id_)["auth"]["x-headrace"]["fingerprints"]["token"] for id_ in accounts
    )

    assert first == again != other
    assert first not in TOKEN


@pytest.mark.parametrize("spelling", ["BEARER", "Bearer", "bearer", "Bearer Token", "bearer-authentication"])
def test_the_way_of_signing_in_may_be_spelt_as_clients_do(operator, spelling):
    auth = {"specName": spelling, "params": {"token": TOKEN}}

    assert operator.account(operator.destination(), auth=auth).status == 201


WRONG_AUTH = {
    "another way": ({"specName": "OAUTH2", "params": {"token": "t"}}, "/auth/specName"),
    "no token": ({"specName": "BEARER", "params": {}}, "/auth/params"),
    "an empty token": ({"specName": "BEARER", "params": {"token": " "}}, "/auth/params"),
    "a token of two lines": ({"specName": "BEARER", "params": {"token": "a\r\nX: b"}}, "/auth/params"),
    "no params that are": ({"specName": "BEARER", "params": "token"}, "/auth/params"),
}
NOT_TEXTS = [12345, True, {"value": "t"}, ["t"]]


@pytest.mark.parametrize(("auth", "path"), WRONG_AUTH.values(), ids=WRONG_AUTH)
def test_credentials_that_could_sign_nothing_are_refused(operator, auth, path):
    answer = operator.account(operator.destination(), auth=auth)

    assert paths(answer) == [path]


@pytest.mark.parametrize("token", NOT_TEXTS, ids=str)
def test_a_token_that_is_no_text_is_refused(operator, token):
    assert paths(operator.account(operator.destination(), token)) == ["/auth/params/token"]


def test_a_refusal_does_not_tell_the_token(operator):
    auth = {"specName": "BEARER", "params": {"token": f"{TOKEN} and\nmore"}}

    assert TOKEN not in operator.account(operator.destination(), auth=auth).text


def test_an_account_at_nothing_is_refused(operator):
    assert codes(operator.account("absent")) == {"/connectionSpec/id": "unknown-destination"}


def test_an_account_without_credentials_cannot_sign_in_and_is_refused(operator):
    assert paths(operator.account(operator.destination(), auth=None)) == ["/auth"]


# -- target connections ----------------------------------------------------------------------------------------------

FIELDS = [
    {"name": "region", "type": "string", "isRequired": True, "enum": ["eu", "us"]},
    {"name": "code", "type": "string", "pattern": "^[a-z]{2}$"},
    {"name": "size", "type": "integer", "default": 10},
]
WORKSPACE = {"name": "workspace", "type": "string"}


@pytest.fixture(scope="module")
def asking(operator):
    """A destination that asks for customer data, and an account there."""
    destination = operator.destination(customerDataFields=[*FIELDS, WORKSPACE])
    return destination, operator.account(destination).json["id"]


def test_customer_data_is_kept_with_the_defaults_filled_in(api, operator, asking):
    created = operator.target(*asking, {"region": "eu", "code": "ab"})

    assert created.status == 201
    assert set(created.json) == {"id", "etag"}
    assert read(api, "targetConnections", created.json["id"])["params"] == {"region": "eu", "code": "ab", "size": 10}


WRONG_PARAMS = {
    "nothing": ({}, {"/params/region": "missing-field"}),
    "an empty text": ({"region": ""}, {"/params/region": "missing-field"}),
    "not in the list": ({"region": "mars"}, {"/params/region": "not-allowed"}),
    "a number for a text": ({"region": "eu", "code": 12}, {"/params/code": "invalid"}),
    "a text for a number": ({"region": "eu", "size": "big"}, {"/params/size": "invalid"}),
    "a list for a text": ({"region": ["eu"]}, {"/params/region": "invalid"}),
    "against the pattern": ({"region": "eu", "code": "ABC"}, {"/params/code": "invalid"}),
    "a field that is none": ({"region": "eu", "regoin": "eu"}, {"/params/regoin": "unknown-field"}),
    "several at once": (
        {"code": "ABC", "size": "x", "more": 1},
        {"/params/region": "missing-field", "/params/code": "invalid", "/params/size": "invalid",
         "/params/more": "unknown-field"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("params", "found"), WRONG_PARAMS.values(), ids=WRONG_PARAMS)
def test_customer_data_that_is_not_right_is_told_by_field(operator, asking, params, found):
    assert codes(operator.target(*asking, params)) == found


def test_a_truth_is_no_number(operator, asking):
    assert codes(operator.target(*asking, {"region": "eu", "size": True})) == {"/params/size": "invalid"}


def test_a_target_needs_an_account_where_operators_sign_in(operator, asking):
    answer = operator.target(asking[0], None, {"region": "eu"})

    assert codes(answer) == {"/baseConnectionId": "missing-field"}


def test_a_target_at_an_account_that_is_not_there_is_refused(operator, asking):
    answer = operator.target(asking[0], "absent", {"region": "eu"})

    assert codes(answer) == {"/baseConnectionId": "unknown-account"}


def test_the_credentials_of_one_destination_are_not_lent_to_another(operator, asking):
    """Else an account's token could be sent to whatever address another destination names."""
    elsewhere = operator.account(operator.destination()).json["id"]

    answer = operator.target(asking[0], elsewhere, {"region": "eu"})

    assert paths(answer) == ["/baseConnectionId"]


def test_a_source_is_the_profile_store(api, operator):
    source = read(api, "sourceConnections", operator.source())

    assert source["connectionSpec"] == {"id": PROFILE_STORE_SPEC}
    assert source in api.get(f"{FLOWS}/sourceConnections").json["items"]


# -- dataflows -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def destination(operator):
    return operator.destination()


@pytest.fixture
def document(operator, destination):
    return operator.flow_document(destination)


@pytest.fixture
def flow(api, document):
    created = api.post(f"{FLOWS}/flows", document)
    assert created.status == 201, created.text
    assert set(created.json) == {"id", "etag"}
    return created.json["id"]


def patched(api, flow, *operations):
    return api.patch(f"{FLOWS}/flows/{flow}", list(operations), read(api, "flows", flow)["etag"])


def test_a_dataflow_is_read_back_as_it_was_sent(api, document, flow):
    item = read(api, "flows", flow)

    assert {key: item[key] for key in document} == document
    assert item["id"] == flow
    assert item["state"] == "enabled"
    assert (item["imsOrgId"], item["sandboxName"]) == ("demo@headrace", "prod")
    assert item["etag"].startswith('"')
    assert item["etag"].endswith('"')
    assert item["createdAt"] == item["updatedAt"]


def test_dataflows_are_listed_newest_first_up_to_a_limit(api, document):
    new = [api.post(f"{FLOWS}/flows", {**document, "name": f"n{number}"}).json["id"] for number in range(3)]

    assert [item["id"] for item in api.get(f"{FLOWS}/flows").json["items"]][:3] == new[::-1]
    assert [item["id"] for item in api.get(f"{FLOWS}/flows?limit=2").json["items"]] == new[:0:-1]
    assert api.get(f"{FLOWS}/flows?limit=0").status == 400
    assert api.get(f"{FLOWS}/flows?limit=101").status == 400


def test_a_dataflow_may_begin_empty_and_be_filled_by_patches(api, document):
    flow = api.post(f"{FLOWS}/flows", {**document, "transformations": []}).json["id"]

    answer = patched(
        api,
        flow,
        {"op": "add", "path": f"{MAPPING}/-", "value": row("identityMap.crmId", "identityMap.customer")},
        {"op": "ADD", "path": f"{SELECTORS}/-", "value": audience(0)},
        {"op": "add", "path": f"{SELECTORS}/-", "value": audience(1)},
    )

    assert answer.status == 200, answer.text
    params = read(api, "flows", flow)["transformations"][0]["params"]
    assert params["segmentSelectors"]["selectors"] == [audience(0), audience(1)]


def test_selectors_are_removed_replaced_and_added_in_the_order_of_the_patch(api, flow):
    selectors = read(api, "flows", flow)["transformations"][0]["params"]["segmentSelectors"]["selectors"]

    answer = patched(
        api,
        flow,
        {"op": "remove", "path": f"{SELECTORS}/0", "value": "ignored"},
        {"op": "replace", "path": f"{SELECTORS}/0", "value": audience(1, mappingId="renamed")},
        {"op": "add", "path": f"{SELECTORS}/-", "value": audience(0)},
    )

    assert answer.status == 200, answer.text
    now = read(api, "flows", flow)["transformations"][0]["params"]["segmentSelectors"]["selectors"]
    assert now == [audience(1, mappingId="renamed"), *selectors[2:], audience(0)]


def test_every_change_makes_a_new_etag(api, flow):
    before = read(api, "flows", flow)["etag"]

    answer = patched(api, flow, {"op": "replace", "path": "/name", "value": "renamed"})

    assert set(answer.json) == {"id", "etag"}
    assert answer.json["etag"] != before
    assert read(api, "flows", flow)["etag"] == answer.json["etag"]
    assert read(api, "flows", flow)["name"] == "renamed"


def test_a_patch_needs_the_etag(api, flow):
    answer = api.patch(f"{FLOWS}/flows/{flow}", [], None)

    assert answer.status == 400
    assert "If-Match" in answer.json["detail"]


def test_a_patch_of_what_has_changed_meanwhile_is_412_and_names_both_versions(api, flow):
    stale = read(api, "flows", flow)["etag"]
    patched(api, flow, {"op": "replace", "path": "/name", "value": "first"})

    for wrong in (stale, stale.strip('"'), "*", '"x"'):
        answer = api.patch(f"{FLOWS}/flows/{flow}", [{"op": "replace", "path": "/name", "value": "second"}], wrong)

        assert answer.status == 412, wrong
        assert set(answer.json) == {"errorMessage", "errorDetails"}
        assert wrong in answer.json["errorDetails"]
        assert read(api, "flows", flow)["etag"] in answer.json["errorDetails"]
    assert read(api, "flows", flow)["name"] == "first"


WRONG_PATCHES = {
    "no operation": [{}],
    "an operation nobody knows": [{"op": "merge", "path": "/name", "value": 1}],
    "no path": [{"op": "add", "value": 1}],
    "a path that is none": [{"op": "add", "path": "name", "value": 1}],
    "a path that is a number": [{"op": "add", "path": 1, "value": 1}],
    "no value": [{"op": "add", "path": "/name"}],
    "a place that is not there": [{"op": "remove", "path": f"{SELECTORS}/99"}],
    "a negative place": [{"op": "remove", "path": f"{SELECTORS}/-1"}],
    "a step through a text": [{"op": "add", "path": "/name/x", "value": 1}],
    "everything": [{"op": "remove", "path": ""}],
    "another thing in the place of all": [{"op": "replace", "path": "", "value": []}],
    "a test that fails": [{"op": "test", "path": "/name", "value": "x"}],
    "a move into itself": [{"op": "move", "from": "/transformations", "path": "/transformations/0"}],
    "a field that is none": [{"op": "add", "path": "/colour", "value": "red"}],
    "a name taken away": [{"op": "remove", "path": "/name"}],
    "the same audience twice": [{"op": "add", "path": f"{SELECTORS}/-", "value": audience(0)}],
    "a good one before a bad one": [
        {"op": "replace", "path": "/name", "value": "half"},
        {"op": "remove", "path": "/nothing"},
    ],
    "no array": {"op": "remove", "path": "/name"},
    "an array of texts": ["remove"],
    "nothing at all": None,
}


@pytest.mark.parametrize("operations", WRONG_PATCHES.values(), ids=WRONG_PATCHES)
def test_a_patch_that_does_not_apply_changes_nothing(api, flow, operations):
    before = read(api, "flows", flow)
    body = json.dumps(operations).encode()

    answer = api.send(
        "PATCH", f"{FLOWS}/flows/{flow}", body, {"If-Match": before["etag"], "Content-Type": "application/json"}
    )

    assert answer.status == 400, answer.text
    assert answer.json["errors"]
    assert read(api, "flows", flow) == before


def test_a_patch_may_be_sent_as_json_patch(api, flow):
    etag = read(api, "flows", flow)["etag"]
    headers = {"If-Match": etag, "Content-Type": "application/json-patch+json"}
    body = json.dumps([{"op": "add", "path": "/description", "value": "told"}]).encode()

    assert api.send("PATCH", f"{FLOWS}/flows/{flow}", body, headers).status == 200
    assert read(api, "flows", flow)["description"] == "told"


def test_a_dataflow_is_switched_off_and_on(api, flow):
    path = f"{FLOWS}/flows/{flow}/action"
    before = read(api, "flows", flow)["etag"]

    off = api.post(f"{path}?op=disable", None)
    assert (off.status, set(off.json)) == (200, {"id", "etag"})
    assert off.json["etag"] != before
    assert read(api, "flows", flow)["state"] == "disabled"

    assert api.post(f"{path}?op=enable", None).status == 200
    assert read(api, "flows", flow)["state"] == "enabled"
    assert paths(api.post(f"{path}?op=pause", None)) == ["/query/op"]
    assert paths(api.post(path, None)) == ["/query/op"]


def test_a_deleted_dataflow_is_gone_and_so_is_its_work(api, flow):
    deleted = api.delete(f"{FLOWS}/flows/{flow}")

    assert (deleted.status, deleted.text) == (202, "")
    assert api.get(f"{FLOWS}/flows/{flow}").status == 404
    assert api.delete(f"{FLOWS}/flows/{flow}").status == 404
    assert api.patch(f"{FLOWS}/flows/{flow}", [], '"x"').status == 404
    assert api.post(f"{FLOWS}/flows/{flow}/action?op=enable", None).status == 404
    assert flow not in [item["id"] for item in api.get(f"{FLOWS}/flows").json["items"]]


WRONG_FLOWS = {
    "no source that is there": ({"sourceConnectionIds": ["absent"]}, ["/sourceConnectionIds/0"]),
    "no target that is there": ({"targetConnectionIds": ["absent"]}, ["/targetConnectionIds/0"]),
    "neither": (
        {"sourceConnectionIds": ["absent"], "targetConnectionIds": ["absent"]},
        ["/sourceConnectionIds/0", "/targetConnectionIds/0"],
    ),
    "no sources": ({"sourceConnectionIds": []}, ["/sourceConnectionIds"]),
    "two targets": ({"targetConnectionIds": ["a", "b"]}, ["/targetConnectionIds"]),
    "no name": ({"name": ""}, ["/name"]),
    "a field that is none": ({"colour": 1}, ["/colour"]),
}


@pytest.mark.parametrize(("changes", "found"), WRONG_FLOWS.values(), ids=WRONG_FLOWS)
def test_a_dataflow_that_points_to_nothing_is_refused(api, document, changes, found):
    assert paths(api.post(f"{FLOWS}/flows", {**document, **changes})) == found


# -- the mapping -----------------------------------------------------------------------------------------------------

CUSTOMER = row("identityMap.crmId", "identityMap.customer")
EMAIL = row("personalEmail.address", "email")
WRONG_MAPPINGS = {
    "no identity": ([EMAIL], {MAPPING: "no-identity"}),
    "an attribute nobody asked for": ([CUSTOMER, row("a.b", "colour")],
                                      {f"{MAPPING}/1/value/mapping/destination": "unknown-target"}),
    "an identity nobody asked for": ([CUSTOMER, row("identityMap.Email", "identityMap.mail")],
                                     {f"{MAPPING}/1/value/mapping/destination": "unknown-target"}),
    "an attribute where none is taken": ([row("person.id", "identityMap.customer")],
                                         {f"{MAPPING}/0/value/path": "not-mappable"}),
    "an identity as an attribute": ([CUSTOMER, row("identityMap.Email", "email")],
                                    {f"{MAPPING}/1/value": "not-mappable"}),
    "two to the same": ([CUSTOMER, EMAIL, row("workEmail.address", "email")], {MAPPING: "mapped-twice"}),
    "a path that is none": ([CUSTOMER, row("a..b", "email")], {f"{MAPPING}/1/value/path": "invalid-path"}),
    "a type that is none": ([{"type": "XPATH", "value": CUSTOMER["value"]}], {f"{MAPPING}/0/type": "not-allowed"}),
    "several at once": (
        [EMAIL, EMAIL, row("a..b", "colour")],
        {MAPPING: "mapped-twice", f"{MAPPING}/2/value/path": "invalid-path",
         f"{MAPPING}/2/value/mapping/destination": "unknown-target"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rows", "found"), WRONG_MAPPINGS.values(), ids=WRONG_MAPPINGS)
def test_a_mapping_that_the_destination_does_not_take_is_told_by_row(api, document, rows, found):
    document["transformations"][0]["params"]["profileSelectors"]["selectors"] = rows

    assert codes(api.post(f"{FLOWS}/flows", document)) == found


def test_a_mapping_longer_than_the_destination_takes_is_told(api, operator):
    destination = operator.destination(
        maxProfileAttributes=1,
        maxIdentityAttributes=1,
        identityNamespaces={"customer": {"acceptsCustomNamespaces": True}, "mail": {"acceptsCustomNamespaces": True}},
        schemaConfig={"segmentRequired": True},
    )
    document = operator.flow_document(destination)
    rows = [CUSTOMER, row("identityMap.Email", "identityMap.mail"), EMAIL, row("workEmail.address", "work")]
    document["transformations"][0]["params"]["profileSelectors"]["selectors"] = rows

    answer = api.post(f"{FLOWS}/flows", document)

    assert [problem["message"] for problem in answer.json["errors"]] == [
        "2 attributes are mapped; this destination takes 1 at most",
        "2 identities are mapped; this destination takes 1 at most",
    ]


ORIGINS = {
    "denied": {"segmentNamespaceDenyList": ["CustomerAudienceUpload"]},
    "not among the allowed": {"segmentNamespaceAllowList": ["ups"]},
}


@pytest.mark.parametrize("lists", ORIGINS.values(), ids=ORIGINS)
def test_an_audience_of_an_origin_that_the_destination_does_not_take_is_told(api, operator, lists):
    destination = operator.destination(schemaConfig={"segmentRequired": True, **lists})
    params = {"workspace": "harbour-2026"}
    target = operator.target(destination, operator.account(destination).json["id"], params).json["id"]
    selectors = {"segmentSelectors": {"selectors": [audience(0), audience(3)]}}
    mapping = {"profileSelectors": {"selectors": [CUSTOMER]}}
    document = {
        "name": "x",
        "sourceConnectionIds": [operator.source()],
        "targetConnectionIds": [target],
        "transformations": [{"name": "GeneralTransform", "params": {**selectors, **mapping}}],
    }

    assert codes(api.post(f"{FLOWS}/flows", document)) == {f"{SELECTORS}/1/value/namespace": "origin-denied"}


@pytest.mark.parametrize("id_", ["a\0b", "x" * 513], ids=["U+0000", "without end"])
def test_an_audience_that_could_not_be_found_again_is_refused(api, operator, id_):
    document = operator.flow_document(operator.destination())
    chosen = audience(0)
    chosen["value"]["id"] = id_
    document["transformations"][0]["params"]["segmentSelectors"]["selectors"] = [chosen]

    answer = api.post(f"{FLOWS}/flows", document)

    assert (answer.status, answer.json["code"]) == (400, "not-storable")


# -- what a dataflow does while people come and go ---------------------------------------------------------------------


def people(count, start):
    return b"".join(ndjson(generate(count, seed=3, start=start)))


def test_what_happens_while_a_dataflow_is_off_is_sent_when_it_is_on_again(headrace, api, flow, partner):
    path = f"/dataflows/{flow}/ledger"
    api.post(f"{FLOWS}/flows/{flow}/action?op=disable", None)
    before = api.get(path).json
    api.ingest(people(20, 1000))

    waiting = api.get(path).json
    assert waiting["pending"] > before["pending"]
    assert waiting["delivered"] == before["delivered"]

    api.post(f"{FLOWS}/flows/{flow}/action?op=enable", None)
    after = headrace.wait_until_settled(flow)
    assert after["delivered"] == after["accepted"]


def test_who_is_in_an_audience_already_is_sent_when_it_is_mapped(headrace, api, document, partner):
    api.ingest(people(50, 2000))
    first = {request.body for request in partner.received}

    flow = api.post(f"{FLOWS}/flows", document).json["id"]

    after = eventually(
        "everybody is sent",
        lambda: found if (found := headrace.wait_until_settled(flow))["delivered"] >= 50 else None,
    )
    assert after["delivered"] == after["accepted"]
    assert {request.body for request in partner.received} - first


def test_what_waits_of_a_dataflow_that_is_deleted_is_withheld(headrace, api, flow):
    headrace.wait_until_settled(flow)
    api.post(f"{FLOWS}/flows/{flow}/action?op=disable", None)
    api.ingest(people(20, 3000))
    assert api.get(f"/dataflows/{flow}/ledger").json["pending"] > 0

    assert api.delete(f"{FLOWS}/flows/{flow}").status == 202

    kept = headrace.app.store.read_now(lambda tx: balance_of(tx, flow))
    assert kept["withheld"] > 0
    assert kept["pending"] == 0


def balance_of(tx, flow):
    """The ledger of a dataflow that may be deleted: it stays, for whoever audits."""
    tenant, number = tx.run("SELECT tenant, dataflow FROM dataflows WHERE id = :id", {"id": flow}).fetchone()
    rows = ledger.balance(tx, tenant, number).values()
    return {column: sum(row[column] for row in rows) for column in (*ledger.COLUMNS, "pending")}


def test_a_dataflow_larger_than_is_advised_is_kept_with_a_warning(api, operator):
    document = operator.flow_document(operator.destination("moviestar"), "moviestar")
    rows = document["transformations"][0]["params"]["profileSelectors"]["selectors"]
    rows += [row(f"a{place}", f"t{place}") for place in range(51)]

    made = api.post(f"{FLOWS}/flows", document)

    assert made.status == 201, made.text
    assert [item["code"] for item in made.json["x-headrace"]["warnings"]] == ["larger-than-advised"]


def test_a_calculated_field_that_cannot_be_read_is_refused_with_its_place(api, operator):
    document = operator.flow_document(operator.destination("moviestar"), "moviestar")
    computed = row("ucas(name)", "first_name")
    computed["value"]["mapping"]["sourceType"] = "EXPRESSION"
    document["transformations"][0]["params"]["profileSelectors"]["selectors"] = [computed]

    refused = api.post(f"{FLOWS}/flows", document)

    assert codes(refused)[f"{MAPPING}/0/value/mapping/source"] == "invalid-expression"
    assert "line 1, column 1: there is no function `ucas`; the nearest is `ucase`" in refused.text
