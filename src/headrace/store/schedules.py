"""Schedules: what is run again and again."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, select, update

from headrace.store.database import Transaction
from headrace.store.tables import schedules


@dataclass(frozen=True, slots=True)
class Schedule:
    """
    One schedule: for which moments runs of a kind are asked for.

    Those up to ``asked_until`` have been; ``next_at`` is the next one. While it is paused, none is.
    """

    tenant: int
    schedule: str
    kind: str
    subject: dict[str, Any]
    cron: str
    asked_until: int
    next_at: int
    paused_at: int | None
    actor: str
    created_at: int


def add(tx: Transaction, schedule: Schedule) -> None:
    """Add a schedule."""
    row = {name: getattr(schedule, name) for name in Schedule.__dataclass_fields__}
    tx.core.execute(insert(schedules).values(row))


def get(tx: Transaction, tenant: int, schedule: str) -> Schedule | None:
    """Return a schedule."""
    row = tx.core.execute(select(schedules).where(_is(tenant, schedule))).mappings().one_or_none()
    return None if row is None else Schedule(**row)


def all_of(tx: Transaction, tenant: int) -> list[Schedule]:
    """Return the schedules of a sandbox."""
    query = select(schedules).where(schedules.c.tenant == tenant).order_by(schedules.c.schedule)
    return [Schedule(**row) for row in tx.core.execute(query).mappings()]


def due(tx: Transaction, now: int, most: int) -> list[Schedule]:
    """Return schedules of which a moment has come, the longest due first."""
    where = (schedules.c.next_at <= now) & schedules.c.paused_at.is_(None)
    query = select(schedules).where(where).order_by(schedules.c.next_at).limit(most)
    return [Schedule(**row) for row in tx.core.execute(query).mappings()]


def move(tx: Transaction, schedule: Schedule, asked_until: int, next_at: int) -> bool:
    """Note up to when runs have been asked for, unless somebody else did. Says whether it was noted."""
    where = _is(schedule.tenant, schedule.schedule) & (schedules.c.asked_until == schedule.asked_until)
    changed = update(schedules).where(where).values(asked_until=asked_until, next_at=next_at)
    return tx.core.execute(changed).rowcount > 0


def pause(tx: Transaction, tenant: int, schedule: str, paused_at: int | None) -> None:
    """Note that a schedule is paused, or is not any more."""
    tx.core.execute(update(schedules).where(_is(tenant, schedule)).values(paused_at=paused_at))


def remove(tx: Transaction, tenant: int, schedule: str) -> None:
    """Remove a schedule, if it is there; runs that it asked for stay."""
    tx.core.execute(delete(schedules).where(_is(tenant, schedule)))


def _is(tenant: int, schedule: str) -> ColumnElement[bool]:
    return (schedules.c.tenant == tenant) & (schedules.c.schedule == schedule)
