"""The breaker: a partner whose requests keep failing is left alone but for a probe now and then."""

import math
from collections import deque

#: Failures that open it: this many in a row, or this share of the last ones.
IN_A_ROW = 10
LAST = 50
SHARE = 0.8
#: Seconds to the first probe, and how many times that the longest time between two is.
FIRST_INTERVAL = 5.0
LONGEST = 60


class Breaker:
    """
    Counts failures of one account, and says when something may be tried while it is open.

    Moments are seconds that never jump. One probe is under way at a time; each that fails doubles the time to the next.

    >>> breaker = Breaker()
    >>> [breaker.failed(0.0) for _ in range(IN_A_ROW)][-2:]
    [False, True]
    >>> breaker.wait(2.0), breaker.wait(5.0)
    (3.0, 0.0)
    """

    def __init__(self, first: float = FIRST_INTERVAL) -> None:
        self.is_open = False
        self._first = first
        self._in_a_row = 0
        self._last: deque[bool] = deque(maxlen=LAST)
        self._failures = 0
        self._interval = first
        self._probe_at = -math.inf
        self._is_probing = False

    def wait(self, now: float) -> float:
        """Say for how many seconds nothing may be tried; while a probe is under way, until it may have ended."""
        if not self.is_open:
            return 0.0
        if self._is_probing:
            return max(self._probe_at - now, self._first)
        return max(self._probe_at - now, 0.0)

    def probes(self, now: float) -> bool:
        """Take the turn of the probe, if it is time for one."""
        if self._is_probing or not self.is_open or now < self._probe_at:
            return False
        self._is_probing = True
        return True

    def drop_probe(self) -> None:
        """Give the turn of the probe back, for it told nothing."""
        self._is_probing = False

    def failed(self, now: float, *, is_probe: bool = False) -> bool:
        """Count a failure, and say whether it opened the breaker. While it is open, only a probe tells anything new."""
        if self.is_open:
            if is_probe:
                self._interval = min(self._interval * 2, self._first * LONGEST)
                self._probe_at = now + self._interval
                self._is_probing = False
            return False
        self._count(failure=True)
        if self._in_a_row < IN_A_ROW and (len(self._last) < LAST or self._failures < SHARE * LAST):
            return False
        self.is_open = True
        self._interval = self._first
        self._probe_at = now + self._interval
        return True

    def succeeded(self) -> bool:
        """Count a success, and say whether it closed the breaker."""
        if not self.is_open:
            self._count(failure=False)
            return False
        self.is_open, self._is_probing = False, False
        self._in_a_row, self._failures = 0, 0
        self._last.clear()
        return True

    def _count(self, *, failure: bool) -> None:
        if len(self._last) == LAST:
            self._failures -= self._last[0]
        self._last.append(failure)
        self._failures += failure
        self._in_a_row = self._in_a_row + 1 if failure else 0
