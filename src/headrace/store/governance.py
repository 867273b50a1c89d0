"""Which labels data carries, and which core policies a sandbox enforces."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from sqlalchemy import delete, insert, select

from headrace.store.database import Transaction
from headrace.store.tables import enabled_policies, put_labels

Kind = Literal["field", "dataset", "namespace"]


@dataclass(frozen=True, slots=True)
class PutLabels:
    """The labels on one thing: ``name`` is an attribute's path, a dataset's id, or the code of a namespace."""

    kind: Kind
    name: str
    labels: list[str]
    modified_at: int


def labels(tx: Transaction, tenant: int) -> list[PutLabels]:
    """Return all labels that were put on data, by kind and name."""
    table = put_labels
    columns = (table.c.kind, table.c.name, table.c.labels, table.c.modified_at)
    query = select(*columns).where(table.c.tenant == tenant).order_by(table.c.kind, table.c.name)
    return [PutLabels(**row) for row in tx.core.execute(query).mappings()]


def put(tx: Transaction, tenant: int, wanted: PutLabels) -> None:
    """Put labels in the place of those that something has; without any, it has none any more."""
    table = put_labels
    is_it = (table.c.tenant == tenant) & (table.c.kind == wanted.kind) & (table.c.name == wanted.name)
    tx.core.execute(delete(table).where(is_it))
    if wanted.labels:
        tx.core.execute(insert(table).values(tenant=tenant, **asdict(wanted)))


def enabled(tx: Transaction, tenant: int) -> tuple[frozenset[str], int]:
    """Return the ids of the core policies that are enforced, and when that was said."""
    table = enabled_policies
    query = select(table.c.policies, table.c.modified_at).where(table.c.tenant == tenant)
    row = tx.core.execute(query).one_or_none()
    return (frozenset(), 0) if row is None else (frozenset(row.policies), row.modified_at)


def enable(tx: Transaction, tenant: int, ids: Sequence[str], now: int) -> None:
    """Enforce these core policies, and no others."""
    table = enabled_policies
    tx.core.execute(delete(table).where(table.c.tenant == tenant))
    tx.core.execute(insert(table).values(tenant=tenant, policies=[*ids], modified_at=now))
