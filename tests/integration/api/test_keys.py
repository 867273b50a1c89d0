"""Keys that seal secrets, over REST."""

import pytest

from support import FLOWS, Api


@pytest.fixture(scope="module")
def account(operator):
    made = operator.account(operator.destination(), "canary-key-rotation-1")
    assert made.status == 201, made.text
    return made.json["id"]


def own(api):
    (organization,) = api.get("/keys").json["organizations"]
    return organization["keys"]


def test_a_rotation_over_rest(api, account):
    shown = api.get(f"{FLOWS}/connections/{account}").json["items"][0]
    (old,) = own(api)
    assert (old["values"] > 0, old["isNewest"], old["isMissing"]) == (True, True, False)

    made = api.post("/keys/rotate", {}).json["items"]
    assert [item["organization"] for item in made] == ["demo@headrace"]
    progress = api.post("/keys/reseal", {}).json
    assert (progress["done"], progress["left"], progress["unreadable"]) == (old["values"], 0, 0)
    pruned = api.post("/keys/prune", {}).json["items"]

    assert pruned == [{"organization": "demo@headrace", "keys": [old["id"]]}]
    (new,) = own(api)
    assert (new["id"], new["values"], new["createdAt"] is not None) == (made[0]["key"], old["values"], True)
    assert api.get(f"{FLOWS}/connections/{account}").json["items"][0] == shown


def test_a_rotation_of_the_master_key_over_rest(api, account):
    before = api.get("/keys?all=true").json
    made = api.post("/keys/master/rotate", {}).json["masterKey"]
    assert api.post("/keys/master/prune", {}).json == {"items": []}
    progress = api.post("/keys/master/rewrap", {}).json
    pruned = api.post("/keys/master/prune", {}).json["items"]

    after = api.get("/keys?all=true").json
    assert (progress["done"], progress["left"]) == (sum(item["keys"] for item in before["wrapped"]), 0)
    assert pruned == [before["masterKey"]]
    assert (after["masterKey"], [item["masterKey"] for item in after["wrapped"]]) == (made, [made])
    assert api.get(f"{FLOWS}/connections/{account}").status == 200


def test_the_audit_tells_of_keys_by_their_ids_alone(api):
    entries = [entry for entry in api.get("/audit").json["items"] if entry["noun"] in ("data-key", "master-key")]

    assert {(entry["action"], entry["noun"]) for entry in entries} == {
        ("rotate", "data-key"),
        ("prune", "data-key"),
        ("rotate", "master-key"),
        ("prune", "master-key"),
    }
    assert all(entry["details"] is None for entry in entries)
    assert api.get("/audit/verify").json["whole"]


def test_an_organization_rotates_its_own_keys_alone(headrace, api):
    client = api.post("/access/organizations", {"name": "keys@other"}).json["client"]
    theirs = Api.signed_in(api.url, client["clientId"], client["clientSecret"], "keys@other")
    headrace.opened.append(theirs)

    assert theirs.post("/keys/rotate", {}).status == 200
    assert [item["name"] for item in theirs.get("/keys").json["organizations"]] == ["keys@other"]
    for method, path in (("POST", "rotate?all=true"), ("POST", "reseal?all=true"), ("POST", "prune?all=true")):
        assert theirs.send(method, f"/keys/{path}", {}).status == 403
    assert theirs.get("/keys?all=true").status == 403
    assert theirs.post("/keys/master/rotate", {}).status == 403


def test_a_secret_that_does_not_open_is_a_problem_that_names_the_key(headrace, api, account):
    """Not a fault of ours without a word: whoever runs the process sees which key is meant."""
    (key,) = own(api)
    store = headrace.app.store
    held = store.read_now(lambda tx: tx.run("SELECT wrapped FROM data_keys WHERE key_id = :k", {"k": key["id"]}))
    wrapped = bytes(held.fetchone()[0])
    keyring = headrace.app.partners._keyring

    def put(content):
        sql = "UPDATE data_keys SET wrapped = :w WHERE key_id = :k"
        store.write_now(lambda tx: tx.run(sql, {"w": content, "k": key["id"]}) and None)
        keyring._keys.clear()

    put(b"m0\0" + b"damaged" * 9)
    answer = api.get(f"{FLOWS}/connections/{account}")
    put(wrapped)

    assert answer.status == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["code"] == "key-unavailable"
    assert key["id"] in answer.json["detail"]
    assert "canary-key-rotation-1" not in answer.text
    assert api.get(f"{FLOWS}/connections/{account}").status == 200
