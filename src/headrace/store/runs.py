"""Runs: work that was asked for, and what became of it. The row is written in the transaction of what asks for it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, select, update

from headrace.store import executors
from headrace.store.database import Transaction
from headrace.store.tables import runs
from headrace.store.transaction import storable


@dataclass(frozen=True, slots=True)
class Run:
    """
    One run. ``state``: ``asked``, ``running``, ``succeeded``, ``failed`` or ``cancelled``, failures with a reason.

    ``subject`` holds ids only. It is not begun before ``due_at``. A run that tries a failed one again points to it
    (``retry_of``); one that a schedule asked for says for which moment.
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
    retry_of: str | None = None
    schedule: str | None = None
    moment: int | None = None


_COLUMNS = tuple(Run.__dataclass_fields__)
ENDED = ("succeeded", "failed", "cancelled")
STATES = ("asked", "running", *ENDED)


def ask(
    tx: Transaction,
    tenant: int,
    kind: str,
    subject: dict[str, Any],
    actor: str,
    now: int,
    due_at: int | None = None,
    *,
    progress: dict[str, Any] | None = None,
    retry_of: str | None = None,
    schedule: str | None = None,
    moment: int | None = None,
) -> Run:
    """Ask for a run, to be begun as soon as this transaction is committed, or when it is due."""
    due = due_at if due_at is not None else now
    run = Run(
        tenant=tenant,
        run=str(uuid.uuid4()),
        kind=kind,
        subject=subject,
        state="asked",
        reason=None,
        progress=progress or {},
        actor=actor,
        executor=None,
        asked_at=now,
        due_at=due,
        began_at=None,
        ended_at=None,
        retry_of=retry_of,
        schedule=schedule,
        moment=moment,
    )
    tx.core.execute(insert(runs).values({name: getattr(run, name) for name in _COLUMNS}))
    return run


def get(tx: Transaction, run: str) -> Run | None:
    """Return a run."""
    row = tx.core.execute(select(runs).where(runs.c.run == run)).mappings().one_or_none()
    return None if row is None else Run(**row)


def latest(
    tx: Transaction,
    tenant: int,
    most: int,
    *,
    before: tuple[int, str] | None = None,
    kind: str | None = None,
    state: str | None = None,
    targets: Sequence[str] | None = None,
    dataflow: str | None = None,
) -> list[Run]:
    """Return runs of a sandbox, newest first; with ``before``, those that were asked for before that one."""
    query = select(runs).where(runs.c.tenant == tenant)
    if kind is not None:
        query = query.where(runs.c.kind == kind)
    if state is not None:
        query = query.where(runs.c.state == state)
    if targets is not None:
        query = query.where(runs.c.subject["target"].as_string().in_(targets))
    if dataflow is not None:
        query = query.where(runs.c.subject["dataflow"].as_string() == dataflow)
    if before is not None:
        at, run = before
        query = query.where((runs.c.asked_at < at) | ((runs.c.asked_at == at) & (runs.c.run < run)))
    rows = tx.core.execute(query.order_by(runs.c.asked_at.desc(), runs.c.run.desc()).limit(most)).mappings()
    return [Run(**row) for row in rows]


def unfinished(tx: Transaction, tenant: int, kind: str) -> list[Run]:
    """Return the runs of a kind in a sandbox that have not ended, the oldest first."""
    where = (runs.c.tenant == tenant) & (runs.c.kind == kind) & runs.c.state.not_in(ENDED)
    query = select(runs).where(where).order_by(runs.c.asked_at, runs.c.run)
    return [Run(**row) for row in tx.core.execute(query).mappings()]


def hasten(tx: Transaction, tenant: int, kind: str, targets: Sequence[str], now: int) -> None:
    """Have the runs of a kind begun at once that wait for their time, of some target connections."""
    waits = (runs.c.tenant == tenant) & (runs.c.kind == kind) & (runs.c.state == "asked") & (runs.c.due_at > now)
    tx.core.execute(update(runs).where(waits, runs.c.subject["target"].as_string().in_(targets)).values(due_at=now))


def is_tried_again(tx: Transaction, run: str) -> bool:
    """Say whether there is a run that tries this one again."""
    return tx.core.execute(select(runs.c.run).where(runs.c.retry_of == run).limit(1)).first() is not None


def moments_asked(tx: Transaction, tenant: int, schedule: str, after: int, until: int) -> set[int]:
    """Return the moments of a span that a schedule has a run for."""
    query = select(runs.c.moment).where(
        runs.c.tenant == tenant, runs.c.schedule == schedule, runs.c.moment > after, runs.c.moment <= until
    )
    return set(tx.core.execute(query).scalars())


def unended(tx: Transaction, kind: str) -> list[Run]:
    """Return the runs of a kind that have not ended, of all sandboxes, the longest asked for first."""
    query = select(runs).where(runs.c.state.in_(("asked", "running")), runs.c.kind == kind)
    rows = tx.core.execute(query.order_by(runs.c.asked_at, runs.c.run)).mappings()
    return [Run(**row) for row in rows]


def asked_after(tx: Transaction, tenant: int, kind: str, after: int) -> list[Run]:
    """Return the runs of a kind that were asked for after a moment, newest first."""
    query = select(runs).where(runs.c.tenant == tenant, runs.c.asked_at > after, runs.c.kind == kind)
    return [Run(**row) for row in tx.core.execute(query.order_by(runs.c.asked_at.desc())).mappings()]


def advance(tx: Transaction, run: str, now: int, progress: dict[str, Any]) -> bool:
    """Note how far a run has come that no process has under way: whoever is there goes on with it, a step at a time."""
    is_going = (runs.c.run == run) & runs.c.state.in_(("asked", "running"))
    return _update(tx, is_going, state="running", began_at=func.coalesce(runs.c.began_at, now), progress=progress)


# -- carrying ---------------------------------------------------------------------------------------------------------


def waiting(tx: Transaction, executor: str, now: int, dead_before: int) -> set[str]:
    """Return the kinds of which runs are asked for and due, or are under way in a process that is dead."""
    asked = (runs.c.state == "asked") & (runs.c.due_at <= now)
    query = select(runs.c.kind).where(asked | _is_left(executor, dead_before)).distinct()
    return set(tx.core.execute(query).scalars())


def take_asked(tx: Transaction, kind: str, executor: str, now: int, most: int) -> list[Run]:
    """Take runs of a kind that are asked for and due, the longest due first: they are now running here."""
    where = (runs.c.state == "asked") & (runs.c.due_at <= now) & (runs.c.kind == kind)
    return _take(tx, where, most, executor=executor, state="running", began_at=func.coalesce(runs.c.began_at, now))


def left(tx: Transaction, kind: str, executor: str, dead_before: int, most: int) -> list[Run]:
    """Return runs of a kind that are under way in processes not heard of since a moment of the store's clock."""
    where = (runs.c.kind == kind) & _is_left(executor, dead_before)
    query = select(runs).where(where).order_by(runs.c.due_at, runs.c.run).limit(most)
    return [Run(**row) for row in tx.core.execute(query).mappings()]


def take_over(tx: Transaction, run: Run, executor: str) -> bool:
    """Take a run from the process that has it under way. Says whether it was still that one's."""
    return _update(tx, _is_held(run.run, run.executor or ""), executor=executor)


def of_executor(tx: Transaction, executor: str) -> list[Run]:
    """Return the runs that a process has under way."""
    query = select(runs).where((runs.c.state == "running") & (runs.c.executor == executor))
    return [Run(**row) for row in tx.core.execute(query).mappings()]


def hold(tx: Transaction, run: str, executor: str) -> bool:
    """
    Say whether a run is still under way in a process, and keep it so until this transaction is committed.

    A process that wants to take the run over waits for that long.
    """
    return _update(tx, _is_held(run, executor), executor=executor)


def note(tx: Transaction, run: str, executor: str, progress: dict[str, Any]) -> bool:
    """Note how far a run has come, if it is still under way in a process. Says whether it was noted."""
    return _update(tx, _is_held(run, executor), progress=progress)


def end(
    tx: Transaction, run: str, state: str, now: int, reason: str | None = None, executor: str | None = None
) -> bool:
    """
    Note how a run ended, unless it has ended already. Says whether it was noted.

    With ``executor``, only if it is that process which has it under way.
    """
    where = _is_held(run, executor) if executor is not None else (runs.c.run == run) & runs.c.state.not_in(ENDED)
    return _update(tx, where, state=state, ended_at=now, reason=storable(reason) if reason is not None else None)


def remove_ended(tx: Transaction, before: int, most: int) -> list[str]:
    """Remove runs that ended before a moment, and return their ids."""
    old = select(runs.c.run).where(runs.c.state.in_(ENDED) & (runs.c.ended_at < before)).limit(most)
    return list(tx.core.execute(delete(runs).where(runs.c.run.in_(old)).returning(runs.c.run)).scalars())


def _is_left(executor: str, dead_before: int) -> ColumnElement[bool]:
    living = executors.living(dead_before)
    return (runs.c.state == "running") & (runs.c.executor != executor) & runs.c.executor.not_in(living)


def _is_held(run: str, executor: str) -> ColumnElement[bool]:
    return (runs.c.run == run) & (runs.c.state == "running") & (runs.c.executor == executor)


def _take(tx: Transaction, where: ColumnElement[bool], most: int, **values: Any) -> list[Run]:
    """Change runs that meet a condition, which is asked once more of each: another process may have come first."""
    some = select(runs.c.run).where(where).order_by(runs.c.due_at, runs.c.run).limit(most)
    changed = update(runs).where(where & runs.c.run.in_(some)).values(**values).returning(*runs.c)
    return [Run(**row) for row in tx.core.execute(changed).mappings()]


def _update(tx: Transaction, where: ColumnElement[bool], **values: Any) -> bool:
    return tx.core.execute(update(runs).where(where).values(**values)).rowcount > 0
