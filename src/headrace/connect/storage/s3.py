"""Amazon S3, and what speaks its language: parts by ``CreateMultipartUpload``, and a file only if there is none."""

import asyncio
import html
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any, ClassVar

from headrace.connect.storage.calls import Calls, Told, cause_of_status, opened
from headrace.connect.storage.given import Given
from headrace.connect.storage.objects import MARK, ObjectStorage, Seen, absent_is_fine, folder_of
from headrace.connect.storage.sigv4 import Keys, Scope, escaped, query_of, sign
from headrace.connect.storage.storage import Cause, NotStored, Storage, Way, storages
from headrace.connect.storage.sts import AssumedRole
from headrace.connect.transport import Transport
from headrace.errors import AccountError, AuthoringError
from headrace.model.http import Headers, Request, Response

#: Seconds for a part, and for the last step, which takes long where there were many parts.
_FOR_A_PART = 120.0
_FOR_THE_LAST = 300.0
#: So many uploads are told of in one answer, which may not be long.
_MOST_BEGUN = "25"
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]")
_REGION = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
_CODE = re.compile(rb"<Code>([A-Za-z0-9.]{1,64})</Code>")
_TAG = re.compile(rb"<ETag>(.{1,200}?)</ETag>", re.DOTALL)
_UPLOAD = re.compile(rb"<UploadId>([^<]{1,1024})</UploadId>")
_BEGUN = re.compile(rb"<Upload>(.*?)</Upload>", re.DOTALL)
_KEY = re.compile(rb"<Key>([^<]{1,8192})</Key>")
_INITIATOR = re.compile(rb"<Initiator>.*?<ID>([^<]{1,2048})</ID>", re.DOTALL)
_LOCATION = re.compile(rb"<LocationConstraint[^>]*>([^<]{1,40})<")
_CAUSES: Mapping[str, Cause] = {
    "NoSuchBucket": "no-place",
    "QuotaExceeded": "full",
    "StorageQuotaExceeded": "full",
    "XMinioStorageFull": "full",
    "InsufficientStorage": "full",
    "SlowDown": "busy",
    "InternalError": "busy",
    "RequestTimeout": "busy",
    "OperationAborted": "busy",
    "ConditionalRequestConflict": "busy",
    "NoSuchUpload": "gone",
    "NoSuchKey": "gone",
    "ExpiredToken": "denied",
    "InvalidToken": "denied",
}

GetKeys = Callable[[], Awaitable[Keys]]


class S3Objects:
    """Objects of one bucket."""

    at_once = 2

    def __init__(self, calls: Calls, url: str) -> None:
        self._calls = calls
        self._url = url
        self._has_bucket = False
        self._us: str | None = None

    async def put(self, key: str, data: bytes, mark: str, *, replaces: bool) -> str:
        request = Request("PUT", self._of(key), (*_marked(mark), *_condition(replaces)), data)
        answer = await self._calls.ask(request, within=_FOR_A_PART)
        return _tag(answer)

    async def begin(self, key: str, mark: str, *, replaces: bool) -> "S3Upload":
        answer = await self._calls.ask(Request("POST", f"{self._of(key)}?uploads=", _marked(mark)))
        found = _UPLOAD.search(answer.body)
        if found is None:
            raise NotStored("refused", "The storage did not say by which name the upload is known.")
        return S3Upload(self._calls, self._of(key), html.unescape(found[1].decode()))

    async def look(self, key: str) -> Seen | None:
        try:
            answer = await self._calls.ask(Request("HEAD", self._of(key)))
        except NotStored as error:
            if error.cause != "gone":
                raise
            await self._see_bucket()
            return None
        mark = answer.header(f"x-amz-meta-{MARK}") or ""
        return Seen(int(answer.header("content-length") or 0), _tag(answer), mark)

    async def remove(self, key: str) -> None:
        await absent_is_fine(self._calls.ask(Request("DELETE", self._of(key))))

    async def clear(self, key: str) -> None:
        """Take back uploads of this very key that we have begun, by what the storage tells of who it was."""
        begun = await self._begun(key)
        if begun and self._us is None:
            self._us = await self._who_we_are(key)
        for name in [name for name, who in begun.items() if who == self._us]:
            await S3Upload(self._calls, self._of(key), name).abort()

    async def _who_we_are(self, near: str) -> str:
        """Ask who began an upload that we begin, of a key that nothing else has; some storages do not say."""
        key = f"{near}-{token_hex(8)}"
        own = await self.begin(key, "", replaces=True)
        try:
            return (await self._begun(key)).get(own.name, "")
        finally:
            await own.abort()

    async def _begun(self, key: str) -> dict[str, str]:
        """Return the first uploads of a key by their names, each with who began it."""
        query = query_of({"uploads": "", "prefix": key, "max-uploads": _MOST_BEGUN})
        answer = await self._calls.ask(Request("GET", f"{self._url}?{query}"))
        found = (_read_upload(text) for text in _BEGUN.findall(answer.body))
        return {name: who for of, name, who in found if of == key}

    async def _see_bucket(self) -> None:
        """Tell a missing bucket from a missing object: the answers to the question for an object are the same."""
        if self._has_bucket:
            return
        try:
            await self._calls.ask(Request("HEAD", self._url))
        except NotStored as error:
            if error.cause == "gone":
                place = self._url.rpartition("/")[2]
                raise NotStored("no-place", f"There is no bucket '{place}'; name one that exists.") from None
            if error.cause != "denied":  # Not every account may ask for buckets.
                raise
        self._has_bucket = True

    def _of(self, key: str) -> str:
        return f"{self._url}/{escaped(key)}"


class S3Upload:
    """One multipart upload."""

    def __init__(self, calls: Calls, url: str, name: str) -> None:
        self.name = name
        self._calls = calls
        self._url = url
        self._tags: dict[int, str] = {}

    async def part(self, number: int, data: bytes) -> None:
        query = query_of({"partNumber": str(number), "uploadId": self.name})
        answer = await self._calls.ask(Request("PUT", f"{self._url}?{query}", (), data), within=_FOR_A_PART)
        self._tags[number] = answer.header("etag") or ""

    async def finish(self, *, replaces: bool) -> str:
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{html.escape(tag)}</ETag></Part>"
            for number, tag in sorted(self._tags.items())
        )
        space = "http://s3.amazonaws.com/doc/2006-03-01/"
        body = f'<CompleteMultipartUpload xmlns="{space}">{parts}</CompleteMultipartUpload>'.encode()
        headers = (("content-type", "application/xml"), *_condition(replaces))
        request = Request("POST", f"{self._url}?{query_of({'uploadId': self.name})}", headers, body)
        answer = await self._calls.ask(request, within=_FOR_THE_LAST)
        found = _TAG.search(answer.body)
        return html.unescape(found[1].decode()).strip('"') if found is not None else ""

    async def abort(self) -> None:
        await absent_is_fine(self._calls.ask(Request("DELETE", f"{self._url}?{query_of({'uploadId': self.name})}")))


class S3:
    """Buckets of S3; by keys of the account's, or by a role of the partner's that the house assumes."""

    auth_types: ClassVar[tuple[str, ...]] = ("S3",)

    @asynccontextmanager
    async def open(
        self, place: Mapping[str, Any], auth_type: str, auth: Mapping[str, Any], way: Way
    ) -> AsyncIterator[Storage]:
        """Open a folder of a bucket; see ``MakesStorage``."""
        asked = Given(place, auth)
        bucket, folder = bucket_of(asked.place("bucket", "bucketName")), folder_of(asked.place("path", missing=""))
        endpoint, region = asked.addition("endpoint").rstrip("/"), _region_of(asked.addition("region"))
        async with opened(way) as transport:
            keys = _keys(asked, way, transport)
            if not endpoint:
                region = region or await _find_region(transport, bucket, keys)
            endpoint = endpoint or amazon(region)
            calls = s3_calls(transport, endpoint, bucket, keys, region or "us-east-1", way)
            yield ObjectStorage(S3Objects(calls, f"{endpoint}/{bucket}"), folder)


def s3_calls(transport: Transport, endpoint: str, bucket: str, keys: GetKeys, region: str, way: Way) -> Calls:
    """Make what asks for a bucket at an endpoint, and nowhere else."""
    origin = asked_origin(endpoint, way)
    return Calls(transport, frozenset({origin}), _signer(keys, region), _judge(Told(origin, f"the bucket '{bucket}'")))


def asked_origin(endpoint: str, way: Way) -> str:
    """
    Return the origin of an endpoint.

    Raises:
        EgressError: it may not be reached.
    """
    return way.egress.admit(endpoint).origin


def amazon(region: str) -> str:
    """Name Amazon's own endpoint."""
    return f"https://s3.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"


def bucket_of(text: str) -> str:
    """
    Read a bucket's name.

    Raises:
        AuthoringError: it is none.
    """
    if not _BUCKET.fullmatch(text) or ".." in text:
        raise AuthoringError("The bucket's name has 3 to 63 letters, digits, hyphens, dots or low lines.")
    return text


def _region_of(text: str) -> str:
    if text and not _REGION.fullmatch(text):
        raise AuthoringError("The region is such as 'eu-west-1'.")
    return text


def _keys(asked: Given, way: Way, transport: Transport) -> GetKeys:
    role = asked.credential("roleArn", "s3RoleArn", missing="")
    if role:
        return AssumedRole(transport, role, way).keys
    fixed = Keys(asked.credential("s3AccessKey", "accessId"), asked.credential("s3SecretKey", "secretKey"))
    if not fixed.access_key.isprintable() or " " in fixed.access_key:
        raise AccountError("The id of the access key holds a blank or a control character.")

    async def give() -> Keys:
        return fixed

    return give


async def _find_region(transport: Transport, bucket: str, keys: GetKeys) -> str:
    """Ask where a bucket of Amazon's is: what is signed for another region is refused."""
    endpoint = amazon("us-east-1")
    told = Told(endpoint, f"the bucket '{bucket}'")
    calls = Calls(transport, frozenset({endpoint}), _signer(keys, "us-east-1"), _judge(told))
    answer = await calls.ask(Request("GET", f"{endpoint}/{bucket}?location="))
    found = _LOCATION.search(answer.body)
    region = found[1].decode() if found is not None else "us-east-1"
    return "eu-west-1" if region == "EU" else _region_of(region)


def _signer(keys: GetKeys, region: str) -> Callable[[Request], Awaitable[Request]]:
    scope = Scope(region, "s3")

    async def signed(request: Request) -> Request:
        now = datetime.now(UTC)
        if len(request.body) < 1 << 16:
            return sign(request, await keys(), scope, now)
        return await asyncio.to_thread(sign, request, await keys(), scope, now)

    return signed


def _judge(told: Told) -> Callable[[Response], NotStored | None]:
    def wrong(answer: Response) -> NotStored | None:
        found = _CODE.search(answer.body)
        if answer.status < 300 and (found is None or b"<Error>" not in answer.body):
            return None
        said = found[1].decode() if found is not None else f"status {answer.status}"
        is_late = answer.status < 300  # Said after the head, as the last step of many parts is.
        return told.refused(_CAUSES.get(said) or ("busy" if is_late else cause_of_status(answer.status)), said)

    return wrong


def _read_upload(text: bytes) -> tuple[str, str, str]:
    """Return an upload's key, its name and who began it, as a list of uploads has them."""
    found = (pattern.search(text) for pattern in (_KEY, _UPLOAD, _INITIATOR))
    key, name, who = (html.unescape(one[1].decode(errors="replace")) if one is not None else "" for one in found)
    return key, name, who


def _marked(mark: str) -> Headers:
    return (("content-type", "application/octet-stream"), (f"x-amz-meta-{MARK}", mark))


def _condition(replaces: bool) -> Headers:
    return () if replaces else (("if-none-match", "*"),)


def _tag(answer: Response) -> str:
    return (answer.header("etag") or "").strip('"')


storages.register("FILE_BASED_S3")(S3())
