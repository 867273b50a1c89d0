"""
Headrace as tests meet it: in this process for the fast ones, as a process of its own where it has to die.

Nothing here sleeps for longer than it must: whoever waits says until when, and what for.
"""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import urlencode, urlsplit

import uvicorn
from argon2 import PasswordHasher

import headrace
from headrace.cli.client import AUTHORING, FLOWS, Client, wait_for_server
from headrace.model.roles import PERMISSIONS
from headrace.server import Headrace, url_of
from headrace.services import access, keys
from headrace.services.passwords import Passwords
from headrace.settings import Settings
from headrace.store import access as stored_access
from headrace.store import clients, runs
from stores import lay

__all__ = ["AUTHORING", "FLOWS", "Answer", "Api", "InProcess", "Server", "add_client", "eventually", "in_process"]

SOURCE = Path(headrace.__file__).parents[1]
#: How long anything may take that should take a moment; a busy machine is no finding.
PATIENCE = 60.0
#: After so long without a request a connection is not used again: the server may be about to close it.
IDLE = 3.0

#: Passwords in tests that are not about how long it takes to guess one.
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

T = TypeVar("T")


def eventually(what: str, look: Callable[[], T], seconds: float = PATIENCE) -> T:
    """Look until there is something to see, and return it."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, f"it took longer than {seconds:.0f} seconds: {what}"
        time.sleep(0.01)
    return seen


def environment(home: Path, **settings: str) -> dict[str, str]:
    """Return an environment in which nothing of this machine's user counts."""
    given = {f"HEADRACE_{name.upper()}": value for name, value in settings.items()}
    kept = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(SOURCE)}
    return {**kept, "COLUMNS": "200", "NO_COLOR": "1", "HEADRACE_RESERVE_BYTES": "0", **given}


def command(*words: str) -> list[str]:
    """Return the command line of a command of ours, with warnings as errors as everywhere in the tests."""
    return [sys.executable, "-W", "error", "-m", "headrace", *words]


def run(home: Path, *words: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of ours to its end."""
    return subprocess.run(
        command(*words), env=environment(home, **settings), cwd=home, capture_output=True, text=True, timeout=PATIENCE
    )


@dataclass(frozen=True)
class Answer:
    """An answer of the REST API."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Api:
    """Speaks HTTP to Headrace and shows every answer as it is, success or not."""

    def __init__(self, url: str, headers: dict[str, str] | None = None) -> None:
        self.url = url
        self.headers = headers or {}
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE)
        self._used = time.monotonic()

    @classmethod
    def signed_in(cls, url: str, client_id: str, secret: str, organization: str, sandbox: str = "prod") -> Self:
        """Exchange credentials for a token, and send it with everything."""
        api = cls(url)
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        token = api.form("/ims/token/v3", form).json["access_token"]
        api.headers = {
            "Authorization": f"Bearer {token}",
            "x-api-key": client_id,
            "x-gw-ims-org-id": organization,
            "x-sandbox-name": sandbox,
        }
        return api

    def send(self, method: str, path: str, body: Any = None, headers: dict[str, str | None] | None = None) -> Answer:
        """Send bytes as they are and anything else as JSON; a header that is ``None`` is left out."""
        all_headers: dict[str, str | None] = {**self.headers}
        if body is not None and not isinstance(body, bytes):
            body, all_headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        all_headers |= headers or {}
        kept = {name: value for name, value in all_headers.items() if value is not None}
        if time.monotonic() - self._used > IDLE:
            self._connection.close()
        self._connection.request(method, path, body, kept)
        response = self._connection.getresponse()
        text = response.read().decode(errors="replace")  # A backup is no text.
        self._used = time.monotonic()
        if response.status >= 500:
            self._connection.close()  # So does the server, after a fault.
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, text)

    def get(self, path: str, headers: dict[str, str | None] | None = None) -> Answer:
        return self.send("GET", path, None, headers)

    def post(self, path: str, body: Any, headers: dict[str, str | None] | None = None) -> Answer:
        return self.send("POST", path, body, headers)

    def put(self, path: str, body: Any) -> Answer:
        return self.send("PUT", path, body)

    def delete(self, path: str) -> Answer:
        return self.send("DELETE", path)

    def patch(self, path: str, operations: Any, etag: str | None) -> Answer:
        return self.send("PATCH", path, operations, {"If-Match": etag})

    def form(self, path: str, form: dict[str, str]) -> Answer:
        return self.post(path, urlencode(form).encode(), {"Content-Type": "application/x-www-form-urlencoded"})

    def ingest(self, body: bytes, kind: str = "application/x-ndjson", query: str = "") -> Answer:
        return self.post(f"/ingest/profiles{query}", body, {"Content-Type": kind})

    def close(self) -> None:
        self._connection.close()


@dataclass
class InProcess:
    """A Headrace in this process, with the client of its first start signed in."""

    app: Headrace
    api: Api
    client: Client
    credentials: dict[str, str]
    folder: Path
    opened: list[Api] = field(default_factory=list)

    def as_client(
        self, organization: str = access.FIRST_ORGANIZATION, sandbox: str = "prod", *, without: str | None = None
    ) -> Api:
        """Sign in as a new client with every permission but one, in an organization and sandbox that are made."""
        client_id = f"client-{len(self.opened)}"
        add_client(self.app, client_id, organization, sandbox, without)
        api = Api.signed_in(self.api.url, client_id, "secret", organization, sandbox)
        self.opened.append(api)
        return api

    def kept(self) -> bytes:
        """Return everything that is kept: the files of the data directory and, in a database beside it, every row."""
        files = [path.read_bytes() for path in (self.folder / "data").rglob("*") if path.is_file()]
        return b"\n".join([*files, *self._rows()])

    def _rows(self) -> list[bytes]:
        if not self.app.settings.database_url:
            return []
        query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        look = self.app.store.read_now
        tables = look(lambda tx: tx.run(query).fetchall())
        return [
            repr(look(lambda tx, t=table: tx.run(f'SELECT * FROM "{t}"').fetchall())).encode() for (table,) in tables
        ]

    def wait_until_backfilled(self, dataflow: str) -> None:
        """Wait until everybody who was there when a dataflow was made has been looked at, and told about."""
        look = self.app.store.read_now
        is_done = lambda tx: all(run.subject["dataflow"] != dataflow for run in runs.unended(tx, "backfill"))  # noqa: E731
        eventually("the backfill is done", lambda: look(is_done))
        self.wait_until_settled(dataflow)

    def wait_until_settled(self, dataflow: str) -> dict[str, int]:
        """Wait until nothing of a dataflow is pending, and return its ledger."""
        path = f"/dataflows/{dataflow}/ledger"
        return eventually(
            "nothing is pending", lambda: ledger if (ledger := self.api.get(path).json)["pending"] == 0 else None
        )


def add_client(app: Headrace, client_id: str, organization: str, sandbox: str, without: str | None) -> None:
    """Put an API client into the store, with what it needs to be let in."""

    def work(tx: Any) -> None:
        organizations = dict(tx.run("SELECT name, organization FROM organizations").fetchall())
        number = organizations.get(organization) or stored_access.add_organization(tx, organization)
        if stored_access.find_tenant(tx, organization, sandbox) is None:
            stored_access.add_tenant(tx, number, sandbox, f"id-of-{organization}-{sandbox}")
        permissions = tuple(permission for permission in PERMISSIONS if permission != without)
        clients.add(tx, clients.Client(number, client_id, keys.hash_of("secret"), permissions))

    app.store.write_now(work)


@contextlib.contextmanager
def in_process(folder: Path, **settings: Any) -> Iterator[InProcess]:
    """Run Headrace in a thread of this process, on a free port of loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        wanted = {"data_dir": folder / "data", "key_file": folder / "keys" / "master.key", "port": port}
        wanted |= {
            "most_destinations": 100_000,
            "reserve_bytes": 0,
            **settings,
        }  # Modules share one sandbox among all their tests.
        if not settings.get("database_url") and not (folder / "data").exists():
            lay(folder / "data")
        app = Headrace(Settings(**wanted), Passwords(QUICK))
        # Tests keep connections for as long as they like.
        config = uvicorn.Config(
            app.app, log_level="warning", ws="none", lifespan="on", timeout_keep_alive=int(PATIENCE)
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), name="headrace")
        thread.start()
        try:
            eventually("the server starts", lambda: server.started or not thread.is_alive())
            credentials = json.loads((folder / "data" / "credentials.json").read_text())
            credentials["url"] = url_of(app.settings.model_copy(update={"host": "127.0.0.1"}))
            client = Client(credentials)
            api = Api.signed_in(
                credentials["url"], credentials["client_id"], credentials["client_secret"], credentials["org"]
            )
            running = InProcess(app, api, client, credentials, folder)
            yield running
            for opened in [api, client, *running.opened]:
                opened.close()
        finally:
            server.should_exit = True
            thread.join(PATIENCE)


class Server:
    """``headrace serve`` as a process of its own, on a data directory that outlives it."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self.data = home / "data"
        self.log = home / "headrace.log"
        self._settings = {"key_file": str(home / "master.key"), **settings}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None, "the server was not started"
        return self._process

    def start(self, **settings: str) -> Client:
        """Start it and sign in."""
        line = command("serve", "--port", "0", "--data-dir", str(self.data))
        credentials = self.data / "credentials.json"
        before = credentials.stat().st_mtime_ns if credentials.exists() else None
        with self.log.open("ab") as log:
            given = environment(self.home, **{**self._settings, **settings})
            self._process = subprocess.Popen(line, env=given, cwd=self.home, stdout=log, stderr=log)
        eventually(
            "the server writes its address",
            lambda: self._has_ended() or (credentials.exists() and credentials.stat().st_mtime_ns != before),
        )
        assert not self._has_ended(), self.log.read_text()
        return wait_for_server(credentials, seconds=PATIENCE)

    def start_to_end(self, **settings: str) -> int:
        """Start it where it ends by itself, and return its exit code."""
        line = command("serve", "--port", "0", "--data-dir", str(self.data))
        given = environment(self.home, **{**self._settings, **settings})
        with self.log.open("ab") as log:
            ended = subprocess.run(line, env=given, cwd=self.home, stdout=log, stderr=log, timeout=PATIENCE)
        return ended.returncode

    def stop(self) -> int:
        """Ask it to stop, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """End it as no handler can soften."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def _has_ended(self) -> bool:
        return self.process.poll() is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and not self._has_ended():
            self.kill()
