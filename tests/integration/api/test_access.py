"""Who is let in, by the headers of the original and the permissions of the client."""

import pytest

from support import AUTHORING, FLOWS, Api

from .conftest import SERVERS


def form(headrace, **changes):
    given = headrace.credentials
    return {
        "grant_type": "client_credentials",
        "client_id": given["client_id"],
        "client_secret": given["client_secret"],
        **changes,
    }


def test_credentials_are_exchanged_for_a_token_that_lets_in(headrace, api):
    answer = api.form("/ims/token/v3", form(headrace))

    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json["token_type"] == "bearer"
    assert 86_000 < answer.json["expires_in"] <= 86_400
    headers = {"Authorization": f"Bearer {answer.json['access_token']}"}
    assert api.get(SERVERS, headers).status == 200


REFUSED = {
    "a wrong secret": ({"client_secret": "wrong"}, 401, "invalid_client"),
    "a client nobody knows": ({"client_id": "nobody"}, 401, "invalid_client"),
    "no secret": ({"client_secret": ""}, 401, "invalid_client"),
    "another grant": ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    "no grant": ({"grant_type": ""}, 400, "unsupported_grant_type"),
}


@pytest.mark.parametrize(("changes", "status", "error"), REFUSED.values(), ids=REFUSED)
def test_no_token_is_handed_out_for(headrace, api, changes, status, error):
    answer = api.form("/ims/token/v3", form(headrace, **changes))

    assert (answer.status, answer.json["error"]) == (status, error)
    assert set(answer.json) == {"error", "error_description"}


def test_which_of_the_two_is_wrong_is_not_told(headrace, api):
    unknown = api.form("/ims/token/v3", form(headrace, client_id="nobody"))
    wrong = api.form("/ims/token/v3", form(headrace, client_secret="wrong"))

    assert unknown.text == wrong.text


def test_a_body_that_is_no_form_is_refused(api):
    assert api.post("/ims/token/v3", b"\xff\x00%zz&&==").status == 400


GATEWAY = {
    "no authorization": ({"Authorization": None}, 403, "403010", "Oauth token is missing."),
    "another scheme": ({"Authorization": "Basic abc"}, 403, "403010", "Oauth token is missing."),
    "an empty token": ({"Authorization": "Bearer "}, 403, "403010", "Oauth token is missing."),
    "a wrong token": ({"Authorization": "Bearer x"}, 401, "401013", "Oauth token is not valid"),
    "no api key": ({"x-api-key": None}, 403, "403000", "Api Key is required"),
    "another's api key": ({"x-api-key": "other"}, 403, "403003", "Api Key is invalid"),
    "no organization": ({"x-gw-ims-org-id": None}, 400, "400003", "Missing header"),
    "another organization": ({"x-gw-ims-org-id": "other"}, 403, "403025", "Profile is not valid"),
    "no sandbox": ({"x-sandbox-name": None}, 400, "400003", "Missing header: x-sandbox-name"),
}


@pytest.mark.parametrize(("headers", "status", "code", "message"), GATEWAY.values(), ids=GATEWAY)
def test_a_header_that_is_wrong_is_answered_as_the_gateway_does(api, headers, status, code, message):
    answer = api.get(SERVERS, headers)

    assert (answer.status, answer.json) == (status, {"error_code": code, "message": message})


def test_whoever_is_not_let_in_is_not_read(api):
    """Neither a broken body nor a wrong kind of it is told about to somebody who may not ask."""
    for body, kind in ((b"{", "application/json"), (b"{}", "text/plain")):
        answer = api.post(SERVERS, body, {"Authorization": None, "Content-Type": kind})

        assert answer.json["error_code"] == "403010"


def test_the_scheme_may_be_written_in_any_case(api):
    token = api.headers["Authorization"].removeprefix("Bearer ")

    assert api.get(SERVERS, {"Authorization": f"bearer {token}"}).status == 200


def test_a_token_ends_after_its_day(headrace, api, monkeypatch):
    token = api.form("/ims/token/v3", form(headrace)).json
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    now = headrace.app.clock.now()
    monkeypatch.setattr(type(headrace.app.clock), "now", lambda _clock: now + token["expires_in"] * 1000)
    assert api.get(SERVERS, headers).status == 200

    monkeypatch.setattr(type(headrace.app.clock), "now", lambda _clock: now + 24 * 60 * 60 * 1000 + 1000)

    assert api.get(SERVERS, headers).json["error_code"] == "401013"


def test_the_flow_service_takes_a_request_without_a_sandbox_for_prod(api):
    assert api.get(f"{FLOWS}/flows", {"x-sandbox-name": None}).status == 200


@pytest.mark.parametrize("path", [SERVERS, f"{FLOWS}/flows", "/dataflows/x/ledger"])
def test_a_sandbox_that_is_not_there_is_404(api, path):
    answer = api.get(path, {"x-sandbox-name": "nowhere"})

    assert answer.status == 404
    assert "there is no sandbox 'nowhere' in this organization" in answer.text


@pytest.mark.parametrize("place", [("demo@headrace", "dev"), ("other@headrace", "prod")], ids=["sandbox", "org"])
def test_what_is_of_another_sandbox_or_organization_looks_as_if_it_were_not_there(headrace, api, operator, place):
    flow = operator.flow()
    document = api.get(f"{FLOWS}/flows/{flow}").json["items"][0]
    target = api.get(f"{FLOWS}/targetConnections/{document['targetConnectionIds'][0]}").json["items"][0]
    destination = target["connectionSpec"]["id"]
    server = api.get(f"{AUTHORING}/destinations/{destination}").json["destinationDelivery"][0]["destinationServerId"]
    there = {
        f"{SERVERS}/{{}}": server,
        f"{AUTHORING}/destinations/{{}}": destination,
        f"{FLOWS}/connectionSpecs/{{}}": destination,
        f"{FLOWS}/connections/{{}}": target["baseConnectionId"],
        f"{FLOWS}/sourceConnections/{{}}": document["sourceConnectionIds"][0],
        f"{FLOWS}/targetConnections/{{}}": target["id"],
        f"{FLOWS}/flows/{{}}": flow,
        "/dataflows/{}/ledger": flow,
        "/dataflows/{}/parked": flow,
    }
    stranger = headrace.as_client(*place)
    absent = "0" * 8

    for path, id_ in there.items():
        assert api.get(path.format(id_)).status == 200, path
        foreign, unknown = stranger.get(path.format(id_)), stranger.get(path.format(absent))
        assert foreign.status == 404, path
        assert foreign.text.replace(id_, absent) == unknown.text, path
    for path in (SERVERS, f"{AUTHORING}/destinations", f"{FLOWS}/connections", f"{FLOWS}/flows"):
        assert stranger.get(path).json["items"] == [], path
    assert stranger.delete(f"{SERVERS}/{server}").status == 404
    assert stranger.delete(f"{FLOWS}/flows/{flow}").status == 404
    assert stranger.patch(f"{FLOWS}/flows/{flow}", [], document["etag"]).status == 404
    assert stranger.post(f"{FLOWS}/flows/{flow}/action?op=disable", None).status == 404
    assert api.get(f"{FLOWS}/flows/{flow}").json["items"] == [document]


def test_what_is_of_another_sandbox_cannot_be_built_upon(headrace, api, operator, server_document):
    destination = operator.destination()
    account = operator.account(destination).json["id"]
    server = api.post(SERVERS, server_document).json["instanceId"]
    stranger = headrace.as_client("demo@headrace", "dev")
    body = api.get(f"{AUTHORING}/destinations/{destination}").json
    body["destinationDelivery"][0]["destinationServerId"] = server

    assert "there is no destination server" in stranger.post(f"{AUTHORING}/destinations", body).text
    spec = {"name": "x", "connectionSpec": {"id": destination}}
    assert "there is no destination" in stranger.post(f"{FLOWS}/connections", spec).text
    assert "there is no destination" in stranger.post(
        f"{FLOWS}/targetConnections", {**spec, "baseConnectionId": account}
    ).text  # fmt: skip


def test_profiles_of_one_sandbox_are_not_sent_from_another(headrace, operator, partner):
    flow = operator.flow()
    headrace.wait_until_settled(flow)
    stranger = headrace.as_client("demo@headrace", "dev")
    before, told = headrace.api.get(f"/dataflows/{flow}/ledger").json, partner.count
    membership = {"ups": {"6f2b8c1e-5a47-4d0b-9c3e-0a1d2f3b4c01": {"status": "realized"}}}

    answer = stranger.post("/ingest/profiles", [{"profileId": "stranger", "segmentMembership": membership}])

    assert answer.json["accepted"] == 1
    assert headrace.api.get(f"/dataflows/{flow}/ledger").json == before
    assert partner.count == told


def test_a_token_of_one_client_does_not_serve_with_the_key_of_another(headrace, api):
    other = headrace.as_client()

    answer = api.get(SERVERS, {"x-api-key": other.headers["x-api-key"]})

    assert answer.json["error_code"] == "403003"


def test_tokens_and_secrets_are_not_kept_as_they_are(headrace, api):
    kept = headrace.kept().replace((headrace.folder / "data" / "credentials.json").read_bytes(), b"")

    assert headrace.credentials["client_id"].encode() in kept
    assert headrace.credentials["client_secret"].encode() not in kept
    assert api.headers["Authorization"].removeprefix("Bearer ").encode() not in kept


def test_a_second_sign_in_does_not_end_the_first(headrace, api):
    again = Api.signed_in(
        api.url,
        headrace.credentials["client_id"],
        headrace.credentials["client_secret"],
        headrace.credentials["org"],
    )
    headrace.opened.append(again)

    assert api.get(SERVERS).status == again.get(SERVERS).status == 200
