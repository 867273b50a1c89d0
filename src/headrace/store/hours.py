"""Hours: the unit in which the ledger says when something happened. They are counted from 1970, in UTC."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from headrace.store.database import Transaction

HOUR = 3_600_000
COLUMNS = ("accepted", "delivered", "superseded", "withheld", "parked", "messages", "people", "entries")

_SPAN = "tenant = :tenant AND hour BETWEEN :since AND :upto"
_HOURS = """
    SELECT hour, dataflow FROM ledger_hours WHERE {where} GROUP BY hour, dataflow ORDER BY hour DESC LIMIT :most
"""
_ROWS = "SELECT dataflow, hour, audience, {columns} FROM {table} WHERE {where}"
_OF_DATAFLOW = "AND dataflow = :dataflow"
_CODES = """
    SELECT dataflow, hour, outcome, code, CAST(sum(changes) AS BIGINT) FROM (
        SELECT dataflow, hour, outcome, code, changes FROM hour_codes WHERE {where}
        UNION ALL
        SELECT dataflow, hour, 'withheld', reason, changes FROM withheld_reasons WHERE {where}
        UNION ALL
        SELECT dataflow, hour, 'parked', code, changes FROM parked_codes WHERE {where}) AS counted
    GROUP BY dataflow, hour, outcome, code ORDER BY dataflow, hour, outcome, code
"""
_OLD = {
    "ledger_hours": "tenant, dataflow, hour, audience",
    "hour_codes": "tenant, dataflow, hour, outcome, code",
}
_FORGET = "DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE hour < :before LIMIT :most)"


@dataclass(slots=True)
class Hour:
    """
    What an hour of a dataflow added to the ledger, by audience, and why changes were parked or withheld in it.

    ``people`` among the sums are records that changed something, ``entries`` what delivered messages carried.
    """

    dataflow: int
    hour: int
    audiences: dict[int, dict[str, int]] = field(default_factory=dict)
    parked: dict[str, int] = field(default_factory=dict)
    withheld: dict[str, int] = field(default_factory=dict)

    def sums(self) -> dict[str, int]:
        """Return what it added in all."""
        return {column: sum(row[column] for row in self.audiences.values()) for column in COLUMNS}


def latest(
    tx: Transaction, tenant: int, most: int, *, dataflow: int | None = None, hour: int | None = None
) -> list[Hour]:
    """Return the last hours of a sandbox's dataflows in which something happened, newest first; or one hour."""
    asked = {"tenant": tenant, "since": hour or 1, "upto": hour or 1 << 40}
    where = _SPAN if dataflow is None else f"{_SPAN} {_OF_DATAFLOW}"
    if dataflow is not None:
        asked["dataflow"] = dataflow
    folded = [at for at, _ in tx.run(_HOURS.format(where=where), {**asked, "most": most})]
    if len(folded) == most:
        asked["since"] = folded[-1]
    found: dict[tuple[int, int], Hour] = {}
    for table in ("ledger_hours", "ledger_deltas"):
        _add(found, tx.run(_ROWS.format(table=table, columns=", ".join(COLUMNS), where=where), asked))
    for number, at, outcome, code, changes in tx.run(_CODES.format(where=where), asked):
        item = found.setdefault((number, at), Hour(number, at))
        (item.parked if outcome == "parked" else item.withheld)[code] = changes
    return sorted(found.values(), key=lambda item: (-item.hour, item.dataflow))[:most]


def is_any_before(tx: Transaction, hour: int) -> bool:
    """Say whether the ledger is kept of an hour before one."""
    return any(tx.run(f"SELECT 1 FROM {table} WHERE hour < :hour LIMIT 1", {"hour": hour}).fetchone() for table in _OLD)  # noqa: S608


def forget(tx: Transaction, before: int, most: int) -> None:
    """Forget up to ``most`` rows a table of hours before one. What they hold is in the sums for ever."""
    asked = {"before": before, "most": most}
    for table, key in _OLD.items():
        tx.run(_FORGET.format(table=table, key=key), asked)


def _add(found: dict[tuple[int, int], Hour], rows: Iterable[Any]) -> None:
    for dataflow, hour, audience, *values in rows:
        audiences = found.setdefault((dataflow, hour), Hour(dataflow, hour)).audiences
        known = audiences.get(audience, dict.fromkeys(COLUMNS, 0))
        added = zip(COLUMNS, values, strict=True)
        audiences[audience] = {column: known[column] + value for column, value in added}
