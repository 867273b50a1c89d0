"""What people declare, whatever the noun: kept, listed, read, replaced, deleted, each change with its audit entry."""

import uuid
from collections.abc import Callable
from typing import Any

from headrace.clock import Clock
from headrace.errors import Conflict, NotFound
from headrace.model.problem import ConfigurationError, Problem
from headrace.services.caller import Caller
from headrace.store import access, audit, documents
from headrace.store.database import Store, Transaction
from headrace.store.documents import Declared

#: Looks at the other objects of the sandbox, in the transaction of the change, and says what does not fit.
Check = Callable[[Transaction], list[Problem]]


async def create(
    store: Store,
    clock: Clock,
    caller: Caller,
    noun: str,
    document: dict[str, Any],
    check: Check,
    id_: str | None = None,
) -> Declared:
    """
    Keep a new object.

    Raises:
        ConfigurationError: the check found errors.
    """
    now = clock.now()

    def work(tx: Transaction) -> Declared:
        _refuse(check(tx))
        declared = documents.add(tx, caller.number, noun, id_ or str(uuid.uuid4()), document, now, caller.actor)
        _note(tx, caller, "create", noun, declared, now)
        return declared

    return await store.write(work)


async def listing(store: Store, caller: Caller, noun: str) -> list[Declared]:
    """Return all objects of a noun, oldest first."""
    return await store.read(lambda tx: documents.all_of(tx, caller.number, noun))


async def read(store: Store, caller: Caller, noun: str, id_: str) -> Declared:
    """
    Return one object.

    Raises:
        NotFound: it is not in this sandbox, whether or not it is in another.
    """
    return await store.read(lambda tx: existing(tx, caller, noun, id_))


async def replace(
    store: Store, clock: Clock, caller: Caller, noun: str, id_: str, document: dict[str, Any], check: Check
) -> Declared:
    """
    Put a document in the place of an object's.

    Raises:
        NotFound: it is not in this sandbox.
        ConfigurationError: the check found errors.
    """
    now = clock.now()

    def work(tx: Transaction) -> Declared:
        known = existing(tx, caller, noun, id_)
        _refuse(check(tx))
        declared = documents.replace(tx, caller.number, noun, known, document, now, caller.actor)
        if declared is None:
            raise Conflict
        _note(tx, caller, "replace", noun, declared, now)
        return declared

    return await store.write(work)


async def delete(
    store: Store, clock: Clock, caller: Caller, noun: str, id_: str, user: Callable[[Transaction], str | None]
) -> None:
    """
    Delete an object that nothing uses; ``user`` names what does.

    Raises:
        NotFound: it is not in this sandbox.
        Conflict: it is in use.
    """
    now = clock.now()

    def work(tx: Transaction) -> None:
        known = existing(tx, caller, noun, id_)
        if (used_by := user(tx)) is not None:
            raise Conflict(f"this {noun.replace('-', ' ')} is in use by {used_by}; delete that first")
        if not documents.remove(tx, caller.number, noun, known, now, caller.actor):
            raise Conflict
        _note(tx, caller, "delete", noun, known, now)

    await store.write(work)


def existing(tx: Transaction, caller: Caller, noun: str, id_: str) -> Declared:
    """Return one object, or raise ``NotFound``."""
    declared = documents.get(tx, caller.number, noun, id_)
    if declared is None:
        raise NotFound(f"there is no {noun.replace('-', ' ')} {id_!r} here")
    return declared


def nothing_to_check(_tx: Transaction) -> list[Problem]:
    """The check of objects that point to no others."""
    return []


def _refuse(problems: list[Problem]) -> None:
    if any(problem.is_error for problem in problems):
        raise ConfigurationError(problems)


def _note(tx: Transaction, caller: Caller, action: str, noun: str, declared: Declared, now: int) -> None:
    audit.note(tx, caller.number, caller.actor, action, noun, declared.id, now, declared.version)
    access.raise_configuration(tx, caller.number)
