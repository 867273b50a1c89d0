"""
What is read when somebody scrapes: the ledger, what waits and for how long, and how dataflows and accounts stand.

Reading costs a few look-ups by index for each dataflow, and is done once for all who scrape within ``KEPT`` seconds.
"""

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from headrace.clock import Clock
from headrace.meters import MOST_SERIES, OTHER, Described, Labels
from headrace.services.monitoring import STATES
from headrace.store import dataflows, ledger, outbox, sign_in_states
from headrace.store.database import Store, Transaction
from headrace.store.dataflows import StoredDataflow

#: How long what was read is told again, in seconds.
KEPT = 2.0

CHANGES = Described("headrace_changes", "gauge", ("dataflow", "state"), "Changes by what became of them.")
OLDEST = Described(
    "headrace_oldest_waiting_seconds",
    "gauge",
    ("dataflow",),
    "How long the oldest change has waited that is not settled; 0: nothing waits.",
)
DATAFLOWS = Described("headrace_dataflows", "gauge", ("state",), "Dataflows by how they stand.")
STOPPED = Described(
    "headrace_accounts_stopped", "gauge", ("state",), "Accounts that partners do not let in, by how they stand."
)
UNDER_WAY = Described(
    "headrace_requests_under_way", "gauge", ("account",), "Requests with messages that are under way, by account."
)
FREE = Described("headrace_data_dir_free_bytes", "gauge", (), "Space that is left where the data directory is.")
GAUGES = (CHANGES, OLDEST, DATAFLOWS, STOPPED, UNDER_WAY, FREE)

Value = tuple[Sequence[str], float]


@dataclass(slots=True)
class Gauges:
    """The gauges of this process. ``under_way`` says how many requests each account has under way."""

    store: Store
    clock: Clock
    data_dir: Path
    under_way: Callable[[], Mapping[str, int]]
    _lock: asyncio.Lock
    _read: tuple[Metric, ...] = ()
    _read_at: float = float("-inf")

    @classmethod
    def of(cls, store: Store, clock: Clock, data_dir: Path, under_way: Callable[[], Mapping[str, int]]) -> "Gauges":
        return cls(store, clock, data_dir, under_way, asyncio.Lock())

    async def text(self) -> bytes:
        """Return the gauges in Prometheus' text format."""
        async with self._lock:
            if self.clock.monotonic() - self._read_at >= KEPT:
                now = self.clock.now()
                self._read = tuple(await self.store.read(lambda tx: list(_stored(tx, now))))
                self._read_at = self.clock.monotonic()
        return _written([*self._read, *self._of_process()])

    def _of_process(self) -> Iterator[Metric]:
        yield _family(UNDER_WAY, (((account,), count) for account, count in self.under_way().items()))
        yield _family(FREE, [((), shutil.disk_usage(self.data_dir).free)])


class _Families:
    """Families as what prometheus_client calls a collector."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Sequence[Metric]:
        return self._families


def _written(families: Sequence[Metric]) -> bytes:
    registry = CollectorRegistry()
    registry.register(_Families(families))
    return generate_latest(registry)


def _stored(tx: Transaction, now: int) -> Iterator[Metric]:
    """Read what the store tells, of the first ``MOST_SERIES`` dataflows each, and of all others together."""
    flows, totals = dataflows.every(tx), ledger.totals(tx)
    named, rest = flows[:MOST_SERIES], flows[MOST_SERIES:]
    yield _family(CHANGES, _changes(named, rest, totals))
    yield _family(OLDEST, [((flow.id,), _age(tx, flow, now)) for flow in named])
    yield _family(DATAFLOWS, _counted(("enabled", "disabled", "held"), (flow.state for flow in flows)))
    stopped = (known.state for known in sign_in_states.stopped(tx))
    yield _family(STOPPED, _counted((sign_in_states.SIGN_IN_NEEDED, sign_in_states.REFUSED), stopped))


def _changes(
    named: Sequence[StoredDataflow], rest: Sequence[StoredDataflow], totals: Mapping[tuple[int, int], dict[str, int]]
) -> Iterator[Value]:
    empty = dict.fromkeys(STATES, 0)
    for flow in named:
        row = totals.get((flow.tenant, flow.dataflow), empty)
        yield from (((flow.id, state), row[state]) for state in STATES)
    if rest:
        rows = [totals.get((flow.tenant, flow.dataflow), empty) for flow in rest]
        yield from (((OTHER, state), sum(row[state] for row in rows)) for state in STATES)


def _age(tx: Transaction, flow: StoredDataflow, now: int) -> float:
    oldest = outbox.oldest(tx, flow.tenant, flow.dataflow)
    return max(0, now - oldest) / 1000 if oldest is not None else 0.0


def _counted(names: Labels, found: Iterable[str]) -> Iterator[Value]:
    counts = Counter(found)
    return (((name,), counts[name]) for name in names)


def _family(told: Described, values: Iterable[Value]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(told.name, told.text, labels=told.labels)
    for labels, value in values:
        family.add_metric(labels, value)
    return family
