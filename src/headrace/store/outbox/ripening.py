"""Ripening: where entries wait to travel together, which buckets may leave now, and when the next one may."""

from headrace.model.message import Patience
from headrace.store.database import Transaction

# Whatever waits, a look goes no further into the index than one message's worth.
_IS_FULL = """
    SELECT 1 FROM lanes WHERE tenant = :tenant AND dataflow = :dataflow AND bucket = :bucket AND due IS NOT NULL
    LIMIT 1 OFFSET :others
"""
_OLDEST = """
    SELECT due FROM lanes WHERE tenant = :tenant AND dataflow = :dataflow AND bucket = :bucket AND due IS NOT NULL
    ORDER BY due LIMIT 1
"""
_NEXT_OLDEST = """
    SELECT bucket, due FROM lanes
    WHERE tenant = :tenant AND dataflow = :dataflow AND bucket > :bucket AND due IS NOT NULL
    ORDER BY bucket, due LIMIT 1
"""


def is_ripe(tx: Transaction, tenant: int, dataflow: int, bucket: int, patience: Patience, now: int) -> bool:
    """Say whether a bucket may leave: its oldest entry has waited long enough, or enough are together."""
    which = {"tenant": tenant, "dataflow": dataflow, "bucket": bucket}
    oldest: tuple[int] | None = tx.run(_OLDEST, which).fetchone()
    if oldest is None or oldest[0] + patience.age <= now:
        return oldest is not None
    return tx.run(_IS_FULL, {**which, "others": patience.entries - 1}).fetchone() is not None


def next_ripe(tx: Transaction, tenant: int, dataflow: int, patience: Patience) -> int | None:
    """Return when the oldest entry of a dataflow will have waited long enough: a look-up for each bucket."""
    which, found, bucket = {"tenant": tenant, "dataflow": dataflow}, None, -1
    while row := tx.run(_NEXT_OLDEST, {**which, "bucket": bucket}).fetchone():
        bucket, due = row
        found = due if found is None else min(found, due)
    return None if found is None else found + patience.age
