"""
Looking, again and again, for what is wrong: alerts are raised, reminded of and recovered in the transaction that asks
for the notices to be sent.

Every process looks. The row of an alert says which of them raises it, so each is raised once, whoever dies.
"""

import asyncio
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from headrace.clock import Clock
from headrace.crashpoints import crashpoint
from headrace.errors import HeadraceError
from headrace.events import AlertRaised, AlertRecovered, Announce, Event, WorkerFailed, told
from headrace.model.alert import KINDS
from headrace.services.alerts import conditions
from headrace.services.alerts.conditions import DAY, GONE_AFTER, Around, Condition, Seen
from headrace.services.alerts.evidence import Evidence
from headrace.services.alerts.notices import KIND, MOST, Notice
from headrace.store import alerts, runs
from headrace.store.alerts import Alert
from headrace.store.database import Store, Transaction
from headrace.store.documents import Declared

#: Seconds between two looks, unless something that happened asks for one.
EVERY = 15.0
#: How long it is remembered that an alert is over.
KEPT = 30 * DAY
#: How old a run has to be before it is told of, so that none is committed behind the look.
SETTLED = 5_000
_HEADRACE = "headrace"


class Watching:
    """The look-out of one process. ``wake_runs`` is called when there are notices to send."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        announce: Announce,
        evidence: Evidence,
        directory: Path,
        least_free: int,
        wake_runs: Callable[[], None],
    ) -> None:
        self.watcher = str(uuid.uuid4())
        self._store = store
        self._clock = clock
        self._announce = announce
        self._evidence = evidence
        self._directory = directory
        self._least_free = least_free
        self._wake_runs = wake_runs
        self._woken = asyncio.Event()

    def hear(self, _event: Event) -> None:
        """Look soon: something has happened that alerts are about."""
        self._woken.set()

    async def keep_going(self) -> None:
        """Look until cancelled."""
        while True:
            self._woken.clear()
            try:
                await self.look()
            except Exception as error:  # What is wrong is still so at the next look.
                self._announce(WorkerFailed(step="alerts", error=told(error)))
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY):
                    await self._woken.wait()

    async def end(self) -> None:
        """Say that this process ends as it should."""
        with suppress(HeadraceError):
            await self._store.write(lambda tx: alerts.forget_watcher(tx, self.watcher))

    async def look(self) -> None:
        """Look once."""
        free = shutil.disk_usage(self._directory).free
        reached = self._evidence.reached
        around = Around(self._clock.now(), self.watcher, free, self._least_free, reached)
        seen = await self._store.read(lambda tx: conditions.look(tx, around))
        events, is_asked = await self._store.write(lambda tx: self._note(tx, seen, around.now))
        for event in events:
            self._announce(event)
        if is_asked:
            self._wake_runs()

    def _note(self, tx: Transaction, seen: Seen, now: int) -> tuple[list[Event], bool]:
        """Write down what has changed, and ask for the notices of it."""
        alerts.beat(tx, self.watcher, now)
        for hour, before in seen.hours:
            alerts.begin_hour(tx, hour, before)
        noted = [*_changed(tx, seen, now)]
        news = [*_news(tx, seen, now)]
        is_asked = _ask(tx, seen, [*noted, *news], now)
        _forget_gone(tx, seen, now)
        alerts.remove_recovered(tx, now - KEPT)
        crashpoint("before_alert_commit")
        return [*_events(noted)], is_asked


def _changed(tx: Transaction, seen: Seen, now: int) -> Iterator[Notice]:
    """Yield what is raised, recovered, or has been in force for a day since anybody was told."""
    for condition in seen.conditions:
        known = seen.in_force.get(condition.key)
        noted = _noted(tx, condition, known, now)
        if noted is not None:
            yield noted


def _noted(tx: Transaction, condition: Condition, known: Alert | None, now: int) -> Notice | None:
    if condition.is_met and known is None:
        begun = alerts.begin(tx, condition.key, condition.reason, now)
        return Notice.of(begun, "raised", condition.reason) if begun is not None else None
    if not condition.is_met and known is not None:
        over = alerts.recover(tx, condition.key, now)
        return Notice.of(over, "recovered", over.reason) if over is not None else None
    if condition.is_met and known is not None and known.told_at <= now - DAY:
        again = alerts.remind(tx, condition.key, condition.reason, now - DAY, now)
        return Notice.of(again, "reminded", condition.reason) if again is not None else None
    return None


def _news(tx: Transaction, seen: Seen, now: int) -> Iterator[Notice]:
    """Yield which runs of dataflows began and succeeded since the last look, where anybody wants to know."""
    span = alerts.take_span(tx, now - SETTLED)
    wanting = [tenant for tenant, items in seen.subscriptions.items() if any(map(_wants_news, items))]
    if span is None or not wanting:
        return
    names = {"began": "flow-run-start", "succeeded": "flow-run-success"}
    for tenant, run, dataflow, what in alerts.runs_between(tx, wanting, *span):
        yield Notice((tenant, names[what], dataflow, ""), 1, "news", now, None, f"the run {run}")


def _wants_news(item: Declared) -> bool:
    return any(KINDS[name].is_news for name in item.document["alerts"])


def _ask(tx: Transaction, seen: Seen, noted: Iterable[Notice], now: int) -> bool:
    """Ask for one message to each subscription that any of this is for."""
    wanted: dict[tuple[int, str], list[Notice]] = {}
    for notice in noted:
        tenant = notice.key[0]
        for item in seen.subscriptions.get(tenant, ()):
            if _is_for(item, notice):
                wanted.setdefault((tenant, item.id), []).append(notice)
    for (tenant, subscription), notices in wanted.items():
        subject = {
            "subscription": subscription,
            "at": now,
            "notices": [notice.to_json() for notice in notices[:MOST]],
            "more": max(0, len(notices) - MOST),
        }
        runs.ask(tx, tenant, KIND, subject, _HEADRACE, now)
    return bool(wanted)


def _is_for(item: Declared, notice: Notice) -> bool:
    """Say whether a subscription wants to be told: of the alert, of this dataflow, at this threshold."""
    _, alert, about, threshold = notice.key
    document: dict[str, Any] = item.document
    if alert not in document["alerts"] or document.get("dataflow", about) != about:
        return False
    counts = document.get("threshold", KINDS[alert].default)
    return conditions.threshold_text(counts) == threshold


def _forget_gone(tx: Transaction, seen: Seen, now: int) -> None:
    """Forget processes that were told of and that another has followed: with the next look, their alerts are over."""
    known = alerts.watchers(tx)
    told_of = {alert.about for alert in seen.in_force.values() if alert.alert == "worker-gone"}
    newest = max((watcher.began_at for watcher in known), default=0)
    for watcher in known:
        is_gone = watcher.seen_at < now - GONE_AFTER
        if is_gone and newest > watcher.seen_at and (watcher.watcher in told_of or not seen.hosts):
            alerts.forget_watcher(tx, watcher.watcher)


def _events(noted: Iterable[Notice]) -> Iterator[Event]:
    for notice in noted:
        _, alert, about, threshold = notice.key
        if notice.what == "raised":
            yield AlertRaised(alert=alert, about=about, threshold=threshold, reason=notice.reason)
        elif notice.what == "recovered":
            yield AlertRecovered(alert=alert, about=about, threshold=threshold)
