"""Dataflows: which audiences go where, and whether they are going."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from headrace.store.database import Transaction
from headrace.store.tables import dataflow_audiences, dataflows
from headrace.store.transaction import storable


@dataclass(frozen=True, slots=True)
class StoredDataflow:
    """One dataflow as it is kept. ``state``: ``enabled``, ``disabled`` or ``held``, the last with a reason."""

    tenant: int
    dataflow: int
    id: str
    version: int
    document: dict[str, Any]
    created_at: int
    modified_at: int
    state: str
    reason: str | None
    deleted_at: int | None


@dataclass(frozen=True, slots=True)
class Mapped:
    """
    An audience that a dataflow sends, since when, and when that was last changed.

    ``ended_at``: nothing more of it is told. ``leaving``: how it was chosen, while people are told to have left it.
    """

    audience: int
    mapped_at: int
    modified_at: int
    ended_at: int | None
    leaving: dict[str, Any] | None


_COLUMNS = tuple(StoredDataflow.__dataclass_fields__)
_SELECTED = tuple(dataflows.c[name] for name in _COLUMNS)


def add(tx: Transaction, tenant: int, id_: str, document: dict[str, Any], now: int) -> StoredDataflow:
    """Keep a new dataflow, enabled, at version 1."""
    last = tx.core.execute(select(func.coalesce(func.max(dataflows.c.dataflow), 0)).where(dataflows.c.tenant == tenant))
    row = StoredDataflow(tenant, last.scalar_one() + 1, id_, 1, document, now, now, "enabled", None, None)
    tx.core.execute(insert(dataflows).values({name: getattr(row, name) for name in _COLUMNS}))
    return row


def get(tx: Transaction, tenant: int, id_: str) -> StoredDataflow | None:
    """Return a dataflow that is not deleted."""
    query = select(*_SELECTED).where(
        dataflows.c.tenant == tenant, dataflows.c.id == id_, dataflows.c.deleted_at.is_(None)
    )
    row = tx.core.execute(query).mappings().one_or_none()
    return None if row is None else StoredDataflow(**row)


def number_of(tx: Transaction, tenant: int, id_: str) -> int | None:
    """Return the number of a dataflow, also of one that is deleted: its ledger stays."""
    query = select(dataflows.c.dataflow).where(dataflows.c.tenant == tenant, dataflows.c.id == id_)
    return tx.core.execute(query).scalar_one_or_none()


def names(tx: Transaction, tenant: int) -> list[tuple[int, str, str]]:
    """Return the numbers, ids and names of a tenant's dataflows, also of those that are deleted."""
    rows = tx.core.execute(
        select(dataflows.c.dataflow, dataflows.c.id, dataflows.c.document).where(dataflows.c.tenant == tenant)
    )
    return [(number, id_, document["name"]) for number, id_, document in rows]


def document_of(tx: Transaction, tenant: int, id_: str) -> dict[str, Any] | None:
    """Return the document of a dataflow, also of one that is deleted: its partner may have to be told so."""
    query = select(dataflows.c.document).where(dataflows.c.tenant == tenant, dataflows.c.id == id_)
    document: dict[str, Any] | None = tx.core.execute(query).scalar_one_or_none()
    return document


def all_of(tx: Transaction, tenant: int) -> list[StoredDataflow]:
    """Return a tenant's dataflows, newest first."""
    query = select(*_SELECTED).where(dataflows.c.tenant == tenant, dataflows.c.deleted_at.is_(None))
    return [StoredDataflow(**row) for row in tx.core.execute(query.order_by(dataflows.c.dataflow.desc())).mappings()]


def every(tx: Transaction) -> list[StoredDataflow]:
    """Return the dataflows of all tenants."""
    query = (
        select(*_SELECTED).where(dataflows.c.deleted_at.is_(None)).order_by(dataflows.c.tenant, dataflows.c.dataflow)
    )
    return [StoredDataflow(**row) for row in tx.core.execute(query).mappings()]


def change(tx: Transaction, known: StoredDataflow, now: int, **values: Any) -> bool:
    """Change columns of a dataflow if nobody has since it was read; its version rises. Says whether it was changed."""
    is_as_read = (
        (dataflows.c.tenant == known.tenant)
        & (dataflows.c.dataflow == known.dataflow)
        & (dataflows.c.version == known.version)
    )
    row = {**values, "version": known.version + 1, "modified_at": now}
    return tx.core.execute(update(dataflows).where(is_as_read).values(**row)).rowcount > 0


def hold(tx: Transaction, tenant: int, dataflow: int, reason: str, now: int) -> bool:
    """Stop a dataflow for a reason; what waits stays in the outbox. Says whether it was going until now."""
    where = (dataflows.c.tenant == tenant) & (dataflows.c.dataflow == dataflow) & (dataflows.c.state == "enabled")
    row = {"state": "held", "reason": storable(reason), "modified_at": now}
    return tx.core.execute(update(dataflows).where(where).values(**row)).rowcount > 0


def map_audience(tx: Transaction, tenant: int, dataflow: int, audience: int, now: int) -> None:
    """Note that a dataflow sends an audience from now on."""
    row = {"tenant": tenant, "dataflow": dataflow, "audience": audience, "mapped_at": now, "modified_at": now}
    tx.core.execute(insert(dataflow_audiences).values(**row))


def change_mapped(tx: Transaction, tenant: int, dataflow: int, audience: int, now: int, **values: Any) -> None:
    """Change how an audience takes part in a dataflow."""
    table = dataflow_audiences
    where = (table.c.tenant == tenant) & (table.c.dataflow == dataflow) & (table.c.audience == audience)
    tx.core.execute(update(table).where(where).values(modified_at=now, **values))


def unmap_audience(tx: Transaction, tenant: int, dataflow: int, audience: int) -> None:
    """Note that a dataflow sends an audience no longer."""
    tx.core.execute(
        delete(dataflow_audiences).where(
            dataflow_audiences.c.tenant == tenant,
            dataflow_audiences.c.dataflow == dataflow,
            dataflow_audiences.c.audience == audience,
        )
    )


def mapped_audiences(tx: Transaction, tenant: int, dataflow: int) -> dict[int, Mapped]:
    """Return the audiences of a dataflow by number."""
    table = dataflow_audiences
    query = select(*(table.c[name] for name in Mapped.__dataclass_fields__))
    rows = tx.core.execute(query.where(table.c.tenant == tenant, table.c.dataflow == dataflow)).mappings()
    return {row["audience"]: Mapped(**row) for row in rows}


def take_old_backfills(tx: Transaction) -> list[tuple[int, str, int, int, int]]:
    """Return what an older form noted of backfills that are not done, and take it away: (tenant, id, audience, …)."""
    table = dataflow_audiences
    is_of = (dataflows.c.tenant == table.c.tenant) & (dataflows.c.dataflow == table.c.dataflow)
    columns = (table.c.tenant, dataflows.c.id, table.c.audience, table.c.backfill_from, table.c.backfill_to)
    query = select(*columns).join(dataflows, is_of).where(table.c.backfill_to.is_not(None))
    found = [(row[0], row[1], row[2], row[3] or 0, row[4]) for row in tx.core.execute(query)]
    tx.core.execute(update(table).where(table.c.backfill_to.is_not(None)).values(backfill_from=None, backfill_to=None))
    return found


def set_window(tx: Transaction, tenant: int, dataflow: int, at: int | None) -> None:
    """Note when the dates of an audience next begin or end; ``None``: never."""
    where = (dataflows.c.tenant == tenant) & (dataflows.c.dataflow == dataflow)
    tx.core.execute(update(dataflows).where(where).values(window_at=at))


def windows_due(tx: Transaction, now: int) -> list[StoredDataflow]:
    """Return the dataflows of which the dates of an audience have begun or ended."""
    query = select(*_SELECTED).where(dataflows.c.window_at <= now, dataflows.c.deleted_at.is_(None))
    return [StoredDataflow(**row) for row in tx.core.execute(query).mappings()]


def leaving(tx: Transaction) -> list[tuple[StoredDataflow, int]]:
    """Return the audiences of all dataflows that people are being told to have left."""
    table = dataflow_audiences
    is_of = (dataflows.c.tenant == table.c.tenant) & (dataflows.c.dataflow == table.c.dataflow)
    query = select(*_SELECTED, table.c.audience).join(table, is_of)
    rows = tx.core.execute(query.where(table.c.leaving.is_not(None), dataflows.c.deleted_at.is_(None))).all()
    return [(StoredDataflow(*row[:-1]), row[-1]) for row in rows]
