"""Users: their passwords, their sessions, and what those who administer can do to them."""

import pytest
from argon2 import PasswordHasher

from headrace.errors import Conflict, Forbidden, NotFound, StaleVersion, Unauthorized
from headrace.model.problem import ConfigurationError
from headrace.model.roles import ROLES
from headrace.services import access, clients, passwords, sessions, users
from headrace.services.passwords import Passwords
from headrace.store import users as stored
from unit.services.gate import PASSWORD, refusal

HOUR = 60 * 60
ADMIN = [{"role": "admin"}]

#: Codes of problems that are produced here.
COVERED = ("bad-password",)


async def reset(gate, user, by=None, **document):
    by = by or await gate.admin()
    return await users.reset_password(gate.store, gate.clock, gate.passwords, by, user.id, document)


async def change(gate, principal, old, new):
    document = {"oldPassword": old, "newPassword": new}
    await users.change_password(gate.store, gate.clock, gate.passwords, principal, document)


async def test_a_user_has_the_roles_of_each_sandbox(gate):
    await gate.sandbox("dev")
    user = await gate.user(roles=[{"role": "viewer"}, {"role": "author", "sandbox": "dev"}])

    secret, signed_in = await gate.sign_in(user.email)

    assert [(tenant.sandbox, roles) for tenant, roles in signed_in.sandboxes] == [
        ("dev", ("author", "viewer")),
        ("prod", ("viewer",)),
    ]
    principal = await gate.session(secret)
    assert principal.actor == f"user:{user.id}"
    assert (await access.admit(gate.store, principal, "dev")).permissions == ROLES["author"].permissions
    assert (await access.admit(gate.store, principal, "prod")).permissions == ROLES["viewer"].permissions


async def test_a_user_of_one_sandbox_does_not_see_the_others(gate):
    await gate.sandbox("dev")
    user = await gate.user(roles=[{"role": "admin", "sandbox": "dev"}])

    secret, signed_in = await gate.sign_in(user.email)

    assert [tenant.sandbox for tenant, _ in signed_in.sandboxes] == ["dev"]
    with pytest.raises(NotFound):
        await access.admit(gate.store, await gate.session(secret), "prod")


async def test_an_e_mail_is_one_however_it_is_written_and_belongs_to_one_user(gate):
    user = await gate.user(email="Ana@Example.com")

    assert user.email == "ana@example.com"
    await gate.sign_in("ANA@example.COM")
    with pytest.raises(Conflict, match="taken"):
        await gate.user(email="aNa@example.com")
    other = await gate.user()
    with pytest.raises(Conflict, match="taken"):
        await gate.change(other, email="ana@EXAMPLE.com")


RULES = {
    "empty": ("", "at least 12 characters"),
    "short": ("eleven char", "at least 12 characters"),
    "the e-mail": ("Person@Example.com", "e-mail"),
    "long in bytes": ("é" * 600, "at most 1024 bytes"),
    "long": ("x" * 1025, "at most 1,024 characters"),
}


@pytest.mark.parametrize(("password", "says"), RULES.values(), ids=RULES)
async def test_a_password_is_refused_that_is(gate, password, says):
    with pytest.raises(ConfigurationError) as refused:
        await gate.user(email="person@example.com", password=password)

    (problem,) = refused.value.problems
    assert problem.code in ("bad-password", "invalid")
    assert problem.pointer == "/password"
    assert says in problem.message
    assert not password or password not in str(refused.value.problems)


async def test_a_password_is_made_when_none_is_given_and_can_be_signed_in_with(gate):
    document = {"email": "new@example.com", "name": "New"}
    _, password = await users.create(gate.store, gate.clock, gate.passwords, await gate.admin(), document)

    assert len(password) >= passwords.SHORTEST
    await gate.sign_in("new@example.com", password)


async def test_a_password_that_is_not_good_enough_has_a_code_of_its_own(gate):
    with pytest.raises(ConfigurationError) as refused:
        await gate.user(password="short")

    assert [problem.code for problem in refused.value.problems] == ["bad-password"]


async def test_an_empty_password_is_not_one_that_was_left_out(gate):
    user = await gate.user()

    with pytest.raises(ConfigurationError):
        await reset(gate, user, password="")


@pytest.mark.parametrize("settings", [{"email": "a@b\x00"}, {"email": "a b@c"}, {"email": "ab"}, {"name": "a\x1b[2J"}])
async def test_a_user_is_not_called(gate, settings):
    with pytest.raises(ConfigurationError) as refused:
        await gate.user(**settings)

    assert [problem.pointer for problem in refused.value.problems] == [f"/{next(iter(settings))}"]


async def test_passwords_are_argon2id_with_the_parameters_of_the_library():
    hasher = Passwords()
    hashed = await hasher.hash(PASSWORD)
    hasher.close()

    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


async def test_a_password_is_hashed_anew_when_the_parameters_have_changed(gate):
    user = await gate.user()
    gate.passwords.close()
    gate.passwords = Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))

    await gate.sign_in(user.email)

    kept = gate.store.read_now(lambda tx: stored.find_by_email(tx, user.email)).password_hash
    assert "$m=16,t=2,p=1$" in kept
    await gate.sign_in(user.email)


async def test_every_sign_in_is_a_session_of_its_own(gate):
    user = await gate.user()

    first, second = (await gate.sign_in(user.email))[0], (await gate.sign_in(user.email))[0]

    assert first != second
    assert (await gate.session(first)).session != (await gate.session(second)).session


async def test_a_session_ends_when_nobody_came_for_twelve_hours(gate):
    user = await gate.user()
    secret, _ = await gate.sign_in(user.email)
    for _ in range(3):
        gate.pass_seconds(12 * HOUR - 1)
        await gate.session(secret)

    gate.pass_seconds(12 * HOUR)

    assert (await refusal(gate.session(secret)))[0] is Unauthorized


async def test_a_session_ends_after_seven_days_however_often_somebody_came(gate):
    user = await gate.user()
    secret, _ = await gate.sign_in(user.email)
    for _ in range(7 * 24 - 1):
        gate.pass_seconds(HOUR)
        await gate.session(secret)

    gate.pass_seconds(HOUR)

    assert (await refusal(gate.session(secret)))[0] is Unauthorized


async def test_a_session_that_was_left_is_over(gate):
    user = await gate.user()
    secret, _ = await gate.sign_in(user.email)

    await sessions.end(gate.store, gate.clock, await gate.session(secret))

    assert (await refusal(gate.session(secret)))[0] is Unauthorized


async def test_disabling_a_user_ends_what_they_do_and_tells_nobody(gate):
    user = await gate.user()
    secret, _ = await gate.sign_in(user.email)

    disabled = await gate.change(user, disabled=True)

    assert (await refusal(gate.session(secret)))[0] is Unauthorized
    assert await refusal(gate.sign_in(user.email)) == await refusal(gate.sign_in(user.email, "wrong"))
    await gate.change(disabled, disabled=False)
    await gate.sign_in(user.email)
    assert (await refusal(gate.session(secret)))[0] is Unauthorized


async def test_deleting_a_user_ends_what_they_do(gate):
    user = await gate.user()
    secret, _ = await gate.sign_in(user.email)

    await users.delete(gate.store, gate.clock, await gate.admin(), user.id, None)

    assert (await refusal(gate.session(secret)))[0] is Unauthorized
    assert (await refusal(gate.sign_in(user.email)))[0] is Unauthorized
    with pytest.raises(NotFound):
        await users.get(gate.store, await gate.admin(), user.id)


async def test_another_role_counts_at_once(gate):
    user = await gate.user(roles=[{"role": "author"}])
    secret, _ = await gate.sign_in(user.email)

    await gate.change(user, roles=[{"role": "viewer"}])

    assert (await gate.session(secret)).grants.everywhere == ROLES["viewer"].permissions


async def test_changing_ones_password_needs_the_old_one_and_ends_all_other_sessions(gate):
    user = await gate.user()
    here, there = (await gate.sign_in(user.email))[0], (await gate.sign_in(user.email))[0]
    principal = await gate.session(here)
    with pytest.raises(Unauthorized):
        await change(gate, principal, "not the old one", "another long password")

    await change(gate, principal, PASSWORD, "another long password")

    await gate.session(here)
    assert (await refusal(gate.session(there)))[0] is Unauthorized
    assert (await refusal(gate.sign_in(user.email)))[0] is Unauthorized
    await gate.sign_in(user.email, "another long password")


async def test_a_password_is_guessed_no_quicker_through_a_session(gate):
    user = await gate.user()
    principal = await gate.session((await gate.sign_in(user.email))[0])

    told = [await refusal(change(gate, principal, f"guess {n}", "another long password")) for n in range(7)]

    assert [kind is Unauthorized for kind, _ in told] == [True] * 5 + [False] * 2


async def test_a_client_has_no_password_to_change(gate):
    with pytest.raises(Forbidden, match="rotate its secret"):
        await change(gate, await gate.admin(), PASSWORD, "another long password")


async def test_resetting_a_password_ends_all_sessions(gate):
    user = await gate.user()
    secret, _ = await gate.sign_in(user.email)

    _, made = await reset(gate, user)

    assert (await refusal(gate.session(secret)))[0] is Unauthorized
    await gate.sign_in(user.email, made)
    assert (await reset(gate, user, password="given by somebody"))[1] is None
    await gate.sign_in(user.email, "given by somebody")


async def test_a_change_on_top_of_an_old_version_is_refused(gate):
    user = await gate.user()
    changed = await gate.change(user, name="First", if_match=users.etag(user))

    with pytest.raises(StaleVersion):
        await gate.change(user, name="Second", if_match=users.etag(user))
    with pytest.raises(StaleVersion):
        await users.delete(gate.store, gate.clock, await gate.admin(), user.id, users.etag(user))
    await gate.change(user, name="Third", if_match=users.etag(changed))
    await gate.change(user, name="Fourth", if_match="*")


async def test_the_last_admin_stays_while_there_is_no_client_that_may_administer(gate):
    client_admin = await gate.admin()
    user = await gate.user(roles=ADMIN)
    await clients.revoke(gate.store, gate.clock, client_admin, gate.first.client_id)
    admin = await gate.session((await gate.sign_in(user.email))[0])

    for settings in ({"roles": ADMIN, "disabled": True}, {"roles": [{"role": "author"}]}, {"roles": []}):
        with pytest.raises(Conflict, match="nobody would be left"):
            await gate.change(user, admin, **settings)
    with pytest.raises(Conflict, match="nobody would be left"):
        await users.delete(gate.store, gate.clock, admin, user.id, None)
    await gate.change(user, admin, roles=ADMIN, name="Still here")

    other = await gate.user(admin, roles=ADMIN)
    await users.delete(gate.store, gate.clock, admin, user.id, None)
    assert (await gate.session((await gate.sign_in(other.email))[0])).grants.everywhere


async def test_the_last_admin_may_go_while_there_is_a_client_that_may_administer(gate):
    user = await gate.user(roles=ADMIN)

    await users.delete(gate.store, gate.clock, await gate.admin(), user.id, None)


async def test_every_change_is_in_the_audit_and_holds_no_secret(gate):
    gate.audit()
    admin = await gate.admin()
    user = await gate.user(roles=[{"role": "author", "sandbox": "prod"}])
    user = await gate.change(user, name="Another", roles=[{"role": "viewer"}])
    _, made = await reset(gate, user)
    secret, _ = await gate.sign_in(user.email, made)
    await change(gate, await gate.session(secret), made, "another long password")
    await sessions.end(gate.store, gate.clock, await gate.session(secret))
    await users.delete(gate.store, gate.clock, admin, user.id, None)
    client, client_secret = await gate.client()
    await clients.rotate(gate.store, gate.clock, admin, client.client_id)
    await clients.revoke(gate.store, gate.clock, admin, client.client_id)
    await gate.sandbox("dev")

    assert gate.actions() == [
        ("create", "user"),
        ("replace", "user"),
        ("reset-password", "user"),
        ("sign-in", "user"),
        ("change-password", "user"),
        ("sign-out", "user"),
        ("delete", "user"),
        ("create", "client"),
        ("rotate", "client"),
        ("revoke", "client"),
        ("create", "sandbox"),
    ]
    told = str(gate.audit())
    assert not [word for word in (made, secret, client_secret, "another long password", user.email) if word in told]
    replaced = gate.audit()[-2]
    assert replaced.actor == admin.actor
    assert replaced.details == {"changed": ["name"], "roles": [{"role": "viewer", "sandbox": None}], "disabled": False}
