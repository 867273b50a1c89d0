"""Users: made and changed by those who administer, with a password that only they themselves know."""

import uuid
from typing import Any

from headrace.clock import Clock
from headrace.errors import Conflict, Forbidden, NotFound, StaleVersion
from headrace.model.access import NewUser, PasswordChange, PasswordReset, UserSettings
from headrace.model.reading import read
from headrace.services import passwords as rules
from headrace.services import sign_in
from headrace.services.administration import keeping_an_admin, note, numbers_of
from headrace.services.caller import Principal
from headrace.services.grants import of_roles
from headrace.services.passwords import Passwords
from headrace.store import sessions, users
from headrace.store.database import Store, Transaction
from headrace.store.users import EVERYWHERE, User

Roles = tuple[tuple[int, str], ...]


async def listing(store: Store, principal: Principal) -> list[User]:
    """Return the users of one's organization, by e-mail."""
    return await store.read(lambda tx: users.all_of(tx, principal.organization.number))


async def get(store: Store, principal: Principal, id_: str) -> User:
    """
    Return a user.

    Raises:
        NotFound: they are not in this organization.
    """
    return await store.read(lambda tx: _existing(tx, principal, id_))


async def create(
    store: Store, clock: Clock, passwords: Passwords, principal: Principal, document: object
) -> tuple[User, str | None]:
    """
    Make a user, and return the password that was made for them, if none was given.

    Raises:
        ConfigurationError: what is said of them is not right.
        Conflict: the e-mail address is taken.
        Forbidden: they would get more than who asks has.
    """
    wanted, _ = read(NewUser, document)
    given = wanted.password.get_secret_value() if wanted.password is not None else None
    password = given if given is not None else rules.new_password()
    rules.refuse_bad(password, wanted.email, "/password")
    hashed, now, id_ = await passwords.hash(password), clock.now(), str(uuid.uuid4())

    def work(tx: Transaction) -> User:
        roles = _roles(tx, principal, wanted)
        principal.grants.must_cover(of_roles(roles))
        _refuse_taken(tx, wanted.email, None)
        disabled_at = now if wanted.disabled else None
        number = principal.organization.number
        new = User(0, number, id_, wanted.email, wanted.name, hashed, 1, now, now, disabled_at, roles)
        user = users.add(tx, new)
        note(tx, principal, "create", "user", id_, now, roles=_told(wanted))
        return user

    return await store.write(work), password if given is None else None


async def replace(
    store: Store, clock: Clock, principal: Principal, id_: str, document: object, if_match: str | None
) -> User:
    """
    Put other settings in the place of a user's; disabling them ends their sessions at once.

    Raises:
        ConfigurationError: what is said of them is not right.
        NotFound: they are not in this organization.
        StaleVersion: ``if_match`` is not what is stored.
        Conflict: the e-mail address is taken, or they were the last who may administer.
        Forbidden: they have, or would get, more than who asks has.
    """
    wanted, _ = read(UserSettings, document)
    now = clock.now()

    def work(tx: Transaction) -> User:
        known = _changeable(tx, principal, id_, if_match)
        roles = _roles(tx, principal, wanted)
        principal.grants.must_cover(of_roles(roles))
        _refuse_taken(tx, wanted.email, known)
        changes = _changes(known, wanted, now)
        with keeping_an_admin(tx, principal, now):
            user = _replaced(tx, known, now, roles, **changes)
        if user.disabled_at is not None:
            sessions.end_all_of(tx, user.number)
        fields = sorted(name for name, value in changes.items() if value != getattr(known, name))
        note(tx, principal, "replace", "user", id_, now, changed=fields, roles=_told(wanted), disabled=wanted.disabled)
        return user

    return await store.write(work)


async def delete(store: Store, clock: Clock, principal: Principal, id_: str, if_match: str | None) -> None:
    """
    Delete a user; their sessions end at once. What they did stays in the audit under their id.

    Raises:
        NotFound: they are not in this organization.
        StaleVersion: ``if_match`` is not what is stored.
        Conflict: they were the last who may administer.
    """
    now = clock.now()

    def work(tx: Transaction) -> None:
        user = _existing(tx, principal, id_)
        _refuse_stale(user, if_match)
        with keeping_an_admin(tx, principal, now):
            sessions.end_all_of(tx, user.number)
            users.remove(tx, user)
        note(tx, principal, "delete", "user", id_, now)

    await store.write(work)


async def reset_password(
    store: Store, clock: Clock, passwords: Passwords, principal: Principal, id_: str, document: object
) -> tuple[User, str | None]:
    """
    Give a user another password, which ends their sessions, and return it if it was made here.

    Raises:
        ConfigurationError: the password is not right.
        NotFound: they are not in this organization.
        Forbidden: they have more than who asks has.
    """
    wanted, _ = read(PasswordReset, document)
    given = wanted.password.get_secret_value() if wanted.password is not None else None
    password = given if given is not None else rules.new_password()
    rules.refuse_bad(password, (await get(store, principal, id_)).email, "/password")
    hashed, now = await passwords.hash(password), clock.now()

    def work(tx: Transaction) -> User:
        user = _replaced(tx, _changeable(tx, principal, id_, None), now, password_hash=hashed)
        ended = sessions.end_all_of(tx, user.number)
        note(tx, principal, "reset-password", "user", id_, now, sessionsEnded=ended)
        return user

    return await store.write(work), password if given is None else None


async def change_password(
    store: Store, clock: Clock, passwords: Passwords, principal: Principal, document: object
) -> None:
    """
    Change one's own password, which ends all one's sessions but this.

    Raises:
        ConfigurationError: the new password is not right.
        Forbidden: who asks is an API client.
        Unauthorized: the old password is wrong.
        TooManyTries: it was wrong too often in a row.
    """
    if principal.session is None:
        raise Forbidden("an API client has no password; rotate its secret instead")
    wanted, _ = read(PasswordChange, document)
    id_, new = principal.actor.removeprefix("user:"), wanted.new_password.get_secret_value()
    user = await get(store, principal, id_)
    rules.refuse_bad(new, user.email, "/newPassword")
    await sign_in.check(store, clock, passwords, user.email, wanted.old_password.get_secret_value())
    hashed, now = await passwords.hash(new), clock.now()

    def work(tx: Transaction) -> None:
        changed = _replaced(tx, _existing(tx, principal, id_), now, password_hash=hashed)
        ended = sessions.end_all_of(tx, changed.number, but=principal.session)
        note(tx, principal, "change-password", "user", id_, now, sessionsEnded=ended)

    await store.write(work)


def etag(user: User) -> str:
    """Return what names a user as they are now, in its quotes."""
    return f'"{user.version}"'


def _existing(tx: Transaction, principal: Principal, id_: str) -> User:
    user = users.find(tx, principal.organization.number, id_)
    if user is None:
        raise NotFound(f"there is no user {id_!r} here")
    return user


def _changeable(tx: Transaction, principal: Principal, id_: str, if_match: str | None) -> User:
    user = _existing(tx, principal, id_)
    _refuse_stale(user, if_match)
    principal.grants.must_cover(of_roles(user.roles))
    return user


def _refuse_stale(user: User, if_match: str | None) -> None:
    if if_match not in (None, "*", etag(user)):
        raise StaleVersion(f"the version {if_match} is not the current one, {etag(user)}: read the user again")


def _replaced(tx: Transaction, known: User, now: int, roles: Roles | None = None, **changes: Any) -> User:
    user = users.replaced(tx, known, now, roles, **changes)
    if user is None:
        raise StaleVersion
    return user


def _changes(known: User, wanted: UserSettings, now: int) -> dict[str, Any]:
    disabled_at = (known.disabled_at or now) if wanted.disabled else None
    return {"email": wanted.email, "name": wanted.name, "disabled_at": disabled_at}


def _refuse_taken(tx: Transaction, email: str, known: User | None) -> None:
    other = users.find_by_email(tx, email)
    if other is not None and (known is None or other.number != known.number):
        raise Conflict(f"the e-mail address {email!r} is taken")


def _roles(tx: Transaction, principal: Principal, wanted: UserSettings) -> Roles:
    named = {f"/roles/{place}/sandbox": given.sandbox for place, given in enumerate(wanted.roles)}
    asked = [(where, name) for where, name in named.items() if name is not None]
    numbers = dict(zip([name for _, name in asked], numbers_of(tx, principal, asked), strict=True))
    given = {(EVERYWHERE if role.sandbox is None else numbers[role.sandbox], role.role) for role in wanted.roles}
    return tuple(sorted(given))


def _told(wanted: UserSettings) -> list[dict[str, str | None]]:
    """Return what the audit tells of a user's roles."""
    return [{"role": given.role, "sandbox": given.sandbox} for given in wanted.roles]
