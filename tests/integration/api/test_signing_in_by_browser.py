"""Signing an account in with a real browser at a real authorization server, up to what arrives at the partner."""

import json
from urllib.parse import urlencode, urlsplit
from urllib.request import Request as UrlRequest
from urllib.request import urlopen

import pytest

from headrace.services.browser_sign_in import CALLBACK
from headrace.testkit.partner import Partner
from support import FLOWS, eventually, in_process

from .test_signing_in import PASSWORD, flow_document, ingest, reason


class Knows:
    """Says whether a token is good: the authorization server is asked, unless the partner no longer takes it."""

    def __init__(self, oidc):
        self._oidc = oidc
        self.tokens = []
        self.dead = set()

    def __call__(self, token):
        if token not in self.tokens:
            self.tokens.append(token)
        return token not in self.dead and self._is_active(token)

    def _is_active(self, token):
        form = {"token": token, "client_id": self._oidc.client_id, "client_secret": self._oidc.client_secret}
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = urlopen(UrlRequest(self._oidc.introspection_url, urlencode(form).encode(), kind), timeout=10)
        with answer:
            return json.load(answer)["active"]


@pytest.fixture(scope="module")
def knows(oidc, lend_database):
    return Knows(oidc)


@pytest.fixture(scope="module")
def partner(knows):
    with Partner.in_thread(token=knows) as partner:
        yield partner


@pytest.fixture(scope="module")
def headrace(tmp_path_factory, partner, oidc, lend_database):
    settings = {"retry_steps": "0.05,0.05,0.05", "egress_allow": f"{partner.origin}, {oidc.issuer}"}
    folder = tmp_path_factory.mktemp("headrace")
    with lend_database() as url, in_process(folder, **settings, database_url=url) as headrace:
        yield headrace


@pytest.fixture
def destination(operator, oidc):
    way = {
        "authType": "OAUTH2",
        "grant": "OAUTH2_AUTHORIZATION_CODE",
        "authorizationUrl": oidc.authorization_url,
        "accessTokenUrl": oidc.token_url,
        "refreshTokenUrl": oidc.token_url,
        "clientId": oidc.client_id,
        "clientSecret": oidc.client_secret,
        "scope": ["openid", "offline_access", "lists.write"],
    }
    return operator.destination(customerAuthenticationConfigurations=[way])


@pytest.fixture
def account(headrace, destination):
    auth = {"specName": "OAUTH2", "params": {}}
    answer = headrace.api.post(
        f"{FLOWS}/connections", {"name": "account", "connectionSpec": {"id": destination}, "auth": auth}
    )
    assert answer.status == 201, answer.text
    return answer.json["id"]


class Window:
    """A window of the browser, as its user moves in it; ``been``: every page and where it led, without its query."""

    def __init__(self, chromium):
        self.context = chromium.new_context()
        self.page = self.context.new_page()
        self.been = []
        self.page.on("response", self._note)

    def _note(self, answer):
        place = urlsplit(answer.url)
        self.been.append((answer.request.method, place.path, answer.status))

    def sign_in_to_headrace(self, headrace, email):
        """Sign in as the pages do: a session's cookie in this window, and a token against forged requests."""
        answer = self.context.request.post(
            f"{headrace.api.url}/access/sessions", data={"email": email, "password": PASSWORD}
        )
        assert answer.ok, answer.text()
        self.token = answer.json()["csrfToken"]

    def begin(self, headrace, account):
        """Press Connect: the answer says where to go, and a cookie remembers that it was this window."""
        answer = self.context.request.post(
            f"{headrace.api.url}{FLOWS}/connections/{account}/authorize",
            data={},
            headers={"X-CSRF-Token": self.token, "x-sandbox-name": "prod"},
        )
        assert answer.ok, answer.text()
        return answer.json()["authorizationUrl"]

    def sign_in_at_partner(self, oidc, url):
        self.page.goto(url)
        assert "let Headrace use your lists" in self.page.inner_text("h1")
        self.page.get_by_label("User name").fill(oidc.user)
        self.page.get_by_label("Password").fill(oidc.password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(lambda url: CALLBACK in url)
        return self.page.inner_text("h1")


@pytest.fixture
def new_window(chromium):
    windows = []

    def opened():
        windows.append(Window(chromium))
        return windows[-1]

    yield opened
    for window in windows:
        window.context.close()


@pytest.fixture(scope="module")
def user(headrace):
    document = {"email": "ada@example.com", "name": "Ada", "password": PASSWORD, "roles": [{"role": "operator"}]}
    headrace.api.post("/access/users", document)
    return document["email"]


def test_from_the_first_click_to_the_partner_and_on_after_the_token_died(
    headrace, operator, oidc, knows, destination, account, user, new_window, tmp_path
):
    flow = headrace.api.post(f"{FLOWS}/flows", flow_document(operator, destination, account)).json["id"]
    ingest(headrace, 1)
    assert "not signed in at the partner yet" in reason(headrace, flow)
    window = new_window()
    window.sign_in_to_headrace(headrace, user)

    heading = window.sign_in_at_partner(oidc, window.begin(headrace, account))

    window.page.screenshot(path=str(tmp_path / "signed-in.png"))
    assert heading == "Signed in"
    assert window.been[-1] == ("GET", CALLBACK, 200)
    assert window.page.evaluate("document.styleSheets.length + document.scripts.length") == 0
    delivered = headrace.wait_until_settled(flow)["delivered"]
    assert delivered > 0
    knows.dead.add(knows.tokens[-1])
    ingest(headrace, 2)
    ledger = headrace.wait_until_settled(flow)
    assert ledger["delivered"] > delivered
    assert ledger["parked"] == 0
    assert len(knows.tokens) == 2, "one renewal, and the message sent again with what it brought"


def test_another_browser_cannot_end_what_this_one_began(headrace, oidc, account, user, new_window):
    window, thief = new_window(), new_window()
    window.sign_in_to_headrace(headrace, user)

    heading = thief.sign_in_at_partner(oidc, window.begin(headrace, account))

    assert heading == "Not signed in"
    assert "begun in another browser" in thief.page.inner_text("main")
    assert window.sign_in_at_partner(oidc, window.begin(headrace, account)) == "Signed in"


def test_who_says_no_is_told_so(headrace, oidc, account, user, new_window):
    window = new_window()
    window.sign_in_to_headrace(headrace, user)
    window.page.goto(window.begin(headrace, account))

    window.page.get_by_role("button", name="Cancel").click()

    eventually("it is back", lambda: CALLBACK in window.page.url)
    assert "access was denied" in window.page.inner_text("main")
