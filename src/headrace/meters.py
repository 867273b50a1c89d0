"""
Counters and histograms, cheap enough to be raised for every message, and bounded in how many series they have.

A count costs a lock and an addition; what scrapes them is written by prometheus_client.
"""

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

#: The most series of one meter. Whatever comes later is counted together, under ``OTHER``.
MOST_SERIES = 1000
OTHER = "other"

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Described:
    """A metric as it is told of: its name, its type, its labels, and what it says."""

    name: str
    type: str
    labels: Labels
    text: str


class _Series:
    """The values of one set of labels: sums, and for each histogram the counts of its buckets with their sum."""

    __slots__ = ("buckets", "sums", "totals")

    def __init__(self, sums: int, bounds: Sequence[Sequence[float]]) -> None:
        self.sums = [0.0] * sums
        self.totals = [0.0] * len(bounds)
        self.buckets = [[0] * (len(each) + 1) for each in bounds]


@dataclass(slots=True)
class Meter:
    """
    The metrics of one kind of thing that happens.

    ``name`` counts how often, ``name_<count>`` sums a field, ``name_<observed>`` is a histogram of one, by the fields
    in ``labels``.
    """

    name: str
    text: str
    labels: Labels = ()
    counts: Labels = ()
    observes: Mapping[str, Sequence[float]] = field(default_factory=dict)
    _series: dict[Any, _Series] = field(default_factory=dict)
    _lock: Any = field(default_factory=threading.Lock)
    _key: Callable[[Any], Any] = lambda _event: ()
    _counted: tuple[tuple[int, Callable[[Any], float]], ...] = ()
    _observed: tuple[tuple[int, Callable[[Any], float], Sequence[float]], ...] = ()

    def __post_init__(self) -> None:
        if self.labels:
            self._key = attrgetter(*self.labels)
        self._counted = tuple((place, attrgetter(name)) for place, name in enumerate(self.counts, 1))
        observed = enumerate(self.observes.items())
        self._observed = tuple((place, attrgetter(name), bounds) for place, (name, bounds) in observed)

    def take(self, event: object) -> None:
        """Count something that happened."""
        key = self._key(event)
        series = self._series.get(key) or self._new(key)
        with self._lock:
            sums = series.sums
            sums[0] += 1
            for place, value in self._counted:
                sums[place] += value(event)
            for place, value, bounds in self._observed:
                observed = value(event)
                series.totals[place] += observed
                series.buckets[place][bisect_left(bounds, observed)] += 1

    def _new(self, key: Any) -> _Series:
        if len(self._series) >= MOST_SERIES:
            key = (OTHER,) * len(self.labels) if len(self.labels) > 1 else OTHER
        made = _Series(1 + len(self._counted), list(self.observes.values()))
        return self._series.setdefault(key, made)

    def describe(self) -> Iterator[Described]:
        """Yield what there is to be scraped."""
        yield Described(f"{self.name}_total", "counter", self.labels, self.text)
        for name in self.counts:
            yield Described(f"{self.name}_{name}_total", "counter", self.labels, self.text)
        for name in self.observes:
            yield Described(f"{self.name}_{name}", "histogram", self.labels, self.text)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics as they stand."""
        series = [(self._values(key), known) for key, known in list(self._series.items())]
        for place, suffix in enumerate(("", *(f"_{name}" for name in self.counts))):
            family = CounterMetricFamily(f"{self.name}{suffix}", self.text, labels=self.labels)
            for labels, known in series:
                family.add_metric(labels, known.sums[place])
            yield family
        for place, (name, bounds) in enumerate(self.observes.items()):
            histogram = HistogramMetricFamily(f"{self.name}_{name}", self.text, labels=self.labels)
            for labels, known in series:
                histogram.add_metric(labels, _cumulated(bounds, known.buckets[place]), known.totals[place])
            yield histogram

    def _values(self, key: Any) -> list[str]:
        return [str(value) for value in (key if len(self.labels) != 1 else (key,))]


class Meters:
    """All meters of a process, as what prometheus_client calls a collector."""

    def __init__(self) -> None:
        self._meters: list[Meter] = []

    def add(self, meter: Meter) -> Meter:
        self._meters.append(meter)
        return meter

    def collect(self) -> Iterator[Metric]:
        for meter in list(self._meters):
            yield from meter.collect()


def _cumulated(bounds: Sequence[float], counts: Sequence[int]) -> list[tuple[str, float]]:
    """Return the buckets as Prometheus has them: each holds what the smaller ones do."""
    total, buckets = 0, []
    for bound, count in zip((*map(str, bounds), "+Inf"), counts, strict=True):
        total += count
        buckets.append((bound, float(total)))
    return buckets
