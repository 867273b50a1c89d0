"""Why something became of changes, counted by dataflow and reason: rows that transactions append, folded later."""

from collections import Counter

from headrace.store.database import Transaction
from headrace.store.hours import HOUR

#: How many changes of a dataflow something became of for a reason.
Reasons = Counter[tuple[int, str]]
#: Fewer rows than these are left as they are.
FEW = 1000


class Counted:
    """
    The counts of one outcome, in a table of its own, whose reasons stand in the column ``name``.

    A sum for ever has the hour 0; what is folded is in the hour's own count as well.
    """

    def __init__(self, outcome: str, table: str, name: str) -> None:
        self._outcome = outcome
        self._insert = f"""
            INSERT INTO {table} (tenant, dataflow, {name}, changes, hour)
            VALUES (:tenant, :dataflow, :reason, :changes, :hour)
        """  # noqa: S608
        self._counts = f"""
            SELECT {name}, CAST(sum(changes) AS BIGINT) FROM {table}
            WHERE tenant = :tenant AND dataflow = :dataflow GROUP BY {name} ORDER BY {name}
        """  # noqa: S608
        self._rows = f"SELECT count(*) FROM {table} WHERE hour > 0"  # noqa: S608
        self._take = f"DELETE FROM {table} RETURNING tenant, dataflow, {name}, changes, hour"  # noqa: S608

    def post(self, tx: Transaction, tenant: int, reasons: Reasons, now: int) -> None:
        """Count what a transaction does."""
        rows = [
            {"tenant": tenant, "dataflow": dataflow, "reason": reason, "changes": count, "hour": now // HOUR}
            for (dataflow, reason), count in reasons.items()
            if count
        ]
        if rows:
            tx.many(self._insert, rows)

    def counts(self, tx: Transaction, tenant: int, dataflow: int) -> list[tuple[str, int]]:
        """Return for which reasons it became of changes of a dataflow, and of how many for each."""
        rows = tx.run(self._counts, {"tenant": tenant, "dataflow": dataflow})
        return [(reason, changes) for reason, changes in rows]

    def fold(self, tx: Transaction) -> None:
        """Fold what transactions appended, once that are many rows."""
        if tx.run(self._rows).fetchone()[0] <= FEW:
            return
        sums: Counter[tuple[int, int, str]] = Counter()
        by_hour: Counter[tuple[int, int, int, str]] = Counter()
        for tenant, dataflow, reason, changes, hour in tx.run(self._take).fetchall():
            sums[tenant, dataflow, reason] += changes
            by_hour[tenant, dataflow, hour, reason] += changes if hour else 0
        for tenant, dataflow, reason in sums:
            self.post(tx, tenant, Reasons({(dataflow, reason): sums[tenant, dataflow, reason]}), 0)
        tx.many(_ADD, [_row(self._outcome, key, count) for key, count in sorted(by_hour.items()) if count])


_ADD = """
    INSERT INTO hour_codes (tenant, dataflow, hour, outcome, code, changes)
    VALUES (:tenant, :dataflow, :hour, :outcome, :code, :changes)
    ON CONFLICT (tenant, dataflow, hour, outcome, code) DO UPDATE SET changes = hour_codes.changes + excluded.changes
"""


def _row(outcome: str, key: tuple[int, int, int, str], count: int) -> dict[str, object]:
    tenant, dataflow, hour, code = key
    whose = {"tenant": tenant, "dataflow": dataflow, "hour": hour}
    return {**whose, "outcome": outcome, "code": code, "changes": count}


WITHHELD = Counted("withheld", "withheld_reasons", "reason")
PARKED = Counted("parked", "parked_codes", "code")
