"""When files are due: up to which moment the slots of each audience are settled, and when the next comes."""

from dataclasses import dataclass

from headrace.store.database import Transaction

#: Stands for the datasets of a dataflow, which have one schedule together.
DATASETS = 0
_PUT = """
    INSERT INTO export_schedules (tenant, dataflow, audience, settled_until, next_at, missed)
    VALUES (:tenant, :dataflow, :audience, :settled_until, :next_at, :missed)
    ON CONFLICT (tenant, dataflow, audience) DO UPDATE
    SET settled_until = excluded.settled_until, next_at = excluded.next_at, missed = excluded.missed
"""
_COLUMNS = "e.tenant, e.dataflow, e.audience, e.settled_until, e.next_at, e.missed"
_GET = f"""
    SELECT {_COLUMNS} FROM export_schedules e
    WHERE e.tenant = :tenant AND e.dataflow = :dataflow AND e.audience = :audience
"""  # noqa: S608
_OF_DATAFLOW = f"""
    SELECT {_COLUMNS} FROM export_schedules e WHERE e.tenant = :tenant AND e.dataflow = :dataflow ORDER BY e.audience
"""  # noqa: S608
_DUE = f"""
    SELECT {_COLUMNS}, d.id FROM export_schedules e
    JOIN dataflows d ON d.tenant = e.tenant AND d.dataflow = e.dataflow
    WHERE e.next_at <= :now AND d.state = 'enabled' AND d.deleted_at IS NULL
    ORDER BY e.next_at, e.tenant, e.dataflow, e.audience LIMIT :most
"""  # noqa: S608
_OF_AUDIENCE = f"""
    SELECT {_COLUMNS}, d.id FROM export_schedules e
    JOIN dataflows d ON d.tenant = e.tenant AND d.dataflow = e.dataflow
    WHERE e.tenant = :tenant AND e.audience = :audience AND d.deleted_at IS NULL ORDER BY e.dataflow
"""  # noqa: S608
_REMOVE = """
    DELETE FROM export_schedules WHERE tenant = :tenant AND dataflow = :dataflow AND audience = :audience
"""
_REMOVE_ALL = "DELETE FROM export_schedules WHERE tenant = :tenant AND dataflow = :dataflow"


@dataclass(frozen=True, slots=True)
class Standing:
    """
    How a schedule stands. ``missed``: so many slots passed without a file since it began.

    ``next_at``: when it has to be looked at next; ``None``: not before an evaluation, or never.
    """

    tenant: int
    dataflow: int
    audience: int
    settled_until: int
    next_at: int | None
    missed: int = 0


def put(tx: Transaction, standing: Standing) -> None:
    """Note how a schedule stands."""
    tx.run(_PUT, {name: getattr(standing, name) for name in Standing.__slots__})


def get(tx: Transaction, tenant: int, dataflow: int, audience: int) -> Standing | None:
    """Return how the schedule of an audience's files stands; ``None``: it has none."""
    row = tx.run(_GET, {"tenant": tenant, "dataflow": dataflow, "audience": audience}).fetchone()
    return None if row is None else Standing(*row)


def of_dataflow(tx: Transaction, tenant: int, dataflow: int) -> list[Standing]:
    """Return the schedules of a dataflow, by audience."""
    return [Standing(*row) for row in tx.run(_OF_DATAFLOW, {"tenant": tenant, "dataflow": dataflow})]


def due(tx: Transaction, now: int, most: int) -> list[tuple[Standing, str]]:
    """Return schedules of enabled dataflows that have to be looked at, the longest due first, with their dataflows."""
    return [(Standing(*row[:-1]), row[-1]) for row in tx.run(_DUE, {"now": now, "most": most})]


def of_audience(tx: Transaction, tenant: int, audience: int) -> list[tuple[Standing, str]]:
    """Return the schedules of an audience, with their dataflows."""
    rows = tx.run(_OF_AUDIENCE, {"tenant": tenant, "audience": audience})
    return [(Standing(*row[:-1]), row[-1]) for row in rows]


def remove(tx: Transaction, tenant: int, dataflow: int, audience: int | None = None) -> None:
    """Remove the schedule of an audience, or all of a dataflow."""
    whose = {"tenant": tenant, "dataflow": dataflow}
    if audience is None:
        tx.run(_REMOVE_ALL, whose)
    else:
        tx.run(_REMOVE, {**whose, "audience": audience})
