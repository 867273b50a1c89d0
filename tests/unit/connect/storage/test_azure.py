"""What is read of an account of Azure's before anybody is asked."""

from datetime import UTC, datetime

import pytest

from headrace.connect.egress import AllowList, Egress
from headrace.connect.guard import Guard
from headrace.connect.storage import Way
from headrace.connect.storage.adls import _read
from headrace.connect.storage.azure_blob import Connection
from headrace.errors import AccountError

WAY = Way(Egress(AllowList.parse("")), Guard())
PLACE = "abfss://files@harbor.dfs.core.windows.net/drop/"
GOVERNMENT = "abfs://files@harbor.dfs.core.usgovcloudapi.net/drop/"
WORLD, STATES = "https://login.microsoftonline.com", "https://login.microsoftonline.us"


@pytest.mark.parametrize(
    ("path", "url", "endpoint", "authority"),
    [
        (PLACE, "", "https://harbor.blob.core.windows.net", WORLD),
        (PLACE, "abfss://other@harbor.dfs.core.windows.net", "https://harbor.blob.core.windows.net", WORLD),
        (PLACE, "https://harbor.dfs.core.windows.net", "https://harbor.blob.core.windows.net", WORLD),
        (PLACE, "https://Harbor.dfs.core.windows.net/files/", "https://harbor.blob.core.windows.net", WORLD),
        (PLACE, "https://harbor.blob.core.windows.net/", "https://harbor.blob.core.windows.net", WORLD),
        (GOVERNMENT, "", "https://harbor.blob.core.usgovcloudapi.net", STATES),
        (GOVERNMENT, "https://lake.inside.example/", "https://lake.inside.example", STATES),
        ("/drop", PLACE.removesuffix("/drop/"), "https://harbor.blob.core.windows.net", WORLD),
    ],
)
def test_a_data_lake_is_written_to_at_its_endpoint_for_blobs_however_it_is_named(path, url, endpoint, authority):
    assert _read(path, url, WAY) == ("files", endpoint, authority, "drop")


@pytest.mark.parametrize(
    "url",
    [
        "abfss://files@other.dfs.core.windows.net",
        "https://other.dfs.core.windows.net",
        "https://other.blob.core.windows.net",
    ],
)
def test_credentials_of_another_account_are_not_shown_to_this_one(url):
    with pytest.raises(AccountError, match=r"'other'.*'harbor'"):
        _read(PLACE, url, WAY)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("AccountKey=aaaa", "neither `BlobEndpoint` nor `AccountName`"),
        ("AccountName=harbor", "`AccountName` with `AccountKey`"),
        ("AccountName=harbor;AccountKey=abc", "not Base64"),
        ("BlobEndpoint=harbor.blob;SharedAccessSignature=sv=1&sig=x", "leads to no address"),
        ("AccountName=har bor;AccountKey=aaaa", "leads to no address"),
        ("https://harbor.blob.core.windows.net/in?sv=1&sig=x", "an address and no connection string"),
    ],
)
def test_what_is_no_connection_string_is_told_without_its_secrets(text, told):
    with pytest.raises(AccountError, match=told) as refused:
        Connection.read(text)
    assert "sig=x" not in str(refused.value)


@pytest.mark.parametrize(
    ("end", "is_told"),
    [
        ("se=2026-03-01T11%3A59%3A59Z", True),
        ("se=2026-03-01", True),
        ("se=2026-03-01T12%3A01Z", False),
        ("se=2026-03-02", False),
        ("se=soon", False),
        ("si=policy", False),
    ],
)
def test_whoever_is_refused_is_told_that_the_signature_was_over(end, is_told):
    said = f"BlobEndpoint=https://harbor.blob.core.windows.net;SharedAccessSignature=sv=2020-12-06&{end}&sig=x"

    told = Connection.read(said).ended(datetime(2026, 3, 1, 12, tzinfo=UTC))

    assert ("ended at 2026-03-01" in told) == is_told
