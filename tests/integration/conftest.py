"""Real authorization servers, written by others for Node.js, and a real browser, on this machine."""

import json
import os
import platform
import select
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from npm import NODE, install

SERVERS = Path(__file__).parent / "oauth" / "servers"
START = 30

#: The browser is one for servers: without a sandbox, and it does not look for its maker.
FLAGS = (
    "--headless=shell",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def packages() -> Path:
    """The servers' packages as locked, installed once: beside the lock, where git does not look."""
    return install(SERVERS)


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


@pytest.fixture(scope="module")
def chromium(packages: Path) -> Iterator[Browser]:
    """
    A running browser; each test opens windows of its own in it.

    What drives it has an event loop that runs for as long: no test of the module can have one of its own.
    """
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("the package of the browser is for x86-64 alone")
    folder = packages / "node_modules" / ".browser"
    folder.mkdir(exist_ok=True)
    env = {**os.environ, "TMPDIR": str(folder), "AWS_LAMBDA_JS_RUNTIME": "nodejs22.x"}
    told = subprocess.run([NODE, packages / "chromium.mjs"], env=env, capture_output=True, text=True, check=True)
    found = json.loads(told.stdout.splitlines()[-1])
    needed = subprocess.run(["ldd", found["path"]], capture_output=True, text=True).stdout
    env = {**os.environ, "LD_LIBRARY_PATH": found["libraries"]} if "not found" in needed else {**os.environ}
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=found["path"], args=list(FLAGS), env={**env})
        yield running
        running.close()
