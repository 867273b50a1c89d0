"""``headrace account authorize``: from a terminal to the partner's page and back."""

import copy
import json
import os
import pty
import re
import subprocess
import sys
import threading
from contextlib import suppress
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from headrace.cli import examples
from headrace.testkit.oauth import AuthorizationServer
from support import AUTHORING, FLOWS, command, environment, eventually, in_process


@pytest.fixture(scope="module")
def oauth():
    with AuthorizationServer.in_thread() as server:
        yield server


@pytest.fixture(scope="module")
def headrace(tmp_path_factory, oauth):
    with in_process(tmp_path_factory.mktemp("authorize"), egress_allow=oauth.issuer) as headrace:
        path = headrace.folder / "data" / "credentials.json"
        path.write_text(json.dumps(headrace.credentials))
        yield headrace


@pytest.fixture(scope="module")
def way(oauth):
    """A way to sign in at the page of the authorization server."""
    return {
        "authType": "OAUTH2",
        "grant": "OAUTH2_AUTHORIZATION_CODE",
        "authorizationUrl": oauth.authorization_url,
        "accessTokenUrl": oauth.token_url,
        "refreshTokenUrl": oauth.token_url,
        "clientId": oauth.client_id,
        "clientSecret": oauth.client_secret,
    }


@pytest.fixture
def account(headrace, way):
    return account_of(headrace, {"specName": "OAUTH2", "params": {}}, customerAuthenticationConfigurations=[way])


def account_of(headrace, auth, **changes):
    """Make a destination of an example with other members, and an account of it."""
    example = copy.deepcopy(examples.destination("lighthouse"))
    server = headrace.api.post(f"{AUTHORING}/destination-servers", example["destinationServer"]).json["instanceId"]
    delivery = {"authenticationRule": "CUSTOMER_AUTHENTICATION", "destinationServerId": server}
    document = {**example["destination"], "destinationDelivery": [delivery], **changes}
    destination = headrace.api.post(f"{AUTHORING}/destinations", document).json["instanceId"]
    account = {"name": "account", "connectionSpec": {"id": destination}, "auth": auth}
    return headrace.api.post(f"{FLOWS}/connections", account).json["id"]


@pytest.fixture
def authorize(headrace):
    """Runs the command, goes where it says as a browser would, and returns its exit code and what it said."""

    def run(account, *words):
        line = command("account", "authorize", account, *words, "--data-dir", str(headrace.folder / "data"))
        with subprocess.Popen(line, env=environment(headrace.folder), stdout=subprocess.PIPE, text=True) as process:
            said = [process.stdout.readline(), process.stdout.readline()]
            threading.Thread(target=_go, args=(said[1].strip(),)).start()
            said += [process.stdout.read()]
        return process.returncode, "".join(said)

    return run


def _go(address):
    """Follow an address to its end, as a browser does, whatever stands on the last page."""
    with suppress(HTTPError), urlopen(address, timeout=30) as page:
        page.read()


def state(headrace, account):
    return headrace.api.get(f"{FLOWS}/connections/{account}").json["items"][0]["x-headrace"]["signIn"]["state"]


def test_whoever_opens_the_address_signs_the_account_in(headrace, account, authorize):
    code, said = authorize(account)

    assert code == 0
    assert said.startswith("open this address, and sign in there:\nhttp://")
    assert said.endswith("the account is signed in, and what waited for it is on its way\n")
    assert state(headrace, account) == "signed-in"


def test_an_account_that_is_signed_in_is_signed_in_anew(account, authorize):
    assert [authorize(account)[0], authorize(account)[0]] == [0, 0]


def test_a_partner_who_does_not_let_them_in_is_said_each_time(headrace, oauth, account, authorize):
    for _ in range(2):
        oauth.detours.append("denied")
        code, said = authorize(account)

        assert code == 1
        assert "not signed in: the sign-in at the partner's page" in said
        assert "access was denied" in said
    assert state(headrace, account) == "not-signed-in"


def test_a_code_that_gives_no_token_is_said(oauth, account, authorize):
    oauth.answers.append("revoked")

    code, said = authorize(account)

    assert (code, "The grant was revoked" in said) == (1, True)


def test_nobody_who_comes_back_in_time_is_said(typed, account):
    code, out, _ = typed("account", "authorize", account, "--timeout", "1")

    assert code == 1
    assert "nobody came back within 1 s; the address counts until 20" in out


def test_credentials_that_are_revoked_meanwhile_end_the_wait(headrace, account, typed):
    def revoke():
        headrace.client.send("POST", f"{FLOWS}/connections/{account}/action?op=revoke")

    revoking = threading.Timer(1.0, revoke)
    revoking.start()
    code, out, _ = typed("account", "authorize", account)
    revoking.join()

    assert (code, out.splitlines()[-1]) == (1, "not signed in: revoked")


def test_an_account_that_needs_no_page_is_said_to_need_none(headrace, typed):
    other = account_of(headrace, {"specName": "BEARER", "params": {"token": "a-token"}})

    code, _, err = typed("account", "authorize", other)

    assert (code, "without a page of the partner" in err) == (2, True)
    assert "no account 'absent'" in typed("account", "authorize", "absent")[2]


def test_a_terminal_can_open_its_browser(headrace, account, tmp_path):
    """The browser is a program that reads the page; the terminal is a real one."""
    browser = tmp_path / "browser.py"
    browser.write_text("import sys, urllib.request\nurllib.request.urlopen(sys.argv[1], timeout=30).read()\n")
    surroundings = environment(headrace.folder) | {"BROWSER": f"{sys.executable} {browser} %s", "TERM": "dumb"}
    line = command("account", "authorize", account, "--open", "--data-dir", str(headrace.folder / "data"))
    ours, theirs = pty.openpty()
    with subprocess.Popen(line, env=surroundings, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL) as process:
        os.close(theirs)
        assert process.wait(60) == 0
    said = os.read(ours, 1 << 16).decode()
    os.close(ours)

    assert re.search(r"open this address.*\r\nhttp://", said)
    eventually("it is signed in", lambda: state(headrace, account) == "signed-in")
