"""Signing in at real authorization servers, over real connections."""

import json
from pathlib import Path

import pytest

from exchanges import request_of_ones_own, template
from headrace.connect.auth import OAuthClient, SignInNeeded, UserContext, pkce, platform
from headrace.model.authentication import CustomerAuthentication
from headrace.model.credentials import Credentials
from headrace.model.reading import read

BACK = "http://127.0.0.1:9/data/core/activation/oauth/api/v1/callback"
SERVERS = Path(__file__).parent / "servers"


def client(given=None, **document):
    way = read(CustomerAuthentication, {"authType": "OAUTH2", **document})[0]
    return OAuthClient.of(way, given or {}, UserContext())


def by_code(oidc, **changes):
    return client(
        **{
            "grant": "OAUTH2_AUTHORIZATION_CODE",
            "authorizationUrl": oidc.authorization_url,
            "accessTokenUrl": oidc.token_url,
            "refreshTokenUrl": oidc.token_url,
            "clientId": oidc.client_id,
            "clientSecret": oidc.client_secret,
            "scope": ["openid", "lists.read"],
            **changes,
        }
    )


@pytest.fixture
def signed_in(oidc, browser, hold, query_of):
    """Sign in through the page, and return what was granted."""

    def sign_in(asking):
        verifier, challenge = pkce()
        page, text = browser.open(asking.authorization_url(redirect_uri=BACK, state="s1", challenge=challenge))
        assert "<form" in text
        back, _ = browser.open(page, {"username": oidc.user, "password": oidc.password, "answer": "yes"})
        assert back.startswith(f"{BACK}?")
        assert query_of(back)["state"] == "s1"
        assert query_of(back)["iss"] == oidc.issuer
        return hold(asking.exchange(code=query_of(back)["code"], redirect_uri=BACK, verifier=verifier))

    return sign_in


@pytest.fixture
def is_good(oidc, post):
    """Ask the provider whether it takes a token."""

    def asked(token):
        shown = {"client_id": oidc.client_id, "client_secret": oidc.client_secret}
        return post(oidc.introspection_url, {**shown, "token": token})[1]["active"]

    return asked


def test_a_code_becomes_a_token_that_the_provider_takes(oidc, signed_in, is_good):
    asking = by_code(oidc)
    assert asking.needs_browser

    grant = signed_in(asking)
    assert is_good(grant.fields["accessToken"])
    assert grant.expires_in == oidc.life
    assert grant.fields.keys() == {"accessToken", "refreshToken", "expiresIn", "tokenType", "scope"}
    assert (grant.fields["tokenType"], grant.fields["scope"]) == ("Bearer", "openid lists.read")


def test_a_client_with_a_strange_secret_shows_itself_in_a_header(oidc, signed_in):
    asking = by_code(oidc, clientId=oidc.basic_client_id, options={"useBasicAuth": True})

    assert signed_in(asking).fields["refreshToken"]


def test_a_code_is_worth_nothing_without_its_verifier(oidc, browser, hold, query_of):
    asking = by_code(oidc)
    page, _ = browser.open(asking.authorization_url(redirect_uri=BACK, state="s", challenge=pkce()[1]))
    back, _ = browser.open(page, {"username": oidc.user, "password": oidc.password, "answer": "yes"})

    with pytest.raises(SignInNeeded, match="invalid_grant"):
        hold(asking.exchange(code=query_of(back)["code"], redirect_uri=BACK, verifier=pkce()[0]))


def test_a_wrong_password_is_asked_for_again_and_no_is_an_answer(oidc, browser, query_of):
    page, _ = browser.open(by_code(oidc).authorization_url(redirect_uri=BACK, state="s", challenge=pkce()[1]))
    again, text = browser.open(page, {"username": oidc.user, "password": "wrong", "answer": "yes"})
    assert (again, "is wrong" in text) == (page, True)

    assert query_of(browser.open(page, {"answer": "no"})[0])["error"] == "access_denied"


def test_refresh_tokens_rotate_and_one_that_is_used_twice_ends_all(oidc, signed_in, hold, is_good):
    asking = by_code(oidc)
    first = signed_in(asking)
    second = hold(asking.obtain(first.fields))
    third = hold(asking.obtain(second.fields))

    tokens = [grant.fields["refreshToken"] for grant in (first, second, third)]
    assert len(set(tokens)) == 3
    assert is_good(third.fields["accessToken"])

    with pytest.raises(SignInNeeded, match="invalid_grant"):
        hold(asking.obtain(first.fields))
    with pytest.raises(SignInNeeded, match="invalid_grant"):
        hold(asking.obtain(third.fields))


def test_a_grant_that_was_revoked_is_the_operators_to_renew(oidc, signed_in, hold, post):
    asking = by_code(oidc)
    grant = signed_in(asking)
    shown = {"client_id": oidc.client_id, "client_secret": oidc.client_secret}
    assert post(oidc.revocation_url, {**shown, "token": grant.fields["refreshToken"]})[0] == 200

    with pytest.raises(SignInNeeded, match="invalid_grant") as refusal:
        hold(asking.obtain(grant.fields))
    assert grant.fields["refreshToken"] not in str(refusal.value)


@pytest.mark.parametrize("is_basic", [False, True])
def test_a_client_gets_a_token_in_its_own_name(oidc, hold, is_basic):
    grant = hold(
        client(
            grant="OAUTH2_CLIENT_CREDENTIALS",
            accessTokenUrl=oidc.token_url,
            clientId=oidc.basic_client_id if is_basic else oidc.client_id,
            clientSecret=oidc.client_secret,
            scope=["lists.read", "lists.write"],
            options={"useBasicAuth": is_basic},
        ).obtain({})
    )

    assert grant.expires_in == oidc.life
    assert grant.fields["scope"] == "lists.read lists.write"


def test_an_authors_own_request_is_understood(oidc, hold):
    form = "{{ formUrlEncode('grant_type', 'client_credentials', 'client_id', authData.clientId, 'client_secret', authData.clientSecret) | raw }}"  # noqa: E501
    own = request_of_ones_own(oidc.token_url, requestBody=template(form))
    asked = [{"name": name, "source": "CUSTOMER"} for name in ("clientId", "clientSecret")]
    typed = {"clientId": oidc.client_id, "clientSecret": oidc.client_secret}
    asking = client(typed, grant="OAUTH2_CLIENT_CREDENTIALS", authenticationDataFields=asked, accessTokenRequest=own)

    assert hold(asking.obtain({})).fields["accessToken"]


@pytest.mark.parametrize("is_basic", [False, True])
def test_a_wrong_secret_is_the_operators_to_mend(oidc, hold, is_basic):
    asking = client(
        grant="OAUTH2_CLIENT_CREDENTIALS",
        accessTokenUrl=oidc.token_url,
        clientId=oidc.basic_client_id if is_basic else oidc.client_id,
        clientSecret="a-wrong-secret",
        options={"useBasicAuth": is_basic},
    )

    with pytest.raises(SignInNeeded, match="invalid_client"):
        hold(asking.obtain({}))


def test_shared_credentials_get_a_token(oidc, hold, is_good):
    declared = {"url": oidc.token_url, "clientId": oidc.client_id, "clientSecret": oidc.client_secret}
    asking = platform(read(Credentials, {"oauth2ClientAuthentication": declared})[0])

    assert is_good(hold(asking.obtain({})).fields["accessToken"])


# -- the other server ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("is_basic", [False, True])
@pytest.mark.parametrize("grant", ["OAUTH2_PASSWORD", "OAUTH2_CLIENT_CREDENTIALS"])
def test_the_mock_server_gives_tokens(mock_server, hold, grant, is_basic):
    typed = {"username": "ada", "password": "correct horse"} if grant == "OAUTH2_PASSWORD" else {}
    asking = client(
        typed,
        grant=grant,
        accessTokenUrl=f"{mock_server}/token",
        refreshTokenUrl=f"{mock_server}/token",
        clientId="headrace",
        clientSecret="any",
        scope=["lists.read"],
        options={"useBasicAuth": is_basic},
    )
    first = hold(asking.obtain({}))

    assert (first.fields["tokenType"], first.expires_in) == ("Bearer", 3600.0)
    assert ("refreshToken" in first.fields) == (grant == "OAUTH2_PASSWORD")
    assert hold(asking.obtain(first.fields)).fields["accessToken"]


def test_the_mock_server_exchanges_a_code(mock_server, browser, hold, query_of):
    asking = client(
        grant="OAUTH2_AUTHORIZATION_CODE",
        authorizationUrl=f"{mock_server}/authorize",
        accessTokenUrl=f"{mock_server}/token",
        refreshTokenUrl=f"{mock_server}/token",
        clientId="headrace",
        clientSecret="any",
        scope=["openid"],
    )
    verifier, challenge = pkce()
    back, _ = browser.open(asking.authorization_url(redirect_uri=BACK, state="s", challenge=challenge))
    grant = hold(asking.exchange(code=query_of(back)["code"], redirect_uri=BACK, verifier=verifier))

    assert hold(asking.obtain(grant.fields)).fields["accessToken"]


# -- what the servers are made of ------------------------------------------------------------------------------------
def test_the_lock_holds_hashes_and_names_no_registry():
    """After `npm install` in the folder: `jq 'del(.packages[].funding)'` takes out the addresses of donations."""
    text = (SERVERS / "package-lock.json").read_text(encoding="utf-8")
    locked = {name: entry for name, entry in json.loads(text)["packages"].items() if name}

    assert "://" not in text
    assert all(entry["integrity"].startswith("sha512-") for entry in locked.values())
