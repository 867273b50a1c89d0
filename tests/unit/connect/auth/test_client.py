"""Each way to a token: what is asked, and in which order."""

import base64
from urllib.parse import parse_qsl, urlsplit

import pytest

from exchanges import PAGE, REFRESH_URL, TOKEN_URL, answer, client, form, granted, held, request_of_ones_own, template
from headrace.connect.auth import SignInNeeded, TokenRefused, pkce
from headrace.connect.auth.proof import challenge_of
from headrace.connect.origins import UnboundOrigin
from headrace.errors import AccountError, RenderError

CODE, PASSWORD, CLIENT = "OAUTH2_AUTHORIZATION_CODE", "OAUTH2_PASSWORD", "OAUTH2_CLIENT_CREDENTIALS"
SHOWN = {"client_id": "headrace", "client_secret": "client-secret"}
BACK = "https://headrace.example/callback"
BROUGHT = {"code": "c0de-1", "redirect_uri": BACK, "verifier": "the-verifier"}


def ask(exchange, *answers):
    """What is asked first."""
    return held(exchange, *(answers or [answer()]))[0][0]


# -- the requests of RFC 6749 ----------------------------------------------------------------------------------------
def test_a_code_is_exchanged_with_its_proof():
    request = ask(client(CODE).exchange(**BROUGHT))

    assert (request.method, request.url) == ("POST", TOKEN_URL)
    assert request.header("Content-Type") == "application/x-www-form-urlencoded"
    assert request.header("Accept") == "application/json"
    code = {"grant_type": "authorization_code", "code": "c0de-1", "redirect_uri": BACK}
    assert form(request) == {**code, "code_verifier": "the-verifier", **SHOWN}


def test_a_client_asks_in_its_own_name():
    request = ask(client(CLIENT, scope=["lists.read", "lists.write"]).obtain({}))

    assert request.url == TOKEN_URL
    assert form(request) == {"grant_type": "client_credentials", "scope": "lists.read lists.write", **SHOWN}


def test_a_password_is_sent():
    typed = {"username": "ada", "password": "correct horse"}

    assert form(ask(client(PASSWORD).obtain({}))) == {"grant_type": "password", **typed, **SHOWN}


def test_a_refresh_token_is_used():
    request = ask(client(CODE).obtain({"accessToken": "at-0", "refreshToken": "rt-0"}))

    assert request.url == REFRESH_URL
    assert form(request) == {"grant_type": "refresh_token", "refresh_token": "rt-0", **SHOWN}


@pytest.mark.parametrize("grant", [CODE, PASSWORD, CLIENT])
@pytest.mark.parametrize("is_first", [True, False])
def test_the_client_shows_itself_in_a_header_if_its_author_says_so(grant, is_first):
    asking = client(grant, clientId="head race", clientSecret="100%:ü", options={"useBasicAuth": True})
    first = asking.exchange(**BROUGHT) if grant == CODE else asking.obtain({})
    request = ask(first if is_first else asking.obtain({"refreshToken": "rt-0"}))

    shown = base64.b64decode(request.header("Authorization").removeprefix("Basic ")).decode()
    assert shown == "head+race:100%25%3A%C3%BC"
    assert not {"client_id", "client_secret"} & form(request).keys()


@pytest.mark.parametrize("options", [{}, {"useBasicAuth": False}, {"useBasicAuth": None}])
def test_the_client_shows_itself_in_the_form_else(options):
    request = ask(client(options={name: value for name, value in options.items() if value is not None}).obtain({}))

    assert request.header("Authorization") is None
    assert form(request).items() >= SHOWN.items()


# -- the page in the browser -----------------------------------------------------------------------------------------
def query_of(url):
    return dict(parse_qsl(urlsplit(url).query, strict_parsing=True))


def test_the_browser_is_sent_to_the_page_with_a_challenge():
    url = client(CODE, scope=["a", "b c"]).authorization_url(redirect_uri=BACK, state="s&1", challenge="ch")

    assert url.startswith(f"{PAGE}?")
    assert query_of(url) == {
        "response_type": "code",
        "client_id": "headrace",
        "redirect_uri": BACK,
        "scope": "a b c",
        "state": "s&1",
        "code_challenge": "ch",
        "code_challenge_method": "S256",
    }


def test_the_page_keeps_a_query_of_its_own():
    url = client(CODE, authorizationUrl=f"{PAGE}?prompt=consent#top").authorization_url(
        redirect_uri=BACK, state="s", challenge="ch"
    )

    assert query_of(url)["prompt"] == "consent"
    assert "scope" not in query_of(url)
    assert "#" not in url


def test_no_other_grant_has_a_page():
    with pytest.raises(AccountError, match="needs no browser"):
        client(CLIENT).authorization_url(redirect_uri=BACK, state="s", challenge="ch")


def test_a_proof_is_new_each_time_and_as_long_as_it_may_be():
    (verifier, challenge), (other, _) = pkce(), pkce()

    assert challenge == challenge_of(verifier)
    assert verifier != other
    assert 43 <= len(verifier) <= 128


# -- which way is taken ----------------------------------------------------------------------------------------------
RT = {"accessToken": "at-0", "refreshToken": "rt-0"}
OWN = request_of_ones_own()


@pytest.mark.parametrize(
    ("grant", "changes", "known", "goes_to"),
    [
        pytest.param(CODE, {}, {}, None, id="a code is got in the browser"),
        pytest.param(CODE, {}, RT, REFRESH_URL, id="and then by the refresh token"),
        pytest.param(CODE, {}, {"accessToken": "at-0"}, None, id="if there is one"),
        pytest.param(CODE, {"refreshTokenUrl": None}, RT, None, id="and a page for it"),
        pytest.param(CODE, {"accessTokenRequest": OWN}, {}, None, id="a code comes before a request of one's own"),
        pytest.param(CODE, {"accessTokenRequest": OWN}, RT, "own", id="which renews then"),
        pytest.param(
            CODE, {"accessTokenRequest": OWN, "refreshTokenUrl": None}, {"accessToken": "a"}, "own", id="also"
        ),
        pytest.param(PASSWORD, {}, {}, TOKEN_URL, id="a password"),
        pytest.param(PASSWORD, {}, RT, REFRESH_URL, id="and then the refresh token"),
        pytest.param(PASSWORD, {}, {"accessToken": "at-0"}, TOKEN_URL, id="or the password again"),
        pytest.param(PASSWORD, {"refreshTokenUrl": None}, RT, TOKEN_URL, id="without a page for refresh tokens too"),
        pytest.param(PASSWORD, {"accessTokenRequest": OWN}, RT, "own", id="one's own request for a password"),
        pytest.param(CLIENT, {}, {}, TOKEN_URL, id="a client"),
        pytest.param(CLIENT, {}, RT, REFRESH_URL, id="and then its refresh token"),
        pytest.param(CLIENT, {"accessTokenRequest": OWN}, {}, "own", id="one's own request for a client"),
        pytest.param(CLIENT, {"accessTokenRequest": OWN}, RT, "own", id="which renews too"),
    ],
)
def test_a_token_is_got_by_the_way_there_is(grant, changes, known, goes_to):
    asking = client(grant, **changes)

    assert asking.can_renew(known) == (goes_to is not None)
    assert client(grant, **changes).needs_browser == (grant == CODE)
    if goes_to is None:
        with pytest.raises(SignInNeeded, match="sign in anew"):
            next(asking.obtain(known))
    else:
        assert ask(asking.obtain(known)).url == goes_to.replace("own", "https://login.partner.example/own", 1)


@pytest.mark.parametrize("grant", [PASSWORD, CLIENT])
def test_a_grant_is_repeated_where_its_refresh_token_has_died(grant):
    refused = answer({"error": "invalid_grant"}, 400)
    asked, grant_ = held(client(grant).obtain(RT), refused, answer(access_token="at-1"))

    assert [request.url for request in asked] == [REFRESH_URL, TOKEN_URL]
    assert grant_.fields["accessToken"] == "at-1"
    assert "refreshToken" not in grant_.fields


def test_a_code_is_not_repeated():
    with pytest.raises(SignInNeeded, match="invalid_grant"):
        held(client(CODE).obtain(RT), answer({"error": "invalid_grant"}, 400))


@pytest.mark.parametrize("grant", [PASSWORD, CLIENT])
def test_a_grant_is_not_repeated_because_the_partner_is_busy(grant):
    with pytest.raises(TokenRefused):
        held(client(grant).obtain(RT), answer(b"", 503))


# -- refresh tokens --------------------------------------------------------------------------------------------------
def test_a_new_refresh_token_replaces_the_old_one():
    assert granted(client(CODE).obtain(RT), answer(refresh_token="rt-1")).fields["refreshToken"] == "rt-1"


@pytest.mark.parametrize("none", [None, "", 7, ["rt-1"]])
def test_the_old_refresh_token_stays_where_none_comes(none):
    assert granted(client(CODE).obtain(RT), answer(refresh_token=none)).fields["refreshToken"] == "rt-0"


def test_an_author_can_fix_the_refresh_token():
    asking = client(CODE, authenticationDataFields=[{"name": "refreshToken", "value": "fixed-rt"}])

    assert not asking.needs_browser
    asked, grant = held(asking.obtain({}), answer(refresh_token="rt-1"))
    assert form(asked[0])["refresh_token"] == "fixed-rt"
    assert grant.fields["refreshToken"] == "fixed-rt"


def test_an_operator_can_give_the_first_refresh_token():
    asked_for = {"name": "refreshToken", "source": "CUSTOMER", "format": "password"}
    asking = client(CODE, {"refreshToken": "typed-rt"}, authenticationDataFields=[asked_for])

    assert not asking.needs_browser
    assert form(ask(asking.obtain({})))["refresh_token"] == "typed-rt"
    assert form(ask(asking.obtain({"accessToken": "a", "refreshToken": "rt-1"})))["refresh_token"] == "rt-1"


# -- what the operator gives -----------------------------------------------------------------------------------------
ASKED = [
    {"name": "clientId", "source": "CUSTOMER", "isRequired": True},
    {"name": "clientSecret", "source": "CUSTOMER", "isRequired": True},
]
NO_CLIENT = {"clientId": None, "clientSecret": None}


@pytest.mark.parametrize(
    ("grant", "changes", "given", "missing"),
    [
        (PASSWORD, {}, {"username": ""}, "username"),
        (PASSWORD, {}, {"password": ""}, "password"),
        (PASSWORD, {"accessTokenRequest": OWN}, {"username": "", "password": ""}, "password, username"),
        (CLIENT, {"clientId": None, "authenticationDataFields": ASKED[:1]}, {}, "clientId"),
        (CLIENT, {**NO_CLIENT, "authenticationDataFields": ASKED}, {}, "clientId, clientSecret"),
        (CLIENT, {"authenticationDataFields": [{**ASKED[0], "name": "tenant"}]}, {}, "tenant"),
        (CODE, {"clientId": None, "authenticationDataFields": ASKED[:1], "accessTokenRequest": OWN}, {}, "clientId"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(grant, changes, given, missing):
    with pytest.raises(AccountError, match=f"give: {missing}\\."):
        client(grant, given, **changes)


def test_what_is_not_needed_may_be_missing():
    assert client(authenticationDataFields=[{"name": "tenant", "source": "CUSTOMER"}]).obtain({})
    assert client(PASSWORD, clientId=None, clientSecret=None, accessTokenUrl=None, accessTokenRequest=OWN)


def test_the_operators_own_client_takes_the_place_of_the_authors():
    typed = {"clientId": "of-the-operator", "clientSecret": "s3cret-typed"}
    request = ask(client(CLIENT, typed, clientId=None, clientSecret=None, authenticationDataFields=ASKED).obtain({}))

    assert form(request).items() >= {"client_id": "of-the-operator", "client_secret": "s3cret-typed"}.items()


FORM = [{"name": name, "source": "CUSTOMER"} for name in ("accessTokenUrl", "authorizationUrl", "refreshTokenUrl")]
NOWHERE = {field["name"]: None for field in FORM}
THEIRS = {field["name"]: f"https://login.operator.example/{field['name']}" for field in FORM}


def test_a_data_field_says_where_each_address_is():
    asking = client(CODE, THEIRS, **NOWHERE, authenticationDataFields=FORM)

    assert asking.addresses() == (THEIRS["accessTokenUrl"], THEIRS["refreshTokenUrl"])
    page = asking.authorization_url(redirect_uri=BACK, state="s", challenge="ch")
    assert page.startswith(THEIRS["authorizationUrl"])
    assert ask(asking.exchange(**BROUGHT)).url == THEIRS["accessTokenUrl"]
    assert ask(asking.obtain(RT)).url == THEIRS["refreshTokenUrl"]


def test_an_address_that_is_none_is_named():
    with pytest.raises(AccountError, match="give: accessTokenUrl, authorizationUrl"):
        client(CODE, **NOWHERE, authenticationDataFields=FORM)
    with pytest.raises(AccountError, match="`accessTokenUrl` of the account is no absolute URL"):
        client(CODE, THEIRS | {"accessTokenUrl": "login"}, **NOWHERE, authenticationDataFields=FORM)


def test_only_what_is_asked_for_counts():
    request = ask(client(CLIENT, {"clientId": "sneaked-in", "scope": "everything"}).obtain({}))

    assert form(request) == {"grant_type": "client_credentials", **SHOWN}


@pytest.mark.parametrize(
    ("field", "given", "scope"),
    [
        ({"name": "scope", "value": "fixed"}, {}, "fixed"),
        ({"name": "scope", "source": "CUSTOMER"}, {"scope": "typed"}, "typed"),
        ({"name": "scope", "source": "CUSTOMER", "value": "preset"}, {}, "preset"),
        ({"name": "scope", "source": "CUSTOMER", "value": "preset"}, {"scope": "typed"}, "typed"),
        ({"name": "scope", "source": "CUSTOMER"}, {}, "declared"),
    ],
)
def test_a_data_field_takes_the_place_of_an_input_of_its_name(field, given, scope):
    asking = client(CLIENT, given, scope=["declared"], authenticationDataFields=[field])

    assert form(ask(asking.obtain({})))["scope"] == scope


# -- the author's own request ----------------------------------------------------------------------------------------
def own(given=None, grant=CLIENT, data=(), **changes):
    fields = [{"name": "tenant", "source": "CUSTOMER"}, *data]
    request = request_of_ones_own(**changes)
    return client(
        grant, {"tenant": "acme", **(given or {})}, authenticationDataFields=fields, accessTokenRequest=request
    )


def test_everything_that_is_known_can_be_read():
    request = ask(
        own(
            url="https://{{ authData.tenant }}.partner.example/{{ userContext.sandboxName }}",
            httpMethod="PUT",
            queryParameters=template("id={{ userContext.sandboxId }}&org={{ userContext.imsOrgId | urlencode }}"),
            headers=[{"header": "X-Client", "value": template("{{ userContext.client }}")}],
            contentType="application/json",
            requestBody=template('{"secret": "{{ authData.clientSecret }}", "old": "{{ authData.accessToken }}"}'),
        ).obtain({"accessToken": "at-0", "forgotten": "x"})
    )

    assert request.method == "PUT"
    assert request.url == "https://acme.partner.example/prod?id=sandbox-1&org=org%40Ims"
    assert request.headers == (("X-Client", "client-7"), ("Content-Type", "application/json"))
    assert request.body == b'{"secret": "client-secret", "old": "at-0"}'


def test_a_form_is_encoded():
    request = ask(
        own({"tenant": "a&b=ü"}, requestBody=template("{{ formUrlEncode('t', authData.tenant) | raw }}")).obtain({})
    )

    assert request.body == b"t=a%26b%3D%C3%BC"


def test_a_code_is_exchanged_by_the_authors_request_where_there_is_no_other():
    body = template("{{ authData.code }} {{ authData.redirectUri | raw }} {{ authData.codeVerifier }}")
    asking = client(CODE, accessTokenUrl=None, accessTokenRequest=request_of_ones_own(requestBody=body))

    assert ask(asking.exchange(**BROUGHT)).body == f"c0de-1 {BACK} the-verifier".encode()


def test_a_request_that_cannot_be_written_tells_no_secret():
    asking = own(
        {"tenant": "s3cret-tenant"},
        url="https://partner.example/",
        requestBody=template("{{ authData.tenant | date('y') }}"),
    )

    with pytest.raises(RenderError, match="cannot be written") as refusal:
        next(asking.obtain({}))
    assert "s3cret-tenant" not in str(refusal.value)


# -- where it asks ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("grant", "changes", "addresses"),
    [
        (CODE, {}, (TOKEN_URL, REFRESH_URL)),
        (CODE, {"refreshTokenUrl": None}, (TOKEN_URL,)),
        (CLIENT, {"accessTokenRequest": OWN}, ("https://login.partner.example/own",)),
        (CODE, {"accessTokenRequest": OWN}, (TOKEN_URL, "https://login.partner.example/own")),
    ],
)
def test_every_address_is_told_before_anything_is_sent_to_it(grant, changes, addresses):
    assert client(grant, **changes).addresses() == addresses


def test_what_an_answer_brings_does_not_say_where_secrets_go():
    captured = {"name": "home", "authenticationResponsePath": "home"}
    asking = own(url="https://{{ authData.home }}/token", data=[captured])

    assert "evil" not in str(asking.addresses())
    assert ask(asking.obtain({"home": "evil.example"})).url == "https://evil.example/token"


HOST = "https://{{ authData.tenant }}.partner.example/token"


@pytest.mark.parametrize("tenant", ["evil.example/", "evil.example?", "evil.example:443/", "evil.example/x."])
def test_what_the_operator_types_does_not_lead_the_authors_secret_elsewhere(tenant):
    asking = own({"tenant": tenant}, url=HOST)

    assert asking.addresses() == ()
    with pytest.raises(UnboundOrigin, match=r"does not end with '\.partner\.example'"):
        next(asking.obtain({}))


@pytest.mark.parametrize(
    ("url", "tenant", "goes_to"),
    [
        (HOST, "acme", "https://acme.partner.example/token"),
        (HOST, "a.b", "https://a.b.partner.example/token"),
        ("https://{{ authData.tenant }}.Partner.example:8443/t", "acme", "https://acme.Partner.example:8443/t"),
        ("https://partner.example:{{ authData.tenant }}/t", "8443", "https://partner.example:8443/t"),
        ("https://{{ authData.tenant }}/t", "any.example", "https://any.example/t"),
        ("{{ authData.tenant }}/t", "https://any.example", "https://any.example/t"),
        ("http://[::1]:9000/{{ authData.tenant }}", "t", "http://[::1]:9000/t"),
    ],
)
def test_a_host_is_open_as_far_as_its_author_leaves_it_open(url, tenant, goes_to):
    asking = own({"tenant": tenant}, url=url)

    assert asking.addresses() == (goes_to,)
    assert ask(asking.obtain({})).url == goes_to
