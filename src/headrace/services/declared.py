"""What people declare, whatever the noun: kept, listed, read, replaced, deleted, each change with its audit entry."""

import uuid
from collections.abc import Callable
from typing import Any

from headrace.clock import Clock
from headrace.errors import Conflict, NotFound, StaleVersion
from headrace.model.problem import ConfigurationError, Problem
from headrace.services import standing
from headrace.services.at_partner.wanting import mended
from headrace.services.caller import Caller
from headrace.services.checks import CREDENTIALS
from headrace.services.standing import Holder
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
        refuse(check(tx))
        return add(tx, caller, noun, id_ or str(uuid.uuid4()), document, now)

    return await store.write(work)


async def listing(store: Store, caller: Caller, noun: str) -> list[Declared]:
    """Return all objects of a noun, oldest first."""
    return await store.read(lambda tx: documents.all_of(tx, caller.number, noun))


async def page(
    store: Store, caller: Caller, noun: str, most: int, start: str | None
) -> tuple[list[Declared], str | None]:
    """Return up to ``most`` objects of a noun, oldest first, and the id to go on from."""
    return await store.read(lambda tx: documents.page(tx, caller.number, noun, most, start))


async def read(store: Store, caller: Caller, noun: str, id_: str) -> Declared:
    """
    Return one object.

    Raises:
        NotFound: it is not in this sandbox, whether or not it is in another.
    """
    return await store.read(lambda tx: existing(tx, caller, noun, id_))


def add(tx: Transaction, caller: Caller, noun: str, id_: str, document: dict[str, Any], now: int) -> Declared:
    """Keep a new object that was checked."""
    declared = documents.add(tx, caller.number, noun, id_, document, now, caller.actor)
    note(tx, caller, "create", noun, declared, now)
    return declared


def replace(
    tx: Transaction,
    caller: Caller,
    noun: str,
    known: Declared,
    document: dict[str, Any],
    now: int,
    action: str = "replace",
) -> Declared:
    """
    Put a document that was checked in the place of an object's.

    Raises:
        Conflict: somebody else was quicker.
    """
    declared = documents.replace(tx, caller.number, noun, known, document, now, caller.actor, action)
    if declared is None:
        raise Conflict
    note(tx, caller, action, noun, declared, now)
    if noun == CREDENTIALS:
        standing.begin_anew(tx, Holder(caller.tenant, known.id, is_shared=True), now)
    return declared


def remove(tx: Transaction, caller: Caller, noun: str, known: Declared, now: int) -> None:
    """
    Delete an object that nothing uses.

    Raises:
        Conflict: somebody else was quicker.
    """
    if not documents.remove(tx, caller.number, noun, known, now, caller.actor):
        raise Conflict
    note(tx, caller, "delete", noun, known, now)
    if noun == CREDENTIALS:
        standing.begin_anew(tx, Holder(caller.tenant, known.id, is_shared=True), now)  # They may be restored.
    else:
        standing.forget(tx, Holder(caller.tenant, known.id))


def existing(tx: Transaction, caller: Caller, noun: str, id_: str) -> Declared:
    """Return one object, or raise ``NotFound``."""
    declared = documents.get(tx, caller.number, noun, id_)
    if declared is None:
        raise NotFound(f"there is no {spoken(noun)} {id_!r} here")
    return declared


def refuse(problems: list[Problem]) -> None:
    """Raise problems if there are errors among them."""
    if any(problem.is_error for problem in problems):
        raise ConfigurationError(problems)


def refuse_stale(known: Declared, if_match: str | None) -> None:
    """
    Refuse a change of another version than the one that is there. ``if_match`` is the header, as it was sent.

    Raises:
        StaleVersion: none of the versions named is the one that is there.
    """
    if if_match is None or if_match.strip() == "*":
        return
    if etag(known) not in [wanted.strip() for wanted in if_match.split(",")]:
        message = f"the version {if_match} is not the current one, {etag(known)}: read the object again"
        raise StaleVersion(message)


def refuse_another(known: Declared, if_match: str) -> None:
    """
    Refuse a change unless it names the version that is there, in its quotes, as the flow service does.

    Raises:
        StaleVersion: it names another.
    """
    if if_match != etag(known):
        message = f"the version {if_match} is not the current one, {etag(known)}: read the object again"
        raise StaleVersion(message)


def etag(declared: Declared) -> str:
    """Return the version of an object as HTTP writes it, quotes included."""
    return f'"{declared.id[:8]}-{declared.version}"'


def spoken(noun: str) -> str:
    """Return a noun as it is said."""
    return noun.replace("-", " ")


def nothing_to_check(_tx: Transaction) -> list[Problem]:
    """The check of objects that point to no others."""
    return []


def note(tx: Transaction, caller: Caller, action: str, noun: str, declared: Declared, now: int) -> None:
    """Write down a change of an object, and that its sandbox is another now."""
    audit.note(tx, caller.number, caller.actor, action, noun, declared.id, now, declared.version)
    access.raise_configuration(tx, caller.number)
    if action != "create":  # What is new has mended nothing.
        mended(tx, caller.tenant, noun, declared.id, caller.actor, now)
