"""Organizations, sandboxes, users, clients and the audit through HTTP."""

import base64
import itertools
import json
import sqlite3
from urllib.parse import quote_plus

import pytest

from support import Api, in_process

from .conftest import SERVERS

_numbers = itertools.count(1)


def made(answer):
    assert answer.status in (200, 201), answer.text
    return answer.json


@pytest.fixture
def client(api):
    return made(api.post("/access/clients", {"name": "a client", "role": "viewer"}))


def token(api, client, **changes):
    form = {
        "grant_type": "client_credentials",
        "client_id": client["clientId"],
        "client_secret": client["clientSecret"],
    }
    return api.form("/ims/token/v3", {**form, **changes})


def as_basic(client_id, secret):
    encoded = base64.b64encode(f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()).decode()
    return {"Authorization": f"Basic {encoded}", "Content-Type": "application/x-www-form-urlencoded"}


def test_clients_of_the_original_send_a_scope_with_it(api, client):
    assert token(api, client, scope="openid,AdobeID,read_organizations").status == 200


def test_credentials_may_come_as_http_basic(api, client):
    body = b"grant_type=client_credentials"

    right = api.post("/ims/token/v3", body, as_basic(client["clientId"], client["clientSecret"]))
    wrong = api.post("/ims/token/v3", body, as_basic(client["clientId"], "wrong: secret"))

    assert right.status == 200
    assert (wrong.status, wrong.json["error"]) == (401, "invalid_client")
    for broken in ("Basic", "Basic x", "Basic 4pyTCg=="):
        answer = api.post("/ims/token/v3", body, {**as_basic("", ""), "Authorization": broken})
        assert (answer.status, answer.json["error"]) == (401, "invalid_client"), broken


def test_too_many_wrong_secrets_are_429_with_the_time_to_wait(api, client):
    for _ in range(5):
        assert token(api, client, client_secret="wrong").status == 401

    answer = token(api, client)

    assert (answer.status, answer.json["error"]) == (429, "slow_down")
    assert 0 < int(answer.headers["retry-after"]) <= 30


def test_a_secret_is_shown_once(api, client):
    path = f"/access/clients/{client['clientId']}"
    rotated = made(api.post(f"{path}/secret", None))

    assert client["clientSecret"].startswith("hrs-")
    assert rotated["clientSecret"] != client["clientSecret"]
    for answer in (api.get(path), api.get("/access/clients"), api.put(path, {"name": "x", "role": "viewer"})):
        assert "clientSecret" not in answer.text
    assert token(api, client).status == 401
    assert token(api, rotated).status == 200


def test_what_was_read_of_a_client_or_a_user_can_be_sent_back(api, client):
    path = f"/access/clients/{client['clientId']}"
    user = made(api.post("/access/users", {"email": f"back-{next(_numbers)}@example.com", "name": "Back"}))
    read = api.get(f"/access/users/{user['id']}")

    assert made(api.put(path, made(api.get(path)))) == made(api.get(path))
    changed = made(api.put(f"/access/users/{user['id']}", read.json))
    assert changed | {"etag": 0, "modifiedAt": 0} == read.json | {"etag": 0, "modifiedAt": 0}


def test_a_client_that_is_revoked_stays_in_the_list_and_is_let_in_nowhere(headrace, api, client):
    signed_in = Api.signed_in(api.url, client["clientId"], client["clientSecret"], "demo@headrace")
    headrace.opened.append(signed_in)
    assert signed_in.get(SERVERS).status == 200

    assert api.delete(f"/access/clients/{client['clientId']}").status == 204

    assert signed_in.get(SERVERS).json["error_code"] == "401013"
    assert token(api, client).text == token(api, client, client_id="hr-nobody").text
    listed = {item["clientId"]: item for item in api.get("/access/clients").json["items"]}
    assert listed[client["clientId"]]["revokedAt"]


def test_a_version_of_a_user_that_is_old_is_412(api):
    user = made(api.post("/access/users", {"email": f"old-{next(_numbers)}@example.com", "name": "Old"}))
    path = f"/access/users/{user['id']}"
    read = api.get(path)
    assert read.headers["etag"] == read.json["etag"] == user["etag"]
    assert api.send("PUT", path, read.json, {"If-Match": read.headers["etag"]}).status == 200

    answer = api.send("PUT", path, read.json, {"If-Match": read.headers["etag"]})

    assert (answer.status, answer.json["code"]) == (412, "stale-version")
    assert answer.headers["content-type"] == "application/problem+json"
    assert api.send("DELETE", path, None, {"If-Match": '"1"'}).status == 412
    assert api.send("DELETE", path, None, {"If-Match": '"2"'}).status == 204


def test_a_password_that_was_made_is_shown_once(api):
    user = made(api.post("/access/users", {"email": f"made-{next(_numbers)}@example.com", "name": "Made"}))

    assert len(user["password"]) == 20
    assert "password" not in api.get(f"/access/users/{user['id']}").json
    assert made(api.post(f"/access/users/{user['id']}/password", {}))["password"] != user["password"]


BAD_NAMES = ["", "Prod", "a b", "-a", "ü", "a" * 65]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_sandbox_is_not_called(api, name):
    answer = api.post("/access/sandboxes", {"name": name})

    assert (answer.status, answer.json["errors"][0]["path"]) == (400, "/name")


def test_a_sandbox_is_made_once_and_is_empty(api):
    made(api.post("/access/sandboxes", {"name": "dev-1"}))

    assert [item["name"] for item in api.get("/access/sandboxes").json["items"]] == ["dev-1", "prod"]
    assert api.get(SERVERS, {"x-sandbox-name": "dev-1"}).json == {"items": []}
    assert api.post("/access/sandboxes", {"name": "dev-1"}).status == 409


def test_an_organization_comes_with_a_sandbox_and_an_admin_and_sees_itself_alone(headrace, api):
    new = made(api.post("/access/organizations", {"name": "second@headrace", "sandbox": "main"}))
    client = new["client"]
    theirs = Api.signed_in(api.url, client["clientId"], client["clientSecret"], "second@headrace", "main")
    headrace.opened.append(theirs)

    assert theirs.get("/access/me").json["organization"] == {"name": "second@headrace", "isHost": False}
    assert theirs.get("/access/me").json["permissions"] == api.get("/access/me").json["permissions"]
    assert theirs.get("/access/organizations").json["items"] == [{"name": "second@headrace", "isHost": False}]
    assert {"name": "second@headrace", "isHost": False} in api.get("/access/organizations").json["items"]
    assert theirs.get(SERVERS).json == {"items": []}
    assert [item["clientId"] for item in theirs.get("/access/clients").json["items"]] == [client["clientId"]]
    refused = theirs.post("/access/organizations", {"name": "third@headrace"})
    assert (refused.status, refused.json["code"]) == (403, "forbidden")
    assert api.post("/access/organizations", {"name": "second@headrace"}).status == 409
    assert theirs.get(SERVERS, {"x-gw-ims-org-id": "demo@headrace"}).json["error_code"] == "403025"


def test_who_administers_one_sandbox_alone_does_not_administer_the_organization(headrace, api):
    """Else they would give themselves the rest."""
    client = made(api.post("/access/clients", {"name": "prod's", "role": "admin", "sandboxes": ["prod"]}))
    theirs = Api.signed_in(api.url, client["clientId"], client["clientSecret"], "demo@headrace")
    headrace.opened.append(theirs)

    assert theirs.get(SERVERS).status == 200
    assert theirs.get("/access/me").json["permissions"] == sorted(client["permissions"])
    assert theirs.get("/access/me", {"x-sandbox-name": None}).json["permissions"] == []
    for path in ("/access/users", "/access/clients", "/audit"):
        assert theirs.get(path).status == 403
    assert theirs.post("/access/clients", {"name": "mine", "role": "admin"}).status == 403


def test_nobody_gives_what_they_do_not_have(headrace, api):
    wanted = ["access:read", "access:write", "authoring:read"]
    client = made(api.post("/access/clients", {"name": "lesser", "permissions": wanted}))
    lesser = Api.signed_in(api.url, client["clientId"], client["clientSecret"], "demo@headrace")
    headrace.opened.append(lesser)

    assert lesser.post("/access/clients", {"name": "as much", "permissions": wanted}).status == 201
    answer = lesser.post("/access/clients", {"name": "more", "role": "viewer"})
    assert answer.status == 403
    assert "you lack activation:read, governance:read, monitoring:read" in answer.json["detail"]
    first = headrace.credentials["client_id"]
    assert lesser.post(f"/access/clients/{first}/secret", None).status == 403
    assert lesser.post("/access/organizations", {"name": "own@headrace"}).status == 403


def test_unknown_fields_are_refused_with_the_nearest_name(api):
    answer = api.post("/access/clients", {"name": "x", "role": "viewer", "sandbox": ["prod"]})

    assert answer.status == 400
    assert "did you mean `sandboxes`?" in answer.json["errors"][0]["message"]


def test_the_audit_is_paged_newest_first_and_filtered_by_sandbox(api, server_document):
    server = made(api.post(SERVERS, server_document))["instanceId"]
    made(api.post("/access/clients", {"name": "x", "role": "viewer"}))

    everything = api.get("/audit?limit=1000").json
    assert everything["next"] is None
    first, second = everything["items"][:2]
    assert (first["action"], first["noun"], first["sandbox"]) == ("create", "client", None)
    assert (second["action"], second["noun"], second["id"]) == ("create", "destination-server", server)
    assert second["sandbox"] == "prod"
    assert second["actor"] == f"client:{api.headers['x-api-key']}"
    pages, before = [], ""
    while True:
        page = api.get(f"/audit?limit=3{before}").json
        pages += page["items"]
        if page["next"] is None:
            break
        before = f"&before={page['next']}"
    assert pages == everything["items"]
    assert {item["sandbox"] for item in api.get("/audit?sandbox=prod").json["items"]} == {"prod"}
    assert api.get("/audit?sandbox=moon").status == 404
    assert api.get("/audit?limit=0").status == 400


def test_an_audit_that_was_altered_says_where(tmp_path):
    with in_process(tmp_path) as headrace:
        for name in "abc":
            made(headrace.api.post("/access/sandboxes", {"name": name}))
        newest = headrace.api.get("/audit").json["items"][0]
        verdict = headrace.api.get("/audit/verify").json
        assert verdict == {
            "whole": True,
            "firstBreak": None,
            "newest": {"entry": newest["entry"], "hash": newest["hash"]},
        }

        with sqlite3.connect(tmp_path / "data" / "headrace.db") as database:
            database.execute("UPDATE audit SET actor = 'client:somebody-else' WHERE entry = 2")
        database.close()

        verdict = headrace.api.get("/audit/verify").json
        assert (verdict["whole"], verdict["firstBreak"]) == (False, 2)


def test_nothing_secret_is_in_the_database_as_it_is(tmp_path):
    """Neither a client's secret, nor a token, nor a password, nor what a session's cookie holds."""
    with in_process(tmp_path) as headrace:
        api = headrace.api
        client = made(api.post("/access/clients", {"name": "x", "role": "viewer"}))
        rotated = made(api.post(f"/access/clients/{client['clientId']}/secret", None))
        issued = token(api, rotated).json["access_token"]
        user = made(api.post("/access/users", {"email": "ana@example.com", "name": "Ana"}))
        page = Api(api.url)
        headrace.opened.append(page)
        given = {"email": "ana@example.com", "password": user["password"]}
        session = page.post("/access/sessions", given)
        page.headers = {
            "Cookie": session.headers["set-cookie"].split(";")[0],
            "X-CSRF-Token": session.json["csrfToken"],
        }
        change = {"oldPassword": user["password"], "newPassword": "a password of my own"}
        assert page.put("/access/me/password", change).status == 204
        page.post("/access/sessions", given | {"password": "a wrong password"})
        secrets = {
            "the first secret": headrace.credentials["client_secret"],
            "the first token": api.headers["Authorization"].split()[1],
            "a secret": client["clientSecret"],
            "another secret": rotated["clientSecret"],
            "a token": issued,
            "a password that was made": user["password"],
            "a password": "a password of my own",
            "a wrong password": "a wrong password",
            "a session": page.headers["Cookie"].split("=")[1],
            "a session's token": session.json["csrfToken"],
        }
        kept = b"".join(path.read_bytes() for path in (tmp_path / "data").glob("headrace.db*"))
        told = json.dumps(api.get("/audit").json).encode()

    assert b"ana@example.com" in kept
    assert b"$argon2id$" in kept
    assert not [name for name, secret in secrets.items() if secret.encode() in kept]
    assert not [name for name, secret in secrets.items() if secret.encode() in told]
