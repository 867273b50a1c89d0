"""Snapshots of datasets: what lay there when somebody looked."""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from headrace.store.database import Transaction
from headrace.store.runs import ENDED
from headrace.store.tables import dataset_snapshots, runs
from headrace.store.transaction import storable


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """
    One snapshot. ``state``: ``taking``, ``ready`` or ``failed``, failures with a reason.

    ``rows`` are those that can be read, ``bad_rows`` the others; ``version`` is that of the dataset.
    """

    dataset: str
    number: int
    version: int
    state: str
    run: str
    asked_at: int
    reason: str | None = None
    rows: int | None = None
    bad_rows: int | None = None
    bad: tuple[dict[str, Any], ...] = ()
    bytes: int | None = None
    manifest: dict[str, Any] | None = None
    columns: tuple[dict[str, str], ...] = ()
    taken_at: int | None = None


_COLUMNS = tuple(StoredSnapshot.__dataclass_fields__)


def add(tx: Transaction, tenant: int, dataset: str, version: int, run: str, now: int) -> StoredSnapshot:
    """Add the next snapshot of a dataset, to be taken by a run."""
    added = StoredSnapshot(dataset, next_number(tx, tenant, dataset), version, "taking", run, now)
    tx.core.execute(insert(dataset_snapshots).values(tenant=tenant, **asdict(added)))
    return added


def next_number(tx: Transaction, tenant: int, dataset: str) -> int:
    """Return the number that the next snapshot of a dataset will have."""
    last = tx.core.execute(select(func.max(dataset_snapshots.c.number)).where(_is_of(tenant, dataset))).scalar()
    return (last or 0) + 1


def get(tx: Transaction, tenant: int, dataset: str, number: int) -> StoredSnapshot | None:
    """Return a snapshot."""
    query = select(dataset_snapshots).where(_is_of(tenant, dataset), dataset_snapshots.c.number == number)
    row = tx.core.execute(query).mappings().one_or_none()
    return None if row is None else _stored(row)


def latest(
    tx: Transaction, tenant: int, dataset: str, most: int, *, before: int | None = None, state: str | None = None
) -> list[StoredSnapshot]:
    """Return snapshots of a dataset, newest first; with ``before``, those below that number."""
    query = select(dataset_snapshots).where(_is_of(tenant, dataset))
    if before is not None:
        query = query.where(dataset_snapshots.c.number < before)
    if state is not None:
        query = query.where(dataset_snapshots.c.state == state)
    rows = tx.core.execute(query.order_by(dataset_snapshots.c.number.desc()).limit(most)).mappings()
    return [_stored(row) for row in rows]


def newest_ready(tx: Transaction, tenant: int) -> dict[str, StoredSnapshot]:
    """Return the newest snapshot that is ready of each dataset of a sandbox."""
    table = dataset_snapshots
    newest = (
        select(table.c.dataset, func.max(table.c.number).label("number"))
        .where(table.c.tenant == tenant, table.c.state == "ready")
        .group_by(table.c.dataset)
        .subquery()
    )
    query = select(table).where(
        table.c.tenant == tenant, table.c.dataset == newest.c.dataset, table.c.number == newest.c.number
    )
    return {row["dataset"]: _stored(row) for row in tx.core.execute(query).mappings()}


def change(tx: Transaction, tenant: int, dataset: str, number: int, **values: Any) -> None:
    """Note what became of a snapshot."""
    if values.get("reason") is not None:
        values["reason"] = storable(values["reason"])
    where = _is_of(tenant, dataset) & (dataset_snapshots.c.number == number)
    tx.core.execute(update(dataset_snapshots).where(where).values(**values))


def fail_ready(tx: Transaction, tenant: int, dataset: str, reason: str) -> None:
    """Note that the snapshots of a dataset that are ready, or about to be, cannot be read any more."""
    where = _is_of(tenant, dataset) & dataset_snapshots.c.state.in_(("ready", "taking"))
    tx.core.execute(update(dataset_snapshots).where(where).values(state="failed", reason=reason, manifest=None))


def remove_of(tx: Transaction, tenant: int, dataset: str) -> None:
    """Remove all snapshots of a dataset."""
    tx.core.execute(delete(dataset_snapshots).where(_is_of(tenant, dataset)))


def runs_under_way(tx: Transaction, tenant: int, dataset: str) -> list[str]:
    """Return the runs that have not ended and are about a dataset."""
    query = select(runs.c.run).where(
        runs.c.tenant == tenant, runs.c.state.not_in(ENDED), runs.c.subject["dataset"].as_string() == dataset
    )
    return list(tx.core.execute(query.order_by(runs.c.asked_at, runs.c.run)).scalars())


def _is_of(tenant: int, dataset: str) -> Any:
    return (dataset_snapshots.c.tenant == tenant) & (dataset_snapshots.c.dataset == dataset)


def _stored(row: Any) -> StoredSnapshot:
    values = {name: row[name] for name in _COLUMNS}
    return StoredSnapshot(**values | {name: tuple(values[name]) for name in ("bad", "columns")})
