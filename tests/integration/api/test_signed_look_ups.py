"""Look-ups and tries of an account that are signed in for: with credentials that operators share, and with tokens."""

import copy
import json

import pytest

from headrace.cli import examples
from headrace.cli.demo import _towards
from headrace.connect.auth.signature import basic
from headrace.testkit.oauth import AuthorizationServer
from headrace.testkit.partner import Answer, Partner
from support import FLOWS, in_process

from .conftest import CREDENTIALS, DESTINATIONS, SERVERS, destination_on

USER, PASSWORD = "headrace", "canary-password-Zw20"
READ = "{{ {'list': response.body} | toJson | raw }}"
SCHEMA = "{{ response.body | toJson | raw }}"
LISTS = [{"name": "Friends", "value": "7"}, {"name": "Others", "value": "8"}]
CONTACT = {"type": "object", "properties": {"mail": {"type": "string"}}}
STEPS = ["credentials", "sign-in", "choices"]


@pytest.fixture(scope="module")
def oauth(lend_database):
    with AuthorizationServer.in_thread() as server:
        yield server


@pytest.fixture(scope="module")
def partner(oauth):
    def answer(received):
        kind, _, token = received.headers.get("authorization", "").partition(" ")
        by_name = f"{kind} {token}" == basic(USER, PASSWORD)
        if not by_name and not (kind == "Bearer" and oauth.accepts(token)):
            return 401
        body = json.dumps(CONTACT if received.path == "/contact" else LISTS).encode()
        return Answer(200, (("Content-Type", "application/json"),), body)

    with Partner.in_thread(default=answer) as partner:
        yield partner


@pytest.fixture(scope="module")
def headrace(tmp_path_factory, partner, oauth, lend_database):
    allowed = f"{partner.origin}, {oauth.issuer}"
    folder = tmp_path_factory.mktemp("headrace")
    with lend_database() as url, in_process(folder, egress_allow=allowed, database_url=url) as headrace:
        yield headrace


@pytest.fixture
def desk(api, partner, oauth):
    oauth.answers.clear()
    partner.received.clear()
    return Desk(api, partner, oauth)


class Desk:
    """Somebody who authors a destination with choices and a schema that are fetched, and connects to it."""

    def __init__(self, api, partner, oauth):
        self.api, self.partner, self.oauth = api, partner, oauth

    def made(self, path, document):
        answer = self.api.post(path, document)
        assert answer.status in (200, 201), answer.text
        return answer.json.get("instanceId") or answer.json["id"]

    def asked(self, path, name, read, rule, kind):
        url = {"templatingStrategy": "PEBBLE_V1", "value": f"{self.partner.origin}{path}"}
        server = {
            "name": "asked",
            "destinationServerType": "URL_BASED",
            "urlBasedDestination": {"url": url},
            "httpTemplate": {"httpMethod": "GET"},
            "responseFields": [{"name": name, "templatingStrategy": "PEBBLE_V1", "value": read}],
        }
        found = {"destinationServerId": self.made(SERVERS, server), "authenticationRule": rule, "responseFormat": kind}
        return {**found, "value": "$.list" if kind == "NAME_VALUE" else "Contact"}

    def destination(self, rule, *, has_schema=False, **changes):
        example = copy.deepcopy(examples.destination("lighthouse")["destinationServer"])
        document = {**destination_on(self.made(SERVERS, _towards(example, self.partner.origin)), "lighthouse")}
        fetched = self.asked("/lists", "list", READ, rule, "NAME_VALUE")
        document["customerDataFields"] = [
            {"name": "workspace", "type": "string", "default": "acme"},
            {"name": "list", "type": "string", "dynamicEnum": fetched},
        ]
        if has_schema:
            dynamic = {"dynamicEnum": self.asked("/contact", "schema", SCHEMA, rule, "SCHEMA")}
            schema = {name: item for name, item in document["schemaConfig"].items() if name != "profileFields"}
            document["schemaConfig"] = {**schema, "dynamicSchemaConfig": dynamic}
        return self.made(DESTINATIONS, {**document, **changes})

    def shared(self, credentials):
        """A destination whose operators share credentials."""
        rule = "PLATFORM_AUTHENTICATION"
        server = self.made(
            SERVERS,
            _towards(copy.deepcopy(examples.destination("lighthouse")["destinationServer"]), self.partner.origin),
        )
        delivery = {"authenticationRule": rule, "destinationServerId": server}
        delivery["authenticationId"] = self.made(CREDENTIALS, credentials)
        changes = {"destinationDelivery": [delivery], "customerAuthenticationConfigurations": []}
        return self.destination(rule, has_schema=True, **changes)

    def account(self, grant, **more):
        """An account that signs in with OAuth 2, at a destination whose choices are fetched."""
        way = {
            "authType": "OAUTH2",
            "grant": grant,
            "accessTokenUrl": self.oauth.token_url,
            "clientId": self.oauth.client_id,
            "clientSecret": self.oauth.client_secret,
            **more,
        }
        destination = self.destination("CUSTOMER_AUTHENTICATION", customerAuthenticationConfigurations=[way])
        auth = {"specName": "OAUTH2", "params": {}}
        document = {"name": "account", "connectionSpec": {"id": destination, "version": "1.0"}, "auth": auth}
        return self.made(f"{FLOWS}/connections", document)

    def tried(self, account):
        answer = self.api.post(f"{FLOWS}/connections/{account}/test", {})
        assert answer.status == 200, answer.text
        return answer.json

    def look_up(self, destination, what, **asked):
        return self.api.post(f"{FLOWS}/connectionSpecs/{destination}/{what}?fresh=true", asked)


def by_name(oauth):
    return {"name": "by name", "basicAuthentication": {"username": USER, "password": PASSWORD}}


def as_client(oauth):
    client = {"url": oauth.token_url, "clientId": oauth.client_id, "clientSecret": oauth.client_secret}
    return {"name": "as a client", "oauth2ClientAuthentication": client}


@pytest.mark.parametrize(("credentials", "kind"), [(by_name, "Basic"), (as_client, "Bearer")], ids=["basic", "oauth2"])
def test_choices_and_schema_are_fetched_with_credentials_that_operators_share(desk, credentials, kind):
    destination = desk.shared(credentials(desk.oauth))

    choices = desk.look_up(destination, "choices", field="list", params={})
    schema = desk.look_up(destination, "schema")

    assert choices.status == 200, choices.text
    assert [item["value"] for item in choices.json["items"]] == ["7", "8"]
    assert schema.status == 200, schema.text
    assert [*schema.json["properties"]] == ["mail"]
    assert {item.headers["authorization"].split()[0] for item in desk.partner.received} == {kind}


@pytest.mark.parametrize("what", ["choices", "schema"])
def test_shared_credentials_that_the_partner_refuses_are_told_without_a_secret(desk, what):
    wrong = {"name": "wrong", "basicAuthentication": {"username": USER, "password": "canary-of-a-wrong-one"}}
    answer = desk.look_up(desk.shared(wrong), what, **({"field": "list", "params": {}} if what == "choices" else {}))

    assert answer.status >= 400
    assert "401" in answer.text
    assert "canary" not in answer.text


def test_a_client_is_tried_by_getting_a_token_and_fetching_choices_with_it(desk):
    given = desk.oauth.counts["client_credentials"]

    trial = desk.tried(desk.account("OAUTH2_CLIENT_CREDENTIALS"))

    assert trial == {
        "ok": True,
        "code": "ok",
        "message": "The partner took the credentials: it gave 2 choices of a field.",
        "checked": STEPS,
    }
    assert desk.oauth.counts["client_credentials"] == given + 1
    (received,) = desk.partner.received
    assert desk.oauth.accepts(received.headers["authorization"].removeprefix("Bearer "))


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        pytest.param("html", "token-refused", "a page for people", id="a page"),
        pytest.param(503, "token-refused", "503", id="not now"),
        pytest.param(Answer(401, (), b'{"error": "invalid_client"}'), "sign-in-needed", "invalid_client", id="unknown"),
        pytest.param("reset", "token-refused", "reset the connection", id="no answer"),
    ],
)
def test_a_token_endpoint_that_gives_no_token_is_told_in_words(desk, answer, code, said):
    account = desk.account("OAUTH2_CLIENT_CREDENTIALS")
    desk.oauth.answers.append(answer)

    trial = desk.tried(account)

    assert (trial["ok"], trial["code"], trial["checked"]) == (False, code, STEPS[:2]), trial
    assert said in trial["message"]
    assert desk.oauth.client_secret not in json.dumps(trial)
    assert not desk.partner.received


def test_an_account_that_nobody_has_signed_in_yet_says_how(desk):
    account = desk.account("OAUTH2_AUTHORIZATION_CODE", authorizationUrl=desk.oauth.authorization_url)

    trial = desk.tried(account)

    assert (trial["ok"], trial["code"], trial["checked"]) == (False, "sign-in-needed", ["credentials"])
    assert f"{account}/authorize" in trial["message"]
