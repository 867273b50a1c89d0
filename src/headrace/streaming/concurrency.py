"""How many requests an account may have under way: as many as its partner takes well."""

import math

#: How many it begins with, if it may have as many; from there it doubles with every round trip until something speaks
#: against it.
FIRST = 8
#: What becomes of it when requests take long, and when the partner says that there are too many.
LESS = 0.9
HALF = 0.5
#: Requests take long when they take this many times what is usual, and this many seconds more: below that it is us.
FACTOR = 2.0
SLACK = 0.05
#: In how many seconds what is usual becomes what it is now.
MEMORY = 30.0
#: How long it keeps below what was too much before it tries that again, at first and at the most.
FIRST_PATIENCE = 10.0
LONGEST_PATIENCE = 300.0


class Concurrency:
    """
    The number of requests that may be under way, raised by one and cut by a share, once a round trip.

    It is told of every answer with the moments, in seconds that never jump, at which the request began and ended. A
    round trip ends with the first answer to a request that began in it. What a partner said was too much is not reached
    again for a while, so that a limit is found once and not over and over.

    >>> level = Concurrency(4)
    >>> level.pressed(0.0, 0.1, 4, is_plain=True)
    True
    >>> level.limit
    2
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._level = float(min(most, FIRST))
        self._doubles = True
        self._usual: float | None = None
        self._ceiling: int | None = None
        self._patience = FIRST_PATIENCE
        self._try_at = -math.inf
        self._cut_at = -math.inf
        self._round_began = -math.inf
        self._seconds, self._answers, self._peak = 0.0, 0, 0

    @property
    def limit(self) -> int:
        """How many requests may be under way now."""
        return int(self._level)

    def answered(self, began: float, now: float, under_way: int) -> None:
        """Count an answer that says nothing against as many requests. ``under_way`` counts this one."""
        self._seconds += now - began
        self._answers += 1
        self._peak = max(self._peak, under_way)
        if began >= self._round_began:
            self._end_round(now)

    def pressed(self, began: float, now: float, under_way: int, *, is_plain: bool) -> bool:
        """Cut it, for the partner says that there is too much; not twice for requests of the same moment."""
        if began <= self._cut_at:
            return False
        reached = max(1, min(self.limit, max(under_way, self._peak)))
        if is_plain:
            self._remember(reached, now)
        self._level = max(1.0, self._level * (HALF if is_plain else LESS))
        self._doubles = False
        self._cut_at = now
        self._begin_round(now)
        return True

    def begin_anew(self, now: float) -> None:
        """Begin with one, and double: the partner is back, and should not be run down."""
        self._level, self._doubles, self._usual = 1.0, True, None
        self._cut_at = now
        self._begin_round(now)

    def _remember(self, reached: int, now: float) -> None:
        """Remember what was too much; where it had been tried again in vain, for longer."""
        if self._ceiling is not None and reached >= self._ceiling:
            self._patience = min(self._patience * 2, LONGEST_PATIENCE)
        self._ceiling = reached
        self._try_at = now + self._patience

    def _begin_round(self, now: float) -> None:
        self._round_began = now
        self._seconds, self._answers, self._peak = 0.0, 0, 0

    def _end_round(self, now: float) -> None:
        mean = self._seconds / self._answers
        usual = mean if self._usual is None else self._usual
        if mean > FACTOR * usual + SLACK:
            self._level, self._doubles = max(1.0, self._level * LESS), False
        elif self._peak >= self.limit:
            self._rise(now)
        weight = min(1.0, (now - self._round_began) / MEMORY)
        self._usual = usual + weight * (mean - usual)
        self._begin_round(now)

    def _rise(self, now: float) -> None:
        """Allow more, for all that was allowed was used and went well."""
        if self._ceiling is not None and self._peak >= self._ceiling:
            self._ceiling, self._patience = None, FIRST_PATIENCE
        wanted = min(self._level * 2 if self._doubles else self._level + 1, self._most)
        if self._ceiling is not None and wanted >= self._ceiling:
            highest = self._ceiling if now >= self._try_at else self._ceiling - 1
            wanted = min(wanted, max(self._level, highest))
        self._level = wanted
