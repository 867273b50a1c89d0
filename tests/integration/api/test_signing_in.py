"""Signing an account in at the partner's page, as its operator does it: there and back, and what follows from it."""

import http.client
import json
from urllib.parse import parse_qs, urlsplit

import pytest

from headrace.cli import examples
from headrace.cli.demo import _chosen
from headrace.services.browser_sign_in import CALLBACK
from headrace.testkit.oauth import AuthorizationServer
from headrace.testkit.partner import Partner
from support import FLOWS, Api, eventually, in_process

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def oauth(lend_database):
    with AuthorizationServer.in_thread() as server:
        yield server


@pytest.fixture(scope="module")
def partner(oauth):
    with Partner.in_thread(token=oauth.accepts) as partner:
        yield partner


@pytest.fixture(scope="module")
def headrace(tmp_path_factory, partner, oauth, lend_database):
    settings = {"retry_steps": "0.05,0.05,0.05", "egress_allow": f"{partner.origin}, {oauth.issuer}"}
    folder = tmp_path_factory.mktemp("headrace")
    with lend_database() as url, in_process(folder, **settings, database_url=url) as headrace:
        yield headrace


@pytest.fixture
def destination(operator, oauth):
    """A destination whose operators sign in at the page of the authorization server."""
    way = {
        "authType": "OAUTH2",
        "grant": "OAUTH2_AUTHORIZATION_CODE",
        "authorizationUrl": oauth.authorization_url,
        "accessTokenUrl": oauth.token_url,
        "refreshTokenUrl": oauth.token_url,
        "clientId": oauth.client_id,
        "clientSecret": oauth.client_secret,
    }
    return operator.destination(customerAuthenticationConfigurations=[way])


@pytest.fixture
def account(headrace, destination):
    document = {
        "name": "account",
        "connectionSpec": {"id": destination, "version": "1.0"},
        "auth": {"specName": "OAUTH2", "params": {}},
    }
    answer = headrace.api.post(f"{FLOWS}/connections", document)
    assert answer.status == 201, answer.text
    return answer.json["id"]


@pytest.fixture
def flow(headrace, operator, destination, account):
    document = flow_document(operator, destination, account)
    answer = headrace.api.post(f"{FLOWS}/flows", document)
    assert answer.status == 201, answer.text
    return answer.json["id"]


@pytest.fixture
def user(headrace):
    """Somebody who uses pages: signed in with a cookie."""
    email = "ada@example.com"
    document = {"email": email, "name": "Ada", "password": PASSWORD, "roles": [{"role": "operator"}]}
    headrace.api.post("/access/users", document)
    api = Api(headrace.api.url)
    headrace.opened.append(api)
    answer = api.post("/access/sessions", {"email": email, "password": PASSWORD})
    cookie = answer.headers["set-cookie"].split(";")[0]
    api.headers = {"Cookie": cookie, "X-CSRF-Token": answer.json["csrfToken"], "x-sandbox-name": "prod"}
    return api


def browse(url, headers=None):
    """Open an address as a browser does, without following where it leads."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    connection.request("GET", f"{parts.path}?{parts.query}", headers=headers or {})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


def begin(api, account):
    answer = api.post(f"{FLOWS}/connections/{account}/authorize", {})
    assert answer.status == 200, answer.text
    return answer


def there(api, account):
    """Go to the partner's page, and return where it sends the browser back to."""
    answer, _ = browse(begin(api, account).json["authorizationUrl"])
    return answer.headers["Location"]


def reason(headrace, flow):
    return headrace.api.get(f"{FLOWS}/flows/{flow}").json["items"][0].get("x-headrace", {}).get("reason")


def flow_document(operator, destination, account):
    """A dataflow of the example's audiences to a destination under an account."""
    example = examples.destination("lighthouse")["activation"]
    target = operator.target(destination, account, example["customerData"])
    assert target.status == 201, target.text
    return {
        "name": f"dataflow {next(operator.numbers)}",
        "sourceConnectionIds": [operator.source()],
        "targetConnectionIds": [target.json["id"]],
        "transformations": [{"name": "GeneralTransform", "params": _chosen(example["mapping"])}],
    }


def sign_in_of(headrace, account):
    """How the API says that an account is signed in, the same in the list."""
    told = headrace.api.get(f"{FLOWS}/connections/{account}").json["items"][0]["x-headrace"]["signIn"]
    listed = headrace.api.get(f"{FLOWS}/connections?property=id=={account}").json["items"]
    assert [item["x-headrace"]["signIn"] for item in listed] == [told]
    return told


def ingest(headrace, number):
    memberships = {id_: {"status": "realized", "lastQualificationTime": "2026-03-01T00:00:00Z"} for id_ in audiences()}
    person = {
        "identityMap": {"crmId": [{"id": f"p{number}"}], "Email": [{"id": f"p{number}@example.com"}]},
        "segmentMembership": {"ups": memberships},
    }
    answer = headrace.api.ingest(json.dumps(person).encode())
    assert answer.json["accepted"] == 1, answer.text


def audiences():
    mapping = examples.destination("lighthouse")["activation"]["mapping"]
    selectors = _chosen(mapping)["segmentSelectors"]["selectors"]
    return [selector["value"]["id"] for selector in selectors]


def test_from_the_page_to_the_partner_and_on_after_the_token_died(headrace, oauth, partner, account, flow):
    ingest(headrace, 1)
    assert "not signed in at the partner yet" in reason(headrace, flow)
    assert not partner.received
    assert sign_in_of(headrace, account) == {"state": "not-signed-in"}
    assert headrace.api.get(f"/dataflows/{flow}/ledger").json["pending"] > 0

    answer, page = browse(there(headrace.api, account))
    assert answer.status == 200, page
    assert "Signed in" in page

    delivered = headrace.wait_until_settled(flow)["delivered"]
    assert delivered > 0
    assert reason(headrace, flow) is None
    renewals = oauth.counts["refresh_token"]
    oauth.kill()
    ingest(headrace, 2)

    ledger = headrace.wait_until_settled(flow)
    assert ledger["delivered"] > delivered
    assert ledger["parked"] == 0
    assert oauth.counts["refresh_token"] == renewals + 1
    assert oauth.counts["reuse"] == 0


def test_a_revoked_grant_stops_the_dataflow_until_somebody_signs_in_again(headrace, oauth, account, flow):
    browse(there(headrace.api, account))
    ingest(headrace, 3)
    headrace.wait_until_settled(flow)
    oauth.revoke_all()
    ingest(headrace, 4)

    eventually("it says why", lambda: "signed in again" in (reason(headrace, flow) or ""))
    told = sign_in_of(headrace, account)
    assert told["state"] == "sign-in-needed"
    assert "invalid_grant" in told["reason"]
    assert headrace.api.get(f"/dataflows/{flow}/ledger").json["parked"] == 0
    browse(there(headrace.api, account))

    ledger = headrace.wait_until_settled(flow)
    assert ledger["parked"] == 0
    assert reason(headrace, flow) is None


def test_a_revoked_account_sends_nothing_until_it_is_signed_in_again(headrace, account, flow):
    browse(there(headrace.api, account))
    assert sign_in_of(headrace, account)["state"] == "signed-in"
    assert headrace.api.post(f"{FLOWS}/connections/{account}/action?op=revoke", {}).status == 200
    assert sign_in_of(headrace, account)["state"] == "revoked"
    assert "revoked" in reason(headrace, flow)

    answer, _ = browse(there(headrace.api, account))

    assert answer.status == 200
    assert reason(headrace, flow) is None


def test_the_page_loads_runs_and_tells_nothing(headrace, account):
    answer, page = browse(there(headrace.api, account))

    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "<script" not in page
    assert "style" not in page


def test_a_sign_in_ends_once(headrace, account):
    back = there(headrace.api, account)
    assert browse(back)[0].status == 200

    answer, page = browse(back)

    assert answer.status == 400
    assert "has ended already" in page


@pytest.mark.parametrize(
    ("detour", "said"),
    [
        ("denied", "access was denied"),
        ("wrong-state", "is unknown"),
        ("no-state", "has no `state`"),
        ("other-issuer", "another server"),
        ("no-code", "sent no code"),
    ],
)
def test_who_comes_back_wrongly_is_not_signed_in(headrace, oauth, account, detour, said):
    oauth.detours.append(detour)

    answer, page = browse(there(headrace.api, account))

    assert answer.status == 400
    assert said in page
    told = sign_in_of(headrace, account)
    assert told["state"] == "not-signed-in"
    is_known_for_whom = detour not in ("wrong-state", "no-state")
    assert (said in told.get("reason", "")) == is_known_for_whom
    assert begin(headrace.api, account).status == 200


def test_a_sign_in_that_failed_leaves_an_account_as_it_was_and_the_next_one_that_does_not_clears_the_reason(
    headrace, oauth, account
):
    browse(there(headrace.api, account))
    first = sign_in_of(headrace, account)
    oauth.detours.append("denied")
    browse(there(headrace.api, account))
    failed = sign_in_of(headrace, account)
    browse(there(headrace.api, account))
    last = sign_in_of(headrace, account)

    assert [told["state"] for told in (first, failed, last)] == ["signed-in"] * 3
    assert ["access was denied" in told.get("reason", "") for told in (first, failed, last)] == [False, True, False]
    assert first["issue"] == failed["issue"] < last["issue"]


def test_nothing_that_came_back_stands_on_the_page(headrace, account):
    back = there(headrace.api, account)
    query = "error=%3Cscript%3Ealert(1)%3C/script%3E&error_description=%3Cb%3Ecall%20me"

    answer, page = browse(f"{back}&{query}")

    assert answer.status == 400
    assert "script" not in page
    assert "call me" not in page


def test_a_code_that_the_partner_refuses_signs_nobody_in(headrace, account):
    back = there(headrace.api, account)
    code = parse_qs(urlsplit(back).query)["code"][0]

    answer, page = browse(back.replace(code, "another"))

    assert answer.status == 400
    assert "gave no token" in page


def test_a_sign_in_of_a_browser_ends_in_that_browser_only(headrace, user, account):
    begun = begin(user, account)
    cookie = begun.headers["set-cookie"]
    back = browse(begun.json["authorizationUrl"])[0].headers["Location"]
    assert f"Path={CALLBACK}" in cookie
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()

    answer, page = browse(back)
    assert answer.status == 400
    assert "another browser" in page

    begun = begin(user, account)
    back = browse(begun.json["authorizationUrl"])[0].headers["Location"]
    answer, _ = browse(back, {"Cookie": begun.headers["set-cookie"].split(";")[0]})
    assert answer.status == 200


def test_codes_and_states_are_neither_kept_nor_logged(headrace, account, capfd):
    back = there(headrace.api, account)
    query = parse_qs(urlsplit(back).query)
    kept = headrace.kept()
    browse(back)
    written = "".join(capfd.readouterr())

    for name in ("code", "state"):
        assert query[name][0] not in written
        assert query[name][0].encode() not in kept + headrace.kept()


def test_an_account_that_needs_no_page_has_none(headrace, operator):
    account = operator.account(operator.destination()).json["id"]
    assert sign_in_of(headrace, account) == {"state": "ready"}

    answer = headrace.api.post(f"{FLOWS}/connections/{account}/authorize", {})

    assert answer.status == 409
    assert "without a page" in answer.json["detail"]
