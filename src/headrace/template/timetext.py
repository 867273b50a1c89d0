"""The moment that a set of date fields means, as Java's lenient calendar finds it."""

from datetime import date


class DateFields:
    """What was read of a date: fields by pattern letter, in the order they were read; months count from 1."""

    __slots__ = ("east", "values")

    def __init__(self) -> None:
        self.values: dict[str, int] = {}
        self.east = 0

    def put(self, letter: str, value: int) -> None:
        """Note a field; what is read later is more recent."""
        self.values.pop(letter, None)
        self.values[letter] = value

    def get(self, letter: str, default: int) -> int:
        """The value of a field."""
        return self.values.get(letter, default)


def milliseconds(fields: DateFields) -> int:
    """Milliseconds since 1970. Raises: OverflowError or ValueError outside of the years 1 to 9999."""
    days = _day(fields) - date(1970, 1, 1).toordinal()
    minutes = (days * 24 + _hour(fields)) * 60 + fields.get("m", 0) - fields.east
    return (minutes * 60 + fields.get("s", 0)) * 1000 + fields.get("S", 0)


def _hour(fields: DateFields) -> int:
    of_day = [letter for letter in fields.values if letter in "HkKh"]
    last = of_day[-1] if of_day else "H"
    value = fields.get(last, 0)
    if last == "H":
        return value
    if last == "k":
        return 0 if value == 24 else value
    return (0 if last == "h" and value == 12 else value) + 12 * fields.get("a", 0)


def _day(fields: DateFields) -> int:
    """The ordinal of the day, from the most recent of the ways in which a day can be given."""
    ways = [letter for letter in fields.values if letter in "MdDwWF"]
    way = ways[-1] if ways else "d"
    if way == "D":
        return _first_of(fields.get("y", 1970), 1) + fields.values["D"] - 1
    if way == "w":
        year = fields.get("Y", fields.get("y", 1970))
        return _in_week(_first_of(year, 1), fields.values["w"], fields)
    first = _first_of(_year(fields), fields.get("M", 1))
    if way == "W":
        return _in_week(first, fields.values["W"], fields)
    if way == "F":
        weekday = fields.get("u", 7) % 7
        return first + (weekday - first) % 7 + 7 * (fields.values["F"] - 1)
    return first + fields.get("d", 1) - 1


def _year(fields: DateFields) -> int:
    year = fields.get("y", fields.get("Y", 1970))
    return 1 - year if fields.get("G", 1) == 0 else year


def _first_of(year: int, month: int) -> int:
    """The first of a month that may lie outside of its year."""
    years, month = divmod(month - 1, 12)
    return date(year + years, month + 1, 1).toordinal()


def _in_week(first: int, week: int, fields: DateFields) -> int:
    """A weekday of the n-th week, where the first week has the day ``first`` and weeks start on Sunday."""
    return first - first % 7 + 7 * (week - 1) + fields.get("u", 7) % 7
