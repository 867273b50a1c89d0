"""Audiences: text names at the door, numbers inside."""

from dataclasses import dataclass

from sqlalchemy import func, insert, select, update

from headrace.model.profile import is_identity
from headrace.store.database import Transaction
from headrace.store.dialect import NotStorable
from headrace.store.tables import audiences
from headrace.store.transaction import storable


@dataclass(frozen=True, slots=True)
class StoredAudience:
    """One audience of a tenant."""

    audience: int
    namespace: str
    id: str
    name: str | None
    created_at: int
    modified_at: int


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


def all_of(tx: Transaction, tenant: int) -> dict[int, StoredAudience]:
    """Return a tenant's audiences by number."""
    rows = tx.core.execute(select(audiences).where(audiences.c.tenant == tenant)).mappings()
    fields = StoredAudience.__dataclass_fields__
    return {row["audience"]: StoredAudience(**{field: row[field] for field in fields}) for row in rows}
