"""
The ledger: what became of every change, for each dataflow and audience, by all time and by hour.

``accepted = delivered + superseded + withheld + parked + pending``, always. Transactions append what they add; the rows
are folded later.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from headrace.store.database import Transaction
from headrace.store.hours import COLUMNS as OF_HOURS
from headrace.store.hours import HOUR

COLUMNS = ("accepted", "delivered", "superseded", "withheld", "parked", "messages")

#: What a transaction adds: how many, by dataflow, audience and column.
Tally = Counter[tuple[int, int, str]]

_NAMED = ", ".join(COLUMNS)
_INSERT = f"""
    INSERT INTO ledger_deltas (tenant, dataflow, audience, hour, {", ".join(OF_HOURS)})
    VALUES (:tenant, :dataflow, :audience, :hour, {", ".join(f":{column}" for column in OF_HOURS)})
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
#: What is taken is what is added: of rows that others append meanwhile, none is forgotten uncounted.
_TAKE = f"""
    DELETE FROM ledger_deltas WHERE delta IN (SELECT delta FROM ledger_deltas ORDER BY delta LIMIT :most)
    RETURNING tenant, dataflow, audience, hour, {", ".join(OF_HOURS)}
"""  # noqa: S608
#: Rows that are folded in one transaction.
_AT_ONCE = 20_000


def _adding(table: str, key: tuple[str, ...], columns: tuple[str, ...]) -> str:
    names = (*key, *columns)
    return f"""
        INSERT INTO {table} ({", ".join(names)}) VALUES ({", ".join(f":{name}" for name in names)})
        ON CONFLICT ({", ".join(key)}) DO UPDATE SET
            {", ".join(f"{column} = {table}.{column} + excluded.{column}" for column in columns)}
    """  # noqa: S608


_ADD = _adding("ledger", ("tenant", "dataflow", "audience"), COLUMNS)
_ADD_TO_HOURS = _adding("ledger_hours", ("tenant", "dataflow", "hour", "audience"), OF_HOURS)
_WAITING = "SELECT count(*) FROM changes WHERE tenant = :tenant AND dataflow = :dataflow"
_ROWS = {
    "pending": """
        SELECT audience, count(*) FROM changes WHERE tenant = :tenant AND dataflow = :dataflow GROUP BY audience
    """,
    "parked": """
        SELECT audience, count(*) FROM parked WHERE tenant = :tenant AND dataflow = :dataflow GROUP BY audience
    """,
}


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure of the ledger that is not what the rows say: of a dataflow's audience (0: of none)."""

    audience: int
    figure: str
    counted: int
    found: int


def post(tx: Transaction, tenant: int, tally: Tally, now: int) -> None:
    """Add to the ledger: one row for each dataflow and audience that the tally names, in the hour of ``now``."""
    rows: dict[tuple[int, int], dict[str, Any]] = {}
    for (dataflow, audience, column), count in tally.items():
        row = rows.get((dataflow, audience))
        if row is None:
            row = {"tenant": tenant, "dataflow": dataflow, "audience": audience, "hour": now // HOUR}
            row.update(dict.fromkeys(OF_HOURS, 0))
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


def differences(tx: Transaction, tenant: int, dataflow: int) -> list[Difference]:
    """
    Hold the sums of a dataflow against the rows: what is pending, and what is parked, for each audience.

    Right beside whatever else happens, in a transaction that sees one moment. Takes as long as to count the rows.
    """
    sums = balance(tx, tenant, dataflow)
    found: list[Difference] = []
    for figure, sql in _ROWS.items():
        rows = dict(tx.run(sql, {"tenant": tenant, "dataflow": dataflow}))
        for audience in sorted(sums.keys() | rows.keys()):
            counted, there = sums.get(audience, {}).get(figure, 0), rows.get(audience, 0)
            if counted != there:
                found.append(Difference(audience, figure, counted, there))
    return found


def fold(tx: Transaction) -> bool:
    """Fold what transactions appended into the sums, the oldest rows first; says whether there may be more."""
    totals: dict[tuple[int, int, int], list[int]] = {}
    by_hour: dict[tuple[int, int, int, int], list[int]] = {}
    taken = tx.run(_TAKE, {"most": _AT_ONCE}).fetchall()
    for tenant, dataflow, audience, hour, *values in taken:
        _raise(totals, (tenant, dataflow, audience), values[: len(COLUMNS)])
        if hour:
            _raise(by_hour, (tenant, dataflow, hour, audience), values)
    tx.many(_ADD, _rows(totals, ("tenant", "dataflow", "audience"), COLUMNS))
    tx.many(_ADD_TO_HOURS, _rows(by_hour, ("tenant", "dataflow", "hour", "audience"), OF_HOURS))
    return len(taken) == _AT_ONCE


def _raise(sums: dict[Any, list[int]], key: tuple[int, ...], values: list[int]) -> None:
    known = sums.get(key)
    sums[key] = values if known is None else [a + b for a, b in zip(known, values, strict=True)]


def _rows(sums: dict[Any, list[int]], key: tuple[str, ...], columns: tuple[str, ...]) -> list[dict[str, int]]:
    """Return rows in the order of their keys, so that two who fold wait for each other and no more."""
    return [dict(zip((*key, *columns), (*where, *values), strict=True)) for where, values in sorted(sums.items())]
