"""
Executors: processes that carry runs, and when each was last heard of.

They are timed by the clock of the store, which all of them share, and never by their own.
"""

from sqlalchemy import Select, delete, insert, select, text, update

from headrace.store.database import Transaction
from headrace.store.tables import executors

_NOW = {
    "sqlite": "SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
    "postgresql": "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)",
}


def moment(tx: Transaction) -> int:
    """Return what time it is in the store."""
    return int(tx.core.execute(text(_NOW[tx.core.dialect.name])).scalar_one())


def beat(tx: Transaction, executor: str) -> None:
    """Note that a process is alive."""
    now = moment(tx)
    seen = update(executors).where(executors.c.executor == executor).values(seen_at=now)
    if tx.core.execute(seen).rowcount == 0:
        tx.core.execute(insert(executors).values(executor=executor, began_at=now, seen_at=now))


def living(since: int) -> Select[tuple[str]]:
    """Select the processes heard of since a moment of the store's clock."""
    return select(executors.c.executor).where(executors.c.seen_at >= since)


def remove(tx: Transaction, executor: str) -> None:
    """Forget a process that ends: what it has under way is free at once."""
    tx.core.execute(delete(executors).where(executors.c.executor == executor))


def remove_others(tx: Transaction, executor: str) -> None:
    """Forget every process but one: whoever has the store to itself knows that the others are dead."""
    tx.core.execute(delete(executors).where(executors.c.executor != executor))
