"""Azure Blob Storage, by a connection string: with the account's key, or a signature that somebody made with it."""

import binascii
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from headrace.connect.storage.azure import blobs_at, signed_by_key, stamped
from headrace.connect.storage.calls import opened
from headrace.connect.storage.given import Given
from headrace.connect.storage.objects import ObjectStorage, folder_of
from headrace.connect.storage.storage import Storage, Way, storages
from headrace.connect.url import parse_url
from headrace.errors import AccountError, EgressError
from headrace.model.http import Request


@dataclass(frozen=True, slots=True)
class Connection:
    """What a connection string says; one of ``key`` and ``signature`` is there."""

    endpoint: str
    account: str
    key: bytes = field(default=b"", repr=False)
    signature: str = field(default="", repr=False)

    @classmethod
    def read(cls, text: str) -> "Connection":
        """
        Read a connection string.

        Raises:
            AccountError: something is missing, or cannot be read.
        """
        pairs = (entry.partition("=") for entry in text.split(";") if entry.strip())
        said = {name.strip().lower(): value.strip() for name, _, value in pairs}
        account, signature = said.get("accountname", ""), said.get("sharedaccesssignature", "").removeprefix("?")
        if "://" in text.partition(";")[0].partition("=")[0]:
            raise AccountError(
                "This is an address and no connection string; write `BlobEndpoint=…;SharedAccessSignature=…`, with the "
                "address up to the container, and with what stands behind its `?`."
            )
        endpoint = _address(said.get("blobendpoint", "").rstrip("/") or _endpoint_of(account, said))
        if signature:
            return cls(endpoint, account, b"", signature)
        if not (account and said.get("accountkey")):
            raise AccountError("The connection string has no `AccountName` with `AccountKey`; copy it whole.")
        return cls(endpoint, account, _key_of(said["accountkey"]))

    def ended(self, now: datetime) -> str:
        """Say for people that the signature's time is over, if it is."""
        end = dict(parse_qsl(self.signature)).get("se", "")
        try:
            moment = datetime.fromisoformat(end)
        except ValueError:
            return ""
        if (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)) > now:
            return ""
        return f"The signature ended at {end}; have another made."

    async def signed(self, request: Request) -> Request:
        """Return a request that may be sent."""
        dated = stamped(request)
        if self.key:
            return signed_by_key(dated, self.account, self.key)
        url = f"{dated.url}{'&' if '?' in dated.url else '?'}{self.signature}"
        return Request(dated.method, url, dated.headers, dated.body)


class AzureBlob:
    """Containers of a storage account."""

    auth_types: ClassVar[tuple[str, ...]] = ("AZURE_CONNECTION_STRING",)

    @asynccontextmanager
    async def open(
        self, place: Mapping[str, Any], auth_type: str, auth: Mapping[str, Any], way: Way
    ) -> AsyncIterator[Storage]:
        """Open a folder of a container; see ``MakesStorage``."""
        asked = Given(place, auth)
        connection = Connection.read(asked.credential("connectionString"))
        way.egress.admit(connection.endpoint)
        folder = folder_of(_below(asked.place("path", missing="/"), connection.endpoint))
        async with opened(way) as transport:
            made = (connection.endpoint, asked.place("container"), connection.signed)
            blobs = blobs_at(transport, *made, connection.ended(datetime.now(UTC)))
            yield ObjectStorage(blobs, folder)


def _below(path: str, endpoint: str) -> str:
    """Return the folder of a path that may begin with where the account is."""
    if "://" not in path:
        return path
    if not f"{path.rstrip('/')}/".lower().startswith(f"{endpoint}/".lower()):
        raise AccountError(
            f"The destination writes to another account than the connection string's, which is at '{endpoint}'."
        )
    return path[len(endpoint) :]


def _endpoint_of(account: str, said: Mapping[str, str]) -> str:
    scheme, suffix = said.get("defaultendpointsprotocol", "https"), said.get("endpointsuffix", "core.windows.net")
    if not account:
        raise AccountError("The connection string has neither `BlobEndpoint` nor `AccountName`; copy it whole.")
    return f"{scheme}://{account}.blob.{suffix}"


def _address(text: str) -> str:
    try:
        parse_url(text)
    except EgressError as error:
        raise AccountError(f"The connection string leads to no address; copy it whole. {error.message}") from None
    return text


def _key_of(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except binascii.Error:
        raise AccountError("The `AccountKey` of the connection string is not Base64; copy it whole.") from None


storages.register("FILE_BASED_AZURE_BLOB")(AzureBlob())
