"""Hours: the unit in which the ledger says when something happened. They are counted from 1970, in UTC."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from headrace.store.database import Transaction

HOUR = 3_600_000
COLUMNS = ("accepted", "delivered", "superseded", "withheld", "parked", "messages", "people", "entries")

#: A sum of whole numbers is a decimal to PostgreSQL.
_SUMS = ", ".join(f"CAST(sum({column}) AS BIGINT)" for column in COLUMNS)
_ONE = "tenant = :tenant AND hour BETWEEN :since AND :upto"
_FOLDED = f"""
    SELECT dataflow, hour, {_SUMS} FROM ledger_hours WHERE {_ONE} {{where}}
    GROUP BY hour, dataflow ORDER BY hour DESC, dataflow LIMIT :most
"""  # noqa: S608
_FRESH = f"SELECT dataflow, hour, {_SUMS} FROM ledger_deltas WHERE {_ONE} {{where}} GROUP BY hour, dataflow"  # noqa: S608
_BY_AUDIENCE = f"""
    SELECT audience, {_SUMS} FROM (
        SELECT audience, {", ".join(COLUMNS)} FROM ledger_hours
        WHERE tenant = :tenant AND dataflow = :dataflow AND hour = :hour
        UNION ALL
        SELECT audience, {", ".join(COLUMNS)} FROM ledger_deltas
        WHERE tenant = :tenant AND dataflow = :dataflow AND hour = :hour) AS sums
    GROUP BY audience ORDER BY audience
"""  # noqa: S608
_OF_DATAFLOW = "AND dataflow = :dataflow"
_CODES = """
    SELECT outcome, code, CAST(sum(changes) AS BIGINT) FROM (
        SELECT outcome, code, changes FROM hour_codes
        WHERE tenant = :tenant AND dataflow = :dataflow AND hour = :hour
        UNION ALL
        SELECT 'withheld', reason, changes FROM withheld_reasons
        WHERE tenant = :tenant AND dataflow = :dataflow AND hour = :hour
        UNION ALL
        SELECT 'parked', code, changes FROM parked_codes
        WHERE tenant = :tenant AND dataflow = :dataflow AND hour = :hour) AS counted
    GROUP BY outcome, code ORDER BY outcome, code
"""
_OLD = {
    "ledger_hours": "tenant, dataflow, hour, audience",
    "hour_codes": "tenant, dataflow, hour, outcome, code",
}
_FORGET = "DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE hour < :before LIMIT :most)"


@dataclass(slots=True)
class Hour:
    """What an hour of a dataflow added to the ledger; ``people`` are records that changed something."""

    dataflow: int
    hour: int
    sums: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COLUMNS, 0))


def latest(
    tx: Transaction, tenant: int, most: int, *, dataflow: int | None = None, since: int = 1, upto: int = 1 << 40
) -> list[Hour]:
    """Return the hours of a sandbox's dataflows in which something happened, newest first."""
    asked: dict[str, Any] = {"tenant": tenant, "dataflow": dataflow, "since": max(since, 1), "upto": upto, "most": most}
    if dataflow is None:
        del asked["dataflow"]
    where = "" if dataflow is None else _OF_DATAFLOW
    found: dict[tuple[int, int], Hour] = {}
    _add(found, tx.run(_FOLDED.format(where=where), asked))
    _add(found, tx.run(_FRESH.format(where=where), {name: item for name, item in asked.items() if name != "most"}))
    return sorted(found.values(), key=lambda item: (-item.hour, item.dataflow))[:most]


def by_audience(tx: Transaction, tenant: int, dataflow: int, hour: int) -> dict[int, dict[str, int]]:
    """Return what an hour added for each audience of a dataflow, by its number."""
    rows = tx.run(_BY_AUDIENCE, {"tenant": tenant, "dataflow": dataflow, "hour": hour})
    return {audience: dict(zip(COLUMNS, values, strict=True)) for audience, *values in rows}


def codes(tx: Transaction, tenant: int, dataflow: int, hour: int) -> list[tuple[str, str, int]]:
    """Return why changes were parked or withheld in an hour: the outcome, the code or reason, how many."""
    rows = tx.run(_CODES, {"tenant": tenant, "dataflow": dataflow, "hour": hour})
    return [(outcome, code, changes) for outcome, code, changes in rows]


def is_any_before(tx: Transaction, hour: int) -> bool:
    """Say whether the ledger is kept of an hour before one."""
    return any(tx.run(f"SELECT 1 FROM {table} WHERE hour < :hour LIMIT 1", {"hour": hour}).fetchone() for table in _OLD)  # noqa: S608


def forget(tx: Transaction, before: int, most: int) -> None:
    """Forget up to ``most`` rows a table of hours before one. What they hold is in the sums for ever."""
    asked = {"before": before, "most": most}
    for table, key in _OLD.items():
        tx.run(_FORGET.format(table=table, key=key), asked)


def _add(found: dict[tuple[int, int], Hour], rows: Iterable[Any]) -> None:
    for dataflow, hour, *values in rows:
        sums = found.setdefault((hour, dataflow), Hour(dataflow, hour)).sums
        for column, value in zip(COLUMNS, values, strict=True):
            sums[column] += value
