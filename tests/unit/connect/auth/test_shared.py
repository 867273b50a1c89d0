"""Signing in with credentials that all operators share."""

import pytest

from exchanges import answer, form, held
from headrace.connect.auth import Basic, OAuthClient, SignInNeeded, platform
from headrace.errors import AccountError
from headrace.model.credentials import Credentials
from headrace.model.http import Request
from headrace.model.reading import read

URL = "https://login.partner.example/token"
CLIENT = {"url": URL, "clientId": "shared", "clientSecret": "shared-secret"}
REFRESH = {**CLIENT, "refreshToken": "shared-rt"}


def shared(**document):
    return platform(read(Credentials, document)[0])


def test_a_user_name_and_a_password_are_a_scheme_that_is_ready():
    scheme = shared(basicAuthentication={"username": "ada", "password": "open sesame"})

    assert isinstance(scheme, Basic)
    signed = next(scheme.auth_flow(Request("POST", URL)))
    assert signed.header("Authorization") == "Basic YWRhOm9wZW4gc2VzYW1l"


def test_a_client_gets_tokens_in_its_own_name():
    client = shared(oauth2ClientAuthentication={**CLIENT, "header": "X-Org:  north ", "developerToken": "dev-1"})
    assert isinstance(client, OAuthClient)
    assert (client.needs_browser, client.can_renew({}), client.addresses()) == (False, True, (URL,))

    asked, grant = held(client.obtain({}), answer())
    assert (asked[0].url, asked[0].header("X-Org")) == (URL, "north")
    assert form(asked[0]) == {
        "grant_type": "client_credentials",
        "client_id": "shared",
        "client_secret": "shared-secret",
    }
    assert grant.fields["developerToken"] == "dev-1"


def test_a_refresh_token_gets_the_first_token_and_the_next():
    client = shared(oauth2RefreshTokenAuthentication=REFRESH)
    assert (client.needs_browser, client.can_renew({})) == (False, True)
    assert set(client.addresses()) == {URL}

    asked, first = held(client.obtain({}), answer(refresh_token="rt-2"))
    assert form(asked[0])["refresh_token"] == "shared-rt"
    asked, _ = held(client.obtain(first.fields), answer())
    assert form(asked[0])["refresh_token"] == "rt-2"


@pytest.mark.parametrize(("expiration", "seconds"), [(60, 60.0), ("60", 60.0), (0, 3600.0), (None, 3600.0)])
def test_the_expiration_says_how_long_a_token_lives(expiration, seconds):
    told = {"expiration": expiration} if expiration is not None else {}
    client = shared(oauth2RefreshTokenAuthentication={**REFRESH, **told})

    assert held(client.obtain({}), answer())[1].expires_in == seconds


def test_a_refresh_token_that_has_died_is_not_replaced_by_the_clients_own_token():
    client = shared(oauth2RefreshTokenAuthentication=REFRESH)

    with pytest.raises(SignInNeeded):
        held(client.obtain({}), answer({"error": "invalid_grant"}, 400))


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"s3Authentication": {"accessId": "a", "secretKey": "secret-key"}}, "`s3Authentication`, which is for files"),
        ({"sshAuthentication": {"username": "a", "sshKey": "secret-key"}}, "`sshAuthentication`, which is for files"),
        ({"azureConnectionStringAuthentication": {"connectionString": "secret-key"}}, "which is for files"),
        ({"oauth2ClientAuthentication": {**CLIENT, "url": "login"}}, "`url` of the shared credentials"),
        ({"oauth2RefreshTokenAuthentication": {**REFRESH, "url": "ftp://x"}}, "`url` of the shared credentials"),
        ({"oauth2ClientAuthentication": {**CLIENT, "header": "secret-key"}}, "write it as `Name: value`"),
        ({"oauth2ClientAuthentication": {**CLIENT, "header": "A: secret-key\r\nB: c"}}, "write it as `Name: value`"),
    ],
)
def test_what_signs_no_message_in_is_named(document, says):
    with pytest.raises(AccountError) as refusal:
        shared(**document)

    assert says in str(refusal.value)
    assert "secret-key" not in str(refusal.value)
