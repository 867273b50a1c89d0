"""Time is handed in. Moments are whole milliseconds since 1970 in UTC, so that they compare and store as integers."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What time it is. Wall time stamps and schedules; durations are taken from ``monotonic`` alone."""

    def now(self) -> int:
        """Return the moment, in milliseconds since 1970 UTC."""

    def monotonic(self) -> float:
        """Return seconds that never jump, from an unspecified start."""


#: Goes on while the machine sleeps, where there is such a clock: a lease ends for whoever sleeps, too.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """The machine's own clock."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.clock_gettime(_STEADY)


def iso(moment: int) -> str:
    """
    Write a moment as the REST API does: ISO 8601, UTC, microseconds, ``Z``.

    >>> iso(1_709_318_064_123)
    '2024-03-01T18:34:24.123000Z'
    """
    return datetime.fromtimestamp(moment / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
