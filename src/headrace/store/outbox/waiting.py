"""What waits to be claimed."""

from headrace.model.message import Bucket
from headrace.store.database import Transaction

_WAITING_LANES = """
    SELECT 1 FROM lanes WHERE tenant = :tenant AND dataflow = :dataflow AND due IS NOT NULL LIMIT 1 OFFSET :others
"""
_WAITING_IN_BUCKETS = """
    SELECT 1 FROM lanes
    WHERE tenant = :tenant AND dataflow = :dataflow AND bucket BETWEEN :first AND :last AND due IS NOT NULL
    LIMIT 1 OFFSET :others
"""
_ANY_OF_AUDIENCE = """
    SELECT 1 FROM changes WHERE tenant = :tenant AND dataflow = :dataflow AND audience = :audience LIMIT 1
"""
#: The next bucket that has something waiting, and since when: lanes of a bucket are in order of that.
_OLDEST_OF_NEXT = """
    SELECT bucket, due FROM lanes
    WHERE tenant = :tenant AND dataflow = :dataflow AND due IS NOT NULL AND bucket > :bucket
    ORDER BY bucket, due LIMIT 1
"""
_OLDEST_CLAIMED = "SELECT min(since) FROM groups WHERE tenant = :tenant AND dataflow = :dataflow"
#: The most buckets that are looked at.
_MOST_BUCKETS = 500


def oldest(tx: Transaction, tenant: int, dataflow: int) -> int | None:
    """Return since when the oldest change of a dataflow waits, claimed or not; ``None``: nothing waits."""
    whose = {"tenant": tenant, "dataflow": dataflow}
    found: list[int] = [row[0] for row in tx.run(_OLDEST_CLAIMED, whose) if row[0] is not None]
    bucket = -1
    for _ in range(_MOST_BUCKETS):
        row = tx.run(_OLDEST_OF_NEXT, {**whose, "bucket": bucket}).fetchone()
        if row is None:
            break
        bucket, due = row
        found.append(due)
    return min(found, default=None)


def is_waiting(tx: Transaction, tenant: int, dataflow: int, lanes: int) -> bool:
    """Say whether so many lanes of a dataflow, one at the least, wait to be claimed."""
    which = {"tenant": tenant, "dataflow": dataflow, "others": lanes - 1}
    return tx.run(_WAITING_LANES, which).fetchone() is not None


def is_waiting_in(tx: Transaction, tenant: int, dataflow: int, audience: int, lanes: int) -> bool:
    """Say whether so many lanes wait to be claimed in the buckets of an audience; 0: in those that are of none."""
    first, last = Bucket.range_of(audience)
    which = {"tenant": tenant, "dataflow": dataflow, "first": first, "last": last, "others": lanes - 1}
    return tx.run(_WAITING_IN_BUCKETS, which).fetchone() is not None


def is_any_of(tx: Transaction, tenant: int, dataflow: int, audience: int) -> bool:
    """Say whether a change of an audience is not settled yet."""
    which = {"tenant": tenant, "dataflow": dataflow, "audience": audience}
    return tx.run(_ANY_OF_AUDIENCE, which).fetchone() is not None
