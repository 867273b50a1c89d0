"""The signature is Azure's: its text is written out here by hand, from the documentation."""

import base64
import hashlib
import hmac
from urllib.parse import parse_qsl

import pytest

from headrace.services.landing import sas
from headrace.services.landing.sas import Refused, permissions_of, signed

KEY = bytes(range(64))
CONTAINER = "/blob/headrace/dlz-0123"
FROM, UNTIL = 1_774_000_000_000, 1_774_600_000_000
TEXT = (
    "rl\n2026-03-20T09:46:40Z\n2026-03-27T08:26:40Z\n/blob/headrace/dlz-0123\n"
    "\n\nhttps\n2020-12-06\nc\n\n\n\n\n\n\n"
)  # fmt: skip


def query(**changes):
    asked = {"permissions": "rl", "starts_at": FROM, "ends_at": UNTIL, "protocols": "https"} | changes
    return parse_qsl(signed(KEY, CONTAINER, **asked))


def test_the_text_that_is_signed_is_that_of_the_documentation():
    digest = hmac.new(KEY, TEXT.encode(), hashlib.sha256).digest()

    assert TEXT.count("\n") == 15
    assert dict(query()) == {
        "sv": "2020-12-06",
        "st": "2026-03-20T09:46:40Z",
        "se": "2026-03-27T08:26:40Z",
        "sr": "c",
        "sp": "rl",
        "spr": "https",
        "sig": base64.b64encode(digest).decode(),
    }


@pytest.mark.parametrize("now", [FROM, FROM + 1, UNTIL - 1])
def test_it_is_good_in_its_time(now):
    assert permissions_of(KEY, CONTAINER, [*query(), ("restype", "container")], now) == "rl"


@pytest.mark.parametrize("now", [0, FROM - 1, UNTIL, UNTIL + 1])
def test_it_is_no_good_before_and_after(now):
    with pytest.raises(Refused, match="time frame"):
        permissions_of(KEY, CONTAINER, query(), now)


def test_another_key_or_container_is_another_signature():
    for key, container in ((KEY[::-1], CONTAINER), (KEY, f"{CONTAINER}4"), (KEY, "/blob/headrace")):
        with pytest.raises(Refused, match="did not match"):
            permissions_of(key, container, query(), FROM)


@pytest.mark.parametrize("given", [[], [("sig", "")], [("sig", "\ud800")], [("sp", "\ud800"), ("sig", "ü")]])
def test_what_is_no_signature_is_refused(given):
    with pytest.raises(Refused):
        permissions_of(KEY, CONTAINER, given, FROM)


@pytest.mark.parametrize(
    "changed",
    [{"sr": "b"}, {"sv": "2019-12-12"}, {"se": "soon"}, {"st": "2026-03-20"}, {"se": ""}],
    ids=lambda changed: "".join(changed),
)
def test_what_we_never_sign_is_refused_although_it_is_signed(changed):
    fields = {**dict(query()), **changed}
    fields["sig"] = sas._signature(KEY, CONTAINER, fields)
    with pytest.raises(Refused, match="not well formed"):
        permissions_of(KEY, CONTAINER, fields.items(), FROM)
