"""
Azure Data Lake Storage Gen2, by a service principal: at the endpoint for blobs that each such account has as well.

There a file is made of blocks and appears whole; the data lake's own way creates an empty file first and fills it.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar
from urllib.parse import urlencode

from headrace.connect.storage.azure import blobs_at, stamped
from headrace.connect.storage.calls import opened
from headrace.connect.storage.given import Given
from headrace.connect.storage.objects import ObjectStorage, folder_of
from headrace.connect.storage.storage import Storage, Way, storages
from headrace.connect.storage.tokens import Tokens
from headrace.errors import AccountError, AuthoringError
from headrace.model.http import Request

_PLACE = re.compile(r"abfss?://([^@/]+)@([a-z0-9]{3,24})\.dfs\.(core\.[a-z.]+)(/.*)?", re.IGNORECASE)
#: How the endpoint of an account is written, by the original's clients too; its container stands in the path.
_ENDPOINT = re.compile(r"https://([a-z0-9]{3,24})\.(?:dfs|blob)\.core\.[a-z.]+(?:/.*)?", re.IGNORECASE)
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{1,100}")
#: Where each of Microsoft's clouds has its accounts, and where tokens for them come from. A token is shown nowhere
#: else: whoever sees one could use it at every account of the principal's.
CLOUDS: Mapping[str, str] = {
    "core.windows.net": "https://login.microsoftonline.com",
    "core.usgovcloudapi.net": "https://login.microsoftonline.us",
    "core.chinacloudapi.cn": "https://login.chinacloudapi.cn",
}


class Adls:
    """File systems of a storage account."""

    auth_types: ClassVar[tuple[str, ...]] = ("AZURE_SERVICE_PRINCIPAL",)

    @asynccontextmanager
    async def open(
        self, place: Mapping[str, Any], auth_type: str, auth: Mapping[str, Any], way: Way
    ) -> AsyncIterator[Storage]:
        """Open a folder of a file system; see ``MakesStorage``."""
        asked = Given(place, auth)
        system, endpoint, authority, folder = _read(asked.place("path"), asked.credential("url", missing=""), way)
        way.egress.admit(endpoint)
        async with opened(way) as transport:
            tokens = Tokens(transport, *_asking(authority, asked, way))

            async def signed(request: Request) -> Request:
                return await tokens.signed(stamped(request))

            yield ObjectStorage(blobs_at(transport, endpoint, system, signed), folder)


def _read(path: str, url: str, way: Way) -> tuple[str, str, str, str]:
    """Return the file system, the endpoint for blobs, where tokens come from, and the folder."""
    found, own = _PLACE.fullmatch(path), _account_of(url)
    if found is None and "://" not in path:
        found = _PLACE.fullmatch(f"{url.rstrip('/')}/{path.lstrip('/')}")
    if found is None:
        raise AuthoringError("`path` is written abfs://<file system>@<account>.dfs.core.windows.net/<folder>/.")
    system, account, cloud, folder = found[1], found[2].lower(), found[3].lower(), folder_of(found[4] or "")
    if own and own != account:
        raise AccountError(f"`url` is of the account '{own}', and the destination writes to '{account}'.")
    if url and not own:  # An operator may name another endpoint; an author may not.
        return system, url.rstrip("/"), way.authority or CLOUDS.get(cloud, CLOUDS["core.windows.net"]), folder
    if cloud not in CLOUDS:
        raise AuthoringError(f"'{cloud}' is not a cloud of Azure; these are: {', '.join(CLOUDS)}.")
    return system, f"https://{account}.blob.{cloud}", way.authority or CLOUDS[cloud], folder


def _account_of(url: str) -> str:
    """Return the account that a URL is of; empty: it is of none, but another endpoint."""
    place, endpoint = _PLACE.fullmatch(url), _ENDPOINT.fullmatch(url)
    return (place[2] if place is not None else endpoint[1] if endpoint is not None else "").lower()


def _asking(authority: str, asked: Given, way: Way) -> Any:
    """Return where tokens are got, its origin, and what writes the form."""
    tenant = asked.credential("tenant", "tenantId")
    if not _TENANT.fullmatch(tenant):
        raise AccountError("`tenant` is the id of the directory, or its domain.")
    form = urlencode(
        {
            "grant_type": "client_credentials",
            "client_id": asked.credential("servicePrincipalId"),
            "client_secret": asked.credential("servicePrincipalKey"),
            "scope": "https://storage.azure.com/.default",
        }
    ).encode()
    url = f"{authority.rstrip('/')}/{tenant}/oauth2/v2.0/token"
    return url, way.egress.admit(url).origin, lambda: form


storages.register("FILE_BASED_ADLS_GEN2")(Adls())
