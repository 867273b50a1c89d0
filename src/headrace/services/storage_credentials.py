"""
What operators enter to sign in at a storage: by which names it is known elsewhere, and whether it can be right.

Clients of the original call the same things otherwise, and each of its connectors has names of its own. Here each has
one name, under which it is stored and read.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from headrace.connect.egress import parse_host
from headrace.connect.secrets import MASK
from headrace.connect.storage import storages
from headrace.connect.storage.azure_blob import Connection
from headrace.connect.storage.gcs import ServiceAccount
from headrace.connect.storage.ssh import read_key
from headrace.errors import AccountError, EgressError
from headrace.model.block import pointer
from headrace.model.destination_server import DestinationServer
from headrace.model.problem import ConfigurationError, Problem

#: The ways to sign in at storages.
WAYS: frozenset[str] = frozenset(way for kind in storages for way in storages.get(kind).auth_types) - {"NONE"}
#: What the original's connectors call the ways, in capitals and with nothing between.
SPEC_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "ACCESSKEY": "S3",
        "ASSUMEDROLE": "S3",
        "CONNECTIONSTRING": "AZURE_CONNECTION_STRING",
        "AZUREBLOB": "AZURE_CONNECTION_STRING",
        "BASICAUTHENTICATIONFORSFTP": "SFTP_WITH_PASSWORD",
    }
)
_HOST = {"host": "domain", "hostname": "domain", "hostName": "domain"}
#: Other names of what is entered, by way.
_NAMES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "S3": {
            "s3AccessKey": "accessId",
            "accessKeyId": "accessId",
            "s3SecretKey": "secretKey",
            "secretAccessKey": "secretKey",
            "s3RoleArn": "roleArn",
            "s3Role": "roleArn",
            "role": "roleArn",
        },
        "AZURE_SERVICE_PRINCIPAL": {"tenantId": "tenant"},
        "GOOGLE_CLOUD_STORAGE": {"accessId": "accessKeyId", "secretKey": "secretAccessKey"},
        "SFTP_WITH_PASSWORD": _HOST,
        "SFTP_WITH_SSH_KEY": _HOST,
    }
)
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/(?:[A-Za-z0-9+=,.@_/-]{1,400}/)?[A-Za-z0-9+=,.@_-]{1,64}")
_AMAZON_ID, _AMAZON_SECRET = re.compile("[A-Z0-9]{20}"), re.compile("[A-Za-z0-9/+]{40}")
_GOOGLE_ID, _GOOGLE_SECRET = re.compile("[A-Z0-9]{24,64}"), re.compile("[A-Za-z0-9/+]{40}")
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{1,100}")
_CONTAINER = re.compile(r"abfss?://[^@/]+@[a-z0-9]{3,24}\.dfs\.core\.[a-z.]+(/.*)?", re.IGNORECASE)
_WEB = re.compile(r"https?://[^/]+(/.*)?", re.IGNORECASE)

Auth = Mapping[str, str]
Found = tuple[str, str]


def named(way: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return what was entered by our names of it.

    >>> named("S3", {"s3AccessKey": "AKIA", "s3SecretKey": "xyz"})
    {'accessId': 'AKIA', 'secretKey': 'xyz'}

    Raises:
        ConfigurationError: two names of one thing say different things.
    """
    names = _NAMES.get(way, {})
    found: dict[str, Any] = {}
    for name, value in params.items():
        own = names.get(name, name)
        if own in found and found[own] != value:
            message = f"`{name}` is `{own}` by another name and says something else; leave one out"
            raise ConfigurationError([Problem("two-names", _at(name), message)])
        found[own] = _as_text(own, value)
    return {name: value for name, value in found.items() if value != ""}


def problems(way: str, auth: Auth, server: DestinationServer) -> Iterator[Problem]:
    """Say what of credentials could never sign in at a server. No value is told."""
    for name, message in _CHECKS[way](auth, server):
        yield Problem("missing-field" if not auth.get(name) else "credentials", _at(name), message)


def has_own_endpoint(server: DestinationServer) -> bool:
    """Say whether a bucket is somewhere else than at Amazon or Google, where keys have the form that is known."""
    s3, gcs = server.file_based_s3_destination, server.file_based_google_cloud_storage_destination
    return any(block is not None and block.extension.endpoint is not None for block in (s3, gcs))


def _as_text(name: str, value: Any) -> Any:
    """Return a port that was sent as a number, and a key that was sent as the JSON that it is, as texts."""
    if name == "port" and type(value) is int:
        return str(value)
    if name == "serviceAccountKey" and isinstance(value, dict):
        return json.dumps(value)
    return value.strip() if isinstance(value, str) and value != MASK and name not in ("password", "username") else value


def _at(name: str) -> str:
    return pointer(("auth", "params", name))


def _needed(auth: Auth, *names: str) -> Iterator[Found]:
    for name in names:
        if not auth.get(name):
            yield name, f"`{name}` must be filled in"


# -- each way -----------------------------------------------------------------------------------------------------


def _s3(auth: Auth, server: DestinationServer) -> Iterator[Found]:
    if auth.get("roleArn"):
        yield from ((name, "a role needs no key; leave it out, or the role") for name in _KEY_PAIR if auth.get(name))
        if not _ROLE.fullmatch(auth["roleArn"]):
            yield (
                "roleArn",
                "a role is written `arn:aws:iam::<account>:role/<name>`, with a name of up to 64 characters",
            )
        return
    yield from _needed(auth, *_KEY_PAIR)
    yield from _pair(auth, _KEY_PAIR, "Amazon", (_AMAZON_ID, _AMAZON_SECRET), is_known=not has_own_endpoint(server))


_KEY_PAIR = ("accessId", "secretKey")
_GOOGLE_PAIR = ("accessKeyId", "secretAccessKey")


def _google(auth: Auth, server: DestinationServer) -> Iterator[Found]:
    if auth.get("serviceAccountKey"):
        message = "a service account needs no HMAC key; leave it out, or the service account's"
        yield from ((name, message) for name in _GOOGLE_PAIR if auth.get(name))
        yield from _tried("serviceAccountKey", ServiceAccount, auth["serviceAccountKey"])
        yield from _endpoint(auth)
        return
    if auth.get("endpoint"):
        yield "endpoint", "an endpoint is entered with `serviceAccountKey` alone; for HMAC keys the author names it"
    yield from _needed(auth, *_GOOGLE_PAIR)
    patterns = (_GOOGLE_ID, _GOOGLE_SECRET)
    yield from _pair(auth, _GOOGLE_PAIR, "Google", patterns, is_known=not has_own_endpoint(server))


def _pair(
    auth: Auth, names: tuple[str, str], whose: str, patterns: tuple[re.Pattern[str], ...], *, is_known: bool
) -> Iterator[Found]:
    """Look at the form of a key and its secret: who has them in each other's place sees it here."""
    for name, pattern in zip(names, patterns, strict=True):
        text = auth.get(name, "")
        if text and is_known and not pattern.fullmatch(text):
            yield name, f"it has not the form of {whose}'s (`{pattern.pattern}`); see that each is in its own place"
        elif text and (" " in text or not text.isprintable()):
            yield name, "it holds a blank or a control character; copy it again"


def _connection_string(auth: Auth, server: DestinationServer) -> Iterator[Found]:
    yield from _needed(auth, "connectionString")
    if auth.get("connectionString"):
        yield from _tried("connectionString", Connection.read, auth["connectionString"])


def _principal(auth: Auth, server: DestinationServer) -> Iterator[Found]:
    yield from _needed(auth, "tenant", "servicePrincipalId", "servicePrincipalKey")
    if auth.get("tenant") and not _TENANT.fullmatch(auth["tenant"]):
        yield "tenant", "it is the id of the directory, or its domain"
    url = auth.get("url", "")
    if url and not _CONTAINER.fullmatch(url) and not _WEB.fullmatch(url):
        yield "url", "it is written `abfss://<file system>@<account>.dfs.core.windows.net`, or is an endpoint for blobs"


def _sftp(auth: Auth, server: DestinationServer) -> Iterator[Found]:
    sftp = server.file_based_sftp_destination
    if sftp is None or sftp.host_name.is_template:
        yield from _needed(auth, "domain")
    yield from _needed(auth, "username")
    if auth.get("domain"):
        yield from _host(auth["domain"])
    port = auth.get("port") or "22"
    if not (port.isascii() and port.isdigit() and len(port) < 6 and 0 < int(port) < 65536):
        yield "port", "a port is a number from 1 to 65535; the usual one is 22"


def _host(text: str) -> Iterator[Found]:
    """Look at a host: its name or address alone, with neither `sftp://` before it nor a port behind."""
    try:
        parse_host(f"[{text}]" if text.count(":") > 1 and not text.startswith("[") else text)
    except EgressError:
        yield "domain", "it is the server's name or address alone: no `sftp://`, no port, no folder"


def _by_password(auth: Auth, server: DestinationServer) -> Iterator[Found]:
    yield from _sftp(auth, server)
    yield from _needed(auth, "password")


def _by_ssh_key(auth: Auth, server: DestinationServer) -> Iterator[Found]:
    yield from _sftp(auth, server)
    yield from _needed(auth, "sshKey")
    if auth.get("sshKey"):
        yield from _tried("sshKey", read_key, auth["sshKey"])


def _endpoint(auth: Auth) -> Iterator[Found]:
    if auth.get("endpoint") and not _WEB.fullmatch(auth["endpoint"]):
        yield "endpoint", "it is no address; write `https://` and the host"


def _tried(name: str, read: Callable[[str], object], text: str) -> Iterator[Found]:
    try:
        read(text)
    except ConfigurationError as error:
        yield from ((name, problem.message) for problem in error.problems)
    except AccountError as error:
        yield name, error.message


_CHECKS: Mapping[str, Callable[[Auth, DestinationServer], Iterator[Found]]] = MappingProxyType(
    {
        "S3": _s3,
        "AZURE_CONNECTION_STRING": _connection_string,
        "AZURE_SERVICE_PRINCIPAL": _principal,
        "GOOGLE_CLOUD_STORAGE": _google,
        "SFTP_WITH_PASSWORD": _by_password,
        "SFTP_WITH_SSH_KEY": _by_ssh_key,
    }
)
