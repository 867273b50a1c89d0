"""Cron expressions: at which minutes something is done, in UTC."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile

MINUTE = 60_000
#: A leap day comes again within eight years.
_LONGEST_WAIT = timedelta(days=8 * 366)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_PART = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?", re.ASCII)


class NotCron(ValueError):
    """A text is no cron expression; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Cron:
    """
    A cron expression of five fields: minute, hour, day of the month, month, day of the week.

    A field is ``*``, numbers, ranges, lists of them, with steps; months and days of the week have names, and Sunday is
    0 and 7. Where both days are restricted, either will do, as everywhere.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    is_either_day: bool

    @classmethod
    def parse(cls, text: str) -> "Cron":
        """
        Read an expression.

        Raises:
            NotCron: it is none, or its time never comes.
        """
        fields = text.lower().split()
        if len(fields) != 5:
            raise NotCron(f"{text!r} has {len(fields)} fields: minute, hour, day of month, month, day of week are five")
        minute, hour, day, month, weekday = fields
        cron = cls(
            tuple(sorted(_values("minute", minute, 0, 59))),
            tuple(sorted(_values("hour", hour, 0, 23))),
            frozenset(_values("day of month", day, 1, 31)),
            frozenset(_values("month", month, 1, 12, _MONTHS, 1)),
            frozenset(value % 7 for value in _values("day of week", weekday, 0, 7, _WEEKDAYS)),
            not day.startswith("*") and not weekday.startswith("*"),
        )
        if next(cron.after(0), None) is None:
            raise NotCron(f"{text!r} names a day that never comes")
        return cron

    def after(self, moment: int) -> Iterator[int]:
        """
        Yield the moments after one, in milliseconds since 1970 UTC, for as long as there are any.

        >>> next(Cron.parse("30 6 * * mon").after(0)) == (4 * 24 * 60 + 6 * 60 + 30) * MINUTE
        True
        """
        day, last = datetime.fromtimestamp(moment / 1000, UTC).date(), None
        while day - (last or day) < _LONGEST_WAIT:
            last = last or day
            if self._is_on(day):
                last = day
                yield from (at for at in self._on(day) if at > moment)
            day += timedelta(days=1)

    def between(self, after: int, until: int) -> Iterator[int]:
        """Yield the moments after one and up to another, that one included."""
        return takewhile(lambda moment: moment <= until, self.after(after))

    def _is_on(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        by_month, by_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_month or by_week if self.is_either_day else by_month and by_week

    def _on(self, day: date) -> Iterator[int]:
        start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
        return (start + (hour * 60 + minute) * MINUTE for hour in self.hours for minute in self.minutes)


def _values(field: str, text: str, lowest: int, highest: int, names: tuple[str, ...] = (), base: int = 0) -> set[int]:
    numbers = {name: number for number, name in enumerate(names, base)}
    values: set[int] = set()
    for part in text.split(","):
        found = _PART.fullmatch(part)
        if found is None:
            raise NotCron(f"{part!r} is nothing that the field {field!r} can be")
        first, last, step = found["first"], found["last"], int(found["step"] or 1)
        start = lowest if first is None else _number(field, first, numbers)
        end = highest if first is None or (last is None and found["step"]) else _number(field, last or first, numbers)
        if not lowest <= start <= end <= highest or step == 0:
            raise NotCron(f"{part!r} is outside of what the field {field!r} can be: {lowest} to {highest}")
        values |= set(range(start, end + 1, step))
    return values


def _number(field: str, text: str, names: dict[str, int]) -> int:
    if text in names:
        return names[text]
    if not text.isdecimal():
        raise NotCron(f"{text!r} is nothing that the field {field!r} can be")
    return int(text)
