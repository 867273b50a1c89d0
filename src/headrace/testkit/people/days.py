"""
What happens to people over days: a file of everybody, then one of changes for each day.

People enter and leave audiences, move house, agree and withdraw, buy, come with new devices, and some are new. Each
record is a whole profile as it is on its day, numbered by the day. Of a day's records some come a day late, behind
newer ones of the same people, and some come twice. So the files may be taken in any order, and any of them twice:
people are the same in the end.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from headrace.testkit.people.making import Sent, Wanted

#: Of how many people there is a new one each day.
_NEW_OF: Final = 500


@dataclass(frozen=True, slots=True)
class Scenario:
    """People of a seed, and what happens to them in ``days``."""

    count: int
    days: int
    seed: int = 1
    start: int = 0

    def everybody(self) -> Wanted:
        """Say who is there on day 0."""
        return Wanted(self.count, self.seed, self.start, is_numbered=True)

    def sent_on(self, day: int) -> Iterator[Wanted]:
        """Say which records are sent on a day, in their order."""
        if day == 0:
            yield self.everybody()
            return
        yield self._of(day, "punctual")
        if day > 1:
            yield self._of(day - 1, "late")
        yield self._of(day, "repeated")
        if day == self.days:
            yield self._of(day, "late")

    def at_last(self) -> Wanted:
        """Say who is there at the end, each as they are then."""
        return replace(self._of(self.days), day=self.days, known=0)

    def _of(self, day: int, only: Sent = "all") -> Wanted:
        new = -(-self.count // _NEW_OF)
        known = self.count + (day - 1) * new if day else self.count
        everybody = self.count + day * new
        return Wanted(everybody, self.seed, self.start, day=day, known=self.start + known, only=only, is_numbered=True)
