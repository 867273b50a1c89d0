"""Ending an account by the API, with its authorization server beside it: ours, and one that others made."""

import http.client
import json
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

import pytest

from browser import Browser
from headrace.cli import examples
from headrace.testkit.oauth import AuthorizationServer
from headrace.testkit.partner import Answer
from support import FLOWS, eventually, in_process

from .test_catalog import Sandbox
from .test_signing_in import begin, there

WAY = {"authType": "OAUTH2", "grant": "OAUTH2_AUTHORIZATION_CODE"}


@pytest.fixture(scope="module")
def oauth(lend_database):
    tokens = iter(range(1, 1000))
    with AuthorizationServer.in_thread(mint=lambda kind: f"canary-of-{kind[:6]}-{next(tokens)}") as server:
        yield server


@pytest.fixture(scope="module")
def headrace(tmp_path_factory, partner, oauth, oidc, lend_database):
    allowed = f"{partner.origin}, {oauth.issuer}, {oidc.issuer}"
    folder = tmp_path_factory.mktemp("headrace")
    with lend_database() as url, in_process(folder, egress_allow=allowed, database_url=url) as headrace:
        yield headrace


def way_at(server, **more):
    """A way of signing in at a server that can be told of the end."""
    return {
        **WAY,
        "authorizationUrl": server.authorization_url,
        "accessTokenUrl": server.token_url,
        "refreshTokenUrl": server.token_url,
        "clientId": server.client_id,
        "clientSecret": server.client_secret,
        "x-headrace": {"revocationUrl": server.revocation_url},
        **more,
    }


@pytest.fixture
def account_at(headrace, operator):
    def made(way):
        destination = operator.destination(customerAuthenticationConfigurations=[way])
        auth = {"specName": "OAUTH2", "params": {}}
        document = {"name": "account", "connectionSpec": {"id": destination}, "auth": auth}
        answer = headrace.api.post(f"{FLOWS}/connections", document)
        assert answer.status == 201, answer.text
        return answer.json["id"]

    return made


@pytest.fixture
def account(headrace, oauth, account_at):
    """An account that is signed in at our own server."""
    account = account_at(way_at(oauth))
    opened(there(headrace.api, account))
    assert sign_in_of(headrace, account) == "signed-in"
    return account


def opened(url):
    """Open an address, and return the status."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    connection.request("GET", f"{parts.path}?{parts.query}")
    status = connection.getresponse().status
    connection.close()
    return status


def sign_in_of(headrace, account):
    return headrace.api.get(f"{FLOWS}/connections/{account}").json["items"][0]["x-headrace"]["signIn"]["state"]


def end(headrace, account, way):
    if way == "revoke":
        assert headrace.api.post(f"{FLOWS}/connections/{account}/action?op=revoke", {}).status == 200
    else:
        assert headrace.api.delete(f"{FLOWS}/connections/{account}").status == 204


def run_about(headrace, account, wanted=("succeeded", "failed")):
    """Wait until the newest run about an account has come to this, and return it."""

    def look():
        items = headrace.api.get("/runs?kind=revocation").json["items"]
        found = [run for run in items if run["subject"]["account"] == account and run["state"] in wanted]
        return found[0] if found else None

    return eventually("the run has ended", look)


def oauth_error(error, description):
    told = {"error": error, "error_description": description}
    return Answer(400, (("Content-Type", "application/json"),), json.dumps(told).encode())


def audit_of(headrace, account):
    entries = headrace.api.get("/audit").json["items"]
    return [entry["details"] for entry in entries if (entry["id"], entry["action"]) == (account, "tell-partner")]


@pytest.mark.parametrize("way", ["revoke", "delete"])
def test_the_token_is_ended_and_nothing_of_it_is_kept_or_logged(headrace, oauth, account, way, capfd):
    before, heard = oauth.counts["/revoke"], len(oauth.received)
    end(headrace, account, way)
    run = run_about(headrace, account)

    assert (run["state"], oauth.counts["/revoke"] - before) == ("succeeded", 1)
    sent = [received.body.decode() for received in list(oauth.received)[heard:] if received.path == "/revoke"]
    assert [body.partition("&")[0].startswith("token=canary-of-refres-") for body in sent] == [True]
    assert audit_of(headrace, account) == [{"outcome": "told"}]
    assert b"canary-of-" not in headrace.kept()
    assert "canary-of-" not in "".join(capfd.readouterr())


def test_a_partner_that_refuses_is_told_of_in_the_run_and_in_the_audit(headrace, oauth, account):
    oauth.revocations.append(lambda received: oauth_error("unsupported_token_type", received.body.decode()))
    end(headrace, account, "revoke")
    run = run_about(headrace, account)

    assert run["state"] == "failed"
    assert run["reason"].startswith("The partner did not end the token: it answered 400, unsupported_token_type")
    assert audit_of(headrace, account) == [{"outcome": "not told", "reason": run["reason"]}]
    assert "canary-of-" not in run["reason"]
    assert sign_in_of(headrace, account) == "revoked"


def test_a_partner_that_is_down_holds_nobody_up(headrace, oauth, account):
    oauth.revocations.append(503)
    end(headrace, account, "revoke")
    assert sign_in_of(headrace, account) == "revoked"

    run = run_about(headrace, account)
    again = run_about(headrace, account, ["asked"])

    assert (run["state"], run["reason"]) == (
        "failed",
        "The partner did not end the token: it answered 503, temporarily_unavailable.",
    )
    assert again["retryOf"] == run["id"]
    assert headrace.api.post(f"/runs/{again['id']}/cancel", {}).status == 200


def test_the_token_goes_where_the_operator_agreed_to_and_not_where_a_newer_edition_says(headrace, oauth, partner):
    home, guest = (
        Sandbox(headrace, headrace.as_client(f"{name} of revocations", "prod")) for name in ("home", "guest")
    )
    way = way_at(oauth) | {"grant": "OAUTH2_CLIENT_CREDENTIALS"}
    del way["authorizationUrl"]
    destination, _ = home.author(partner.origin, customerAuthenticationConfigurations=[way])
    home.publish(headrace.as_client(), destination)
    auth, spec = {"specName": "OAUTH2", "params": {}}, {"id": destination}
    made = guest.api.post(f"{FLOWS}/connections", {"name": "a", "connectionSpec": spec, "auth": auth}).json["id"]
    params = examples.destination("lighthouse")["activation"]["customerData"]
    target = {"name": "t", "connectionSpec": spec, "params": params, "baseConnectionId": made}
    assert guest.api.post(f"{FLOWS}/targetConnections", target).status == 201
    assert guest.api.post(f"{FLOWS}/connections/{made}/test", {}).json["ok"]
    elsewhere = {**way, "x-headrace": {"revocationUrl": "https://elsewhere.example/revoke"}}
    home.change(destination, customerAuthenticationConfigurations=[elsewhere])
    home.publish(headrace.as_client(), destination)

    before = oauth.counts["/revoke"]
    assert guest.api.post(f"{FLOWS}/connections/{made}/action?op=revoke", {}).status == 200
    eventually("the partner is told", lambda: oauth.counts["/revoke"] == before + 1)


@pytest.mark.parametrize("way", ["revoke", "delete"])
@pytest.mark.parametrize("is_basic", [False, True], ids=["form", "header"])
def test_at_a_real_server_the_tokens_are_dead(headrace, oidc, account_at, monkeypatch, way, is_basic):
    client_id = oidc.basic_client_id if is_basic else oidc.client_id
    asked = {"clientId": client_id, "options": {"useBasicAuth": is_basic}, "scope": ["openid", "lists.write"]}
    account = account_at(way_at(oidc, **asked))
    tokens = signed_in(headrace, oidc, account, monkeypatch)
    assert all(is_good(oidc, token) for token in tokens)

    end(headrace, account, way)
    run = run_about(headrace, account)

    assert (run["state"], run["reason"]) == ("succeeded", None)
    assert [is_good(oidc, token) for token in tokens] == [False, False]


def signed_in(headrace, oidc, account, monkeypatch):
    """Sign an account in at the provider's page, and return the tokens that it was given."""
    given = []
    sign_in = type(headrace.app.tokens).sign_in

    async def noted(tokens, holder, granted, asked_at, actor):
        given.extend([granted.fields["accessToken"], granted.fields["refreshToken"]])
        await sign_in(tokens, holder, granted, asked_at, actor)

    monkeypatch.setattr(type(headrace.app.tokens), "sign_in", noted)
    browser = Browser()
    page, _ = browser.open(begin(headrace.api, account).json["authorizationUrl"])
    back, _ = browser.open(page, {"username": oidc.user, "password": oidc.password, "answer": "yes"})
    assert opened(back) == 200
    return given


def is_good(oidc, token):
    """Ask the provider whether it takes a token."""
    form = {"token": token, "client_id": oidc.client_id, "client_secret": oidc.client_secret}
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    with urlopen(Request(oidc.introspection_url, urlencode(form).encode(), kind), timeout=10) as answer:
        return json.load(answer)["active"]
