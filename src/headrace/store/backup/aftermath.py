"""
What a restored store must not take for granted: numbers go on where none was ever given, and dataflows are held.

What was done between the backup and its restoring is forgotten here, and not at the partners. So numbers of states and
of processes jump ahead: no message has an id that another had. What waited or was under way is another state now.
"""

from sqlalchemy import func, insert, select, text, update

from headrace.store import audit, restored
from headrace.store.database import Transaction
from headrace.store.tables import dataflows, epochs, tenants

#: More states than any sandbox has between a backup and its restoring, and more starts of processes than there are.
STATES = 1 << 40
STARTS = 1 << 14

_SHIFTED = (
    "UPDATE changes SET seq = seq + :states",
    """
    UPDATE lanes SET desired_seq = desired_seq + :states, claimed_seq = claimed_seq + :states
    WHERE due IS NOT NULL OR claim_group IS NOT NULL
    """,
    "UPDATE tenants SET sequence = sequence + :states",
)
_GIVE_BACK = "UPDATE groups SET lease_until = NULL, due = :now WHERE lease_until IS NOT NULL"


def begin_anew(tx: Transaction, taken_at: int, now: int, reason: str) -> int:
    """
    Have a store that was filled from a backup begin anew, and hold its dataflows; returns how many there are.

    Each is resynchronised once it is enabled.
    """
    for statement in _SHIFTED:
        tx.core.execute(text(statement), {"states": STATES})
    give_back(tx, now)
    last = tx.core.execute(select(func.coalesce(func.max(epochs.c.epoch), 0))).scalar_one()
    tx.core.execute(insert(epochs).values(epoch=last + STARTS, started_at=now))
    is_there = dataflows.c.deleted_at.is_(None)
    known = tx.core.execute(select(dataflows.c.tenant, dataflows.c.dataflow).where(is_there)).all()
    sequences = {row[0]: row[1] for row in tx.core.execute(select(tenants.c.tenant, tenants.c.sequence))}
    for tenant, dataflow in known:
        restored.note(tx, restored.Restored(tenant, dataflow, taken_at, now, sequences[tenant]))
    going = is_there & dataflows.c.state.in_(("enabled", "held"))
    tx.core.execute(update(dataflows).where(going).values(state="held", reason=reason, modified_at=now))
    return len(known)


def give_back(tx: Transaction, now: int) -> None:
    """Give back what processes that are gone had claimed: what became of it is not known."""
    tx.core.execute(text(_GIVE_BACK), {"now": now})


def note(tx: Transaction, actor: str, details: dict[str, str], now: int) -> None:
    """Write into the audit of every organization that the store was restored."""
    for organization in tx.core.execute(select(tenants.c.organization).distinct()).scalars().all():
        audit.note_in_organization(tx, organization, actor, "restore", "store", "", now, details=details)
