"""Holding the conversations that get tokens, without any network."""

import json
from urllib.parse import parse_qsl

from headrace.connect.auth import OAuthClient, UserContext
from headrace.model.authentication import CustomerAuthentication
from headrace.model.http import Response
from headrace.model.reading import read

TOKEN_URL, REFRESH_URL, PAGE = (f"https://login.partner.example/{path}" for path in ("token", "refresh", "authorize"))
USER = UserContext("prod", "sandbox-1", "org@Ims", "client-7")
GIVEN = {"username": "ada", "password": "correct horse"}


def way(grant, **changes):
    """A way to sign in as authors write it; ``None`` takes a field out."""
    page = {"authorizationUrl": PAGE} if grant == "OAUTH2_AUTHORIZATION_CODE" else {}
    document = {
        "authType": "OAUTH2",
        "grant": grant,
        "accessTokenUrl": TOKEN_URL,
        "refreshTokenUrl": REFRESH_URL,
        "clientId": "headrace",
        "clientSecret": "client-secret",
        **page,
        **changes,
    }
    return read(CustomerAuthentication, {name: value for name, value in document.items() if value is not None})[0]


def client(grant="OAUTH2_CLIENT_CREDENTIALS", given=None, **changes):
    typed = (GIVEN if grant == "OAUTH2_PASSWORD" else {}) | (given or {})
    return OAuthClient.of(way(grant, **changes), typed, USER)


def template(value):
    return {"templatingStrategy": "PEBBLE_V1", "value": value}


def text(value):
    return {"templatingStrategy": "NONE", "value": value}


def request_of_ones_own(url="https://login.partner.example/own", fields=None, validations=(), **http):
    """An ``accessTokenRequest``."""
    fields = fields or {"accessToken": "{{ response.body.access_token }}"}
    body = "{{ formUrlEncode('id', authData.clientId, 'refresh', authData.refreshToken) | raw }}"
    return {
        "destinationServerType": "URL_BASED",
        "urlBasedDestination": {"url": template(url)},
        "httpTemplate": {
            "httpMethod": "POST",
            "contentType": "application/x-www-form-urlencoded",
            "requestBody": template(body),
            **http,
        },
        "responseFields": [{"name": name, **template(value)} for name, value in fields.items()],
        "validations": list(validations),
    }


def answer(body=None, status=200, headers=(), **members):
    """An answer of a token endpoint; members go into a right one, ``None`` takes one out."""
    if isinstance(body, bytes):
        return Response(status, headers, body)
    right = {"access_token": "at-1", "token_type": "Bearer", "expires_in": 3600, **members} if body is None else body
    told = {name: value for name, value in right.items() if value is not None}
    return Response(status, (("Content-Type", "application/json"), *headers), json.dumps(told).encode())


def held(exchange, *answers):
    """Hold a conversation with the answers in turn; return what was asked, and what was granted."""
    asked = [next(exchange), *(exchange.send(given) for given in answers[:-1])]
    try:
        asked.append(exchange.send(answers[-1]))
    except StopIteration as end:
        return asked, end.value
    raise AssertionError(f"the conversation goes on with {asked[-1].url}")


def granted(exchange, *answers):
    return held(exchange, *answers)[1]


def form(request):
    return dict(parse_qsl(request.body.decode(), keep_blank_values=True, strict_parsing=True))
