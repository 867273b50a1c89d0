"""What tests of authorization servers do with them: a little browser, and conversations held with the real thing."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from headrace.model.http import Request, Response


@dataclass
class Browser:
    """As much of a browser as a login form needs: keeps cookies, and follows redirects until they leave the server."""

    cookies: dict[str, str] = field(default_factory=dict)

    def open(self, url: str, form: Mapping[str, str] | None = None) -> tuple[str, str]:
        """Return where it ended, and the page there; no page where it was sent to another server."""
        host = urlsplit(url).netloc
        while urlsplit(url).netloc == host:
            answer, body = self._send(url, form)
            if answer.status not in (302, 303):
                return url, body
            url, form = _joined(url, answer.headers["Location"]), None
        return url, ""

    def _send(self, url: str, form: Mapping[str, str] | None) -> tuple[http.client.HTTPResponse, str]:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        body = urlencode(form) if form is not None else None
        try:
            connection.request("GET" if form is None else "POST", _path(url), body, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer, text


@pytest.fixture
def browser() -> Browser:
    return Browser()


def send(request: Request) -> Response:
    """Send a request as it stands; a test of tokens has no use for more."""
    connection = http.client.HTTPConnection(urlsplit(request.url).netloc, timeout=10)
    try:
        connection.request(request.method, _path(request.url), request.body, dict(request.headers))
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


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"


def _joined(url: str, location: str) -> str:
    parts = urlsplit(url)
    return location if "://" in location else f"{parts.scheme}://{parts.netloc}{location}"
