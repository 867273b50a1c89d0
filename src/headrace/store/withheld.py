"""Why changes were withheld, counted by dataflow and reason: rows that transactions append, folded later."""

from collections import Counter

from headrace.store.database import Transaction

#: How many changes of a dataflow were withheld for a reason.
Reasons = Counter[tuple[int, str]]
#: The reason where a person has no identity that the dataflow sends.
NOTHING_TO_SAY = "nothing-to-say"

_INSERT = """
    INSERT INTO withheld_reasons (tenant, dataflow, reason, changes) VALUES (:tenant, :dataflow, :reason, :changes)
"""
_COUNTS = """
    SELECT reason, CAST(sum(changes) AS BIGINT) FROM withheld_reasons
    WHERE tenant = :tenant AND dataflow = :dataflow GROUP BY reason ORDER BY reason
"""
_LAST = "SELECT max(delta), count(*) FROM withheld_reasons"
_FOLD = """
    INSERT INTO withheld_reasons (tenant, dataflow, reason, changes)
    SELECT tenant, dataflow, reason, CAST(sum(changes) AS BIGINT) FROM withheld_reasons WHERE delta <= :last
    GROUP BY tenant, dataflow, reason
"""
_FORGET = "DELETE FROM withheld_reasons WHERE delta <= :last"
#: Fewer rows than these are left as they are.
_FEW = 1000


def post(tx: Transaction, tenant: int, reasons: Reasons) -> None:
    """Count what a transaction withholds."""
    rows = [
        {"tenant": tenant, "dataflow": dataflow, "reason": reason, "changes": count}
        for (dataflow, reason), count in reasons.items()
        if count
    ]
    if rows:
        tx.many(_INSERT, rows)


def counts(tx: Transaction, tenant: int, dataflow: int) -> list[tuple[str, int]]:
    """Return for which reasons changes of a dataflow were withheld, and how many for each."""
    rows = tx.run(_COUNTS, {"tenant": tenant, "dataflow": dataflow})
    return [(reason, changes) for reason, changes in rows]


def fold(tx: Transaction) -> None:
    """Fold what transactions appended, once that are many rows."""
    last, rows = tx.run(_LAST).fetchone()
    if rows > _FEW:
        tx.run(_FOLD, {"last": last})
        tx.run(_FORGET, {"last": last})
