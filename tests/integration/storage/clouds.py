"""
Partners' storages as journeys meet them: what author and operator write of each, who is let in, and what lies there.

What lies there is read by a client that is none of ours, as the storage's own people would read it.
"""

import hmac
import json
import posixpath
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import urlencode

import objects
from integration.storage import google_xml, places
from integration.storage.places import ACCOUNT, ACCOUNT_KEY, OTHER_KEY, TENANT, Place
from integration.storage.sftp_server import SftpServer, Sshd, made_key

CLIENT = "headrace-on-a-journey"
ROOT = "drop/people"
Get = Callable[[str], Place]
Params = dict[str, Any]


@dataclass
class Cloud:
    """
    One storage. ``block`` is the author's, of the folder and the container that operators choose; ``params`` let the
    operator in and ``wrong`` do not. ``rotate`` has the storage take other params, which it returns; where it
    ``revokes``, those of before are refused from then on. ``above`` is what manifests have before the folder, and
    ``why`` what those are told who are not let in.
    """

    kind: str
    login: str
    spec_name: str
    block: Params
    params: Params
    wrong: Params
    read: Callable[[str], dict[str, bytes]]
    rotate: Callable[[], Params] | None = None
    revokes: bool = True
    container: str = "people"
    above: str = ""
    why: str = "see that .* right"
    more: Params = field(default_factory=dict)

    @property
    def secrets(self) -> list[str]:
        """What may be in no text: secrets that are wrong belong to somebody too."""
        said = [*self.params.values(), *self.wrong.values()]
        return [text for text in said if isinstance(text, str) and len(text) > 20 and not text.startswith("http")]


def text(value: str) -> Params:
    return {"templatingStrategy": "PEBBLE_V1" if "{{" in value else "NONE", "value": value}


CONTAINER, FOLDER = text("{{customerData.container}}"), text("{{customerData.folder}}")


def _below(place: Place) -> Callable[[str], dict[str, bytes]]:
    """Read a folder by the client of a place."""

    def read(folder: str) -> dict[str, bytes]:
        names = [name for name in place.files() if name.startswith(f"{folder}/")]
        return {name.removeprefix(f"{folder}/"): place.read(posixpath.relpath(name, ROOT)) for name in names}

    return read


# -- Azure --------------------------------------------------------------------------------------------------------


@contextmanager
def azure_by_key(get: Get) -> Iterator[Cloud]:
    place = get("azurite")

    def by(key: str) -> Params:
        said = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={key};"
        return {"connectionString": f"{said}BlobEndpoint={place.origin}/{ACCOUNT};"}

    block = {"fileBasedAzureBlobDestination": {"container": CONTAINER, "path": FOLDER}}
    wrong = by(b64encode(b"a key that was guessed by someone").decode())
    made = ("FILE_BASED_AZURE_BLOB", "AZURE_CONNECTION_STRING", "ConnectionString", block, by(ACCOUNT_KEY), wrong)
    yield Cloud(*made, _below(place), lambda: by(OTHER_KEY), revokes=False)


@contextmanager
def azure_by_signature(get: Get) -> Iterator[Cloud]:
    """Sign in by signatures that hang on a policy of the container's, so that who takes it back ends them."""
    place = get("azurite")
    where = f"{place.origin}/{ACCOUNT}"

    def signed(policy: str) -> Params:
        return by(signature(si=policy))

    def by(signature: str) -> Params:
        return {"connectionString": f"BlobEndpoint={where};SharedAccessSignature={signature}"}

    def rotate() -> Params:
        allow(where, "second")
        return signed("second")

    allow(where, "first")
    path = text(f"{where}/{{{{customerData.folder}}}}")
    block = {"fileBasedAzureBlobDestination": {"container": CONTAINER, "path": path}}
    ended = by(signature(sp="rcwdl", st="2020-01-01T00:00:00Z", se="2021-01-01T00:00:00Z"))
    spec = "Azure Connection String"
    made = ("FILE_BASED_AZURE_BLOB", "AZURE_CONNECTION_STRING", spec, block, signed("first"), ended)
    above = f"/{ACCOUNT}"  # This server has the account in its paths.
    yield Cloud(*made, _below(place), rotate, above=above, why="The signature ended at 2021-01-01T00:00:00Z")


def signature(key: str = ACCOUNT_KEY, **said: str) -> str:
    """Sign for the container, as Azure has it: each field a line."""
    fields = {"sv": "2020-12-06", "sr": "c", **said}
    names = ("sp", "st", "se", "resource", "si", "sip", "spr", "sv", "sr", *("none",) * 7)
    lines = "\n".join({**fields, "resource": f"/blob/{ACCOUNT}/people"}.get(name, "") for name in names)
    signed = b64encode(hmac.new(b64decode(key), lines.encode(), "sha256").digest()).decode()
    return urlencode({**fields, "sig": signed})


def allow(where: str, policy: str) -> None:
    """Let in whom this policy of the container lets in, and nobody else."""
    ends = "<Expiry>2999-01-01T00:00:00.0000000Z</Expiry><Permission>rcwdl</Permission>"
    access = f"<AccessPolicy><Start>2020-01-01T00:00:00.0000000Z</Start>{ends}</AccessPolicy>"
    said = f"<SignedIdentifier><Id>{policy}</Id>{access}</SignedIdentifier>"
    body = f'<?xml version="1.0" encoding="utf-8"?><SignedIdentifiers>{said}</SignedIdentifiers>'.encode()
    places.ask_azure(f"{where}/people?restype=container&comp=acl", body, "application/xml")


@contextmanager
def data_lake(get: Get) -> Iterator[Cloud]:
    place, secrets = get("adls"), places._Giver.secrets

    def by(secret: str) -> Params:
        said = {"tenant": TENANT, "servicePrincipalId": CLIENT, "servicePrincipalKey": secret}
        return {**said, "url": f"{place.origin}/{ACCOUNT}"}

    def rotate() -> Params:
        secrets[CLIENT] = "the second secret of the principal"
        return by(secrets[CLIENT])

    secrets[CLIENT] = "the first secret of the principal"
    path = text(f"abfss://{{{{customerData.container}}}}@{ACCOUNT}.dfs.core.windows.net/{{{{customerData.folder}}}}/")
    made = ("FILE_BASED_ADLS_GEN2", "AZURE_SERVICE_PRINCIPAL", "Azure Service Principal Auth")
    block = {"fileBasedAdlsGen2Destination": {"path": path}}
    yield Cloud(*made, block, by(secrets[CLIENT]), by("a secret that was guessed by someone"), _below(place), rotate)


# -- Google -------------------------------------------------------------------------------------------------------


@contextmanager
def google_by_account(get: Get) -> Iterator[Cloud]:
    place = get("fake-gcs")
    with places.signed_token_giver() as giver:

        def by(file: str) -> Params:
            return {"serviceAccountKey": json.loads(file), "endpoint": place.origin}

        block = {"fileBasedGoogleCloudStorageDestination": {"bucket": CONTAINER, "path": FOLDER}}
        made = ("FILE_BASED_GOOGLE_CLOUD", "GOOGLE_CLOUD_STORAGE", "Google Cloud Storage", block, by(giver.file))
        wrong = by(giver.file_of(places._new_private_key()))
        yield Cloud(*made, wrong, _below(place), lambda: by(giver.rotate()))


@contextmanager
def google_by_keys(get: Get) -> Iterator[Cloud]:
    with google_xml.google_in_a_thread() as google:

        def by(secret: str) -> Params:
            return {"accessKeyId": google_xml.KEY, "secretAccessKey": secret}

        def rotate() -> Params:
            google.secret = "the-second-secret-of-the-key"
            return by(google.secret)

        def read(folder: str) -> dict[str, bytes]:
            return {
                name.removeprefix(f"{folder}/"): data
                for name, (data, _) in google.objects.items()
                if name.startswith(f"{folder}/")
            }

        google.secret = "the-first-secret-of-the-key"
        place = {"bucket": CONTAINER, "path": FOLDER, "x-headrace": {"endpoint": text(google.origin)}}
        spec = "Google Cloud Storage authentication credentials"
        made = ("FILE_BASED_GOOGLE_CLOUD", "GOOGLE_CLOUD_STORAGE", spec)
        block = {"fileBasedGoogleCloudStorageDestination": place}
        yield Cloud(*made, block, by(google.secret), by("a-secret-that-was-guessed"), read, rotate)


# -- Amazon -------------------------------------------------------------------------------------------------------


def _bucket(origin: str) -> Params:
    more = {"endpoint": text(origin), "region": text("us-east-1")}
    return {"fileBasedS3Destination": {"bucket": CONTAINER, "path": FOLDER, "x-headrace": more}}


@contextmanager
def amazon_by_keys(get: Get) -> Iterator[Cloud]:
    place = get("seaweedfs")
    params = {"s3AccessKey": objects.WRITER, "s3SecretKey": objects.WRITER_SECRET}
    wrong = {**params, "s3SecretKey": "a secret that was guessed".replace(" ", "-")}
    made = ("FILE_BASED_S3", "S3", "Access Key", _bucket(place.origin), params, wrong)
    yield Cloud(*made, _below(place), container="lake")


@contextmanager
def amazon_by_role(get: Get) -> Iterator[Cloud]:
    """Have a role assumed; this server assumes any."""
    place = get("moto")
    roles = [{"s3RoleArn": f"arn:aws:iam::123456789012:role/{name}"} for name in ("first", "second")]
    made = ("FILE_BASED_S3", "S3", "Assumed Role", _bucket(place.origin), roles[0], {})
    yield Cloud(*made, _below(place), lambda: roles[1], revokes=False)


# -- others -------------------------------------------------------------------------------------------------------


@contextmanager
def sftp(servers: Sshd, sshd: SftpServer) -> Iterator[Cloud]:
    """Sign in by a key, and no longer by it once the partner has another in its place."""
    keys, drawn = servers.folder / "authorized_keys", token_hex(4)
    other, stranger = (made_key(servers.folder / f"{name}-{drawn}") for name in ("other", "stranger"))

    def by(key: str) -> Params:
        said = {"domain": "127.0.0.1", "port": sshd.port, "username": sshd.user}
        return {**said, "sshKey": b64encode(key.encode()).decode()}

    def rotate() -> Params:
        keys.write_bytes(Path(f"{other}.pub").read_bytes())
        return by(other.read_text())

    def read(folder: str) -> dict[str, bytes]:
        inside = sshd.home / folder
        return {str(one.relative_to(inside)): one.read_bytes() for one in inside.rglob("*") if one.is_file()}

    root = text(f"{sshd.home}/{{{{customerData.folder}}}}")
    place = {"rootDirectory": root, "hostName": text("127.0.0.1"), "port": sshd.port}
    made = ("FILE_BASED_SFTP", "SFTP_WITH_SSH_KEY", "SFTP with SSH Key", {"fileBasedSFTPDestination": place})
    pin = {"x-headrace": {"hostKey": sshd.fingerprint}}
    try:
        yield Cloud(*made, by(sshd.key), by(stranger.read_text()), read, rotate, above=str(sshd.home), more=pin)
    finally:
        keys.write_bytes((servers.folder / "client.pub").read_bytes())


CLOUDS = {
    "azure-key": azure_by_key,
    "azure-sas": azure_by_signature,
    "adls": data_lake,
    "gcs-account": google_by_account,
    "gcs-hmac": google_by_keys,
    "s3-keys": amazon_by_keys,
    "s3-role": amazon_by_role,
}
