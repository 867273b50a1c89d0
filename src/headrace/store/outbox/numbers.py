"""Numbers of groups: none is given twice, so that a late answer cannot settle another's claim."""

import threading


class Numbers:
    """
    The numbers that one process gives to groups, from ``first`` on.

    >>> numbers = Numbers(100)
    >>> numbers.take(10), numbers.take(5)
    (100, 110)
    >>> numbers.give_back(112, 115)
    >>> numbers.take()
    112
    """

    def __init__(self, first: int) -> None:
        self._next = first
        self._taking = threading.Lock()

    def take(self, count: int = 1) -> int:
        """Take so many numbers in a row, and return the first."""
        with self._taking:
            first = self._next
            self._next += count
        return first

    def give_back(self, first: int, end: int) -> None:
        """Give back those that were taken last and never used, if nobody has taken any since."""
        with self._taking:
            if self._next == end:
                self._next = first
