"""What tests of authorization servers do with them: conversations are held with the real thing."""

import http.client
import json
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from browser import Browser, path_of
from headrace.model.http import Request, Response


@pytest.fixture
def browser() -> Browser:
    return Browser()


def send(request: Request) -> Response:
    """Send a request as it stands; a test of tokens has no use for more."""
    connection = http.client.HTTPConnection(urlsplit(request.url).netloc, timeout=10)
    try:
        connection.request(request.method, path_of(request.url), request.body, dict(request.headers))
        answer = connection.getresponse()
        return Response(answer.status, tuple(answer.getheaders()), answer.read())
    finally:
        connection.close()


@pytest.fixture
def hold():
    """Hold a conversation that gets tokens with whoever it is for, and return what was granted."""

    def held(exchange):
        request = next(exchange)
        while True:
            try:
                request = exchange.send(send(request))
            except StopIteration as end:
                return end.value

    return held


@pytest.fixture
def post():
    """Post a form and return the status and the JSON that comes back."""

    def posted(url, form):
        kind = (("Content-Type", "application/x-www-form-urlencoded"),)
        answer = send(Request("POST", url, kind, urlencode(form).encode()))
        return answer.status, json.loads(answer.body) if answer.body else None

    return posted


@pytest.fixture
def query_of():
    return lambda url: dict(parse_qsl(urlsplit(url).query))
