"""The audit: who changed what, written in the transaction of the change."""

from dataclasses import dataclass

from sqlalchemy import func, insert, select

from headrace.store.database import Transaction
from headrace.store.tables import audit


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change of what is declared."""

    entry: int
    at: int
    actor: str
    action: str
    noun: str
    id: str
    version: int | None


def note(
    tx: Transaction, tenant: int, actor: str, action: str, noun: str, id_: str, now: int, version: int | None = None
) -> None:
    """Write down a change."""
    last = tx.core.execute(select(func.coalesce(func.max(audit.c.entry), 0)).where(audit.c.tenant == tenant))
    row = {"at": now, "actor": actor, "action": action, "noun": noun, "id": id_, "version": version}
    tx.core.execute(insert(audit).values(tenant=tenant, entry=last.scalar_one() + 1, **row))


def latest(tx: Transaction, tenant: int, most: int) -> list[AuditEntry]:
    """Return the latest entries, newest first."""
    query = select(*(audit.c[name] for name in AuditEntry.__dataclass_fields__)).where(audit.c.tenant == tenant)
    return [AuditEntry(*row) for row in tx.core.execute(query.order_by(audit.c.entry.desc()).limit(most))]
