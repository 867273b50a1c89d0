"""
Functions of dates.

A date is a text in ISO 8601; a number is milliseconds since 1970. All is UTC.
Patterns are those of Java, as in templates.
"""

from datetime import UTC, datetime, timedelta

from headrace.mapping.calculated.registry import function
from headrace.mapping.calculated.values import CalculationError, Effort, Value, text_of, whole_of
from headrace.template.dates import EPOCH, elements, format_date, parse_date

#: What a part of a date is called, in small letters.
_PARTS = {
    **dict.fromkeys(("year", "yyyy", "yy"), "year"),
    **dict.fromkeys(("quarter", "qq", "q"), "quarter"),
    **dict.fromkeys(("month", "mm", "m"), "month"),
    **dict.fromkeys(("dayofyear", "dy", "y"), "dayofyear"),
    **dict.fromkeys(("day", "dd", "d"), "day"),
    **dict.fromkeys(("week", "ww"), "week"),
    **dict.fromkeys(("weekday", "dw", "w"), "weekday"),
    **dict.fromkeys(("hour", "hh", "hh24"), "hour"),
    "hh12": "hour of half",
    **dict.fromkeys(("minute", "mi", "n"), "minute"),
    **dict.fromkeys(("second", "ss", "s"), "second"),
    **dict.fromkeys(("millisecond", "ms"), "millisecond"),
}
_SETTABLE = ("year", "month", "day", "hour", "minute", "second")


@function(
    "date",
    takes=("text", "pattern?", "default?"),
    gives="text",
    examples=(
        ('date("2019-10-23 11:24")', "2019-10-23T11:24:00Z"),
        ('date("23.10.2019", "dd.MM.yyyy")', "2019-10-23T00:00:00Z"),
        ('date("2019-10-23T11:24:00+02:00")', "2019-10-23T09:24:00Z"),
        ('date(null, "yyyy", "2020-01-01")', "2020-01-01T00:00:00Z"),
    ),
)
def date(effort: Effort, text: Value, pattern: Value = None, default: Value = None) -> str | None:
    """Read a date, by a pattern or as ISO 8601, and write it as ISO 8601 in UTC. Null gives the default."""
    if text is None:
        return None if default is None else _iso(_moment(default, effort))
    if pattern is None:
        return _iso(_moment(text, effort))
    _charge(effort, pattern)
    return _iso(_after_epoch(parse_date(text_of(text, effort), text_of(pattern, effort))))


@function(
    "format",
    "dformat",
    takes=("date", "pattern"),
    gives="text",
    examples=(
        ('format("2019-10-23T11:24:35Z", "yyyy-MM-dd HH:mm:ss")', "2019-10-23 11:24:35"),
        ("""dformat(1571829875000, "yyyy-MM-dd'T'HH:mm:ss.SSSX")""", "2019-10-23T11:24:35.000Z"),
        ('format(null, "yyyy")', None),
    ),
)
def formatted(effort: Effort, value: Value, pattern: Value) -> str | None:
    """Write a date by a pattern."""
    if value is None:
        return None
    _charge(effort, pattern)
    return format_date(_moment(value, effort), text_of(pattern, effort))


@function(
    "date_part",
    takes=("part", "date"),
    gives="number",
    examples=(('date_part("MM", date("2019-10-17 11:55:12"))', 10), ('date_part("q", "2019-10-17")', 4)),
)
def date_part(effort: Effort, part: Value, value: Value) -> int | None:
    """Take one part of a date, such as `year`, `quarter`, `month`, `day`, `weekday` (Sunday is 1), or `hour`."""
    if value is None:
        return None
    name, moment = _part(effort, part), _moment(value, effort)
    derived = {
        "quarter": (moment.month + 2) // 3,
        "dayofyear": moment.timetuple().tm_yday,
        "week": moment.isocalendar().week,
        "weekday": moment.isoweekday() % 7 + 1,
        "hour of half": moment.hour % 12 or 12,
        "millisecond": moment.microsecond // 1000,
    }
    return derived[name] if name in derived else int(getattr(moment, name))


@function(
    "set_date_part",
    takes=("part", "value", "date"),
    gives="text",
    examples=(('set_date_part("m", 4, date("2016-11-09T11:44:44.797"))', "2016-04-09T11:44:44Z"),),
)
def set_date_part(effort: Effort, part: Value, number: Value, value: Value) -> str | None:
    """Write another year, month, day, hour, minute or second into a date."""
    if value is None:
        return None
    name = _part(effort, part)
    if name not in _SETTABLE:
        raise CalculationError(f"`set_date_part` sets one of {', '.join(_SETTABLE)}")
    try:
        return _iso(_moment(value, effort).replace(**{name: whole_of(number, "`set_date_part`")}))  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        raise CalculationError("`set_date_part` would make a date that is none") from None


@function(
    "zone_date_to_utc",
    takes=("date",),
    gives="text",
    examples=(('zone_date_to_utc("2019-10-17T11:55:12-08:00")', "2019-10-17T19:55:12Z"),),
)
def zone_date_to_utc(effort: Effort, value: Value) -> str | None:
    """Write a date with an offset as the same moment in UTC."""
    return None if value is None else _iso(_moment(value, effort))


def _charge(effort: Effort, pattern: Value) -> None:
    effort.charge(200 + 40 * len(elements(text_of(pattern, effort))))


def _part(effort: Effort, part: Value) -> str:
    name = _PARTS.get(text_of(part, effort).lower())
    if name is None:
        raise CalculationError(f"a part of a date is one of {', '.join(dict.fromkeys(_PARTS.values()))}")
    return name


def _moment(value: Value, effort: Effort) -> datetime:
    if type(value) is int or type(value) is float:
        return _after_epoch(int(value))
    try:
        moment = datetime.fromisoformat(text_of(value, effort).strip())
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise CalculationError("a text is no date in ISO 8601: name its pattern as well") from None


def _after_epoch(milliseconds: int) -> datetime:
    try:
        return EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        raise CalculationError("a date is outside of the years 1 to 9999") from None


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
