"""The objects of a server, through its REST API."""

import http.client
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from headrace.cli.client import Answer, Client, sign_in
from headrace.cli.destination.lock import Home
from headrace.cli.destination.nouns import NOUNS, Document, Noun, title_of
from headrace.errors import OperationError, RequestError
from headrace.model.problem import Problem
from headrace.services.checks import DESTINATION

_FROM_ENVIRONMENT = ("url", "client_id", "client_secret", "org")


@dataclass(frozen=True, slots=True)
class Stored:
    """An object of a server as it is shown, and its version: the entity tag, or else when it was last changed."""

    id: str
    document: Document
    etag: str | None = None

    @property
    def version(self) -> str:
        return self.etag or str(self.document.get("lastModifiedDate", ""))

    @property
    def number(self) -> str:
        """Which version it is, as the entity tag says after the object's own name."""
        return (self.etag or "").strip('"').rpartition("-")[2]

    @property
    def fingerprints(self) -> dict[str, str]:
        """By which a server tells its secrets apart, by their pointers."""
        extension = self.document.get("x-headrace")
        return extension.get("fingerprints", {}) if isinstance(extension, dict) else {}


class Refused(RequestError):
    """The server does not take it."""

    def __init__(self, status: int, body: Any) -> None:
        self.status = status
        self.problems = _problems(body)
        detail = body.get("detail") if isinstance(body, dict) else None
        super().__init__(str(detail or body or f"it was answered {status}"))

    @property
    def is_stale(self) -> bool:
        """Whether somebody else was quicker."""
        return self.status == http.HTTPStatus.PRECONDITION_FAILED


@dataclass(frozen=True, slots=True)
class RemoteProblem:
    """A problem as a server tells it; its codes may be newer than ours."""

    code: str
    pointer: str
    message: str
    severity: str

    def known(self) -> Problem | None:
        """Return it as a problem of ours, if its code is."""
        try:
            return Problem(self.code, self.pointer, self.message)
        except KeyError:
            return None


class Remote:
    """One sandbox of a server."""

    def __init__(self, client: Client, home: Home) -> None:
        self.client = client
        self.home = home

    def all_of(self, noun: Noun) -> list[Document]:
        """List the objects of a kind; a server that does not know the kind has none."""
        answer = self._ask("GET", noun.route)
        if answer.status == http.HTTPStatus.NOT_FOUND:
            return []
        items: list[Document] = _taken(answer).body["items"]
        return items

    def ids_of(self, noun: Noun, title: str) -> list[str]:
        """Return the ids of the objects that have a name."""
        return [item["instanceId"] for item in self.all_of(noun) if title_of(item) == title]

    def read(self, noun: Noun, id_: str) -> Stored | None:
        answer = self._ask("GET", f"{noun.route}/{quote(id_, safe='')}")
        if answer.status == http.HTTPStatus.NOT_FOUND:
            return None
        body = _taken(answer).body
        is_wrapped = set(body) == {"items"}  # As the original shows one, where the operator wants it so.
        return Stored(id_, body["items"][0] if is_wrapped else body, answer.etag)

    def create(self, noun: Noun, document: Document) -> Stored:
        """
        Create an object.

        Raises:
            Refused: with every problem of it.
        """
        made = _taken(self._ask("POST", noun.route, document)).body
        return self._again(noun, made["instanceId"])

    def replace(self, noun: Noun, stored: Stored, document: Document) -> Stored:
        """Replace an object, if it is still the one that was read."""
        _taken(self._ask("PUT", f"{noun.route}/{quote(stored.id, safe='')}", document, stored.etag))
        return self._again(noun, stored.id)

    def delete(self, noun: Noun, stored: Stored) -> None:
        """Delete an object that nothing uses, if it is still the one that was read."""
        _taken(self._ask("DELETE", f"{noun.route}/{quote(stored.id, safe='')}", None, stored.etag))

    def publications(self) -> dict[str, list[str]]:
        """Return the states of what was handed in to be published, by destination; empty where nothing ever was."""
        answer = self._ask("GET", f"{NOUNS[DESTINATION].route}/publish")
        listed = answer.body if answer.is_success and isinstance(answer.body, list) else []
        return {item["destinationId"]: _public(item["publishDetailsList"]) for item in listed}

    def close(self) -> None:
        """Let go of the connection, at the end or while somebody thinks; another call would open it again."""
        self.client.close()

    def _again(self, noun: Noun, id_: str) -> Stored:
        stored = self.read(noun, id_)
        if stored is None:
            raise RequestError(f"the {noun.words} {id_} was taken, and is gone already")
        return stored

    def _ask(self, method: str, path: str, document: Document | None = None, etag: str | None = None) -> Answer:
        body = json.dumps(document, ensure_ascii=False).encode() if document is not None else None
        try:
            return self.client.exchange(method, path, body, extra={"If-Match": etag} if etag else None)
        except (OSError, http.client.HTTPException) as error:
            self.client.close()
            raise OperationError(f"{self.client.url} does not answer: {error or type(error).__name__}") from None


def connect(data_dir: Path, credentials: Path | None) -> Remote:
    """
    Sign in: with a file, with HEADRACE_URL and what belongs to it, or at the server that runs here.

    Raises:
        OperationError: there is no such server, or no way to sign in there.
    """
    if credentials is None and "HEADRACE_URL" in os.environ:
        given = _given_in_environment()
        try:
            client = Client(given)
        except OSError as error:
            raise OperationError(f"nothing answers at HEADRACE_URL, {given['url']}: {error}") from None
    else:
        path = credentials or data_dir / "credentials.json"
        client = sign_in(path)
        given = json.loads(path.read_text())
    return Remote(client, Home(given["url"].rstrip("/"), given["org"], given["sandbox"]))


def _given_in_environment() -> dict[str, str]:
    missing = [name for name in _FROM_ENVIRONMENT if not os.environ.get(f"HEADRACE_{name.upper()}")]
    if missing:
        names = ", ".join(f"HEADRACE_{name.upper()}" for name in missing)
        raise OperationError(f"beside HEADRACE_URL set {names}, or name a file with --credentials")
    given = {name: os.environ[f"HEADRACE_{name.upper()}"] for name in _FROM_ENVIRONMENT}
    return {**given, "sandbox": os.environ.get("HEADRACE_SANDBOX", "prod")}


def _taken(answer: Answer) -> Answer:
    if not answer.is_success:
        raise Refused(answer.status, answer.body)
    return answer


def _public(details: list[dict[str, Any]]) -> list[str]:
    return [one["status"] for one in details if one["destinationType"] == "PUBLIC"]


def _problems(body: Any) -> tuple[RemoteProblem, ...]:
    listed = body.get("errors") if isinstance(body, dict) else None
    return tuple(
        RemoteProblem(item["code"], item["path"], item["message"], item.get("severity", "error"))
        for item in listed or ()
    )
