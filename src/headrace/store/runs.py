"""Runs: work that was asked for, and what became of it. The row is written in the transaction of what asks for it."""

import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update

from headrace.store.database import Transaction
from headrace.store.tables import runs
from headrace.store.transaction import storable


@dataclass(frozen=True, slots=True)
class Run:
    """
    One run. ``state``: ``asked``, ``running``, ``succeeded``, ``failed`` or ``cancelled``, failures with a reason.

    ``subject`` holds ids only. It is not begun before ``due_at``.
    """

    tenant: int
    run: str
    kind: str
    subject: dict[str, Any]
    state: str
    reason: str | None
    progress: dict[str, Any]
    actor: str
    executor: str | None
    asked_at: int
    due_at: int
    began_at: int | None
    ended_at: int | None


_COLUMNS = tuple(Run.__dataclass_fields__)
ENDED = ("succeeded", "failed", "cancelled")


def ask(
    tx: Transaction, tenant: int, kind: str, subject: dict[str, Any], actor: str, now: int, due_at: int | None = None
) -> Run:
    """Ask for a run, to be begun as soon as this transaction is committed, or when it is due."""
    due = due_at if due_at is not None else now
    run = Run(tenant, str(uuid.uuid4()), kind, subject, "asked", None, {}, actor, None, now, due, None, None)
    tx.core.execute(insert(runs).values({name: getattr(run, name) for name in _COLUMNS}))
    return run


def get(tx: Transaction, run: str) -> Run | None:
    """Return a run."""
    row = tx.core.execute(select(runs).where(runs.c.run == run)).mappings().one_or_none()
    return None if row is None else Run(**row)


def end(tx: Transaction, run: str, state: str, now: int, reason: str | None = None) -> bool:
    """Note how a run ended, unless it has ended already. Says whether it was noted."""
    where = (runs.c.run == run) & runs.c.state.not_in(ENDED)
    row = {"state": state, "ended_at": now, "reason": storable(reason) if reason is not None else None}
    return tx.core.execute(update(runs).where(where).values(**row)).rowcount > 0
