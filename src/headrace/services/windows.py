"""Windows: the dates between which an audience is sent. The end is not among them."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

from headrace.model.block import read_of
from headrace.model.flow import SegmentSelectorValue


@dataclass(frozen=True, slots=True)
class Window:
    """
    From when on, and until when, an audience is sent, in milliseconds since 1970; ``None``: without such an end.

    >>> from headrace.model.flow import SegmentSelectorValue
    >>> window = Window.of(SegmentSelectorValue(id="a", schedule={"startDate": "1970-01-02", "endDate": "1970-01-03"}))
    >>> [window.state(day * 86_400_000) for day in (0, 1, 2)]
    ['waiting', 'open', 'ended']
    """

    start: int | None = None
    end: int | None = None

    @classmethod
    def of(cls, selector: SegmentSelectorValue) -> "Window":
        """Return the window of an audience; what could not be read counts for nothing."""
        schedule = read_of(selector, "schedule")
        return cls(*(_midnight(read_of(schedule, name)) for name in ("start_date", "end_date")))

    def state(self, now: int) -> Literal["waiting", "open", "ended"]:
        """Say whether the window is still to begin, or has ended."""
        if self.end is not None and now >= self.end:
            return "ended"
        return "waiting" if self.start is not None and now < self.start else "open"

    def turns_at(self, now: int) -> int | None:
        """Return when that will next change."""
        return min((moment for moment in (self.start, self.end) if moment is not None and moment > now), default=None)


def _midnight(day: date | None) -> int | None:
    return None if day is None else int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
