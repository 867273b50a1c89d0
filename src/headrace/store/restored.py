"""Dataflows of a store that was restored from a backup, until they are let go: their partners may know more than we."""

from dataclasses import dataclass

from sqlalchemy import delete, insert, select

from headrace.store.database import Transaction
from headrace.store.tables import restored_dataflows

#: The kind of the runs by which partners are told of everybody again.
RESYNC = "resync"


@dataclass(frozen=True, slots=True)
class Restored:
    """A dataflow as it was restored: from a backup of when, when that was, and the last state of a person then."""

    tenant: int
    dataflow: int
    taken_at: int
    restored_at: int
    sequence: int


_FIELDS = tuple(Restored.__dataclass_fields__)


def note(tx: Transaction, item: Restored) -> None:
    """Note that a dataflow was restored; once more, from another backup, is the same to its partner."""
    _forget(tx, item.tenant, item.dataflow)
    tx.core.execute(insert(restored_dataflows).values({name: getattr(item, name) for name in _FIELDS}))


def take(tx: Transaction, tenant: int, dataflow: int) -> Restored | None:
    """Return how a dataflow was restored that was not let go since, and forget it."""
    table = restored_dataflows
    where = (table.c.tenant == tenant) & (table.c.dataflow == dataflow)
    row = tx.core.execute(select(table).where(where)).mappings().one_or_none()
    if row is None:
        return None
    _forget(tx, tenant, dataflow)
    return Restored(**row)


def is_held(tx: Transaction, tenant: int, dataflow: int) -> bool:
    """Say whether a dataflow was restored, and was not let go since."""
    table = restored_dataflows
    where = (table.c.tenant == tenant) & (table.c.dataflow == dataflow)
    return tx.core.execute(select(table.c.dataflow).where(where)).first() is not None


def _forget(tx: Transaction, tenant: int, dataflow: int) -> None:
    table = restored_dataflows
    tx.core.execute(delete(table).where((table.c.tenant == tenant) & (table.c.dataflow == dataflow)))
