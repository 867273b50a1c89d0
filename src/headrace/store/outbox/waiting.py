"""What waits to be claimed."""

from headrace.store.database import Transaction

_WAITING_LANES = """
    SELECT 1 FROM lanes WHERE tenant = :tenant AND dataflow = :dataflow AND due IS NOT NULL LIMIT 1 OFFSET :others
"""
_ANY_OF_AUDIENCE = """
    SELECT 1 FROM changes WHERE tenant = :tenant AND dataflow = :dataflow AND audience = :audience LIMIT 1
"""
_ANYWHERE = """
    SELECT d.tenant, d.dataflow FROM dataflows d
    WHERE d.state = 'enabled' AND d.deleted_at IS NULL AND (
        EXISTS (SELECT 1 FROM lanes l WHERE l.tenant = d.tenant AND l.dataflow = d.dataflow AND l.due IS NOT NULL)
        OR EXISTS (SELECT 1 FROM groups g WHERE g.tenant = d.tenant AND g.dataflow = d.dataflow
            AND coalesce(g.due, g.lease_until) <= :now))
"""


def anywhere(tx: Transaction, now: int) -> list[tuple[int, int]]:
    """Return the dataflows that may have something to claim: (sandbox, dataflow) each."""
    return [(tenant, dataflow) for tenant, dataflow in tx.run(_ANYWHERE, {"now": now})]


def is_waiting(tx: Transaction, tenant: int, dataflow: int, lanes: int) -> bool:
    """Say whether so many lanes of a dataflow, one at the least, wait to be claimed."""
    which = {"tenant": tenant, "dataflow": dataflow, "others": lanes - 1}
    return tx.run(_WAITING_LANES, which).fetchone() is not None


def is_any_of(tx: Transaction, tenant: int, dataflow: int, audience: int) -> bool:
    """Say whether a change of an audience is not settled yet."""
    which = {"tenant": tenant, "dataflow": dataflow, "audience": audience}
    return tx.run(_ANY_OF_AUDIENCE, which).fetchone() is not None
