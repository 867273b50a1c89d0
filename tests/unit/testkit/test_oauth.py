"""The authorization server that we ship issues, checks, rotates and takes back; and misbehaves when it is told to."""

import base64
import http.client
import json
from urllib.parse import parse_qs, quote_plus, urlencode, urlsplit

import pytest

from headrace.connect.auth import pkce
from headrace.testkit.oauth import DETOURS, AuthorizationServer
from headrace.testkit.partner import Partner

BACK = "http://127.0.0.1:9/callback"


def ask(server, method, path, form=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server._partner.port, timeout=5)
    try:
        kind = {"Content-Type": "application/x-www-form-urlencoded"} if form is not None else {}
        connection.request(method, path, urlencode(form) if form is not None else None, kind | headers)
        answer = connection.getresponse()
        body = answer.read()
        is_json = answer.getheader("Content-Type") == "application/json"
        return answer.status, json.loads(body) if is_json else body.decode(), answer.getheader("Location")
    finally:
        connection.close()


def token(server, **form):
    client = {"client_id": server.client_id, "client_secret": server.client_secret}
    return ask(server, "POST", "/token", {**client, **form})[:2]


def page(server, challenge, **changes):
    query = {
        "response_type": "code",
        "client_id": server.client_id,
        "redirect_uri": BACK,
        "state": "s1",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        **changes,
    }
    return f"/authorize?{urlencode(query)}"


def sent_back(server, challenge, **changes):
    status, _, location = ask(server, "GET", page(server, challenge, **changes))
    assert status == 302
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def by_code(server):
    verifier, challenge = pkce()
    code = sent_back(server, challenge)["code"]
    return {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": verifier}


def test_a_code_is_exchanged_once():
    with AuthorizationServer.in_thread() as server:
        form = by_code(server)
        status, first = token(server, **form)
        assert status == 200
        assert server.accepts(first["access_token"])

        assert token(server, **form)[1]["error"] == "invalid_grant"
        assert not server.accepts(first["access_token"])


@pytest.mark.parametrize(
    "wrong", [{"code_verifier": "another"}, {"redirect_uri": "http://evil.example"}, {"code": "x"}]
)
def test_a_code_is_for_who_asked_for_it(wrong):
    with AuthorizationServer.in_thread() as server:
        assert token(server, **by_code(server) | wrong)[1]["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "wrong", [{"code_challenge": ""}, {"code_challenge_method": "plain"}, {"response_type": "token"}]
)
def test_nobody_is_sent_back_with_a_code_without_a_challenge(wrong):
    with AuthorizationServer.in_thread() as server:
        back = sent_back(server, "c", **wrong)

    assert back["error"] == "invalid_request"
    assert "code" not in back


def test_the_page_asks_who_is_there_if_it_is_told_to():
    with AuthorizationServer.in_thread(asks=True) as server:
        where = page(server, pkce()[1])
        assert "<form" in ask(server, "GET", where)[1]
        assert ask(server, "POST", where, {"username": "ada", "password": "wrong"})[0] == 200
        assert ask(server, "POST", where, {"username": "ada", "password": "correct horse"})[0] == 302


def test_an_unknown_client_is_not_sent_anywhere():
    with AuthorizationServer.in_thread() as server:
        assert ask(server, "GET", page(server, "c", client_id="x"))[0] == 400


def test_refresh_tokens_rotate_and_one_that_is_used_twice_ends_all():
    with AuthorizationServer.in_thread() as server:
        first = token(server, **by_code(server))[1]["refresh_token"]
        second = token(server, grant_type="refresh_token", refresh_token=first)[1]
        assert second["refresh_token"] != first
        assert server.accepts(second["access_token"])

        assert token(server, grant_type="refresh_token", refresh_token=first)[1]["error"] == "invalid_grant"
        assert not server.accepts(second["access_token"])
        assert token(server, grant_type="refresh_token", refresh_token=second["refresh_token"])[0] == 400
        assert (server.counts["refresh_token"], server.counts["reuse"], server.counts["invalid_grant"]) == (1, 1, 2)


def test_refresh_tokens_stay_where_they_do_not_rotate():
    with AuthorizationServer.in_thread(rotates=False) as server:
        first = token(server, **by_code(server))[1]["refresh_token"]
        for _ in range(2):
            status, told = token(server, grant_type="refresh_token", refresh_token=first)
            assert (status, "refresh_token" in told) == (200, False)


@pytest.mark.parametrize("how", ["form", "header"])
def test_the_client_shows_itself_in_the_form_or_in_a_header(how):
    with AuthorizationServer.in_thread() as server:
        shown = f"{quote_plus(server.client_id)}:{quote_plus(server.client_secret)}".encode()
        header = {"Authorization": "Basic " + base64.b64encode(shown).decode()}
        form = {"grant_type": "client_credentials", "scope": "a b"}
        if how == "header":
            status, told, _ = ask(server, "POST", "/token", form, **header)
        else:
            status, told = token(server, **form)

        assert (status, told["scope"]) == (200, "a b")
        assert server.counts[f"by_{how}"] == 1
        assert ask(server, "POST", "/token", {**form, "client_secret": "x"}, **header)[0] == 400
        assert ask(server, "POST", "/token", form, Authorization="Basic ???")[0] == 401
        assert ask(server, "POST", "/token", {**form, "client_id": "headrace"})[0] == 401


def test_a_password_is_looked_at():
    with AuthorizationServer.in_thread() as server:
        assert token(server, grant_type="password", username="ada", password="correct horse")[0] == 200
        assert token(server, grant_type="password", username="ada", password="wrong")[1]["error"] == "invalid_grant"
        assert token(server, grant_type="device")[1]["error"] == "unsupported_grant_type"


def test_tokens_die_of_age_and_by_force():
    now = [1000.0]
    with AuthorizationServer.in_thread(life=60, clock=lambda: now[0]) as server:
        first, second = (token(server, grant_type="client_credentials")[1]["access_token"] for _ in range(2))
        server.kill(first)
        assert (server.accepts(first), server.accepts(second), server.accepts("x")) == (False, True, False)
        now[0] += 60
        assert not server.accepts(second)


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_tokens_are_given_back(which):
    with AuthorizationServer.in_thread() as server:
        told = token(server, **by_code(server))[1]
        client = {"client_id": server.client_id, "client_secret": server.client_secret}
        assert ask(server, "POST", "/revoke", {**client, "token": told[which]})[0] == 200
        assert not server.accepts(told["access_token"])
        is_good = token(server, grant_type="refresh_token", refresh_token=told["refresh_token"])[0] == 200
        assert is_good == (which == "access_token")


def test_giving_back_fails_as_it_is_told():
    with AuthorizationServer.in_thread(revocations=[503, "html"]) as server:
        told = token(server, **by_code(server))[1]
        form = {"client_id": server.client_id, "client_secret": server.client_secret, "token": told["access_token"]}
        assert ask(server, "POST", "/revoke", form)[0] == 503
        assert ask(server, "POST", "/revoke", form)[0] == 200
        assert server.accepts(told["access_token"])
        assert ask(server, "POST", "/revoke", form)[0] == 200
        assert not server.accepts(told["access_token"])


def test_every_grant_is_taken_back_at_once():
    with AuthorizationServer.in_thread() as server:
        told = token(server, **by_code(server))[1]
        server.revoke_all()
        assert not server.accepts(told["access_token"])
        assert token(server, grant_type="refresh_token", refresh_token=told["refresh_token"])[0] == 400


def test_answers_are_given_in_order_and_then_right_ones():
    form = {"grant_type": "client_credentials"}
    with AuthorizationServer.in_thread([429, "html", "no-expiry", {"expires_in": "soon"}]) as server:
        assert token(server, **form) == (429, {"error": "temporarily_unavailable"})
        assert "maintenance" in token(server, **form)[1]
        assert "expires_in" not in token(server, **form)[1]
        assert token(server, **form)[1]["expires_in"] == "soon"
        assert token(server, **form)[1]["expires_in"] == 3600
        assert server.counts["/token"] == 5


@pytest.mark.parametrize(
    ("detour", "there", "differs"),
    [
        ("denied", {"error": "access_denied", "state": "s1"}, "code"),
        ("wrong-state", {"state": "of-somebody-else"}, None),
        ("no-state", {}, "state"),
        ("other-issuer", {"iss": "http://evil.example"}, None),
        ("no-code", {"state": "s1"}, "code"),
    ],
)
def test_the_browser_is_sent_on_detours(detour, there, differs):
    with AuthorizationServer.in_thread(detours=[detour]) as server:
        back = sent_back(server, pkce()[1])
        assert back | there == back
        assert differs not in back
        assert sent_back(server, pkce()[1]).keys() == {"state", "iss", "code"}
    assert detour in DETOURS


def test_a_partner_can_ask_which_tokens_are_good():
    with AuthorizationServer.in_thread() as server, Partner.in_thread(token=server.accepts) as partner:
        good = token(server, grant_type="client_credentials")[1]["access_token"]

        def status():
            connection = http.client.HTTPConnection("127.0.0.1", partner.port, timeout=5)
            connection.request("POST", "/", headers={"Authorization": f"Bearer {good}"})
            try:
                return connection.getresponse().status
            finally:
                connection.close()

        assert status() == 200
        server.kill()
        assert status() == 401


async def test_it_runs_in_a_loop_too():
    async with AuthorizationServer() as server:
        assert server.token_url == f"{server.issuer}/token"
        assert server.revocation_url.endswith("/revoke")
        assert server.authorization_url.endswith("/authorize")
