"""Secrets leave a document before it is kept, and come back to their places only."""

import pytest

from headrace.connect.keyfile import LocalKeyFile
from headrace.connect.keyring import Keyring
from headrace.connect.secrets import MASK
from headrace.errors import OperationError
from headrace.services import sealing
from headrace.services.sealing import SEALED, Safe
from headrace.store.access import Tenant

DOCUMENT = {"name": "Acme", "ways": [{"clientId": "me", "clientSecret": "s3cret-one"}, {"clientSecret": "s3cret-two"}]}
FIRST, SECOND = "/ways/0/clientSecret", "/ways/1/clientSecret"
POINTERS = [FIRST, SECOND, "/pin"]


class Keys:
    def __init__(self):
        self.kept = []

    def load(self, organization):
        return self.kept

    def save(self, organization, key_id, wrapped):
        self.kept.append((key_id, wrapped))


@pytest.fixture
def safe(tmp_path):
    return Safe(Keyring(LocalKeyFile(tmp_path / "key"), Keys()), Tenant(1, "acme@org", "prod", "id", 1, True))


def kept(safe, document, known=None):
    stored, problems = sealing.completed(sealing.sealed(safe, "record", document, POINTERS), known, POINTERS)
    assert problems == []
    return stored


def test_a_document_comes_back_as_it_was_and_is_kept_without_its_secrets(safe):
    stored = kept(safe, DOCUMENT)

    assert "s3cret" not in str(stored)
    assert stored["ways"][0] == {"clientId": "me", "clientSecret": MASK}
    assert sealing.opened(safe, "record", stored) == DOCUMENT
    shown, fingerprints = sealing.masked(safe, "record", stored)
    assert "s3cret" not in str(shown)
    assert SEALED not in shown
    assert [*fingerprints] == [FIRST, SECOND]


def test_a_document_without_secrets_is_kept_as_it_is(safe):
    assert kept(safe, {"name": "Acme"}) == {"name": "Acme"}


def test_dots_keep_what_is_stored_at_their_place_and_a_new_secret_replaces_it(safe):
    stored = kept(safe, DOCUMENT)
    changed = {**DOCUMENT, "ways": [{"clientId": "me", "clientSecret": MASK}, {"clientSecret": "s3cret-three"}]}

    again = kept(safe, changed, stored)

    assert again[SEALED][FIRST] == stored[SEALED][FIRST]
    opened = sealing.opened(safe, "record", again)
    assert [way["clientSecret"] for way in opened["ways"]] == ["s3cret-one", "s3cret-three"]


def test_a_secret_that_is_left_out_is_kept_no_longer(safe):
    stored = kept(safe, DOCUMENT)

    assert [*kept(safe, {**DOCUMENT, "ways": [{"clientId": "me", "clientSecret": MASK}]}, stored)[SEALED]] == [FIRST]
    assert SEALED not in kept(safe, {"name": "Acme"}, stored)


def test_entries_that_change_places_do_not_swap_their_secrets(safe):
    first, second = ({"clientId": name, "clientSecret": f"secret of {name}"} for name in ("one", "two"))
    stored = kept(safe, {"ways": [first, second]})
    shown = [{**way, "clientSecret": MASK} for way in (first, second)]

    swapped = sealing.sealed(safe, "record", {"ways": shown[::-1]}, POINTERS)
    document, problems = sealing.completed(swapped, stored, POINTERS)

    assert [(problem.code, problem.pointer) for problem in problems] == [
        ("masked-secret", FIRST),
        ("masked-secret", SECOND),
    ]
    assert SEALED not in document


_OWN = {"urlBasedDestination": {"url": {"templatingStrategy": "NONE", "value": "https://a.example/token"}}}


@pytest.mark.parametrize(
    ("entry", "moved"),
    [
        ({"accessTokenUrl": "https://a.example/token"}, {"accessTokenUrl": "https://b.example/token"}),
        ({"refreshTokenUrl": "https://a.example/token"}, {"refreshTokenUrl": "https://a.example:8443/token"}),
        ({"authorizationUrl": "https://a.example/in"}, {"authorizationUrl": "http://a.example/in"}),
        ({"url": "https://a.example/token"}, {"url": "https://{{ authData.x }}.b.example/token"}),
        ({}, {"refreshTokenUrl": "https://b.example/token"}),
        ({}, {"x-headrace": {"revocationUrl": "https://b.example/revoke"}}),
        ({}, {"authenticationDataFields": [{"name": "accessTokenUrl", "value": "https://b.example/token"}]}),
        (
            {"accessTokenRequest": _OWN},
            {"accessTokenRequest": {"urlBasedDestination": {"url": {"value": "https://b.example/token"}}}},
        ),
    ],
    ids=[
        "token",
        "port of a refresh",
        "scheme of a page",
        "shared",
        "one more",
        "one that ends",
        "in a data field",
        "own request",
    ],
)
def test_an_entry_that_sends_its_secrets_elsewhere_needs_them_again(safe, entry, moved):
    pointers = [FIRST, "/ways/0/fields/0/value"]

    def way(where, secret, key):
        return {"ways": [{"clientId": "me", "clientSecret": secret, "fields": [{"name": "k", "value": key}], **where}]}

    stored, _ = sealing.completed(sealing.sealed(safe, "record", way(entry, "s3cret", "k3y"), pointers), None, pointers)
    again = sealing.sealed(safe, "record", way(entry, MASK, MASK), pointers)
    elsewhere = sealing.sealed(safe, "record", way(moved, MASK, MASK), pointers)

    assert sealing.completed(again, stored, pointers)[1] == []
    codes = [(problem.code, problem.pointer) for problem in sealing.completed(elsewhere, stored, pointers)[1]]
    assert codes == [("masked-secret", where) for where in pointers]


def test_another_path_at_the_same_origin_keeps_the_secret(safe):
    way = {"clientId": "me", "clientSecret": "s3cret", "accessTokenUrl": "https://a.example/v1/token"}
    stored = kept(safe, {"ways": [way]})
    changed = {"ways": [{**way, "clientSecret": MASK, "accessTokenUrl": "https://A.example/v2/token?x=1"}]}

    assert kept(safe, changed, stored)[SEALED] == stored[SEALED]


def test_a_secret_opens_in_its_own_record_and_place_only(safe):
    stored = kept(safe, DOCUMENT)
    moved = {**stored, SEALED: {FIRST: stored[SEALED][SECOND]}}

    for record, document in (("another", stored), ("record", moved)):
        with pytest.raises(OperationError):
            sealing.opened(safe, record, document)


@pytest.mark.parametrize("pin", [1234, 0, True, 1.5, ["a"], {"a": "b"}, "1234"])
def test_a_secret_is_what_it_was_whatever_its_type(safe, pin):
    stored = kept(safe, {"pin": pin})

    assert stored["pin"] == MASK
    assert sealing.opened(safe, "record", stored) == {"pin": pin}
