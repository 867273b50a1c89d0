"""Audiences: text names at the door, numbers inside."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, select, update

from headrace.model.profile import is_identity
from headrace.store.database import Transaction
from headrace.store.dialect import NotStorable
from headrace.store.tables import audiences, dataflow_audiences
from headrace.store.transaction import storable

_RESIZE = """
    UPDATE audiences SET size = size + :by WHERE tenant = :tenant AND namespace = :namespace AND id = :id
"""


@dataclass(frozen=True, slots=True)
class StoredAudience:
    """One audience of a tenant. ``size``: how many members it has now."""

    audience: int
    namespace: str
    id: str
    name: str | None
    created_at: int
    modified_at: int
    size: int = 0


def number(tx: Transaction, tenant: int, namespace: str, id_: str, name: str | None, now: int) -> int:
    """
    Return the number of an audience, given at first sight; a name that is new to us is kept.

    Raises:
        NotStorable: its id or namespace cannot be kept.
    """
    if not is_identity(id_) or not is_identity(namespace):
        raise NotStorable
    name = None if name is None else storable(name)
    is_it = (audiences.c.tenant == tenant) & (audiences.c.namespace == namespace) & (audiences.c.id == id_)
    known = tx.core.execute(select(audiences.c.audience, audiences.c.name).where(is_it)).one_or_none()
    if known is None:
        highest = select(func.coalesce(func.max(audiences.c.audience), 0)).where(audiences.c.tenant == tenant)
        last = tx.core.execute(highest)
        row = StoredAudience(last.scalar_one() + 1, namespace, id_, name, now, now)
        values = {field: getattr(row, field) for field in StoredAudience.__dataclass_fields__}
        tx.core.execute(insert(audiences).values(tenant=tenant, **values))
        return row.audience
    if name is not None and name != known.name:
        tx.core.execute(update(audiences).where(is_it).values(name=name, modified_at=now))
    return int(known.audience)


def names(tx: Transaction, tenant: int, numbers: Iterable[int]) -> list[str]:
    """Return some audiences as ``namespace:id``; a few, by their numbers."""
    where = (audiences.c.tenant == tenant) & audiences.c.audience.in_(sorted(numbers))
    rows = tx.core.execute(select(audiences.c.namespace, audiences.c.id).where(where))
    return [f"{namespace}:{id_}" for namespace, id_ in rows]


def all_of(tx: Transaction, tenant: int) -> dict[int, StoredAudience]:
    """Return a tenant's audiences by number."""
    rows = tx.core.execute(select(audiences).where(audiences.c.tenant == tenant)).mappings()
    fields = StoredAudience.__dataclass_fields__
    return {row["audience"]: StoredAudience(**{field: row[field] for field in fields}) for row in rows}


def find(tx: Transaction, tenant: int, id_: str, namespace: str | None = None) -> list[StoredAudience]:
    """Return the audiences with an id: one of each namespace in which it is known."""
    if "\0" in id_ or (namespace is not None and "\0" in namespace):
        return []
    query = select(audiences).where(audiences.c.tenant == tenant, audiences.c.id == id_)
    if namespace is not None:
        query = query.where(audiences.c.namespace == namespace)
    return [_stored(row) for row in tx.core.execute(query.order_by(audiences.c.audience)).mappings()]


def get(tx: Transaction, tenant: int, audience: int) -> StoredAudience | None:
    """Return the audience with a number."""
    query = select(audiences).where(audiences.c.tenant == tenant, audiences.c.audience == audience)
    row = tx.core.execute(query).mappings().one_or_none()
    return None if row is None else _stored(row)


def sent(tx: Transaction, tenant: int) -> set[int]:
    """Return the numbers of the audiences that dataflows send."""
    query = select(dataflow_audiences.c.audience).where(dataflow_audiences.c.tenant == tenant).distinct()
    return set(tx.core.execute(query).scalars())


def resize(tx: Transaction, tenant: int, namespace: str, id_: str, by: int, now: int) -> None:
    """Count members who came, or went where ``by`` is negative; an audience is given its number at first sight."""
    changed = {"tenant": tenant, "namespace": namespace, "id": id_, "by": by}
    if not tx.run(_RESIZE, changed).rowcount and is_identity(id_) and is_identity(namespace):
        number(tx, tenant, namespace, id_, None, now)
        tx.run(_RESIZE, changed)


def _stored(row: Any) -> StoredAudience:
    return StoredAudience(**{field: row[field] for field in StoredAudience.__dataclass_fields__})
