"""Windows: the dates between which an audience is sent, and what is wrong with them. The end is not among them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

from headrace.model.flow import SegmentSelectorValue
from headrace.model.problem import Problem

_NAMES = ("startDate", "endDate")


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
        """Return the window of an audience; what is no date counts for nothing."""
        schedule = selector.schedule or {}
        return cls(*(_midnight(_date(schedule.get(name))) for name in _NAMES))

    def state(self, now: int) -> Literal["waiting", "open", "ended"]:
        """Say whether the window is still to begin, or has ended."""
        if self.end is not None and now >= self.end:
            return "ended"
        return "waiting" if self.start is not None and now < self.start else "open"

    def turns_at(self, now: int) -> int | None:
        """Return when that will next change."""
        return min((moment for moment in (self.start, self.end) if moment is not None and moment > now), default=None)


def problems_of_window(selector: SegmentSelectorValue, where: str) -> Iterator[Problem]:
    """Say what is wrong with the dates of an audience."""
    schedule = selector.schedule or {}
    start, end = (_date(schedule.get(name)) for name in _NAMES)
    for name, found in zip(_NAMES, (start, end), strict=True):
        if schedule.get(name) is not None and found is None:
            message = f"`{name}` is a date in UTC as 2026-03-01, not {schedule[name]!r}"
            yield Problem("not-a-date", f"{where}/schedule/{name}", message)
    if start is not None and end is not None and end <= start:
        message = f"`endDate` is the first day without messages: let it come after `startDate`, {start}"
        yield Problem("ends-too-early", f"{where}/schedule/endDate", message)


def _date(value: Any) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) and len(value) == len("2026-03-01") else None
    except ValueError:
        return None


def _midnight(day: date | None) -> int | None:
    return None if day is None else int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
