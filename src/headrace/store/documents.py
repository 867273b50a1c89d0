"""What people declare: one table a noun, each row the document as it was sent, its version and its dates."""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Table, delete, insert, select, update

from headrace.store import tables
from headrace.store.database import Transaction

Document = dict[str, Any]

#: The tables of nouns that people declare, by the noun.
NOUNS: dict[str, Table] = {
    "destination-server": tables.destination_servers,
    "destination": tables.destinations,
    "account": tables.accounts,
    "source-connection": tables.source_connections,
    "target-connection": tables.target_connections,
}


@dataclass(frozen=True, slots=True)
class Declared:
    """One stored object."""

    id: str
    version: int
    document: Document
    created_at: int
    modified_at: int


def add(tx: Transaction, tenant: int, noun: str, id_: str, document: Document, now: int) -> Declared:
    """Keep a new object at version 1."""
    declared = Declared(id_, 1, document, now, now)
    tx.core.execute(insert(NOUNS[noun]).values(tenant=tenant, **asdict(declared)))
    return declared


def replace(tx: Transaction, tenant: int, noun: str, known: Declared, document: Document, now: int) -> Declared | None:
    """Put a document in the place of the one that was read; ``None`` if somebody else was quicker."""
    table = NOUNS[noun]
    is_as_read = (table.c.tenant == tenant) & (table.c.id == known.id) & (table.c.version == known.version)
    declared = Declared(known.id, known.version + 1, document, known.created_at, now)
    changed = tx.core.execute(update(table).where(is_as_read).values(**asdict(declared))).rowcount
    return declared if changed else None


def remove(tx: Transaction, tenant: int, noun: str, id_: str) -> bool:
    """Delete an object; say whether it was there."""
    table = NOUNS[noun]
    return tx.core.execute(delete(table).where(table.c.tenant == tenant, table.c.id == id_)).rowcount > 0


def get(tx: Transaction, tenant: int, noun: str, id_: str) -> Declared | None:
    """Return one object."""
    table = NOUNS[noun]
    row = tx.core.execute(select(table).where(table.c.tenant == tenant, table.c.id == id_)).mappings().one_or_none()
    return None if row is None else _declared(row)


def all_of(tx: Transaction, tenant: int, noun: str) -> list[Declared]:
    """Return all objects of a noun, oldest first."""
    table = NOUNS[noun]
    query = select(table).where(table.c.tenant == tenant).order_by(table.c.created_at, table.c.id)
    return [_declared(row) for row in tx.core.execute(query).mappings()]


def _declared(row: Any) -> Declared:
    return Declared(**{name: row[name] for name in ("id", "version", "document", "created_at", "modified_at")})
