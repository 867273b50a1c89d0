"""Telling a partner that a token is not used any more: the request of RFC 7009, and what is made of the answer."""

import base64

import pytest

from exchanges import answer, client, form, request_of_ones_own
from headrace.connect.auth import Revocation
from headrace.errors import AccountError
from headrace.model.http import Response

URL = "https://login.partner.example/revoke"
ENDS = {"x-headrace": {"revocationUrl": URL}}
CODE, CLIENT = "OAUTH2_AUTHORIZATION_CODE", "OAUTH2_CLIENT_CREDENTIALS"
BOTH = {"accessToken": "access-token-1", "refreshToken": "refresh-token-1"}
SHOWN = {"client_id": "headrace", "client_secret": "client-secret"}


def told(grant=CODE, known=None, **changes):
    return client(grant, **{**ENDS, **changes}).revocation(BOTH if known is None else known)


def test_the_refresh_token_is_ended_by_the_client_that_got_it():
    request = told().request()

    assert (request.method, request.url) == ("POST", URL)
    assert request.header("Content-Type") == "application/x-www-form-urlencoded"
    assert request.header("Authorization") is None
    assert form(request) == {"token": "refresh-token-1", "token_type_hint": "refresh_token", **SHOWN}


def test_the_access_token_is_ended_where_there_is_no_other():
    request = told(CLIENT, {"accessToken": "access-token-1"}).request()

    assert form(request) == {"token": "access-token-1", "token_type_hint": "access_token", **SHOWN}


def test_the_client_shows_itself_in_a_header_where_it_does_so_for_tokens():
    request = told(clientId="head race", clientSecret="100%:ü", options={"useBasicAuth": True}).request()

    shown = base64.b64decode(request.header("Authorization").removeprefix("Basic "))
    assert shown == b"head+race:100%25%3A%C3%BC"
    assert form(request) == {"token": "refresh-token-1", "token_type_hint": "refresh_token"}


def test_a_client_without_a_name_sends_the_token_alone():
    own = request_of_ones_own(requestBody={"templatingStrategy": "NONE", "value": "grant=mine"})
    request = told(CLIENT, clientId=None, clientSecret=None, accessTokenRequest=own).request()

    assert form(request) == {"token": "refresh-token-1", "token_type_hint": "refresh_token"}


@pytest.mark.parametrize(
    ("changes", "known"),
    [({"x-headrace": None}, BOTH), ({}, {}), ({}, {"scope": "lists"})],
    ids=["no address", "nothing granted", "no token"],
)
def test_where_there_is_nothing_to_tell_or_no_way_nothing_is_told(changes, known):
    assert told(CODE, known, **changes) is None


def test_operators_may_give_the_address_as_the_others():
    asked = [{"name": "revocationUrl", "source": "CUSTOMER"}]
    mine = "https://mine.partner.example/revoke"

    asking = client(CODE, {"revocationUrl": mine}, authenticationDataFields=asked, **ENDS)
    assert asking.revocation(BOTH).url == mine
    assert mine in asking.addresses()
    with pytest.raises(AccountError, match="`revocationUrl` of the account is no absolute URL"):
        client(CODE, {"revocationUrl": "revoke"}, authenticationDataFields=asked)


def test_it_comes_back_from_its_texts_as_it_was():
    for revocation in (told(), told(options={"useBasicAuth": True}), told(CLIENT, {"accessToken": "at-1"})):
        assert Revocation.of(revocation.texts()) == revocation


@pytest.mark.parametrize("status", [200, 204])
def test_a_partner_that_agrees_has_ended_it(status):
    assert told().refused(Response(status)) is None


@pytest.mark.parametrize(
    ("given", "said", "may_pass"),
    [
        (answer({"error": "unsupported_token_type"}, 400), "400, unsupported_token_type", False),
        (answer({"error": "invalid_client", "error_description": "Who?"}, 401), "401, invalid_client: Who?", False),
        (answer({"error": "token_revoked"}, 200), "200, token_revoked", False),
        (Response(404, (), b"<!doctype html>"), "404", False),
        (Response(302, (("Location", "https://elsewhere.example"),)), "302", False),
        (Response(503), "503", True),
        (Response(429), "429", True),
        (Response(408), "408", True),
        (Response(500), "500", True),
    ],
    ids=["type", "client", "error in a 200", "page", "redirect", "down", "too many", "slow", "fault"],
)
def test_a_refusal_says_why_and_whether_it_may_pass(given, said, may_pass):
    refused = told().refused(given)

    assert refused.reason == f"The partner did not end the token: it answered {said}."
    assert refused.may_pass is may_pass


def test_the_wait_that_the_partner_asks_for_is_kept():
    assert told().refused(Response(503, (("Retry-After", "120"),))).after == 120


@pytest.mark.parametrize("is_basic", [False, True])
def test_a_partner_that_repeats_what_it_was_sent_tells_no_secret(is_basic):
    revocation = told(options={"useBasicAuth": is_basic})
    request = revocation.request()
    words = f"{request.body.decode()} {request.header('Authorization')} client-secret"
    refused = revocation.refused(answer({"error": "invalid_request", "error_description": words}, 400))

    shown = base64.b64encode(b"headrace:client-secret").decode()
    for text in (refused.reason, repr(revocation)):
        for secret in ("refresh-token-1", "client-secret", shown):
            assert secret not in text
