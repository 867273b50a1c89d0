"""
Namespaces of identities: the standard ones, those that a sandbox adds, and by which of them people are kept.

A namespace that nobody declared is no reason to refuse a person: it is registered as it comes with a profile, and can
be given a name and a type later.
"""

from dataclasses import replace
from typing import Any

from headrace.clock import Clock
from headrace.errors import Conflict, NotFound
from headrace.model.namespace import BY_CODE, STANDARD, Namespace, NamespaceDocument, NamespaceOrder
from headrace.model.reading import read
from headrace.services.caller import Caller
from headrace.store import audit, namespaces, profiles
from headrace.store.database import Store, Transaction
from headrace.store.namespaces import StoredNamespace

NOUN = "namespace"
#: Longer than any number that was given.
LONGEST_ID = 18


async def listing(store: Store, caller: Caller) -> list[dict[str, Any]]:
    """List the standard namespaces, then the sandbox's."""
    kept = await store.read(lambda tx: namespaces.all_of(tx, caller.number))
    return [_standard(namespace) for namespace in STANDARD] + [shown(namespace) for namespace in kept]


async def get(store: Store, caller: Caller, id_: str) -> dict[str, Any]:
    """
    Return one namespace.

    Raises:
        NotFound: there is none of this id.
    """
    standard = _standard_of(id_)
    if standard is not None:
        return _standard(standard)
    return shown(await store.read(lambda tx: _there(tx, caller, id_)))


async def create(store: Store, clock: Clock, caller: Caller, document: Any) -> dict[str, Any]:
    """
    Declare a namespace; one that came with profiles before is declared now, under the id it has.

    Raises:
        ConfigurationError: the document is not right.
        Conflict: there is one of this code.
    """
    (wanted, _), now = read(NamespaceDocument, document), clock.now()

    def work(tx: Transaction) -> StoredNamespace:
        known = namespaces.find(tx, caller.number, wanted.code)
        if wanted.code in BY_CODE or (known is not None and known.is_declared):
            raise Conflict(f"there is a namespace {wanted.code!r} already")
        made = _declared(known or StoredNamespace(0, wanted.code, "", "", None, True, now, now), wanted, now)
        if known is None:
            made = namespaces.add(tx, caller.number, made)
        else:
            namespaces.change(tx, caller.number, made)
        audit.note(tx, caller.number, caller.actor, "create", NOUN, str(made.namespace), now)
        return made

    return shown(await store.write(work))


async def update(store: Store, clock: Clock, caller: Caller, id_: str, document: Any) -> dict[str, Any]:
    """
    Replace what is said of a namespace of the sandbox. Its code stays: people are known by it.

    Raises:
        NotFound: there is none of this id.
        Conflict: it is a standard one, or its code would be another.
        ConfigurationError: the document is not right.
    """
    standard = _standard_of(id_)
    if standard is not None:
        raise Conflict(f"{standard.code!r} is a standard namespace: those stay as they are")
    (wanted, _), now = read(NamespaceDocument, document), clock.now()

    def work(tx: Transaction) -> StoredNamespace:
        known = _there(tx, caller, id_)
        if wanted.code != known.code:
            raise Conflict(f"the code of a namespace stays, for people are known by it: send {known.code!r}")
        changed = _declared(known, wanted, now)
        namespaces.change(tx, caller.number, changed)
        audit.note(tx, caller.number, caller.actor, "replace", NOUN, id_, now)
        return changed

    return shown(await store.write(work))


async def order(store: Store, caller: Caller) -> list[str]:
    """Return by which namespaces people are kept who name no identity as primary."""
    return list(await store.read(lambda tx: namespaces.order(tx, caller.number)))


async def set_order(store: Store, clock: Clock, caller: Caller, document: Any) -> list[str]:
    """
    Say by which namespaces people are kept; those that are not named follow by name.

    Raises:
        ConfigurationError: it is no list of codes.
        NotFound: a code is unknown here.
        Conflict: there are people already, whose keys would be others.
    """
    (wanted, _), now = read(NamespaceOrder, document), clock.now()
    codes = list(dict.fromkeys(wanted.codes))

    def work(tx: Transaction) -> None:
        for code in codes:
            if code not in BY_CODE and namespaces.find(tx, caller.number, code) is None:
                raise NotFound(f"there is no namespace {code!r}: declare it first")
        if codes == list(namespaces.order(tx, caller.number)):
            return
        if profiles.last_number(tx, caller.number):
            raise Conflict("this sandbox has people already; kept by another namespace, each would be there twice")
        namespaces.set_order(tx, caller.number, codes)
        audit.note(tx, caller.number, caller.actor, "replace", "namespace-order", "order", now)

    await store.write(work)
    return codes


def shown(namespace: StoredNamespace) -> dict[str, Any]:
    """Return a namespace of a sandbox as the API shows it."""
    return {
        "id": namespace.namespace,
        "code": namespace.code,
        "name": namespace.name,
        "idType": namespace.id_type,
        "namespaceType": "Custom",
        "custom": True,
        "status": "ACTIVE",
        "description": namespace.description,
        "createTime": namespace.created_at,
        "updateTime": namespace.modified_at,
        "x-headrace": {"declared": namespace.is_declared},
    }


def _standard(namespace: Namespace) -> dict[str, Any]:
    more = {"hashFunction": namespace.hash_function, "transform": namespace.transform}
    return {
        "id": namespace.id,
        "code": namespace.code,
        "name": namespace.name,
        "idType": namespace.id_type,
        "namespaceType": "Standard",
        "custom": False,
        "status": "ACTIVE",
        "description": namespace.description,
        **{name: value for name, value in more.items() if value is not None},
    }


def _standard_of(id_: str) -> Namespace | None:
    return next((namespace for namespace in STANDARD if str(namespace.id) == id_), None)


def _there(tx: Transaction, caller: Caller, id_: str) -> StoredNamespace:
    is_number = id_.isascii() and id_.isdigit() and len(id_) < LONGEST_ID
    known = namespaces.get(tx, caller.number, int(id_)) if is_number else None
    if known is None:
        raise NotFound(f"there is no namespace {id_!r}")
    return known


def _declared(known: StoredNamespace, wanted: NamespaceDocument, now: int) -> StoredNamespace:
    return replace(
        known,
        name=wanted.name,
        id_type=wanted.id_type,
        description=wanted.description,
        is_declared=True,
        modified_at=now,
    )
