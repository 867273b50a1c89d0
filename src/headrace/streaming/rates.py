"""Rates: how much of a limit is left at a moment, and how long until there is more."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from headrace.model.pacing import SPANS, RateLimit

#: What was taken in one part of a span: the part's number, counted from 1970, and how much.
Taken = tuple[int, int]


@dataclass(slots=True)
class Rate:
    """
    One limit, and what was taken of it lately.

    A span's past is remembered in parts. What is taken leaves within a part's length, so what was taken as many parts
    ago as a span has, and two, is further away than the span: there is no span, wherever it begins, with more in it
    than the limit. That costs a little of what the partner would take, and never asks it for more.

    >>> rate = Rate(RateLimit(requests=10, per="second"))
    >>> rate.take(1_000_000, 10)
    >>> rate.left(1_000_500), rate.wait(1_000_500, 1), rate.left(1_001_200)
    (0, 700, 10)
    """

    limit: RateLimit
    taken: list[Taken] = field(default_factory=list)

    @property
    def part(self) -> int:
        """The milliseconds of a part."""
        span, parts = SPANS[self.limit.per]
        return span // parts

    @property
    def parts(self) -> int:
        """How many parts count, that of now among them."""
        return SPANS[self.limit.per][1] + 2

    def left(self, now: int) -> int:
        """Return how much may be taken now."""
        return self.limit.most - sum(count for _, count in self._counting(now))

    def wait(self, now: int, wanted: int) -> int:
        """Return in how many milliseconds so much may be taken, if nobody takes of it before."""
        missing = min(wanted, self.limit.most) - self.left(now)
        for number, count in self._counting(now):
            if missing <= 0:
                break
            missing -= count
            ends = (number + self.parts) * self.part
            if missing <= 0:
                return ends - now
        return 0

    def take(self, now: int, count: int) -> None:
        """Take so much of it, and forget what counts no longer."""
        current, counting = now // self.part, self._counting(now)
        if counting and counting[-1][0] >= current:  # The clock was set back: time stands still until it is here again.
            counting[-1] = (counting[-1][0], counting[-1][1] + count)
        else:
            counting.append((current, count))
        self.taken = counting

    def ends(self) -> int:
        """Return when nothing that was taken counts any more."""
        return (self.taken[-1][0] + self.parts) * self.part if self.taken else 0

    def _counting(self, now: int) -> list[Taken]:
        oldest = now // self.part - self.parts
        return [item for item in self.taken if item[0] > oldest]


def left(rates: Iterable[Rate], now: int, entries: int) -> int:
    """Return how many messages of so many entries all limits together allow now."""
    return min(max(rate.left(now), 0) // rate.limit.cost(entries) for rate in rates)


def wait(rates: Iterable[Rate], now: int, entries: int) -> int:
    """Return in how many milliseconds a message of so many entries may leave."""
    return max((rate.wait(now, rate.limit.cost(entries)) for rate in rates), default=0)


def take(rates: Sequence[Rate], now: int, entries: int) -> bool:
    """Take of every limit what a message of so many entries takes, if all of them have it left."""
    if any(rate.left(now) < rate.limit.cost(entries) for rate in rates):
        return False
    for rate in rates:
        rate.take(now, rate.limit.cost(entries))
    return True
