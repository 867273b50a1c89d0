"""
Buckets of objects, by ``obstore``: S3, and whatever speaks as it does.

It dials by itself, so it is given the guard as its proxy and has no other way out. Nor does it look for credentials:
what stands in the environment for other programs is not for this one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from obstore.exceptions import (
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import S3Store

from headrace.connect.egress import Egress
from headrace.connect.guard import Guard, Pass
from headrace.connect.tls import Tls
from headrace.errors import EgressError, OperationError

_TIMES: dict[str, Any] = {"timeout": timedelta(seconds=60), "connect_timeout": timedelta(seconds=10)}
_RETRIES: Any = {"max_retries": 3, "retry_timeout": timedelta(seconds=60)}
_CODE = re.compile(r"<Code>(\w+)</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
_DISTRUST = re.compile(r"InvalidCertificate\(\s*(\w+)")

Cause = Literal["no-bucket", "denied", "gone", "changed", "distrusted", "unreached", "refused"]


class NotRead(Exception):
    """What a bucket holds could not be read: a stable cause, and what the storage said, if anything."""

    def __init__(self, cause: Cause, said: str = "") -> None:
        super().__init__(cause, said)
        self.cause = cause
        self.said = said


@dataclass(frozen=True, slots=True)
class Place:
    """Where a bucket is, and who reads it; nobody in particular where the key is empty."""

    endpoint: str
    region: str
    bucket: str
    access_key: str = ""
    secret_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """An object as it is now; another in its place has another tag."""

    key: str
    size: int
    modified: datetime
    tag: str


class Bucket:
    """One bucket, read in this thread."""

    def __init__(self, store: S3Store) -> None:
        self._store: Any = store

    def look(self, key: str) -> Found | None:
        """
        Return an object; nothing where there is none.

        Raises:
            NotRead: it cannot be known.
        """
        try:
            return _found(self._store.head(key))
        except (BaseError, FileNotFoundError, OSError) as error:
            if (known := _explained(error)).cause == "gone":
                return None
            raise known from None

    def below(self, prefix: str) -> Iterator[Found]:
        """
        Yield the objects below a prefix, however deep.

        Raises:
            NotRead: they cannot be listed.
        """
        try:
            for page in self._store.list(prefix or None):
                yield from map(_found, page)
        except (BaseError, FileNotFoundError, OSError) as error:
            raise _explained(error) from None

    def directly_in(self, prefix: str) -> Iterator[Found]:
        """
        Yield the objects in a prefix, and none below it.

        Raises:
            NotRead: they cannot be listed.
        """
        try:
            yield from map(_found, self._store.list_with_delimiter(prefix or None)["objects"])
        except (BaseError, FileNotFoundError, OSError) as error:
            raise _explained(error) from None

    def read(self, key: str, tag: str, start: int, end: int) -> memoryview:
        """
        Return bytes of an object that has a tag.

        Raises:
            NotRead: it cannot be read, or is another one by now.
        """
        try:
            return memoryview(self._store.get(key, options={"range": (start, end), "if_match": tag}).bytes())
        except (BaseError, FileNotFoundError, OSError) as error:
            raise _explained(error) from None


class Buckets:
    """Opens buckets; its guard listens from ``start`` to ``stop``, in the event loop of who calls these."""

    def __init__(self, egress: Egress, tls: Tls | None = None) -> None:
        self._egress = egress
        self._authorities = b"".join((tls or Tls()).authorities)
        #: The guard, for others that need one which is running.
        self.guard = Guard()
        self._passes: dict[str, Pass] = {}
        self._url = ""

    def admit(self, endpoint: str) -> str:
        """
        Return the origin of an endpoint, if it may be reached.

        Raises:
            OperationError: it may not, or is none.
        """
        try:
            return self._egress.admit(endpoint).origin
        except EgressError as error:
            raise OperationError(f"the endpoint {endpoint!r} cannot be used: {error.message}") from None

    async def start(self) -> None:
        """Begin to let through."""
        await self.guard.start()
        self._url = self.guard.url

    async def stop(self) -> None:
        """End every connection."""
        await self.guard.stop()

    def open(self, place: Place) -> Bucket:
        """
        Return a bucket. Nothing is asked of it yet.

        Raises:
            OperationError: its endpoint may not be reached.
        """
        origin = self.admit(place.endpoint)
        if origin not in self._passes:
            self._passes[origin] = self.guard.issue(self._egress, origins=frozenset({origin}))
        return Bucket(_store(place, self._client_options(self._passes[origin])))

    def _client_options(self, holder: Pass) -> Any:
        proxy = self._url.replace("http://", f"http://{holder.name}:{holder.secret}@")
        # What is said here counts, whatever the environment says to this library.
        options = {"proxy_url": proxy, "proxy_excludes": "", "allow_invalid_certificates": False, "allow_http": True}
        trusted = {"root_certificate": self._authorities} if self._authorities else {}
        return {**options, **trusted, **_TIMES}


def _store(place: Place, client_options: Any) -> S3Store:
    # A provider and not two keys: with keys, a session's token in the environment would be taken as well.
    credential: Any = {
        "access_key_id": place.access_key,
        "secret_access_key": place.secret_key,
        "token": None,
        "expires_at": None,
    }
    return S3Store(
        place.bucket,
        endpoint=place.endpoint.rstrip("/"),
        aws_endpoint_url_s3=place.endpoint.rstrip("/"),  # It would count more, if the environment had it.
        region=place.region,
        virtual_hosted_style_request=False,
        skip_signature=not place.access_key,
        credential_provider=lambda: credential,
        client_options=client_options,
        retry_config=_RETRIES,
    )


def _found(meta: Any) -> Found:
    return Found(meta["path"], meta["size"], meta["last_modified"], meta["e_tag"] or "")


def _explained(error: Exception) -> NotRead:
    """Say what an error means; the library tells most apart by nothing but its text."""
    text = str(error)
    said = next(iter(_CODE.findall(text)), "")
    status = next(iter(_STATUS.findall(text)), "")
    if said == "NoSuchBucket":
        return NotRead("no-bucket", said)
    if isinstance(error, PreconditionError) or status == "412":
        return NotRead("changed", said)
    if isinstance(error, NotFoundError | FileNotFoundError):
        return NotRead("gone", said)
    if isinstance(error, PermissionDeniedError | UnauthenticatedError) or status in ("401", "403"):
        return NotRead("denied", said or f"status {status or 403}")
    if distrust := _DISTRUST.search(text):
        return NotRead("distrusted", distrust[1])
    if status and status != "502":
        return NotRead("refused", said or f"status {status}")
    return NotRead("unreached")
