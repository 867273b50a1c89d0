"""What waits to be claimed."""

from headrace.store.database import Transaction
from headrace.store.outbox.claiming import next_due

_WAITING_LANES = """
    SELECT 1 FROM lanes WHERE tenant = :tenant AND dataflow = :dataflow AND due IS NOT NULL LIMIT 1 OFFSET :others
"""
_ANY_OF_AUDIENCE = """
    SELECT 1 FROM changes WHERE tenant = :tenant AND dataflow = :dataflow AND audience = :audience LIMIT 1
"""


def is_waiting(tx: Transaction, tenant: int, dataflow: int, lanes: int) -> bool:
    """Say whether so many lanes of a dataflow, one at the least, wait to be claimed."""
    which = {"tenant": tenant, "dataflow": dataflow, "others": lanes - 1}
    return tx.run(_WAITING_LANES, which).fetchone() is not None


def is_any_of(tx: Transaction, tenant: int, dataflow: int, audience: int) -> bool:
    """Say whether a change of an audience is not settled yet."""
    which = {"tenant": tenant, "dataflow": dataflow, "audience": audience}
    return tx.run(_ANY_OF_AUDIENCE, which).fetchone() is not None


def is_claimable(tx: Transaction, tenant: int, dataflow: int, now: int) -> bool:
    """Say whether something of a dataflow waits to be claimed: a lane, a retry that is due, or what a lease left."""
    due = next_due(tx, tenant, dataflow)
    return (due is not None and due <= now) or is_waiting(tx, tenant, dataflow, 1)
