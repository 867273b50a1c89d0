"""
When a file is due: pure functions of a schedule, of how far it is settled, and of now. Moments are milliseconds, UTC.

A schedule has *slots*. Its start is one, its end is none. Who keeps up to which moment slots are settled, in the
transaction that asks for the export, has each slot once, whoever dies: ``Due.until`` is what to keep. Slots that passed
while nobody looked are made up for by one export, for the last of them; the others are counted as missed. Once the end
has come nothing is written any more, and what was left is counted too.
"""

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, date, datetime
from typing import Literal

from headrace.model.batch import Frequency
from headrace.model.export import ExportSchedule, ScheduleParams
from headrace.model.problem import ConfigurationError, Problem

HOUR = 3_600_000
DAY = 24 * HOUR
#: Up to where everything is settled of a schedule that is over once it was carried out.
FOREVER = 2**53
#: How long datasets are written where their operator says no end, in months.
MONTHS_OF_DATASETS = 6
#: The end of the calendar: no slot lies beyond the year 9999.
LAST = 253_402_300_799_000
Every = Literal["once", "span", "month", "evaluation"]

_SPANS: dict[Frequency, int] = {
    "EVERY_HOUR": HOUR,
    "EVERY_3_HOURS": 3 * HOUR,
    "EVERY_6_HOURS": 6 * HOUR,
    "EVERY_8_HOURS": 8 * HOUR,
    "EVERY_12_HOURS": 12 * HOUR,
    "DAILY": DAY,
    "WEEKLY": 7 * DAY,
}


@dataclass(frozen=True, slots=True)
class Schedule:
    """
    When an audience, or the datasets of a dataflow, are written: from ``start`` on, and before ``end``.

    ``span`` lies between two slots where ``every`` says so. Exports after evaluations have no slots of their own: each
    evaluation that ends between start and end is one; with ``is_once``, the first.
    """

    every: Every
    start: int
    end: int | None = None
    span: int = 0
    is_once: bool = False

    @classmethod
    def of(cls, said: ExportSchedule) -> "Schedule":
        """
        Read the schedule of an audience's files.

        Raises:
            ConfigurationError: something is missing that files need.
        """
        if said.frequency is None or said.start_date is None:
            raise _incomplete("frequency" if said.frequency is None else "startDate")
        end = None if said.end_date is None else _midnight(said.end_date)
        first, is_once = _midnight(said.start_date), said.frequency == "ONCE"
        if said.trigger == "AFTER_SEGMENT_EVAL":
            return cls("evaluation", first, end, is_once=is_once)
        if said.start_time is None:
            raise _incomplete("startTime")
        hours, minutes = map(int, said.start_time.split(":"))
        first += hours * HOUR + minutes * 60_000
        if is_once:
            return cls("once", first, is_once=True)
        return cls("month" if said.frequency == "MONTHLY" else "span", first, end, _SPANS.get(said.frequency, 0))

    @classmethod
    def of_datasets(cls, said: ScheduleParams, created_at: int) -> "Schedule":
        """
        Read the schedule of a dataflow of datasets.

        Raises:
            ConfigurationError: something is missing that it needs.
        """
        if said.start_time is None or said.interval is None or said.time_unit is None:
            raise _incomplete("startTime`, `interval` or `timeUnit")
        start = said.start_time * 1000
        if said.interval == 0:
            return cls("once", start, is_once=True)
        end = _months_later(created_at, MONTHS_OF_DATASETS) if said.end_time is None else said.end_time * 1000
        return cls("span", start, end, said.interval * (DAY if said.time_unit == "day" else HOUR))

    def slot(self, number: int) -> int:
        """Return a slot, counted from 0, whether it lies before the end or not."""
        return _months_later(self.start, number) if self.every == "month" else self.start + number * self.span

    def come(self, until: int) -> int:
        """Return how many slots have come up to a moment, with that moment."""
        if self.every == "evaluation":
            return 0
        until = min(until, LAST if self.end is None else self.end - 1)
        if until < self.start:
            return 0
        if self.every == "once":
            return 1
        if self.every == "span":
            return (until - self.start) // self.span + 1
        months = _months_between(self.start, until)
        return months + (self.slot(months) <= until)


@dataclass(frozen=True, slots=True)
class Due:
    """
    What is due: an export for a slot. ``missed``: so many slots passed without one, and this makes up for them.

    ``has_lapsed``: the end has come, so that nothing is written, and ``missed`` counts the slot too. ``until`` is up to
    where the schedule is settled with this.
    """

    slot: int
    missed: int
    until: int
    has_lapsed: bool = False


def begin(schedule: Schedule, mapped_at: int) -> int:
    """
    Return up to where a schedule is settled when it begins to count: when an audience is mapped, or its dates change.

    What was due before that is nobody's. A single export is: where its moment has passed, it is due at once.
    """
    return min(mapped_at, schedule.start) - 1 if schedule.every == "once" else mapped_at - 1


def due(schedule: Schedule, exported_until: int, now: int) -> Due | None:
    """
    Say what is due; ``None``: nothing, or it hangs on evaluations.

    >>> daily = Schedule("span", 0, 5 * DAY, DAY)
    >>> due(daily, -1, 2 * DAY), due(daily, 2 * DAY, 3 * DAY - 1)
    (Due(slot=172800000, missed=2, until=172800000, has_lapsed=False), None)
    """
    before, come = schedule.come(exported_until), schedule.come(now)
    if come <= before:
        return None
    return _due(schedule, schedule.slot(come - 1), come - before, now)


def due_after(schedule: Schedule, exported_until: int, ended: Iterable[int], now: int) -> Due | None:
    """
    Say what is due after evaluations of the audience, given when those ended that may not be settled yet.

    >>> due_after(Schedule("evaluation", 0, DAY), -1, [5, 7, 2 * DAY], 10)
    Due(slot=7, missed=1, until=7, has_lapsed=False)
    """
    if schedule.every != "evaluation":
        return None
    last = now if schedule.end is None else min(now, schedule.end - 1)
    counted = sorted(moment for moment in ended if max(exported_until + 1, schedule.start) <= moment <= last)
    return _due(schedule, counted[-1], len(counted), now) if counted else None


def _due(schedule: Schedule, slot: int, count: int, now: int) -> Due:
    has_lapsed = schedule.end is not None and now >= schedule.end
    until = FOREVER if schedule.is_once else slot
    return Due(slot, count if has_lapsed else count - 1, until, has_lapsed)


def next_slot(schedule: Schedule, now: int) -> int | None:
    """Return the first slot after now; ``None``: there is none, or it hangs on evaluations."""
    if schedule.every == "evaluation" or (schedule.every == "once" and now >= schedule.start):
        return None
    following, end = schedule.slot(schedule.come(now)), LAST if schedule.end is None else schedule.end
    return following if now < following < end else None


def is_over(schedule: Schedule, exported_until: int, now: int) -> bool:
    """Say whether nothing will ever be due any more, and all of it is settled."""
    if exported_until >= FOREVER:
        return True
    has_ended = schedule.end is not None and now >= schedule.end
    return has_ended and due(schedule, exported_until, now) is None


# -- the calendar -----------------------------------------------------------------------------------------------------


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


def _months_later(moment: int, months: int) -> int:
    """
    Return the same day and time so many months later, on the last day of a month that is too short.

    ``FOREVER`` stands for what is beyond the calendar.
    """
    begun = datetime.fromtimestamp(moment // 1000, UTC)
    years, month = divmod(begun.month - 1 + months, 12)
    year = begun.year + years
    if year > MAXYEAR:
        return FOREVER
    day = min(begun.day, monthrange(year, month + 1)[1])
    later = begun.replace(year=year, month=month + 1, day=day)
    return int(later.timestamp()) * 1000 + moment % 1000


def _months_between(start: int, until: int) -> int:
    first, last = (datetime.fromtimestamp(moment // 1000, UTC) for moment in (start, until))
    return (last.year - first.year) * 12 + last.month - first.month


def _incomplete(name: str) -> ConfigurationError:
    return ConfigurationError([Problem("missing-field", "/schedule", f"`{name}` is missing; files need it")])
