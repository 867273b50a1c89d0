"""Origins: whatever an address looks like, credentials go to those that are known and to no other."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.connect.origins import Origins, UnboundOrigin
from headrace.connect.url import parse_url
from headrace.errors import EgressError

KNOWN = Origins.of(["https://api.partner.example/v1", "http://10.0.0.1:8080", "not a url"])
PIECES = st.sampled_from(
    ["https://", "http://", "api.partner.example", "evil.example", "@", ":", "8443", "/", "\\", "#", "?", ".", "%2e",
     "10.0.0.1", ":8080", " ", "\t", "é", "user:pw", "API"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=8).map("".join))
def test_what_passes_is_read_as_a_known_origin_by_what_sends_it(url):
    try:
        KNOWN.check(url)
    except UnboundOrigin:
        return
    assert parse_url(url.strip(), schemes=("https", "http")).origin in KNOWN.known
    assert urlsplit(url.strip()).hostname in ("api.partner.example", "10.0.0.1")


ANY_PATH = ["https://api.partner.example:443/x?y", "https://API.partner.EXAMPLE/", " http://10.0.0.1:8080/ "]


@pytest.mark.parametrize("url", ANY_PATH)
def test_a_known_origin_may_have_any_path(url):
    KNOWN.check(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.partner.example/",
        "https://api.partner.example:8443/",
        "https://api.partner.example.evil.example/",
        "https://api.partner.example@evil.example/",
        "https://evil.example/https://api.partner.example/",
        "https:///api.partner.example",
        "",
    ],
)
def test_anything_else_is_refused_without_telling_where_it_led(url):
    with pytest.raises(UnboundOrigin) as refused:
        KNOWN.check(url)

    assert "evil" not in refused.value.message


def test_what_cannot_be_read_is_an_error_of_egress_and_no_origin():
    with pytest.raises(EgressError):
        parse_url("not a url", schemes=("https",))
    assert Origins.of(["not a url"]).known == frozenset()
