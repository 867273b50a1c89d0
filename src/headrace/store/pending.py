"""What is not told yet: whether a change of somebody about an audience waits, or was laid aside."""

from headrace.store.database import Transaction

_WAITING = """
    SELECT 1 FROM dataflows JOIN changes ON changes.tenant = dataflows.tenant AND changes.dataflow = dataflows.dataflow
    WHERE dataflows.tenant = :tenant AND changes.profile = :profile AND changes.audience = :audience LIMIT 1
"""
_PARKED = """
    SELECT 1 FROM dataflows JOIN parked ON parked.tenant = dataflows.tenant AND parked.dataflow = dataflows.dataflow
    WHERE dataflows.tenant = :tenant AND parked.profile = :profile AND parked.audience = :audience LIMIT 1
"""


def is_any(tx: Transaction, tenant: int, profile: int, audience: int) -> bool:
    """Say whether anything about somebody and an audience is still to be told, or can be told once it is mended."""
    asked = {"tenant": tenant, "profile": profile, "audience": audience}
    return any(tx.run(sql, asked).fetchone() is not None for sql in (_WAITING, _PARKED))
