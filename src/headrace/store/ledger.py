"""
The ledger: what became of every change, for each dataflow and audience.

``accepted = delivered + superseded + withheld + parked + pending``, always. Transactions append what they add; the rows
are folded later.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from headrace.store.database import Transaction

COLUMNS = ("accepted", "delivered", "superseded", "withheld", "parked", "messages")


#: What a transaction adds: how many, by dataflow, audience and column.
Tally = Counter[tuple[int, int, str]]

_NAMED = ", ".join(COLUMNS)
_INSERT = f"""
    INSERT INTO ledger_deltas (tenant, dataflow, audience, {_NAMED})
    VALUES (:tenant, :dataflow, :audience, {", ".join(f":{column}" for column in COLUMNS)})
"""  # noqa: S608
#: A sum of whole numbers is a decimal to PostgreSQL.
_SUMS = ", ".join(f"CAST(coalesce(sum({column}), 0) AS BIGINT)" for column in COLUMNS)
_BOTH = f"""
    SELECT audience, {_SUMS} FROM (
        SELECT audience, {_NAMED} FROM ledger WHERE tenant = :tenant AND dataflow = :dataflow
        UNION ALL
        SELECT audience, {_NAMED} FROM ledger_deltas WHERE tenant = :tenant AND dataflow = :dataflow) AS sums
    GROUP BY audience ORDER BY audience
"""  # noqa: S608
_TOTALS = f"""
    SELECT tenant, dataflow, {_SUMS} FROM (
        SELECT tenant, dataflow, {_NAMED} FROM ledger UNION ALL SELECT tenant, dataflow, {_NAMED} FROM ledger_deltas
    ) AS sums GROUP BY tenant, dataflow
"""  # noqa: S608
_LAST_DELTA = "SELECT max(delta) FROM ledger_deltas"
_FOLD = f"""
    INSERT INTO ledger (tenant, dataflow, audience, {_NAMED})
    SELECT tenant, dataflow, audience, {_SUMS} FROM ledger_deltas WHERE delta <= :last
    GROUP BY tenant, dataflow, audience
    ON CONFLICT (tenant, dataflow, audience) DO UPDATE SET
        {", ".join(f"{column} = ledger.{column} + excluded.{column}" for column in COLUMNS)}
"""  # noqa: S608
_FORGET = "DELETE FROM ledger_deltas WHERE delta <= :last"
_WAITING = "SELECT count(*) FROM changes WHERE tenant = :tenant AND dataflow = :dataflow"


def post(tx: Transaction, tenant: int, tally: Tally) -> None:
    """Add to the ledger: one row for each dataflow and audience that the tally names."""
    rows: dict[tuple[int, int], dict[str, Any]] = {}
    for (dataflow, audience, column), count in tally.items():
        row = rows.get((dataflow, audience))
        if row is None:
            row = {"tenant": tenant, "dataflow": dataflow, "audience": audience, **dict.fromkeys(COLUMNS, 0)}
            rows[dataflow, audience] = row
        row[column] += count
    tx.many(_INSERT, rows.values())


def balance(tx: Transaction, tenant: int, dataflow: int) -> dict[int, dict[str, int]]:
    """Return the sums of a dataflow by audience number, each with what is ``pending``."""
    rows = tx.run(_BOTH, {"tenant": tenant, "dataflow": dataflow})
    return {audience: _balanced(values) for audience, *values in rows}


def totals(tx: Transaction) -> dict[tuple[int, int], dict[str, int]]:
    """Return the sums of every dataflow of every sandbox, over all of its audiences."""
    return {(tenant, dataflow): _balanced(values) for tenant, dataflow, *values in tx.run(_TOTALS)}


def _balanced(values: Sequence[int]) -> dict[str, int]:
    row = dict(zip(COLUMNS, values, strict=True))
    settled = row["delivered"] + row["superseded"] + row["withheld"] + row["parked"]
    return {**row, "pending": row["accepted"] - settled}


def waiting(tx: Transaction, tenant: int, dataflow: int) -> int:
    """Count the changes that are not settled, from their rows: what the ledger's ``pending`` must equal."""
    count: int = tx.run(_WAITING, {"tenant": tenant, "dataflow": dataflow}).fetchone()[0]
    return count


def fold(tx: Transaction) -> None:
    """Fold what transactions appended into the sums."""
    (last,) = tx.run(_LAST_DELTA).fetchone()
    if last is not None:
        tx.run(_FOLD, {"last": last})
        tx.run(_FORGET, {"last": last})
