"""What is read from the answer of a token endpoint, and what is made of one that holds no token."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchanges import answer, client, granted, held, request_of_ones_own, template, text
from headrace.connect.auth import SignInNeeded, TokenRefused
from headrace.connect.auth.answer import LONGEST_LIFE, lifetime
from headrace.connect.auth.refusal import LONGEST_DESCRIPTION
from headrace.errors import AccountError, HeadraceError, PartnerError
from headrace.model.http import Response

CODE, PASSWORD, CLIENT = "OAUTH2_AUTHORIZATION_CODE", "OAUTH2_PASSWORD", "OAUTH2_CLIENT_CREDENTIALS"
HTML = (("Content-Type", "text/html; charset=utf-8"),)
GRANTED = {"accessToken": "at-1", "tokenType": "Bearer", "expiresIn": "3600"}


def fields(*answers, **changes):
    return granted(client(**changes).obtain({}), *(answers or [answer()])).fields


def refusal(given, exchange=None):
    with pytest.raises(HeadraceError) as raised:
        held(exchange or client().obtain({}), given)
    return raised.value


# -- what is kept ----------------------------------------------------------------------------------------------------
def test_what_oauth_knows_is_kept():
    told = answer(refresh_token="rt-1", scope="a b", more="x")

    assert fields(told) == {**GRANTED, "refreshToken": "rt-1", "scope": "a b"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("access_token", {"access_token": "at-1"}),
        ("data.token", {"data": {"token": "at-1"}}),
        ("$.data.token", {"data": {"token": "at-1"}}),
        ("$.tokens[1].value", {"tokens": [{}, {"value": "at-1"}]}),
        ("tokens.1.value", {"tokens": [{}, {"value": "at-1"}]}),
        ("$['a b'].token", {"a b": {"token": "at-1"}}),
        ('data["a.b"]', {"data": {"a.b": "at-1"}}),
        ("data.token", {"data.token": "at-1", "data": {"token": "other"}}),
    ],
)
def test_a_path_leads_to_the_token(path, body):
    assert fields(answer(body), accessTokenResponsePath=path)["accessToken"] == "at-1"


@pytest.mark.parametrize(
    "path", ["", "$", "data", "data.", "data.token.more", "data[9]", "data[", "..", "list[3]", "list.x"]
)
def test_a_path_that_leads_nowhere_finds_nothing(path):
    told = answer({"data": {"token": "at-1"}, "list": ["a"]})

    assert "no access token" in str(refusal(told, client(accessTokenResponsePath=path).obtain({})))


def test_each_output_has_a_path():
    told = answer({"t": {"a": "at-1", "r": "rt-1", "e": 60}})
    paths = {"accessTokenResponsePath": "t.a", "refreshTokenResponsePath": "$.t.r", "expiresInResponsePath": "t.e"}

    assert fields(told, **paths) == {"accessToken": "at-1", "refreshToken": "rt-1", "expiresIn": "60"}


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("x", "x"), (7, "7"), (7.0, "7"), (7.5, "7.5"), (True, "true"), (False, "false"), ({"a": 1}, '{"a":1}'),
        (["ü"], '["ü"]'),
    ],
)  # fmt: skip
def test_a_field_captures_what_its_path_leads_to(value, kept):
    captured = {"name": "until", "source": "CUSTOMER", "authenticationResponsePath": "refresh.until"}

    assert fields(answer(refresh={"until": value}), authenticationDataFields=[captured])["until"] == kept


def test_a_field_takes_the_place_of_an_output_of_its_name():
    data = [
        {"name": "accessToken", "authenticationResponsePath": "token"},
        {"name": "tokenType", "value": "MAC"},
        {"name": "expiresIn", "value": 60, "type": "integer"},
        {"name": "region", "value": "north"},
        {"name": "isOpen", "value": True, "type": "boolean"},
    ]
    expected = {"accessToken": "at-2", "tokenType": "MAC", "expiresIn": "60", "region": "north", "isOpen": "true"}

    assert fields(answer(token="at-2"), authenticationDataFields=data) == expected


@pytest.mark.parametrize(("told", "kept"), [({}, "900"), ({"ttl": 30}, "30")])
def test_a_value_stands_in_where_a_path_finds_nothing(told, kept):
    data = [{"name": "expiresIn", "value": 900, "authenticationResponsePath": "ttl"}]

    assert fields(answer(**told), authenticationDataFields=data)["expiresIn"] == kept


def test_the_secrets_of_signing_in_are_not_kept_with_the_token():
    data = [{"name": "clientSecret", "value": "fixed-secret"}, {"name": "clientId", "value": "fixed-id"}]

    assert fields(answer(), clientSecret=None, authenticationDataFields=data) == {**GRANTED, "clientId": "fixed-id"}


def test_what_an_earlier_answer_brought_is_known_still():
    data = [{"name": "home", "authenticationResponsePath": "home"}]
    known = {"accessToken": "at-0", "refreshToken": "rt-0", "expiresIn": "9", "scope": "a", "home": "h", "gone": "x"}
    told = answer({"access_token": "at-1"})

    kept = granted(client(CODE, authenticationDataFields=data).obtain(known), told)
    assert kept.fields == {"accessToken": "at-1", "refreshToken": "rt-0", "scope": "a", "home": "h"}
    assert kept.expires_in is None


# -- how long a token lives ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("3600", 3600.0), ('"3600"', 3600.0), ('" 3600 "', 3600.0), ("3599.5", 3599.5), ("3.6e3", 3600.0), ("1", 1.0),
        ("0", None), ("-1", None), ('"-5"', None), ("1e400", None), ("-1e400", None), ("1e300", LONGEST_LIFE),
        ("99999999999", LONGEST_LIFE), ("123456789012345678901234567890", LONGEST_LIFE), ("true", None),
        ("false", None), ("null", None), ('"soon"', None), ('""', None), ("[3600]", None), ('{"s": 3600}', None),
        ('"٣"', None), ('"1e3"', None), ('"0x10"', None), ("NaN", None),
    ],
)  # fmt: skip
def test_a_life_is_a_positive_number_of_seconds_or_not_known(written, seconds):
    body = f'{{"access_token": "at-1", "expires_in": {written}}}'.encode()

    assert granted(client().obtain({}), answer(body)).expires_in == seconds


def test_a_life_that_is_not_told_is_not_known():
    assert granted(client().obtain({}), answer(expires_in=None)).expires_in is None


def test_a_life_can_be_fixed():
    fixed = [{"name": "expiresIn", "value": "120"}]

    for told in (None, 3600, "soon"):
        assert granted(client(authenticationDataFields=fixed).obtain({}), answer(expires_in=told)).expires_in == 120


@given(st.text() | st.integers().map(str) | st.floats().map(str))
def test_any_text_is_read_as_a_life_that_can_be_counted(written):
    seconds = lifetime(written)

    assert seconds is None or 0 < seconds <= LONGEST_LIFE


# -- what is no token ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param(answer(b"", 500), "answered 500", id="500"),
        pytest.param(answer(b"", 302, (("Location", "https://evil.example"),)), "answered 302", id="a redirect"),
        pytest.param(answer(b"<h1>Down</h1>", 200, HTML), "answered 200 with a page for people", id="HTML"),
        pytest.param(answer(b"<h1>Down</h1>", 401, HTML), "answered 401 with a page for people", id="HTML with 401"),
        pytest.param(answer(b'{"access_token": '), "something else than a JSON object", id="broken JSON"),
        pytest.param(answer(b'["access_token"]'), "something else than a JSON object", id="a list"),
        pytest.param(answer(b'"access_token"'), "something else than a JSON object", id="a text"),
        pytest.param(answer(b""), "something else than a JSON object", id="nothing"),
        pytest.param(answer(b"\xff\xfe\x00"), "something else than a JSON object", id="bytes"),
        pytest.param(answer(b"[" * 60_000), "something else than a JSON object", id="depth"),
        pytest.param(
            Response(200, (), b'{"access_token": "at-1", "x": "' + b"a" * 60_000, truncated=True),
            "more than Headrace reads",
            id="10 MB",
        ),
        pytest.param(answer({}), "no access token", id="an empty object"),
        pytest.param(answer(access_token=""), "no access token", id="an empty token"),
        pytest.param(answer(access_token="a b"), "place of the access token that is none", id="words"),
        pytest.param(answer(access_token="a\r\nX: 1"), "place of the access token that is none", id="lines"),
        pytest.param(answer({"error": "invalid_scope"}, 400), "400, invalid_scope", id="an error that is not final"),
        pytest.param(
            answer({"error": "server_error", "error_description": "Try\nlater."}),
            "200, server_error: Try later.",
            id="an error with 200",
        ),
        pytest.param(answer({"error": {"code": 7}}, 400), "answered 400.", id="an error that is no text"),
        pytest.param(answer({"error": "invalid grant!"}, 400), "answered 400.", id="an error that is no code"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("has_own", [False, True])
def test_an_answer_without_a_token_is_the_partners(given, says, has_own):
    changes = {"accessTokenRequest": request_of_ones_own()} if has_own else {}
    error = refusal(given, client(**changes).obtain({}))

    assert isinstance(error, TokenRefused)
    assert isinstance(error, PartnerError)
    assert (error.code, error.after) == ("token-refused", None)
    if not has_own:
        assert says in str(error)


@pytest.mark.parametrize("value", [7, True, ["at-1"], {"value": "at-1"}])
def test_a_token_is_a_text(value):
    assert "no access token" in str(refusal(answer(access_token=value)))


@pytest.mark.parametrize("status", [200, 400, 401])
@pytest.mark.parametrize("name", ["invalid_grant", "invalid_client", "unauthorized_client", "access_denied"])
@pytest.mark.parametrize("has_own", [False, True])
def test_what_no_repeating_mends_is_the_operators(status, name, has_own):
    changes = {"accessTokenRequest": request_of_ones_own()} if has_own else {}
    told = answer({"error": name, "error_description": "It is over."}, status)
    error = refusal(told, client(**changes).obtain({}))

    assert isinstance(error, SignInNeeded)
    assert isinstance(error, AccountError)
    assert error.code == "sign-in-needed"
    assert str(error) == f"The partner gives this account no token ({name}: It is over.); sign in anew."


def test_401_with_any_json_is_the_operators():
    assert isinstance(refusal(answer({"message": "who are you?"}, 401)), SignInNeeded)


@pytest.mark.parametrize(
    ("headers", "after"),
    [
        ({"Retry-After": "30"}, 30.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"Retry-After": "99999999"}, 86400.0),
        ({"Retry-After": "soon"}, None),
        ({}, None),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:40 GMT", "Date": "Wed, 21 Oct 2015 07:28:00 GMT"}, 40.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:40 GMT", "Date": "yesterday"}, 0.0),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_the_wait_that_the_partner_asks_for_is_told(status, headers, after):
    assert refusal(answer(b"", status, tuple(headers.items()))).after == after


def test_a_description_is_cut():
    error = refusal(answer({"error": "invalid_request", "error_description": "long " * 1000}, 400))

    assert len(str(error)) < LONGEST_DESCRIPTION + 100


# -- validations -----------------------------------------------------------------------------------------------------
def check(actual, expected, name="the account is open"):
    return {"name": name, "actualValue": template(actual), "expectedValue": expected}


@pytest.mark.parametrize(
    ("actual", "expected", "holds"),
    [
        ("{{ response.status }}", text("200"), True),
        ("{{ response.status }}", text("201"), False),
        ("{{ response.status }}", text("20[01]"), True),
        ("{{ response.status }}", text("20"), False),
        ("{{ response.status }}", text("2..|never"), True),
        ("{{ response.body.open }}", text("true"), True),
        ("{{ response.body.open }}", text("false"), False),
        ("{{ response.body.missing }}", text(""), True),
        ("{{ response.body.missing }}", text(".+"), False),
        ("{{ response.body.note }}", text("it's <ok> & (fine"), True),
        ("{{ response.body.note }}", text("(unclosed"), False),
        ("{{ response.body.note }}", text("x)|(.*"), False),
        ("{{ response.body.tenant }}", template("{{ authData.tenant }}"), True),
        ('{{ response.headers["X-Kind"][0] }}', text("a"), True),
        ('{{ response.headers["x-kind"][1] }}', text("b"), True),
        ("{{ userContext.imsOrgId }}", text("org@Ims"), True),
        ("{{ response.body.many }}", text("(a+)+b"), False),
    ],
)
@pytest.mark.parametrize("where", ["entry", "request"])
def test_a_validation_holds_if_the_texts_are_equal_or_all_matches(actual, expected, holds, where):
    checks = [check(actual, expected)]
    changes = (
        {"validations": checks} if where == "entry" else {"accessTokenRequest": request_of_ones_own(validations=checks)}
    )
    asked = [{"name": "tenant", "source": "CUSTOMER"}]
    exchange = client(given={"tenant": "acme"}, authenticationDataFields=asked, **changes).obtain({})
    told = answer(
        headers=(("X-Kind", "a"), ("X-Kind", "b")), open=True, note="it's <ok> & (fine", tenant="acme", many="a" * 5000
    )

    if holds:
        assert granted(exchange, told).fields["accessToken"] == "at-1"
    else:
        assert str(refusal(told, exchange)) == (
            "The partner's answer does not pass the validation 'the account is open'."
        )


def test_the_checks_of_the_entry_hold_for_the_authors_request_too():
    own = request_of_ones_own(validations=[check("1", text("1"), "first")])
    exchange = client(validations=[check("1", text("2"), "second")], accessTokenRequest=own).obtain({})

    assert "'second'" in str(refusal(answer(), exchange))


# -- the author's own reading ----------------------------------------------------------------------------------------
def test_the_author_says_where_everything_stands():
    own = request_of_ones_own(
        fields={
            "accessToken": "{{ response.headers.token[0] }}",
            "refreshToken": "{{ response.body.tokens[0].refresh }}",
            "expiresIn": "{{ response.body.minutes * 60 }}",
            "tokenType": "Key",
            "home": "https://{{ response.body.shard }}.partner.example",
            "nothing": "{{ response.body.nothing }}",
        }
    )
    told = answer({"tokens": [{"refresh": "r<&'1"}], "minutes": 5, "shard": "eu1"}, headers=(("token", "at-9"),))
    kept = granted(client(accessTokenRequest=own).obtain({}), told)

    assert kept.fields == {
        "accessToken": "at-9",
        "refreshToken": "r<&'1",
        "expiresIn": "300",
        "tokenType": "Key",
        "home": "https://eu1.partner.example",
    }
    assert kept.expires_in == 300.0


def test_what_the_author_reads_is_known_at_the_next_request():
    own = request_of_ones_own(
        fields={"accessToken": "{{ response.body.a }}", "home": "{{ response.body.home }}"},
        requestBody=template("{{ authData.home }}"),
    )
    asking = client(accessTokenRequest=own)
    first = granted(asking.obtain({}), answer({"a": "at-1", "home": "eu1"}))
    asked, second = held(asking.obtain(first.fields), answer({"a": "at-2"}))

    assert asked[0].body == b"eu1"
    assert second.fields == {"accessToken": "at-2", "home": "eu1"}


def test_a_field_captures_beside_the_authors_request():
    data = [{"name": "until", "authenticationResponsePath": "until"}]
    asking = client(accessTokenRequest=request_of_ones_own(), authenticationDataFields=data)

    assert granted(asking.obtain({}), answer(until="2030")).fields == {"accessToken": "at-1", "until": "2030"}


def test_an_answer_that_the_templates_do_not_fit_is_refused():
    own = request_of_ones_own(fields={"accessToken": "{{ response.body.when | date('y') }}"})

    assert "cannot be read" in str(refusal(answer(when="s3cret"), client(accessTokenRequest=own).obtain({})))


# -- no error tells a secret -----------------------------------------------------------------------------------------
SECRET = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789+/=_- ü&<", min_size=8, max_size=24).map(lambda s: f"{s}Q7")
STATUS = st.sampled_from([200, 400, 401, 403, 500])
ERROR = st.sampled_from(["invalid_grant", "invalid_request", "server_error", "{}"])


@settings(max_examples=60)
@given(secrets=st.lists(SECRET, min_size=5, max_size=5, unique=True), status=STATUS, error=ERROR, data=st.data())
def test_no_error_holds_a_secret_however_the_partner_echoes_it(secrets, status, error, data):
    client_secret, password, api_key, refresh_token, code = secrets
    asked = [{"name": "apiKey", "source": "CUSTOMER"}]
    typed = {"username": "ada-the-user", "password": password, "apiKey": api_key}
    own = request_of_ones_own(
        requestBody=template("{{ authData.password | date('y') }}" if data.draw(st.booleans()) else "x"),
        fields={"accessToken": "{{ response.body.error_description | date('y') }}"},
        validations=[check("{{ response.body.error_description }}", text("never"), "fits")],
    )
    changes = {"accessTokenRequest": own} if data.draw(st.booleans()) else {}
    asking = client(PASSWORD, typed, clientSecret=client_secret, authenticationDataFields=asked, **changes)
    echo = data.draw(st.permutations(secrets)).__str__()
    told = answer({"error": error.format(api_key), "error_description": f"{echo} {' '.join(secrets)}"}, status)
    exchanges = [asking.obtain({"refreshToken": refresh_token})]
    if not changes:
        exchanges.append(asking.exchange(code=code, redirect_uri="https://h.example", verifier="v" * 43))
    known = {0: secrets[:4], 1: [client_secret, password, api_key, code]}

    for number, exchange in enumerate(exchanges):
        with pytest.raises(HeadraceError) as raised:
            held(exchange, *[told] * (2 if number == 0 and not changes and is_final(told) else 1))
        shown = f"{raised.value} {raised.value.message} {raised.value!r} {asking!r}"
        assert not any(secret in shown for secret in known[number])


def is_final(told):
    return told.status == 401 or json.loads(told.body)["error"] == "invalid_grant"


def test_nothing_that_holds_tokens_shows_them():
    kept = granted(client(PASSWORD).obtain({}), answer(access_token="at-s3cret"))

    assert "s3cret" not in repr(kept)
    assert repr(client(PASSWORD)) == "OAuthClient(OAUTH2_PASSWORD)"


# -- any answer at all -----------------------------------------------------------------------------------------------
LEAF = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
NAMES = (
    st.sampled_from(["access_token", "refresh_token", "expires_in", "error", "error_description", "data"]) | st.text()
)
JSON = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5))
BODY = st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode())


@settings(max_examples=200)
@given(body=BODY, status=st.integers(200, 599), path=NAMES | st.text("$.[]'\"a0", max_size=8), has_own=st.booleans())
def test_any_answer_is_a_token_or_a_refusal(body, status, path, has_own):
    own = request_of_ones_own(fields={"accessToken": "{{ response.body }}", "more": "{{ response.body.data }}"})
    changes = {"accessTokenRequest": own} if has_own else {"accessTokenResponsePath": path}
    data = [{"name": "more", "authenticationResponsePath": path or "x"}]
    exchange = client(authenticationDataFields=data, validations=[check("{{ response.body.x }}", text(""))], **changes)

    try:
        kept = granted(exchange.obtain({}), answer(body, status))
    except (TokenRefused, SignInNeeded):
        return
    token = kept.fields["accessToken"]
    assert token.isascii()
    assert token.isprintable()
    assert " " not in token
    assert kept.expires_in is None or kept.expires_in > 0
