"""Users and their roles. ``tenant`` 0 of a role: in every sandbox of the organization."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select, update

from headrace.store.database import Transaction
from headrace.store.tables import user_roles, users

#: The sandbox of a role that is held in every sandbox.
EVERYWHERE = 0


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who signs in with a password. ``number`` is for inside, ``id`` for outside; roles are (tenant, role)."""

    number: int
    organization: int
    id: str
    email: str
    name: str
    password_hash: str | None
    version: int
    created_at: int
    modified_at: int
    disabled_at: int | None
    roles: tuple[tuple[int, str], ...]


_COLUMNS = ("organization", "id", "email", "name", "password_hash", "version", "created_at", "modified_at")


def add(tx: Transaction, user: User) -> User:
    """Keep a new user, with the number that the store gives."""
    row = {name: getattr(user, name) for name in (*_COLUMNS, "disabled_at")}
    number = tx.core.execute(insert(users).values(row).returning(users.c.user)).scalar_one()
    _write_roles(tx, number, user.roles)
    return _existing(tx, number)


def replaced(
    tx: Transaction, known: User, now: int, roles: tuple[tuple[int, str], ...] | None = None, **changes: Any
) -> User | None:
    """Change a user that was read and return it as it is now; ``None`` if somebody else was quicker."""
    is_as_read = (users.c.user == known.number) & (users.c.version == known.version)
    values = {**changes, "version": known.version + 1, "modified_at": now}
    if not tx.core.execute(update(users).where(is_as_read).values(**values)).rowcount:
        return None
    if roles is not None:
        _write_roles(tx, known.number, roles)
    return _existing(tx, known.number)


def set_password_hash(tx: Transaction, user: User, password_hash: str) -> None:
    """Keep the same password under newer parameters, unless it was changed meanwhile."""
    is_as_read = (users.c.user == user.number) & (users.c.password_hash == user.password_hash)
    tx.core.execute(update(users).where(is_as_read).values(password_hash=password_hash))


def remove(tx: Transaction, user: User) -> None:
    """Delete a user with their roles; their sessions must have ended."""
    tx.core.execute(delete(user_roles).where(user_roles.c.user == user.number))
    tx.core.execute(delete(users).where(users.c.user == user.number))


def find(tx: Transaction, organization: int, id_: str) -> User | None:
    """Return a user of an organization by id."""
    return _one(tx, (users.c.organization == organization) & (users.c.id == id_))


def find_by_email(tx: Transaction, email: str) -> User | None:
    """Return a user of whatever organization by e-mail, in folded case: for signing in."""
    return _one(tx, users.c.email == email)


def find_by_number(tx: Transaction, number: int) -> User | None:
    """Return a user by number."""
    return _one(tx, users.c.user == number)


def all_of(tx: Transaction, organization: int) -> list[User]:
    """Return the users of an organization, by e-mail."""
    query = select(users).where(users.c.organization == organization).order_by(users.c.email)
    rows = tx.core.execute(query).mappings().all()
    roles = _roles(tx, select(users.c.user).where(users.c.organization == organization))
    return [_user(row, roles.get(row["user"], ())) for row in rows]


def _one(tx: Transaction, wanted: Any) -> User | None:
    row = tx.core.execute(select(users).where(wanted)).mappings().one_or_none()
    return None if row is None else _user(row, _roles(tx, [row["user"]]).get(row["user"], ()))


def _existing(tx: Transaction, number: int) -> User:
    user = find_by_number(tx, number)
    assert user is not None
    return user


def _roles(tx: Transaction, numbers: Any) -> dict[int, tuple[tuple[int, str], ...]]:
    columns = (user_roles.c.user, user_roles.c.tenant, user_roles.c.role)
    query = select(*columns).where(user_roles.c.user.in_(numbers)).order_by(*columns)
    found: dict[int, tuple[tuple[int, str], ...]] = {}
    for number, tenant, role in tx.core.execute(query):
        found[number] = (*found.get(number, ()), (tenant, role))
    return found


def _write_roles(tx: Transaction, number: int, roles: tuple[tuple[int, str], ...]) -> None:
    tx.core.execute(delete(user_roles).where(user_roles.c.user == number))
    rows = [{"user": number, "tenant": tenant, "role": role} for tenant, role in roles]
    if rows:
        tx.core.execute(insert(user_roles), rows)


def _user(row: Any, roles: tuple[tuple[int, str], ...]) -> User:
    given = {name: row[name] for name in (*_COLUMNS, "disabled_at")}
    return User(number=row["user"], roles=roles, **given)
