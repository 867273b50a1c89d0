"""API clients: what their secrets are, and that whatever changes about them counts at once."""

import re
from datetime import UTC, datetime

import pytest

from headrace.clock import iso
from headrace.errors import Conflict, NotFound, Unauthorized
from headrace.model.problem import ConfigurationError
from headrace.model.roles import PERMISSIONS, ROLES
from headrace.services import access, clients, keys
from headrace.store import clients as stored
from unit.services.gate import refusal

#: Codes of problems that are produced here.
COVERED = ("one-of-two", "unknown-sandbox")

MINUTE = 60


async def replaced(gate, client, **settings):
    settings = {"name": "changed", "permissions": [], **settings}
    return await clients.replace(gate.store, gate.clock, await gate.admin(), client.client_id, settings)


def test_a_secret_has_a_prefix_256_bits_and_a_checksum():
    secret = keys.new_client_secret()

    assert re.fullmatch(r"hrs-[\w-]{43}[\w-]{6}", secret)
    assert keys.checksum(secret[:-6]) == secret[-6:]
    assert keys.new_client_secret() != secret


async def test_a_secret_with_a_wrong_checksum_is_answered_as_any_other_wrong_one(gate):
    client, secret = await gate.client()
    typo = secret[:-1] + ("a" if secret[-1] != "a" else "b")

    told = [await refusal(gate.token(client.client_id, wrong)) for wrong in (typo, keys.new_client_secret(), "")]

    assert set(told) == {(Unauthorized, "the client id or its secret is not right")}


async def test_a_role_is_written_down_as_its_permissions(gate):
    client, secret = await gate.client(role="operator")

    assert set(client.permissions) == ROLES["operator"].permissions
    assert (await gate.principal_of(client.client_id, secret)).grants.everywhere == ROLES["operator"].permissions


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"permissions": [], "role": "viewer"}, "one-of-two"),
        ({"permissions": None}, "one-of-two"),
        ({"permissions": ["everything"]}, "not-allowed"),
        ({"role": "king"}, "not-allowed"),
    ],
    ids=["both", "neither", "an unknown permission", "an unknown role"],
)
async def test_settings_that_are_not_right_are_refused(gate, settings, code):
    with pytest.raises(ConfigurationError) as refused:
        await clients.create(gate.store, gate.clock, await gate.admin(), {"name": "x", **settings})

    assert [problem.code for problem in refused.value.problems] == [code]


async def test_a_sandbox_that_is_not_there_is_named(gate):
    with pytest.raises(ConfigurationError) as refused:
        await gate.client(sandboxes=["prod", "moon"])

    (problem,) = refused.value.problems
    assert (problem.code, problem.pointer) == ("unknown-sandbox", "/sandboxes/1")


async def test_a_client_sees_only_the_sandboxes_it_may_work_in(gate):
    await gate.sandbox("dev")
    client, secret = await gate.client(sandboxes=["dev"])
    principal = await gate.principal_of(client.client_id, secret)

    assert (await access.admit(gate.store, principal, "dev")).permissions == ROLES["viewer"].permissions
    for name in ("prod", "moon"):
        with pytest.raises(NotFound, match=f"there is no sandbox '{name}' in this organization"):
            await access.admit(gate.store, principal, name)


async def test_what_changes_about_a_client_counts_for_the_tokens_it_has(gate):
    client, secret = await gate.client(role="admin")
    token = await gate.token(client.client_id, secret)
    assert (await gate.admit(token)).grants.everywhere == set(PERMISSIONS)

    await replaced(gate, client, permissions=["monitoring:read"])

    assert (await gate.admit(token)).grants.everywhere == {"monitoring:read"}


async def test_a_revoked_client_is_as_one_that_never_was(gate):
    client, secret = await gate.client()
    token = await gate.token(client.client_id, secret)

    await clients.revoke(gate.store, gate.clock, await gate.admin(), client.client_id)

    assert await refusal(gate.admit(token)) == await refusal(gate.admit("hrt-nothing"))
    assert await refusal(gate.token(client.client_id, secret)) == await refusal(gate.token("hr-nobody", secret))
    with pytest.raises(Conflict, match="revoked"):
        await replaced(gate, client)
    with pytest.raises(Conflict, match="revoked"):
        await clients.rotate(gate.store, gate.clock, await gate.admin(), client.client_id)


async def test_a_client_ends_when_it_was_said_to_and_so_do_its_tokens(gate):
    client, secret = await gate.client(expiresAt=iso(gate.clock.now() + 3_600_000))
    token = await gate.token(client.client_id, secret)
    gate.pass_seconds(3_599)
    await gate.admit(token)

    gate.pass_seconds(1)

    assert await refusal(gate.admit(token)) == await refusal(gate.admit("hrt-nothing"))
    assert (await refusal(gate.token(client.client_id, secret)))[0] is Unauthorized


@pytest.mark.parametrize("at", ["2001-01-01T00:00:00Z", "2099-01-01T00:00:00", "tomorrow"])
async def test_a_client_cannot_end_at(gate, at):
    with pytest.raises(ConfigurationError) as refused:
        await gate.client(expiresAt=at)

    assert [problem.pointer for problem in refused.value.problems] == ["/expiresAt"]


async def test_another_secret_ends_the_old_one_and_its_tokens(gate):
    client, old = await gate.client()
    token = await gate.token(client.client_id, old)

    _, new = await clients.rotate(gate.store, gate.clock, await gate.admin(), client.client_id)

    assert (await refusal(gate.admit(token)))[0] is Unauthorized
    assert (await refusal(gate.token(client.client_id, old)))[0] is Unauthorized
    await gate.principal_of(client.client_id, new)


async def test_when_a_client_was_last_here_is_written_down_once_a_minute(gate):
    client, secret = await gate.client()
    token, written = await gate.token(client.client_id, secret), []

    for _ in range(9):
        await gate.admit(token)
        written.append(gate.store.read_now(lambda tx: stored.find(tx, client.client_id)).last_used_at)
        gate.pass_seconds(20)

    assert len(set(written)) == 3
    assert written[-1] - written[0] >= MINUTE * 1000
    assert datetime.fromtimestamp(written[0] / 1000, UTC).year > 2000


async def test_the_last_client_that_may_administer_cannot_be_revoked_or_cut_down(gate):
    first = await clients.get(gate.store, await gate.admin(), gate.first.client_id)
    with pytest.raises(Conflict, match="nobody would be left"):
        await clients.revoke(gate.store, gate.clock, await gate.admin(), first.client_id)
    with pytest.raises(Conflict, match="nobody would be left"):
        await replaced(gate, first, role="viewer", permissions=None)
    admin = await gate.admin()

    await gate.client(role="admin")

    await clients.revoke(gate.store, gate.clock, admin, first.client_id)
    assert (await refusal(gate.admin()))[0] is Unauthorized


async def test_the_client_of_an_older_first_start_may_do_what_has_become_of_everything(gate):
    """It had all permissions that there were."""
    once = tuple(sorted(access._ONCE_EVERYTHING))
    lesser = once[:-1]

    def as_it_was(tx):
        number = gate.host.number
        for client_id, permissions in (("hr-old", once), ("hr-lesser", lesser)):
            stored.add(tx, stored.Client(number, client_id, keys.hash_of("hrs-old"), permissions))

    gate.store.write_now(as_it_was)

    assert gate.store.write_now(lambda tx: access.begin(tx, gate.clock.now())) is None

    assert (await gate.principal_of("hr-old", "hrs-old")).grants.everywhere == set(PERMISSIONS)
    assert [(entry.actor, entry.action, entry.id) for entry in gate.audit()] == [("headrace", "replace", "hr-old")]
    assert (await gate.principal_of("hr-lesser", "hrs-old")).grants.everywhere == set(lesser)
