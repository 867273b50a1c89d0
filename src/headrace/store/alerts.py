"""Alerts that are in force or were, and what is remembered to find them: the row decides which process raises one."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_on_postgres
from sqlalchemy.dialects.sqlite import insert as insert_on_sqlite

from headrace.store.database import Transaction
from headrace.store.tables import alert_hours, alert_watchers, alerts, dataflows, runs
from headrace.store.transaction import storable

RAISED = "raised"
RECOVERED = "recovered"
#: The name under which it is kept up to when runs are told of.
_RUNS = "runs"

#: What an alert is of: its sandbox, its kind, what it is about, and the threshold that counts.
Key = tuple[int, str, str, str]


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. ``episode`` counts how often it began; ``told_at`` is when subscriptions were last told of it."""

    tenant: int
    alert: str
    about: str
    threshold: str
    episode: int
    state: str
    reason: str
    raised_at: int
    told_at: int
    recovered_at: int | None

    @property
    def key(self) -> Key:
        return self.tenant, self.alert, self.about, self.threshold


@dataclass(frozen=True, slots=True)
class Hour:
    """What a dataflow had settled and withheld when the hour began that is counted, and the rate of the one before."""

    tenant: int
    dataflow: int
    began_at: int
    settled: int
    withheld: int
    per_mille: int


@dataclass(frozen=True, slots=True)
class Watcher:
    """A process that watches: when it began, and when it was last seen."""

    watcher: str
    began_at: int
    seen_at: int


@dataclass(frozen=True, slots=True)
class LastRun:
    """A run of a dataflow that ended; of an export, how many people it had received, and left out."""

    tenant: int
    dataflow: str
    run: str
    state: str
    reason: str | None
    received: int
    skipped: int


def begin(tx: Transaction, key: Key, reason: str, now: int) -> Alert | None:
    """Raise an alert; ``None``: it is in force already, whoever raised it."""
    fresh = {"state": RAISED, "reason": storable(reason), "raised_at": now, "told_at": now, "recovered_at": None}
    again = update(alerts).where(_is_it(key), alerts.c.state == RECOVERED)
    row = tx.core.execute(again.values(episode=alerts.c.episode + 1, **fresh).returning(*alerts.c)).mappings().first()
    if row is None:
        tenant, alert, about, threshold = key
        named = {"tenant": tenant, "alert": alert, "about": about, "threshold": threshold}
        into = insert_on_postgres if tx.core.dialect.name == "postgresql" else insert_on_sqlite
        first = into(alerts).values(**named, episode=1, **fresh).on_conflict_do_nothing().returning(*alerts.c)
        row = tx.core.execute(first).mappings().first()
    return None if row is None else Alert(**row)


def recover(tx: Transaction, key: Key, now: int) -> Alert | None:
    """Note that an alert is over; ``None``: it was not in force any more."""
    over = update(alerts).where(_is_it(key), alerts.c.state == RAISED).values(state=RECOVERED, recovered_at=now)
    row = tx.core.execute(over.returning(*alerts.c)).mappings().first()
    return None if row is None else Alert(**row)


def remind(tx: Transaction, key: Key, reason: str, told_before: int, now: int) -> Alert | None:
    """Note that subscriptions are told again of an alert; ``None``: they were told after that moment."""
    is_due = _is_it(key) & (alerts.c.state == RAISED) & (alerts.c.told_at <= told_before)
    again = update(alerts).where(is_due).values(told_at=now, reason=storable(reason)).returning(*alerts.c)
    row = tx.core.execute(again).mappings().first()
    return None if row is None else Alert(**row)


def get(tx: Transaction, key: Key) -> Alert | None:
    """Return an alert, in force or over."""
    row = tx.core.execute(select(alerts).where(_is_it(key))).mappings().one_or_none()
    return None if row is None else Alert(**row)


def in_force(tx: Transaction) -> list[Alert]:
    """Return the alerts of all sandboxes that are in force."""
    return [Alert(**row) for row in tx.core.execute(select(alerts).where(alerts.c.state == RAISED)).mappings()]


def of(tx: Transaction, tenant: int, most: int, *, also_recovered: bool) -> list[Alert]:
    """Return alerts of a sandbox, the newest first."""
    query = select(alerts).where(alerts.c.tenant == tenant)
    if not also_recovered:
        query = query.where(alerts.c.state == RAISED)
    ordered = query.order_by(alerts.c.raised_at.desc(), alerts.c.alert, alerts.c.about, alerts.c.threshold)
    return [Alert(**row) for row in tx.core.execute(ordered.limit(most)).mappings()]


def remove_recovered(tx: Transaction, before: int) -> None:
    """Forget alerts that were over before a moment."""
    tx.core.execute(delete(alerts).where(alerts.c.state == RECOVERED, alerts.c.recovered_at < before))


# -- what they are found by -------------------------------------------------------------------------------------------


def hours(tx: Transaction) -> dict[tuple[int, int], Hour]:
    """Return the hours that are counted, by sandbox and dataflow."""
    rows = tx.core.execute(select(alert_hours)).mappings()
    return {(row["tenant"], row["dataflow"]): Hour(**row) for row in rows}


def begin_hour(tx: Transaction, hour: Hour, instead_of: Hour | None) -> None:
    """Begin to count an hour, unless another process has in the place of the same one."""
    values = {name: getattr(hour, name) for name in Hour.__dataclass_fields__}
    if instead_of is None:
        into = insert_on_postgres if tx.core.dialect.name == "postgresql" else insert_on_sqlite
        tx.core.execute(into(alert_hours).values(**values).on_conflict_do_nothing())
        return
    is_it = (alert_hours.c.tenant == hour.tenant) & (alert_hours.c.dataflow == hour.dataflow)
    as_read = alert_hours.c.began_at == instead_of.began_at
    tx.core.execute(update(alert_hours).where(is_it & as_read).values(**values))


def beat(tx: Transaction, watcher: str, now: int) -> None:
    """Note that a process watches."""
    seen = update(alert_watchers).where(alert_watchers.c.watcher == watcher).values(seen_at=now)
    if tx.core.execute(seen).rowcount == 0:
        tx.core.execute(insert(alert_watchers).values(watcher=watcher, began_at=now, seen_at=now))


def watchers(tx: Transaction) -> list[Watcher]:
    """Return the processes that watch, and those that ended without a word."""
    rows = tx.core.execute(select(alert_watchers).where(alert_watchers.c.watcher != _RUNS)).mappings()
    return [Watcher(**row) for row in rows]


def forget_watcher(tx: Transaction, watcher: str) -> None:
    """Forget a process that ends, or that was told of."""
    tx.core.execute(delete(alert_watchers).where(alert_watchers.c.watcher == watcher))


def take_span(tx: Transaction, until: int) -> tuple[int, int] | None:
    """Take the time up to a moment of which runs are not told of yet; ``None``: another process was quicker."""
    table = alert_watchers
    row = tx.core.execute(select(table.c.seen_at).where(table.c.watcher == _RUNS)).first()
    if row is None:
        beat(tx, _RUNS, until)
        return None
    (after,) = row
    taken = update(table).where(table.c.watcher == _RUNS, table.c.seen_at == after).values(seen_at=until)
    return (after, until) if until > after and tx.core.execute(taken).rowcount else None


def runs_between(tx: Transaction, tenants: Sequence[int], after: int, until: int) -> list[tuple[int, str, str, str]]:
    """Return what began and what succeeded in a span, of dataflows: (tenant, run, its dataflow, ``began`` or …)."""
    flow = runs.c.subject["dataflow"].as_string()
    found: list[tuple[int, str, str, str]] = []
    for column, what, is_so in (
        (runs.c.began_at, "began", runs.c.began_at.is_not(None)),
        (runs.c.ended_at, "succeeded", runs.c.state == "succeeded"),
    ):
        where = runs.c.tenant.in_(tenants) & is_so & (column > after) & (column <= until) & flow.is_not(None)
        rows = tx.core.execute(select(runs.c.tenant, runs.c.run, flow).where(where).order_by(column))
        found += [(tenant, run, dataflow, what) for tenant, run, dataflow in rows]
    return found


def last_runs(tx: Transaction, since: int) -> list[LastRun]:
    """Return the last run that ended of each dataflow, of files that of each of its audiences, since a moment."""
    flow, audiences = runs.c.subject["dataflow"].as_string(), runs.c.subject["audiences"].as_string()
    records = runs.c.progress["metrics"]["recordSummary"]
    counts = (records[name].as_integer() for name in ("inputRecordCount", "skippedRecordCount"))
    is_known = (dataflows.c.tenant == runs.c.tenant) & (dataflows.c.id == flow) & dataflows.c.deleted_at.is_(None)
    columns = (runs.c.tenant, flow, runs.c.run, runs.c.state, runs.c.reason, *counts, audiences)
    query = select(*columns).join(dataflows, is_known)
    ended = query.where(runs.c.state.in_(("succeeded", "failed")), runs.c.ended_at > since).order_by(runs.c.ended_at)
    found: dict[tuple[int, str, str | None], LastRun] = {}
    for tenant, dataflow, run, state, reason, received, skipped, of in tx.core.execute(ended):
        found[tenant, dataflow, of] = LastRun(tenant, dataflow, run, state, reason, received or 0, skipped or 0)
    return list(found.values())


def last_notices(tx: Transaction, since: int) -> list[LastRun]:
    """
    Return the last run that told a partner of files, or gave up, of each audience of each dataflow, since a moment.

    One that failed and is tried again says nothing yet.
    """
    flow, audience = (runs.c.subject[name].as_string() for name in ("notifies", "audience"))
    is_known = (dataflows.c.tenant == runs.c.tenant) & (dataflows.c.id == flow) & dataflows.c.deleted_at.is_(None)
    query = select(runs.c.tenant, flow, runs.c.run, runs.c.state, runs.c.reason, audience).join(dataflows, is_known)
    ended = query.where(runs.c.state.in_(("succeeded", "failed")), runs.c.ended_at > since).order_by(runs.c.ended_at)
    tried_again = {*tx.core.execute(select(runs.c.retry_of).where(runs.c.retry_of.is_not(None))).scalars()}
    found: dict[tuple[int, str, str], LastRun] = {}
    for tenant, dataflow, run, state, reason, of in tx.core.execute(ended):
        if run not in tried_again:
            found[tenant, dataflow, of] = LastRun(tenant, dataflow, run, state, reason, 0, 0)
    return list(found.values())


def _is_it(key: Key) -> ColumnElement[bool]:
    tenant, alert, about, threshold = key
    return (
        (alerts.c.tenant == tenant)
        & (alerts.c.alert == alert)
        & (alerts.c.about == about)
        & (alerts.c.threshold == threshold)
    )
