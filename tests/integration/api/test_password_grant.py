"""The password grant where it is not allowed: no account is made, and one from before is used no longer."""

import json

import pytest

from support import FLOWS, in_process

from .conftest import DESTINATIONS, SERVERS, codes, destination_on

PARAMS = {"username": "ada", "password": "canary-of-ada-at-the-partner"}


@pytest.fixture
def begin(tmp_path):
    """Starts on one data directory, again and again."""

    def start(**settings):
        return in_process(tmp_path, **settings)

    return start


def destination(api, server_document):
    way = {
        "authType": "OAUTH2",
        "grant": "OAUTH2_PASSWORD",
        "accessTokenUrl": "https://login.acme.example/token",
        "clientId": "us",
        "clientSecret": "canary-of-the-client",
    }
    server = api.post(SERVERS, server_document).json["instanceId"]
    made = api.post(DESTINATIONS, {**destination_on(server), "customerAuthenticationConfigurations": [way]})
    assert made.status == 200, made.text
    return made.json["instanceId"]


def connect(api, where):
    auth = {"specName": "OAUTH2", "params": PARAMS}
    return api.post(f"{FLOWS}/connections", {"name": "ada", "connectionSpec": {"id": where}, "auth": auth})


def test_no_account_takes_a_password_unless_that_is_allowed(begin, server_document):
    with begin() as headrace:
        answer = connect(headrace.api, destination(headrace.api, server_document))

        assert codes(answer) == {"/auth/specName": "not-allowed"}
        assert "HEADRACE_ALLOW_PASSWORD_GRANT" in answer.text
        assert PARAMS["password"] not in answer.text


def test_an_account_from_before_is_used_no_longer_once_that_is_withdrawn(begin, server_document):
    with begin(allow_password_grant="true") as headrace:
        made = connect(headrace.api, destination(headrace.api, server_document))
        assert made.status == 201, made.text
    with begin() as headrace:
        trial = headrace.api.post(f"{FLOWS}/connections/{made.json['id']}/test", {}).json

    assert (trial["ok"], trial["code"]) == (False, "account")
    assert "HEADRACE_ALLOW_PASSWORD_GRANT" in trial["message"]
    assert PARAMS["password"] not in json.dumps(trial)
