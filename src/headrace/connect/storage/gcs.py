"""
Google Cloud Storage: by HMAC keys at its XML interface, or by a service account at its JSON interface.

Both store a file only if there is none, by the generation that it has to have. The interface that speaks as S3 does
cannot say that, so it is not used; the signature is the same one, in Google's own words.
"""

import asyncio
import html
import re
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from secrets import token_hex
from time import time
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

import orjson
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from headrace.connect.storage.calls import Calls, Told, cause_of_status, opened
from headrace.connect.storage.given import Given
from headrace.connect.storage.objects import MARK, ObjectStorage, Seen, absent_is_fine, folder_of
from headrace.connect.storage.resumable import FOR_A_PART, ResumableUpload
from headrace.connect.storage.s3 import bucket_of
from headrace.connect.storage.sigv4 import GOOGLE, Keys, Scope, escaped, query_of, sign
from headrace.connect.storage.storage import Cause, NotStored, Storage, Way, storages
from headrace.connect.storage.tokens import Tokens
from headrace.connect.transport import Transport
from headrace.connect.url import parse_url
from headrace.errors import AccountError
from headrace.model.http import Headers, Request, Response

ENDPOINT = "https://storage.googleapis.com"
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
_XML_CODE = re.compile(rb"<Code>([A-Za-z0-9]{1,64})</Code>")
_JSON_REASON = re.compile(rb'"reason"\s*:\s*"([A-Za-z0-9]{1,64})"')
_BUCKET_GONE = re.compile(rb"bucket does not exist|NoSuchBucket", re.IGNORECASE)
_CAUSES: Mapping[str, Cause] = {
    "NoSuchBucket": "no-place",
    "SlowDown": "busy",
    "rateLimitExceeded": "busy",
    "userRateLimitExceeded": "busy",
    "backendError": "busy",
    "quotaExceeded": "full",
    "conditionNotMet": "exists",
}
_KIND = "application/octet-stream"


class XmlObjects:
    """Objects of a bucket, by the XML interface."""

    at_once = 1

    def __init__(self, calls: Calls, url: str) -> None:
        self._calls = calls
        self._url = url

    async def put(self, key: str, data: bytes, mark: str, *, replaces: bool) -> str:
        request = Request("PUT", self._of(key), (*_marked(mark), *_condition(replaces)), data)
        return _generation(await self._calls.ask(request, within=FOR_A_PART))

    async def begin(self, key: str, mark: str, *, replaces: bool) -> ResumableUpload:
        headers = (*_marked(mark), *_condition(replaces), ("x-goog-resumable", "start"))
        answer = await self._calls.ask(Request("POST", self._of(key), headers))
        return ResumableUpload(self._calls, _session(answer, self._url), _generation)

    async def look(self, key: str) -> Seen | None:
        try:
            answer = await self._calls.ask(Request("HEAD", self._of(key)))
        except NotStored as error:
            if error.cause != "gone":
                raise
            await self._see_bucket()
            return None
        size, mark = int(answer.header("content-length") or 0), answer.header(f"x-goog-meta-{MARK}") or ""
        return Seen(size, _generation(answer), mark)

    async def remove(self, key: str) -> None:
        await absent_is_fine(self._calls.ask(Request("DELETE", self._of(key))))

    async def clear(self, key: str) -> None:
        """Google does not tell which uploads were begun; it forgets them a week later."""

    async def _see_bucket(self) -> None:
        """Tell a missing bucket from a missing object: a question for an object is answered alike."""
        try:
            await self._calls.ask(Request("GET", f"{self._url}?max-keys=1"))
        except NotStored as error:
            if error.cause != "denied":
                raise

    def _of(self, key: str) -> str:
        return f"{self._url}/{escaped(key)}"


class JsonObjects:
    """Objects of a bucket, by the JSON interface."""

    at_once = 1

    def __init__(self, calls: Calls, endpoint: str, bucket: str, told: Told) -> None:
        self._calls = calls
        self._told = told
        self._objects = f"{endpoint}/storage/v1/b/{bucket}/o"
        self._uploads = f"{endpoint}/upload/storage/v1/b/{bucket}/o"

    async def put(self, key: str, data: bytes, mark: str, *, replaces: bool) -> str:
        edge = token_hex(16)
        about = f"--{edge}\r\nContent-Type: application/json\r\n\r\n".encode() + _about(key, mark)
        body = about + f"\r\n--{edge}\r\nContent-Type: {_KIND}\r\n\r\n".encode() + data + f"\r\n--{edge}--\r\n".encode()
        headers = (("content-type", f"multipart/related; boundary={edge}"),)
        answer = await self._calls.ask(
            Request("POST", self._upload(key, "multipart", replaces), headers, body), within=FOR_A_PART
        )
        return str(_read(answer).get("generation", ""))

    async def begin(self, key: str, mark: str, *, replaces: bool) -> ResumableUpload:
        headers = (("content-type", "application/json"), ("x-upload-content-type", _KIND))
        request = Request("POST", self._upload(key, "resumable", replaces), headers, _about(key, mark))
        session = _session(await self._calls.ask(request), self._uploads)
        return ResumableUpload(self._calls, session, lambda answer: str(_read(answer).get("generation", "")))

    async def look(self, key: str) -> Seen | None:
        try:
            read = _read(await self._calls.ask(Request("GET", self._of(key))))
        except NotStored as error:
            if error.cause != "gone":
                raise
            await self._see_bucket()
            return None
        mark = (read.get("metadata") or {}).get(MARK, "")
        return Seen(int(read.get("size", 0)), str(read.get("generation", "")), mark)

    async def remove(self, key: str) -> None:
        await absent_is_fine(self._calls.ask(Request("DELETE", self._of(key))))

    async def clear(self, key: str) -> None:
        """Google does not tell which uploads were begun; it forgets them a week later."""

    async def _see_bucket(self) -> None:
        try:
            await self._calls.ask(Request("GET", f"{self._objects}?maxResults=1"))
        except NotStored as error:
            if error.cause == "gone":
                raise self._told.refused("no-place", "status 404") from None
            if error.cause != "denied":
                raise

    def _of(self, key: str) -> str:
        return f"{self._objects}/{quote(key, safe='')}"

    def _upload(self, key: str, kind: str, replaces: bool) -> str:
        condition = {} if replaces else {"ifGenerationMatch": "0"}
        return f"{self._uploads}?{query_of({'uploadType': kind, 'name': key, **condition})}"


class GoogleCloud:
    """Buckets of Google Cloud Storage."""

    auth_types: ClassVar[tuple[str, ...]] = ("GOOGLE_CLOUD_STORAGE",)

    @asynccontextmanager
    async def open(
        self, place: Mapping[str, Any], auth_type: str, auth: Mapping[str, Any], way: Way
    ) -> AsyncIterator[Storage]:
        """Open a folder of a bucket; see ``MakesStorage``."""
        asked = Given(place, auth)
        bucket, folder = bucket_of(asked.place("bucket", "bucketName")), folder_of(asked.place("path", missing=""))
        async with opened(way) as transport:
            if asked.credential("serviceAccountKey", missing=""):
                yield ObjectStorage(_by_account(asked, bucket, transport, way), folder)
            else:
                yield ObjectStorage(_by_keys(asked, bucket, transport, way), folder)


def _by_keys(asked: Given, bucket: str, transport: Transport, way: Way) -> XmlObjects:
    endpoint = asked.addition("endpoint").rstrip("/") or ENDPOINT
    keys = Keys(asked.credential("accessKeyId", "accessId"), asked.credential("secretAccessKey", "secretKey"))
    scope = Scope("auto", "storage", GOOGLE)

    async def signed(request: Request) -> Request:
        if parse_url(request.url).path_and_query.find("upload_id=") >= 0:
            return request  # The address of a session is its own secret.
        return await asyncio.to_thread(sign, request, keys, scope, datetime.now(UTC))

    origin = way.egress.admit(endpoint).origin
    calls = Calls(transport, frozenset({origin}), signed, _judge(Told(origin, f"the bucket '{bucket}'")))
    return XmlObjects(calls, f"{endpoint}/{bucket}")


def _by_account(asked: Given, bucket: str, transport: Transport, way: Way) -> JsonObjects:
    # A token is shown where the operator says: whoever sees one could use it at every bucket of the account's.
    endpoint = asked.credential("endpoint", missing=ENDPOINT).rstrip("/")
    account = ServiceAccount(asked.credential("serviceAccountKey"))
    tokens = Tokens(transport, account.token_url, way.egress.admit(account.token_url).origin, account.form)
    origin = way.egress.admit(endpoint).origin
    told = Told(origin, f"the bucket '{bucket}'")
    return JsonObjects(Calls(transport, frozenset({origin}), tokens.signed, _judge(told)), endpoint, bucket, told)


class ServiceAccount:
    """The key of a service account, as the file has it that Google lets people download."""

    def __init__(self, text: str) -> None:
        """
        Raises:
            AccountError: it is no such file.
        """
        try:
            said = orjson.loads(text)
            self.token_url = str(said.get("token_uri") or "https://oauth2.googleapis.com/token")
            self._email, self._id = str(said["client_email"]), str(said.get("private_key_id") or "")
            key = load_pem_private_key(str(said["private_key"]).encode(), password=None)
        except (ValueError, KeyError, TypeError, AttributeError):
            key = None
        if not isinstance(key, RSAPrivateKey):
            raise AccountError("`serviceAccountKey` is not the JSON file of a service account's key; paste it whole.")
        self._key = key

    def form(self) -> bytes:
        """Write what a token is asked for with: a statement about ourselves, signed."""
        now = int(time())
        claims = {"iss": self._email, "scope": _SCOPE, "aud": self.token_url, "iat": now, "exp": now + 3600}
        head = {"alg": "RS256", "typ": "JWT", "kid": self._id}
        text = b".".join(urlsafe_b64encode(orjson.dumps(part)).rstrip(b"=") for part in (head, claims))
        signature = urlsafe_b64encode(self._key.sign(text, PKCS1v15(), SHA256())).rstrip(b"=")
        grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
        return urlencode({"grant_type": grant, "assertion": (text + b"." + signature).decode()}).encode()


def _session(answer: Response, near: str) -> str:
    """Return where an upload goes on: as the storage says, at the origin that it was begun at."""
    said = html.unescape(answer.header("location") or "")
    _, found, rest = said.partition("://")
    if not found or "/" not in rest:
        raise NotStored("refused", "The storage did not say where the upload goes on.")
    return f"{parse_url(near).origin}/{rest.partition('/')[2]}"


def _judge(told: Told) -> Callable[[Response], NotStored | None]:
    def wrong(answer: Response) -> NotStored | None:
        if answer.status < 300 or answer.status in (308, 499):
            return None
        found = _XML_CODE.search(answer.body) or _JSON_REASON.search(answer.body)
        said = found[1].decode() if found is not None else f"status {answer.status}"
        if answer.status == 404 and _BUCKET_GONE.search(answer.body):
            return told.refused("no-place", said)
        if answer.status == 410:
            return told.refused("gone", said)
        return told.refused(_CAUSES.get(said) or cause_of_status(answer.status), said)

    return wrong


def _read(answer: Response) -> dict[str, Any]:
    try:
        read = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return {}
    return read if isinstance(read, dict) else {}


def _about(key: str, mark: str) -> bytes:
    return orjson.dumps({"name": key, "contentType": _KIND, "metadata": {MARK: mark}})


def _marked(mark: str) -> Headers:
    return (("content-type", _KIND), (f"x-goog-meta-{MARK}", mark))


def _condition(replaces: bool) -> Headers:
    return () if replaces else (("x-goog-if-generation-match", "0"),)


def _generation(answer: Response) -> str:
    return answer.header("x-goog-generation") or ""


storages.register("FILE_BASED_GOOGLE_CLOUD")(GoogleCloud())
