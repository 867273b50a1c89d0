"""A client of our own REST API, for commands: signs in once and keeps its connection."""

import contextlib
import http.client
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit

from headrace.errors import OperationError, RequestError

AUTHORING = "/data/core/activation/authoring"
FLOWS = "/data/foundation/flowservice"
#: Seconds after which a connection is not used again.
LONGEST_IDLE = 3.0


class Sink(Protocol):
    """Where an answer is written to that is not read whole."""

    def write(self, content: bytes, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, whatever it says: its body read as JSON where it is, and the version of what it shows."""

    status: int
    body: Any
    etag: str | None = None

    @property
    def is_success(self) -> bool:
        return self.status < 300


class Client:
    """Speaks to a Headrace with the credentials of ``credentials.json``."""

    def __init__(self, credentials: dict[str, str]) -> None:
        self.url = credentials["url"]
        parts = urlsplit(self.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname or "127.0.0.1", parts.port, timeout=60)
        self._used_at = time.monotonic()
        self._headers = {
            "x-api-key": credentials["client_id"],
            "x-gw-ims-org-id": credentials["org"],
            "x-sandbox-name": credentials["sandbox"],
        }
        form = {"grant_type": "client_credentials", "client_id": credentials["client_id"]}
        body = urlencode({**form, "client_secret": credentials["client_secret"]}).encode()
        token = self.send("POST", "/ims/token/v3", body, "application/x-www-form-urlencoded")
        self._headers["Authorization"] = f"Bearer {token['access_token']}"

    @classmethod
    def from_file(cls, path: Path) -> "Client":
        """Sign in with a file that ``headrace serve`` wrote."""
        return cls(json.loads(path.read_text()))

    def get(self, path: str) -> Any:
        """Return the answer to a GET, read as JSON."""
        return self.send("GET", path)

    def items(self, path: str, query: Mapping[str, str]) -> Iterator[Any]:
        """Yield all items of a list of the flow service, page after page."""
        asked = dict(query)
        while True:
            page = self.get(f"{path}?{urlencode(asked)}")
            yield from page["items"]
            if "next" not in page["_links"]:
                return
            link = urlsplit(page["_links"]["next"]["href"])  # It says where to go on, and not what was asked.
            asked |= parse_qsl(link.query)

    def post(self, path: str, document: Any, extra: Mapping[str, str] | None = None) -> Any:
        """Return the answer to a POST of JSON."""
        return self.send("POST", path, json.dumps(document).encode(), extra=extra)

    def send(
        self,
        method: str,
        path: str,
        body: bytes | IO[bytes] | None = None,
        kind: str = "application/json",
        extra: Mapping[str, str] | None = None,
    ) -> Any:
        """
        Return the answer to a request, read as JSON. A file goes out as it is read, with its ``Content-Length``.

        Raises:
            RequestError: the answer is not a success; the message holds what it says.
        """
        answer = self.exchange(method, path, body, kind, extra)
        if not answer.is_success:
            raise RequestError(f"{method} {path} was answered {answer.status}: {said_by(answer.body)}")
        return answer.body

    def download(self, method: str, path: str, sink: Sink, piece: int) -> None:
        """
        Write the body of an answer to a sink as it comes.

        Raises:
            RequestError: the answer is not a success, or ends before its end.
        """
        self._connection.request(method, path, headers=self._headers)
        response = self._connection.getresponse()
        if response.status >= 300:
            said = json.loads(response.read() or b"{}")
            raise RequestError(f"{method} {path} was answered {response.status}: {said_by(said)}")
        try:
            while content := response.read(piece):
                sink.write(content)
        except (http.client.HTTPException, ConnectionError):
            raise RequestError(f"what {method} {path} was answered ends in the middle: see the server's log") from None

    def exchange(
        self,
        method: str,
        path: str,
        body: bytes | IO[bytes] | None = None,
        kind: str = "application/json",
        extra: Mapping[str, str] | None = None,
    ) -> Answer:
        """Return the answer to a request, success or not."""
        headers = {**self._headers, **(extra or {}), **({"Content-Type": kind} if body is not None else {})}
        if time.monotonic() - self._used_at > LONGEST_IDLE:
            self._connection.close()  # The server closes it about now; it is opened again by itself.
        self._used_at = time.monotonic()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError) if body else contextlib.nullcontext():
            self._connection.request(method, path, body, headers)  # Whoever refuses a body answers before its end.
        response = self._connection.getresponse()
        text = response.read()
        is_json = "json" in response.headers.get("Content-Type", "")
        read = json.loads(text) if text and is_json else text.decode(errors="replace") or None
        return Answer(response.status, read, response.headers.get("ETag"))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def said_by(body: Any) -> str:
    """
    Return in words what an answer that is no success says.

    >>> said_by({"detail": "there is 1 problem", "errors": [{"path": "/name", "message": "`name` is missing"}]})
    'there is 1 problem: /name: `name` is missing'
    """
    if not isinstance(body, dict):
        return str(body)
    listed = [f"{item['path'] or '/'}: {item['message']}" for item in body.get("errors", ())]
    names = ("detail", "message", "errorDetails", "error_description")
    told = next((str(body[name]) for name in names if name in body), json.dumps(body, separators=(",", ":")))
    return f"{told}: {'; '.join(listed)}" if listed else told


def sign_in(path: Path) -> Client:
    """
    Sign in with a file that ``headrace serve`` wrote.

    Raises:
        OperationError: there is no such file, or nothing answers; the message says the way out.
    """
    try:
        return Client.from_file(path)
    except FileNotFoundError:
        raise OperationError(f"there is no {path}: start `headrace serve` first, or name its --data-dir") from None
    except ConnectionError:
        raise OperationError(
            f"nothing answers where {path} says that Headrace listens: is `headrace serve` running?"
        ) from None


@contextmanager
def signed_in(data_dir: Path) -> Iterator[Client]:
    """Sign in at the server that runs here, as ``sign_in`` does, and close the connection in the end."""
    with closing(sign_in(data_dir / "credentials.json")) as client:
        yield client


def wait_for_server(path: Path, url_path: str = "/healthz", seconds: float = 30.0) -> Client:
    """Wait until a Headrace that is starting has written its credentials and answers; then sign in."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            client = Client.from_file(path)
            client.get(url_path)
            return client
        except (OSError, json.JSONDecodeError):
            time.sleep(0.05)
    raise RequestError(f"Headrace did not start within {seconds:.0f} seconds")
