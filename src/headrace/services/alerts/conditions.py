"""
What is wrong, as far as the store tells: pure functions of what is read.

A condition says that something is so, or is not. Of what nobody knows, nothing is said, and an alert stays as it is.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from headrace.model.alert import KINDS
from headrace.services.alerts.evidence import Reached
from headrace.services.exports import due
from headrace.store import access, alerts, dataflows, documents, ledger, outbox, runs, sign_in_states
from headrace.store.alerts import Alert, Hour, Key, LastRun, Watcher
from headrace.store.database import Transaction
from headrace.store.dataflows import StoredDataflow
from headrace.store.documents import Declared

SUBSCRIPTION = "alert-subscription"
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
#: Changes that an hour has to settle, or people that an export has, before its rate of what was left out counts.
FEWEST = 20
#: After so long without a sign of life a process is gone.
GONE_AFTER = 2 * MINUTE


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is so or is not, and why."""

    key: Key
    is_met: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """
    What was read at one moment. ``subscriptions`` are those of each sandbox, ``hosts`` the sandboxes of the host.

    ``in_force`` are the alerts that are, by what they are of; ``hours`` are to be begun, each in the place of another.
    """

    conditions: list[Condition]
    subscriptions: dict[int, list[Declared]]
    hosts: list[int]
    in_force: dict[Key, Alert]
    hours: list[tuple[Hour, Hour | None]]


@dataclass(frozen=True, slots=True)
class Around:
    """What the store does not tell: the moment, who watches here, what is free on the disk, what partners answered."""

    now: int
    watcher: str
    free: int
    least_free: int
    reached: Mapping[str, Reached]


@dataclass(slots=True)
class _Measures:
    """The thresholds that count in each sandbox, by the kind of alert."""

    given: dict[tuple[int, str], set[float]] = field(default_factory=dict)

    def of(self, tenant: int, alert: str) -> set[float]:
        default = KINDS[alert].default
        assert default is not None, alert
        return {default, *self.given.get((tenant, alert), ())}


@dataclass(frozen=True, slots=True)
class _Files:
    """How the exports of a dataflow stand: minutes since one was due, and percent of people who have no row."""

    minutes: int = 0
    left_out: float = 0.0


def look(tx: Transaction, around: Around) -> Seen:
    """Read everything that alerts are about."""
    tenants = access.all_tenants(tx)
    subscriptions = {tenant.tenant: documents.all_of(tx, tenant.tenant, SUBSCRIPTION) for tenant in tenants}
    hosts = [tenant.tenant for tenant in tenants if tenant.is_host]
    flows, totals, hours = dataflows.every(tx), ledger.totals(tx), alerts.hours(tx)
    begun = [*_begun(flows, totals, hours, around.now)]
    rates = {(hour.tenant, hour.dataflow): hour.per_mille for hour in hours.values()}
    rates |= {(hour.tenant, hour.dataflow): hour.per_mille for hour, _ in begun}
    measures, ended = _measures(subscriptions), alerts.last_runs(tx, around.now - 7 * DAY)
    files = _of_files(tx, ended, around.now)
    found = [
        *_of_dataflows(tx, flows, totals, rates, files, measures, around),
        *_of_runs([*ended, *alerts.last_notices(tx, around.now - 7 * DAY)]),
        *_of_accounts(tx),
        *_of_host(hosts, around, alerts.watchers(tx)),
    ]
    in_force = {alert.key: alert for alert in alerts.in_force(tx)}
    return Seen([*found, *_over(in_force, found, flows)], subscriptions, hosts, in_force, begun)


def threshold_text(value: float | None) -> str:
    """
    Write a threshold as it is kept.

    >>> threshold_text(150), threshold_text(0.5), threshold_text(None)
    ('150', '0.5', '')
    """
    return "" if value is None else f"{value:g}"


def _measures(subscriptions: Mapping[int, Iterable[Declared]]) -> _Measures:
    measures = _Measures()
    for tenant, items in subscriptions.items():
        for item in items:
            threshold: Any = item.document.get("threshold")
            if threshold is not None:
                measures.given.setdefault((tenant, item.document["alerts"][0]), set()).add(float(threshold))
    return measures


def _of_dataflows(
    tx: Transaction,
    flows: Iterable[StoredDataflow],
    totals: Mapping[tuple[int, int], Mapping[str, int]],
    rates: Mapping[tuple[int, int], int],
    files: Mapping[tuple[int, str], _Files],
    measures: _Measures,
    around: Around,
) -> Iterator[Condition]:
    for flow in flows:
        where, written = (flow.tenant, flow.dataflow), files.get((flow.tenant, flow.id), _Files())
        yield Condition((flow.tenant, "dataflow-held", flow.id, ""), flow.state == "held", flow.reason or "")
        parked = totals.get(where, {}).get("parked", 0)
        yield from _above(flow, "changes-parked", parked, measures, f"{parked} changes are laid aside")
        yield from _waiting(tx, flow, written, measures, around.now)
        percent = rates.get(where, 0) / 10
        said = f"{percent:g} % of the changes that the last hour settled were withheld"
        if written.left_out > percent:
            percent = written.left_out
            said = f"{percent:g} % of what the last export was about has no row in its files"
        yield from _above(flow, "activation-skip-rate-exceeded", percent, measures, said)
        reached = around.reached.get(flow.id)
        is_known = reached.is_unreachable(around.now) if reached is not None and flow.state == "enabled" else None
        if reached is not None and is_known is not None:
            yield Condition((flow.tenant, "partner-unreachable", flow.id, ""), is_known, reached.reason)


def _waiting(
    tx: Transaction, flow: StoredDataflow, files: _Files, measures: _Measures, now: int
) -> Iterator[Condition]:
    """Say for how long the oldest change, or file, has waited. What is disabled waits because somebody wants it to."""
    oldest = outbox.oldest(tx, flow.tenant, flow.dataflow) if flow.state != "disabled" else None
    minutes = (now - oldest) // MINUTE if oldest is not None else 0
    said = f"the oldest change has waited for {minutes} minutes"
    yield from _above(flow, "backlog-age", minutes, measures, said)
    if files.minutes > minutes and flow.state != "disabled":
        minutes, said = files.minutes, f"an export has not ended for {files.minutes} minutes"
    yield from _above(flow, "flow-run-delay", minutes, measures, said)


def _above(flow: StoredDataflow, alert: str, value: float, measures: _Measures, said: str) -> Iterator[Condition]:
    for threshold in sorted(measures.of(flow.tenant, alert)):
        key = (flow.tenant, alert, flow.id, threshold_text(threshold))
        yield Condition(key, value > threshold, said)


def _of_runs(ended: Iterable[LastRun]) -> Iterator[Condition]:
    """Say whether the last run of each dataflow failed; of files, that of any audience, or the notice of it."""
    found: dict[tuple[int, str], LastRun] = {}
    for run in ended:
        where = (run.tenant, run.dataflow)
        if run.state == "failed" or where not in found:
            found[where] = run
    for (tenant, dataflow), run in found.items():
        said = f"the run {run.run} failed: {run.reason or 'no reason is known'}"
        yield Condition((tenant, "flow-run-failure", dataflow, ""), run.state == "failed", said)


def _of_files(tx: Transaction, ended: Iterable[LastRun], now: int) -> dict[tuple[int, str], _Files]:
    """Say how the exports of each dataflow stand: for how long one has not ended, all tries together."""
    found: dict[tuple[int, str], _Files] = {}
    for asked in runs.unended(tx, due.KIND):
        where, minutes = (asked.tenant, asked.subject["dataflow"]), (now - asked.subject["moment"]) // MINUTE
        known = found.get(where, _Files())
        found[where] = replace(known, minutes=max(known.minutes, minutes))
    for run in ended:
        if run.received >= FEWEST:
            known = found.get((run.tenant, run.dataflow), _Files())
            percent = 100 * run.skipped / run.received
            found[run.tenant, run.dataflow] = replace(known, left_out=max(known.left_out, round(percent, 1)))
    return found


def _of_accounts(tx: Transaction) -> Iterator[Condition]:
    for known in sign_in_states.stopped(tx):
        said = known.reason or "the partner does not let it in"
        yield Condition((known.tenant, "account-sign-in-needed", known.holder, ""), True, said)


def _of_host(hosts: Iterable[int], around: Around, watchers: Iterable[Watcher]) -> Iterator[Condition]:
    gone = [
        watcher
        for watcher in watchers
        if watcher.watcher != around.watcher and watcher.seen_at < around.now - GONE_AFTER
    ]
    megabytes = around.free >> 20
    said = f"{megabytes} megabytes are left where the data directory is"
    for tenant in hosts:
        yield Condition((tenant, "storage-full", "data-directory", ""), megabytes < around.least_free, said)
        for watcher in gone:
            silent = (around.now - watcher.seen_at) // MINUTE
            told = f"the process ended without a word; it was last heard of {silent} minutes ago"
            yield Condition((tenant, "worker-gone", watcher.watcher, ""), True, told)


def _over(
    in_force: Mapping[Key, Alert], found: Iterable[Condition], flows: Iterable[StoredDataflow]
) -> Iterator[Condition]:
    """
    Say what is over because it was not found any more: accounts, processes, and dataflows that are gone.

    Of a partner that nobody has asked lately nothing is known, for as long as its dataflow is enabled.
    """
    seen, going = {condition.key for condition in found}, {(f.tenant, f.id) for f in flows if f.state == "enabled"}
    for alert in in_force.values():
        is_unknown = alert.alert in ("partner-unreachable", "flow-run-failure") and (alert.tenant, alert.about) in going
        if alert.key not in seen and not is_unknown:
            yield Condition(alert.key, False)


def _begun(
    flows: Iterable[StoredDataflow],
    totals: Mapping[tuple[int, int], Mapping[str, int]],
    hours: Mapping[tuple[int, int], Hour],
    now: int,
) -> Iterator[tuple[Hour, Hour | None]]:
    """Yield the hours that begin, each with the rate of the one that ends."""
    for flow in flows:
        where = (flow.tenant, flow.dataflow)
        known, row = hours.get(where), totals.get(where)
        if row is None or (known is not None and now - known.began_at < HOUR):
            continue
        withheld, settled = row["withheld"], row["accepted"] - row["pending"]
        per_mille = 0
        if known is not None and settled - known.settled >= FEWEST:
            per_mille = 1000 * (withheld - known.withheld) // (settled - known.settled)
        yield Hour(*where, now, settled, withheld, max(0, per_mille)), known
