"""
The host keys of servers of SFTP, as accounts pin them: nothing is sent to a server that shows another.

An account holds the fingerprints that OpenSSH prints, with blanks between, for the server that it leads to.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headrace.connect.storage import sftp
from headrace.model.destination_server import DestinationServer
from headrace.model.problem import ConfigurationError, Problem
from headrace.services.storage_sign_in import SignIn
from headrace.store.documents import Declared

PLACE = "/x-headrace/hostKey"
_OURS, _PIN = "x-headrace", "hostKey"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server is."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def pin_of(document: Mapping[str, Any]) -> str:
    """Return what an account's document pins, or nothing."""
    found: str = (document.get(_OURS) or {}).get(_PIN) or ""
    return found


def pinning(document: dict[str, Any], pin: str) -> dict[str, Any]:
    """Return an account's document that pins a key."""
    return {**document, _OURS: {**(document.get(_OURS) or {}), _PIN: pin}} if pin else document


def without_pin(document: dict[str, Any]) -> dict[str, Any]:
    """Return an account's document that pins none."""
    if not pin_of(document):
        return document
    return {**document, _OURS: {name: value for name, value in document[_OURS].items() if name != _PIN}}


def trusted(account: Declared | None, place: Mapping[str, Any], sign_in: SignIn) -> Mapping[str, str]:
    """Return what an account pins, by the host and port that it leads to."""
    found = pin_of(account.document) if account is not None else ""
    if not found:
        return {}
    host, port = sftp.endpoint(place, sign_in.auth)
    return {f"{host}:{port}": found}


def endpoint_of(server: DestinationServer, auth: Mapping[str, str]) -> Endpoint | None:
    """Return the server that an account leads to, as far as that is known before anything is set up under it."""
    said = server.file_based_sftp_destination
    host = said.host_name.fixed or auth.get("domain") if said is not None else None
    if said is None or not host:
        return None
    return Endpoint(*sftp.endpoint({"hostName": host, "port": said.port}, auth))


def read_pin(text: str) -> str:
    """
    Return the fingerprints of what an operator says a server's key is.

    Raises:
        ConfigurationError: it is neither a fingerprint nor a public key.
    """
    try:
        found = sftp.fingerprints(text)
    except (ValueError, IndexError):
        found = []
    if not found:
        message = "it is no host key: give its fingerprint, `SHA256:…`, or the line that `ssh-keyscan` prints"
        raise ConfigurationError([Problem("invalid", PLACE, message)])
    return " ".join(dict.fromkeys(found))
