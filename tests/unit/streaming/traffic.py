"""A partner and an account that has endlessly much to send, in virtual time."""

import heapq
import itertools
from collections.abc import Callable
from random import Random

from headrace.streaming.concurrency import Concurrency


class Link:
    """
    A partner that works on ``workers`` requests at a time, each ``seconds`` long, and lets the others wait in line.

    More than ``most`` at a time it refuses at once. Both may be changed while it runs; ``jitter`` spreads the seconds.
    """

    def __init__(self, seconds=0.02, workers=1000, most=None, jitter: Callable[[Random], float] = lambda _: 1.0):
        self.seconds = seconds
        self.workers = workers
        self.most = most
        self.jitter = jitter
        self.random = Random(3)
        self._free = []

    def answer(self, now):
        """Return when a request that comes now is answered, and whether it is taken."""
        busy = [moment for moment in self._free if moment > now]
        if self.most is not None and len(busy) >= self.most:
            return now + 0.005, False
        starts = sorted(busy)[-self.workers] if len(busy) >= self.workers else now
        ends = starts + self.seconds * self.jitter(self.random)
        self._free = [*busy, ends]
        return ends, True


class Traffic:
    """Sends as many requests as the level allows, and notes what came of them."""

    def __init__(self, link, most=64):
        self.link = link
        self.level = Concurrency(most)
        self.now = 0.0
        self.taken = self.refused = 0
        self.levels = []  # (moment, level), whenever it changed
        self._order = itertools.count()
        self._under_way = []

    def run(self, seconds):
        """Run for so many seconds, and return the levels there were in them."""
        ends = self.now + seconds
        while True:
            while len(self._under_way) < self.level.limit:
                self._send()
            if self._under_way[0][0] > ends:
                self.now = ends
                return [level for moment, level in self.levels if moment >= ends - seconds] or [self.level.limit]
            self._receive()

    def _send(self):
        at, is_taken = self.link.answer(self.now)
        heapq.heappush(self._under_way, (at, next(self._order), self.now, is_taken))

    def _receive(self):
        under_way = len(self._under_way)
        self.now, _, began, is_taken = heapq.heappop(self._under_way)
        if is_taken:
            self.taken += 1
            self.level.answered(began, self.now, under_way)
        else:
            self.refused += 1
            self.level.pressed(began, self.now, under_way, is_plain=True)
        if not self.levels or self.levels[-1][1] != self.level.limit:
            self.levels.append((self.now, self.level.limit))
