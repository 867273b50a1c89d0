"""
What people declare: one table a noun, each row the document as it was sent, its version and its dates.

Every version is kept beside it for good, with who made it; what was published points at versions, not at rows.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Table, delete, func, insert, select, update

from headrace.store import keys, tables
from headrace.store.database import Transaction
from headrace.store.tables import versions

Document = dict[str, Any]

#: The key under which a stored document holds what is sealed, by the JSON pointer of its place.
SEALED = "x-headrace-sealed"

#: The tables of nouns that people declare, by the noun.
NOUNS: dict[str, Table] = {
    "destination-server": tables.destination_servers,
    "destination": tables.destinations,
    "audience-template": tables.audience_templates,
    "credentials": tables.credentials,
    "account": tables.accounts,
    "source-connection": tables.source_connections,
    "target-connection": tables.target_connections,
    "dataset": tables.datasets,
    "audience": tables.audience_definitions,
    "conversion-schema": tables.conversion_schemas,
    "mapping-set": tables.mapping_sets,
    "usage-label": tables.usage_labels,
    "marketing-action": tables.marketing_actions,
    "policy": tables.policies,
    "consent-policy": tables.consent_policies,
    "alert-subscription": tables.alert_subscriptions,
}


@dataclass(frozen=True, slots=True)
class Declared:
    """One stored object."""

    id: str
    version: int
    document: Document
    created_at: int
    modified_at: int


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an object: what was done, by whom, and the document that was left; ``None`` once it is deleted."""

    version: int
    action: str
    actor: str
    at: int
    document: Document | None


def add(tx: Transaction, tenant: int, noun: str, id_: str, document: Document, now: int, actor: str) -> Declared:
    """Keep a new object at version 1."""
    declared = Declared(id_, 1, document, now, now)
    tx.core.execute(insert(NOUNS[noun]).values(tenant=tenant, **asdict(declared)))
    _remember(tx, tenant, noun, id_, Version(1, "create", actor, now, document))
    return declared


def replace(
    tx: Transaction,
    tenant: int,
    noun: str,
    known: Declared,
    document: Document,
    now: int,
    actor: str,
    action: str = "replace",
) -> Declared | None:
    """Put a document in the place of the one that was read; ``None`` if somebody else was quicker."""
    table = NOUNS[noun]
    is_as_read = (table.c.tenant == tenant) & (table.c.id == known.id) & (table.c.version == known.version)
    declared = Declared(known.id, known.version + 1, document, known.created_at, now)
    if not tx.core.execute(update(table).where(is_as_read).values(**asdict(declared))).rowcount:
        return None
    _remember(tx, tenant, noun, known.id, Version(declared.version, action, actor, now, document))
    return declared


def remove(tx: Transaction, tenant: int, noun: str, known: Declared, now: int, actor: str) -> bool:
    """Delete the object that was read; ``False`` if somebody else was quicker. Its versions stay."""
    table = NOUNS[noun]
    is_as_read = (table.c.tenant == tenant) & (table.c.id == known.id) & (table.c.version == known.version)
    if not tx.core.execute(delete(table).where(is_as_read)).rowcount:
        return False
    _remember(tx, tenant, noun, known.id, Version(known.version + 1, "delete", actor, now, None))
    return True


def revive(tx: Transaction, tenant: int, noun: str, id_: str, document: Document, now: int, actor: str) -> Declared:
    """Bring back an object that is deleted, under its id; its versions go on."""
    first, last = tx.core.execute(
        select(func.min(versions.c.at), func.max(versions.c.version)).where(_is_it(tenant, noun, id_))
    ).one()
    declared = Declared(id_, last + 1, document, first, now)
    tx.core.execute(insert(NOUNS[noun]).values(tenant=tenant, **asdict(declared)))
    _remember(tx, tenant, noun, id_, Version(declared.version, "restore", actor, now, document))
    return declared


def get(tx: Transaction, tenant: int, noun: str, id_: str) -> Declared | None:
    """Return one object."""
    if "\0" in id_:
        return None  # No id has one, and PostgreSQL would not take the question.
    table = NOUNS[noun]
    row = tx.core.execute(select(table).where(table.c.tenant == tenant, table.c.id == id_)).mappings().one_or_none()
    return None if row is None else _declared(row)


def all_of(tx: Transaction, tenant: int, noun: str) -> list[Declared]:
    """Return all objects of a noun, oldest first."""
    table = NOUNS[noun]
    query = select(table).where(table.c.tenant == tenant).order_by(table.c.created_at, table.c.id)
    return [_declared(row) for row in tx.core.execute(query).mappings()]


def page(tx: Transaction, tenant: int, noun: str, most: int, start: str | None) -> tuple[list[Declared], str | None]:
    """
    Return up to ``most`` objects, oldest first, from ``start`` on, and the id that the next page starts with.

    ``start`` is the id of an object that may be gone by now: its place is known from its versions.
    """
    table = NOUNS[noun]
    query = select(table).where(table.c.tenant == tenant)
    if start is not None:
        born = select(func.min(versions.c.at)).where(_is_it(tenant, noun, start)).scalar_subquery()
        query = query.where((table.c.created_at > born) | ((table.c.created_at == born) & (table.c.id >= start)))
    rows = tx.core.execute(query.order_by(table.c.created_at, table.c.id).limit(most + 1)).mappings().all()
    return [_declared(row) for row in rows[:most]], rows[most]["id"] if len(rows) > most else None


def connected_to(tx: Transaction, noun: str, destination: str) -> list[tuple[int, Declared]]:
    """Return the accounts or connections of a destination in all sandboxes, each with its sandbox's number."""
    table = NOUNS[noun]
    is_it = table.c.document["connectionSpec"]["id"].as_string() == destination
    rows = tx.core.execute(select(table).where(is_it).order_by(table.c.tenant, table.c.created_at, table.c.id))
    return [(row["tenant"], _declared(row)) for row in rows.mappings()]


def rewrite_versions(
    tx: Transaction, tenant: int, noun: str, id_: str, before: int, rewritten: Callable[[Document], Document]
) -> None:
    """Put other documents in the places of an object's versions before one: what they hold is to be forgotten."""
    query = select(versions.c.version, versions.c.document).where(
        _is_it(tenant, noun, id_), versions.c.version < before
    )
    for row in tx.core.execute(query).all():
        if row.document is not None:
            where = _is_it(tenant, noun, id_) & (versions.c.version == row.version)
            tx.core.execute(update(versions).where(where).values(document=rewritten(row.document)))


def versions_of(
    tx: Transaction, tenant: int, noun: str, id_: str, most: int = 1000, before: int | None = None
) -> list[Version]:
    """Return the versions of an object, newest first and without their documents; also of one that is deleted."""
    columns = [versions.c[name] for name in ("version", "action", "actor", "at")]
    query = select(*columns).where(_is_it(tenant, noun, id_))
    if before is not None:
        query = query.where(versions.c.version < before)
    rows = tx.core.execute(query.order_by(versions.c.version.desc()).limit(most))
    return [Version(row.version, row.action, row.actor, row.at, None) for row in rows]


def version(tx: Transaction, tenant: int, noun: str, id_: str, number: int) -> Version | None:
    """Return one version of an object."""
    query = select(*(versions.c[name] for name in Version.__dataclass_fields__)).where(_is_it(tenant, noun, id_))
    row = tx.core.execute(query.where(versions.c.version == number)).one_or_none()
    return None if row is None else Version(*row)


def sealed_in(noun: str, document: Document) -> Iterator[tuple[str, str]]:
    """Yield what is sealed in a stored document with the name of its place; an account's credentials have theirs."""
    yield from document.get(SEALED, {}).items()
    if noun == "account":
        yield from document.get("auth", {}).get("params", {}).items()


def _is_it(tenant: int, noun: str, id_: str) -> Any:
    return (versions.c.tenant == tenant) & (versions.c.noun == noun) & (versions.c.id == id_)


def _remember(tx: Transaction, tenant: int, noun: str, id_: str, made: Version) -> None:
    keys.must_be_there(tx, (text for _, text in sealed_in(noun, made.document or {})))
    tx.core.execute(insert(versions).values(tenant=tenant, noun=noun, id=id_, **asdict(made)))


def _declared(row: Any) -> Declared:
    return Declared(**{name: row[name] for name in ("id", "version", "document", "created_at", "modified_at")})
