"""Tokens are not kept under a key that was removed while they were on their way."""

import pytest

from headrace.errors import Conflict
from headrace.store import access, begun_sign_ins, keys, sign_in_states
from headrace.store.begun_sign_ins import BegunSignIn
from headrace.store.sign_in_states import SIGNED_IN

GONE = {"token": "v1.k-gone.AAAA"}


@pytest.fixture
def place(store, tenant):
    """A sandbox, by its number."""
    number = store.write_now(lambda tx: access.add_organization(tx, f"org-{tenant}"))
    return store.write_now(lambda tx: access.add_tenant(tx, number, "prod", f"sandbox-{tenant}"))


@pytest.fixture
def key(store, tenant):
    key_id = f"k-here-{tenant}"
    store.write_now(lambda tx: keys.save(tx, f"org-{tenant}", key_id, b"wrapped"))
    return {"token": f"v1.{key_id}.AAAA"}


def sign_in(tx, tenant, sealed):
    sign_in_states.sign_in(tx, tenant, "account", sealed, None, 1)


def keep(tx, tenant, sealed):
    known = sign_in_states.change(tx, tenant, "account", SIGNED_IN, None, 1)
    sign_in_states.claim(tx, tenant, "account", "me", 1, 100, known.generation)
    assert sign_in_states.keep(tx, tenant, "account", "me", known.generation, sealed, None, 1)


def begin(tx, tenant, sealed):
    begun_sign_ins.add(tx, BegunSignIn(f"state-{tenant}", tenant, "account", "me", None, sealed, 1, 100))


@pytest.mark.parametrize("write", [sign_in, keep, begin])
def test_a_token_whose_key_is_there_is_kept(store, place, key, write):
    store.write_now(lambda tx: write(tx, place, key))


@pytest.mark.parametrize("write", [sign_in, keep, begin])
def test_a_token_whose_key_is_gone_is_refused(store, place, write):
    with pytest.raises(Conflict, match="rotated just now"):
        store.write_now(lambda tx: write(tx, place, GONE))
