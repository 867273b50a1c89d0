"""What changes of users and clients have in common: sandboxes by name, and that somebody is left who can undo them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from headrace.errors import Conflict
from headrace.model.problem import ConfigurationError, Problem
from headrace.model.roles import PERMISSIONS
from headrace.services.caller import Principal
from headrace.services.grants import Grants, of_client, of_user
from headrace.store import access, audit, clients, users
from headrace.store.database import Transaction
from headrace.store.users import EVERYWHERE

_EVERYTHING = Grants({EVERYWHERE: frozenset(PERMISSIONS)})


@contextmanager
def keeping_an_admin(tx: Transaction, principal: Principal, now: int) -> Iterator[None]:
    """
    Refuse what is done inside if it leaves nobody who may do everything.

    Raises:
        Conflict: there was such a user or client before, and there is none now.
    """
    had_one = _has_admin(tx, principal.organization.number, now)
    yield
    if had_one and not _has_admin(tx, principal.organization.number, now):
        raise Conflict("nobody would be left who may administer this organization; make another admin first")


def numbers_of(tx: Transaction, principal: Principal, named: Iterable[tuple[str, str]]) -> list[int]:
    """
    Return the numbers of sandboxes; each comes with the JSON pointer to where it was named.

    Raises:
        ConfigurationError: with every one that the organization does not have.
    """
    known = {tenant.sandbox: tenant.tenant for tenant in access.tenants_of(tx, principal.organization.number)}
    asked = list(named)
    wrong = [
        Problem("unknown-sandbox", where, f"there is no sandbox {name!r} in this organization")
        for where, name in asked
        if name not in known
    ]
    if wrong:
        raise ConfigurationError(wrong)
    return [known[name] for _, name in asked]


def note(tx: Transaction, principal: Principal, action: str, noun: str, id_: str, now: int, **details: Any) -> None:
    """Write down who changed what in an organization."""
    number = principal.organization.number
    audit.note_in_organization(tx, number, principal.actor, action, noun, id_, now, details=details or None)


def _has_admin(tx: Transaction, organization: int, now: int) -> bool:
    good = (of_client(client) for client in clients.all_of(tx, organization) if client.is_good(now))
    people = (of_user(user) for user in users.all_of(tx, organization))
    return any(given.covers(_EVERYTHING) for grants in (good, people) for given in grants)
