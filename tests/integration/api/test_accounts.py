"""Accounts and connections: what they ask for, how they are changed, listed, deleted, and what values are unique."""

import pytest

from headrace.cli.demo import TOKEN
from headrace.connect.secrets import MASK
from support import FLOWS, eventually

from .conftest import DESTINATIONS, SERVERS, codes, destination_on

COVERED = ("other-destination", "value-taken")
OTHER_TOKEN = "canary-token-of-the-rotation-Qz55"
PASSWORD = "canary-password-of-the-form-Wk21"
FORM = [
    {"name": "region", "type": "string", "enum": ["eu", "us"], "default": "eu"},
    {
        "name": "us",
        "type": "object",
        "conditional": {"field": "region", "operator": "EQUALS", "value": "US"},
        "properties": [{"name": "state", "type": "string", "isRequired": True}],
    },
    {"name": "key", "type": "string", "format": "password"},
    {"name": "seat", "type": "string", "unique": True},
    {"name": "fixed", "type": "string", "hidden": True, "default": "x"},
    {"name": "workspace", "type": "string", "default": "acme-0001"},
]


def read(api, kind, id_):
    (item,) = api.get(f"{FLOWS}/{kind}/{id_}").json["items"]
    return item


def patched(api, kind, id_, *operations):
    return api.patch(f"{FLOWS}/{kind}/{id_}", list(operations), read(api, kind, id_)["etag"])


def replaced(path, value):
    return {"op": "replace", "path": path, "value": value}


@pytest.fixture(scope="module")
def destination(operator):
    fields = [dict(field) for field in FORM]
    fields[1]["conditional"] = {"field": "region", "operator": "EQUALS", "value": "us"}
    return operator.destination(customerDataFields=fields)


@pytest.fixture
def account(operator, destination):
    return operator.account(destination).json["id"]


def target(operator, destination, account, **params):
    made = operator.target(destination, account, params)
    assert made.status == 201, made.text
    return made.json["id"]


# -- connection specs ------------------------------------------------------------------------------------------------


def test_a_connection_spec_tells_the_form_as_a_schema_and_no_secret(api, destination):
    (spec,) = api.get(f"{FLOWS}/connectionSpecs/{destination}").json["items"]

    form = spec["targetSpec"]["spec"]
    assert form["x-headrace"]["order"] == ["region", "us", "key", "seat", "fixed", "workspace"]
    assert form["properties"]["region"] == {
        "type": "string", "title": "region", "enum": ["eu", "us"], "default": "eu",
    }  # fmt: skip
    group = form["properties"]["us"]
    assert group["conditional"] == {"field": "region", "operator": "EQUALS", "value": "us"}
    assert (group["type"], group["required"]) == ("object", ["state"])
    assert form["properties"]["key"]["format"] == "password"
    assert form["properties"]["fixed"]["x-headrace"] == {"hidden": True}
    assert spec["authSpec"][0]["spec"]["properties"]["token"]["format"] == "password"
    assert spec["targetSpec"]["attributes"]["partnerSchema"]["jsonSchema"]["properties"].keys() == {
        "attributes", "identityMap", "segmentMembership",
    }  # fmt: skip


# -- the form --------------------------------------------------------------------------------------------------------


def test_what_is_not_shown_is_dropped_and_what_is_shown_is_needed(api, operator, destination, account):
    made = target(operator, destination, account, region="eu", us={"state": "left over"})

    assert read(api, "targetConnections", made)["params"] == {"region": "eu", "fixed": "x", "workspace": "acme-0001"}
    answer = operator.target(destination, account, {"region": "us"})
    assert codes(answer) == {"/params/us/state": "missing-field"}


def test_a_unique_value_is_for_one_connection_of_the_organization(headrace, api, operator, destination, account):
    first = target(operator, destination, account, seat="one")

    answer = operator.target(destination, account, {"seat": "one"})

    assert codes(answer) == {"/params/seat": "value-taken"}
    second = target(operator, destination, account, seat="two")
    assert codes(patched(api, "targetConnections", second, replaced("/params/seat", "one"))) == {
        "/params/seat": "value-taken"
    }
    assert patched(api, "targetConnections", first, replaced("/params/seat", "three")).status == 200
    assert patched(api, "targetConnections", second, replaced("/params/seat", "one")).status == 200
    assert operator.target(destination, account, {"seat": "two"}).status == 201
    assert api.delete(f"{FLOWS}/targetConnections/{second}").status == 202
    assert operator.target(destination, account, {"seat": "one"}).status == 201


def test_a_unique_value_is_kept_as_a_fingerprint(headrace, operator, destination, account):
    target(operator, destination, account, seat="canary-seat-5512")

    rows = headrace.app.store.read_now(lambda tx: tx.run("SELECT * FROM unique_values").fetchall())

    assert rows
    assert "canary" not in repr(rows)


# -- changing --------------------------------------------------------------------------------------------------------


def test_credentials_are_rotated_and_the_old_ones_are_gone(headrace, api, operator, partner, destination):
    account = operator.account(destination, OTHER_TOKEN).json["id"]
    before = read(api, "connections", account)["auth"]["x-headrace"]["fingerprints"]
    sealed = _kept(headrace, account)

    answer = patched(api, "connections", account, replaced("/auth/params", {"token": TOKEN}))

    assert answer.status == 200, answer.text
    assert read(api, "connections", account)["auth"]["x-headrace"]["fingerprints"] != before
    assert sealed not in repr(_versions(headrace, account))
    assert [item["action"] for item in api.get("/audit?limit=1").json["items"]] == ["rotate"]
    assert api.post(f"{FLOWS}/connections/{account}/test", {}).json["ok"]


def _kept(headrace, account):
    query = "SELECT document FROM accounts WHERE id = :id"
    (row,) = headrace.app.store.read_now(lambda tx: tx.run(query, {"id": account}).fetchall())
    document = row[0] if isinstance(row[0], str) else repr(row[0])
    return document.split("v1.")[1].split('"')[0].split("'")[0]


def _versions(headrace, account):
    query = "SELECT document FROM versions WHERE id = :id AND version = 1"
    return headrace.app.store.read_now(lambda tx: tx.run(query, {"id": account}).fetchall())


def test_dots_keep_the_credentials_that_are_stored(api, account):
    before = read(api, "connections", account)

    answer = patched(
        api, "connections", account, replaced("/name", "renamed"), replaced("/auth/params", {"token": MASK})
    )

    assert answer.status == 200, answer.text
    now = read(api, "connections", account)
    assert (now["name"], now["auth"]) == ("renamed", before["auth"])


WRONG_PATCHES = {
    "another destination": (replaced("/connectionSpec/id", "absent"), {"/connectionSpec/id": "other-destination"}),
    "no credentials": ({"op": "remove", "path": "/auth/params"}, {"/auth/params": "credentials"}),
    "nothing to sign in with": ({"op": "remove", "path": "/auth"}, {"/auth": "missing-field"}),
    "dots for nothing": (
        replaced("/auth/params", {"bearerToken": MASK}),
        {"/auth/params/bearerToken": "masked-secret"},
    ),
    "a field that is none": ({"op": "add", "path": "/more", "value": 1}, {"/more": "unknown-field"}),
    "a path that is none": (replaced("/absent/name", 1), {"": "patch"}),
}


@pytest.mark.parametrize(("operation", "found"), WRONG_PATCHES.values(), ids=WRONG_PATCHES)
def test_a_wrong_change_of_an_account_is_refused(api, account, operation, found):
    assert codes(patched(api, "connections", account, operation)) == found


@pytest.mark.parametrize("kind", ["connections", "sourceConnections", "targetConnections"])
def test_a_change_needs_the_version_that_is_there(api, operator, destination, account, kind):
    made = {
        "connections": lambda: account,
        "sourceConnections": operator.source,
        "targetConnections": lambda: target(operator, destination, account),
    }[kind]()
    stale = read(api, kind, made)["etag"]
    fresh = patched(api, kind, made, {"op": "ADD", "path": "/description", "value": "what it is for"})
    assert fresh.status == 200, fresh.text
    assert read(api, kind, made)["etag"] == fresh.json["etag"] != stale

    for wrong in (stale, fresh.json["etag"].strip('"'), "*"):
        answer = api.patch(f"{FLOWS}/{kind}/{made}", [replaced("/name", "x")], wrong)
        assert (answer.status, answer.json.keys()) == (412, {"errorMessage", "errorDetails"})
    assert api.patch(f"{FLOWS}/{kind}/{made}", [], None).status == 400
    assert read(api, kind, made)["description"] == "what it is for"


def test_a_changed_form_is_checked_as_a_whole_and_keeps_its_secrets(headrace, api, operator, destination, account):
    made = target(operator, destination, account, key=PASSWORD)
    before = read(api, "targetConnections", made)

    wrong = patched(api, "targetConnections", made, replaced("/params/region", "us"))
    answer = patched(
        api, "targetConnections", made, replaced("/params", {"region": "us", "us": {"state": "NY"}, "key": MASK})
    )

    assert codes(wrong) == {"/params/us/state": "missing-field"}
    assert answer.status == 200, answer.text
    now = read(api, "targetConnections", made)
    assert now["params"]["us"] == {"state": "NY"}
    assert now["params"]["key"] == MASK
    assert now["x-headrace"]["fingerprints"] == before["x-headrace"]["fingerprints"]
    assert PASSWORD.encode() not in headrace.kept()


def test_a_secret_that_is_left_out_is_gone(api, operator, destination, account):
    made = target(operator, destination, account, key=PASSWORD)

    assert patched(api, "targetConnections", made, replaced("/params", {"region": "eu"})).status == 200

    assert "key" not in read(api, "targetConnections", made)["params"]
    assert codes(patched(api, "targetConnections", made, {"op": "add", "path": "/params/key", "value": MASK})) == {
        "/params/key": "masked-secret"
    }


def test_a_changed_target_is_what_messages_are_made_of_from_then_on(headrace, api, operator, partner):
    body = '{"workspace": "{{ customerData.workspace }}", "people": {{ input.profiles | toJson }}}'
    fields = [{"name": "workspace", "type": "string", "isRequired": True}]
    destination = operator.destination("lighthouse", body, customerDataFields=fields)
    flow = api.post(f"{FLOWS}/flows", operator.flow_document(destination)).json["id"]
    made = read(api, "flows", flow)["targetConnectionIds"][0]

    answer = patched(api, "targetConnections", made, replaced("/params/workspace", "moved-0002"))

    assert answer.status == 200, answer.text
    person = '{"identityMap":{"crmId":[{"id":"mover"}]},"segmentMembership":{"ups":{"%s":{"status":"realized"}}}}'
    chosen = read(api, "flows", flow)["transformations"][0]["params"]["segmentSelectors"]["selectors"][0]["value"]["id"]
    assert api.ingest((person % chosen).encode()).status == 200
    eventually(
        "a message says so", lambda: [item for item in partner.received if b"moved-0002" in item.body], seconds=20
    )


# -- lists -----------------------------------------------------------------------------------------------------------


def test_lists_come_newest_first_filtered_sorted_and_in_pages(api, operator):
    mine = operator.destination()
    made = [operator.account(mine, name=f"n{number}").json["id"] for number in range(3)]
    where = f"{FLOWS}/connections?property=connectionSpec.id=={mine}"

    def listed(query=""):
        return [item["name"] for item in api.get(where + query).json["items"]]

    assert listed() == ["n2", "n1", "n0"]
    assert listed("&orderby=name") == ["n0", "n1", "n2"]
    assert listed("&orderby=-name") == ["n2", "n1", "n0"]
    assert listed("&property=name==n1") == ["n1"]
    assert listed("&property=name!=n1") == ["n2", "n0"]
    assert api.get(f"{where}&count=true").json == {"count": 3}
    first = api.get(f"{where}&limit=2").json
    assert [item["id"] for item in first["items"]] == [made[2], made[1]]
    href = first["_links"]["next"]["href"]
    token = href.split("=")[1]
    assert href == f"/connections?continuationToken={token}"
    last = api.get(f"{where}&limit=2&continuationToken={token}").json
    assert ([item["id"] for item in last["items"]], last["_links"]) == ([made[0]], {})


def test_nobody_filters_by_a_secret(api, operator, destination):
    operator.account(destination, OTHER_TOKEN)

    assert api.get(f"{FLOWS}/connections?property=auth.params.token=={OTHER_TOKEN}").json["items"] == []


@pytest.mark.parametrize("query", ["property=name", "continuationToken=what", "continuationToken=%ff", "limit=101"])
def test_a_list_that_is_asked_for_wrongly_is_refused(api, query):
    assert api.get(f"{FLOWS}/targetConnections?{query}").status == 400


def test_the_version_that_clients_accept_makes_no_difference(api):
    answer = api.get(f"{FLOWS}/connections?limit=1", {"Accept": "application/json; version=1"})

    assert answer.status == 200


# -- deleting --------------------------------------------------------------------------------------------------------


def test_what_is_in_use_is_not_deleted_and_says_by_what(api, operator):
    destination = operator.destination()
    document = operator.flow_document(destination)
    flow = api.post(f"{FLOWS}/flows", document).json["id"]
    (source,), (made,) = document["sourceConnectionIds"], document["targetConnectionIds"]
    account = read(api, "targetConnections", made)["baseConnectionId"]

    def uses(path):
        answer = api.delete(f"{FLOWS}/{path}")
        assert answer.status == 409, answer.text
        assert document["name"] in answer.json["detail"]
        return {(use["noun"], use["id"]) for use in answer.json["uses"]}

    assert uses(f"sourceConnections/{source}") == {("dataflow", flow)}
    assert uses(f"targetConnections/{made}") == {("dataflow", flow)}
    assert uses(f"connections/{account}") == {("dataflow", flow), ("target-connection", made)}
    assert api.delete(f"{DESTINATIONS}/{destination}").status == 409

    assert api.delete(f"{FLOWS}/flows/{flow}").status == 202
    assert api.delete(f"{FLOWS}/targetConnections/{made}").status == 202
    assert api.delete(f"{FLOWS}/sourceConnections/{source}").status == 202
    assert api.delete(f"{FLOWS}/connections/{account}").status == 204
    assert api.get(f"{FLOWS}/connections/{account}").status == 404
    assert api.delete(f"{DESTINATIONS}/{destination}").status == 200


def test_what_is_deleted_leaves_no_secret(headrace, api, operator, destination):
    account = operator.account(destination, OTHER_TOKEN).json["id"]
    made = target(operator, destination, account, key=PASSWORD)

    assert api.delete(f"{FLOWS}/targetConnections/{made}").status == 202
    assert api.delete(f"{FLOWS}/connections/{account}").status == 204

    query = "SELECT document FROM versions WHERE id IN (:account, :target)"
    rows = headrace.app.store.read_now(lambda tx: tx.run(query, {"account": account, "target": made}).fetchall())
    assert len(rows) == 4
    assert "v1." not in repr(rows)


def test_a_stale_deletion_is_refused(api, account):
    answer = api.send("DELETE", f"{FLOWS}/connections/{account}", None, {"If-Match": '"other"'})

    assert answer.status == 412


# -- OAuth 2 ---------------------------------------------------------------------------------------------------------


def test_oauth2_tells_what_its_author_asks_for(api, server_document):
    fields = [
        {"name": "tenant", "title": "Tenant", "type": "string", "isRequired": True, "source": "CUSTOMER"},
        {"name": "clientSecret", "type": "string", "source": "CUSTOMER", "format": "password"},
        {"name": "expires", "source": "CUSTOMER", "authenticationResponsePath": "expires"},
        {"name": "clientId", "source": "PARTNER", "value": "us"},
    ]
    way = {
        "authType": "OAUTH2",
        "grant": "OAUTH2_PASSWORD",
        "accessTokenUrl": "https://login.acme.example/token",
        "authenticationDataFields": fields,
    }
    server = api.post(SERVERS, server_document).json["instanceId"]
    document = {**destination_on(server), "customerAuthenticationConfigurations": [way]}
    made = api.post(DESTINATIONS, document)
    assert made.status == 200, made.text

    (spec,) = api.get(f"{FLOWS}/connectionSpecs/{made.json['instanceId']}").json["items"]

    (shown,) = spec["authSpec"]
    assert shown["spec"]["x-headrace"]["order"] == ["username", "password", "tenant", "clientSecret"]
    assert shown["spec"]["required"] == ["username", "password", "tenant"]
    assert shown["spec"]["properties"]["clientSecret"]["format"] == "password"
