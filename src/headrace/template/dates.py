"""
The filter ``date``: patterns of Java's ``SimpleDateFormat``, both ways, in English and UTC unless told otherwise.

Reading is lenient as Java's is: fields roll over, text behind the part that was read is ignored. One thing differs on
purpose: digits after a decimal point are a fraction of a second, where Java takes ``.947859`` for 947 859 milliseconds.
"""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from headrace.template.limits import Meter
from headrace.template.registry import filters
from headrace.template.timetext import DateFields, milliseconds
from headrace.template.values import RenderError, Safe, kind_name
from headrace.template.zones import ABBREVIATIONS, minutes_east, zone, zone_text

DEFAULT_PATTERN = "yyyy-MM-dd'T'HH:mm:ssZ"
LONGEST_PATTERN = 200
STEPS_OF_A_CHARACTER = 3  # of a pattern that is met for the first time
STEPS_OF_A_FIELD, STEPS_OF_A_READ_FIELD = 2, 4
STEPS_OF_A_READING, STEPS_OF_A_ZONE = 15, 10
LETTERS = "GyYMLwWDdFEuaHkKhmsSzZX"
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_DIGITS = re.compile(r"-?[0-9]+")
_RFC_ZONE = re.compile(r"([+-])([0-9]{2})([0-9]{2})")
_GMT_ZONE = re.compile(r"GMT(?:([+-])([0-9]{1,2}):([0-9]{2}))?", re.IGNORECASE)
_ISO_ZONE = {
    1: re.compile(r"([+-])([0-9]{2})"),
    2: re.compile(r"([+-])([0-9]{2})([0-9]{2})"),
    3: re.compile(r"([+-])([0-9]{2}):([0-9]{2})"),
}
_BY_LENGTH = sorted(ABBREVIATIONS, key=len, reverse=True)


@dataclass(frozen=True, slots=True)
class Field:
    """A run of one pattern letter."""

    letter: str
    count: int

    @property
    def is_number(self) -> bool:
        """Whether it is written in digits, so that its width counts where another such field follows."""
        return self.letter not in "GEazZX" and not (self.letter in "ML" and self.count > 2)


Element = Field | str


@filters.register("date", "format", "existingFormat", "timeZone")
def date(meter: Meter, value: object, pattern: object = None, existing: object = None, name: object = None) -> object:
    """A moment as text. A number is milliseconds since 1970; a string is read with ``existingFormat``."""
    if value is None:
        return None
    meter.charge(LONGEST_PATTERN)
    if isinstance(value, str):
        moment = _datetime(_read(meter, value, _pattern("existingFormat", existing)))
    else:
        moment = _moment(value)
    if name is not None:
        meter.spend(STEPS_OF_A_ZONE)
        moment = _at_zone(moment, zone(_text("timeZone", name)))
    chosen = _pattern("format", pattern)
    meter.first_use(chosen, STEPS_OF_A_CHARACTER * len(chosen))
    meter.spend(STEPS_OF_A_FIELD * len(elements(chosen)))
    return Safe(format_date(moment, chosen))


def _read(meter: Meter, value: str, pattern: str) -> int:
    meter.first_use(pattern, STEPS_OF_A_CHARACTER * len(pattern))
    meter.spend(STEPS_OF_A_READING + STEPS_OF_A_READ_FIELD * len(elements(pattern)))
    return parse_date(str.__str__(value), pattern)


def _text(argument: str, value: object) -> str:
    if isinstance(value, str):
        return str.__str__(value)
    raise RenderError(f"argument `{argument}` of filter `date` must be a string, not {kind_name(value)}")


def _pattern(argument: str, value: object) -> str:
    return DEFAULT_PATTERN if value is None else _text(argument, value)


def _moment(value: object) -> datetime:
    if type(value) is int:
        return _datetime(value)
    if type(value) is float and math.isfinite(value):
        return _datetime(int(value))
    raise RenderError(f"filter `date` takes a number or a string, not {kind_name(value)}")


def _datetime(since_epoch: int) -> datetime:
    try:
        return EPOCH + timedelta(milliseconds=since_epoch)
    except OverflowError:
        raise RenderError("filter `date` was given a moment outside of the years 1 to 9999") from None


def _at_zone(moment: datetime, place: object) -> datetime:
    try:
        return moment.astimezone(place)  # type: ignore[arg-type]
    except OverflowError:
        raise RenderError("filter `date` was given a moment outside of the years 1 to 9999") from None


# Patterns -----------------------------------------------------------------------------------------------------------


@lru_cache(256)
def elements(pattern: str) -> tuple[Element, ...]:
    """The fields and literal texts of a pattern. Raises: RenderError if it is none."""
    if len(pattern) > LONGEST_PATTERN:
        raise RenderError(f"a date pattern is longer than {LONGEST_PATTERN} characters", limit="pattern")
    return tuple(_joined(_elements(pattern)))


def _elements(pattern: str) -> Iterator[Element]:
    position = 0
    while position < len(pattern):
        start, character = position, pattern[position]
        if character == "'":
            literal, position = _quoted(pattern, position)
            yield literal
        elif character.isascii() and character.isalpha():
            while pattern[position : position + 1] == character:
                position += 1
            yield _field(character, position - start)
        else:
            position += 1
            yield character


def _joined(parts: Iterator[Element]) -> Iterator[Element]:
    literal = ""
    for part in parts:
        if isinstance(part, str):
            literal += part
            continue
        if literal:
            yield literal
            literal = ""
        yield part
    if literal:
        yield literal


def _quoted(pattern: str, start: int) -> tuple[str, int]:
    if pattern[start + 1 : start + 2] == "'":
        return "'", start + 2
    literal, position = "", start + 1
    while True:
        end = pattern.find("'", position)
        if end < 0:
            raise RenderError("a date pattern has a quote that is not closed")
        literal += pattern[position:end]
        if pattern[end + 1 : end + 2] != "'":
            return literal, end + 1
        literal += "'"
        position = end + 2


def _field(letter: str, count: int) -> Field:
    if letter not in LETTERS:
        raise RenderError(f"`{letter}` is an illegal pattern character of a date; letters that are text are quoted")
    if letter == "X" and count > 3:
        raise RenderError("a date pattern has at most three `X` in a row")
    return Field(letter, count)


# Printing -----------------------------------------------------------------------------------------------------------


def format_date(moment: datetime, pattern: str) -> str:
    """
    A moment by a pattern.

    >>> format_date(datetime(2024, 3, 1, 18, 34, 24, tzinfo=UTC), "EEE, d MMM yyyy HH:mm:ss.SSSX")
    'Fri, 1 Mar 2024 18:34:24.000Z'
    """
    return "".join(part if isinstance(part, str) else _printed(moment, part) for part in elements(pattern))


def _printed(moment: datetime, field: Field) -> str:
    letter, count = field.letter, field.count
    if letter in _NUMBERS:
        return f"{_NUMBERS[letter](moment):0{count}}"
    if letter in "yY":
        year = moment.year if letter == "y" else _week_of_year(moment)[0]
        return f"{year % 100:02}" if count == 2 else f"{year:0{count}}"
    if letter in "ML":
        name = MONTHS[moment.month - 1]
        return f"{moment.month:0{count}}" if count < 3 else name[:3] if count == 3 else name
    if letter == "E":
        return WEEKDAYS[moment.weekday()][: None if count > 3 else 3]
    if letter == "G":
        return "AD"
    if letter == "a":
        return "AM" if moment.hour < 12 else "PM"
    return zone_text(moment, full=count > 3) if letter == "z" else _zone_offset(moment, field)


def _zone_offset(moment: datetime, field: Field) -> str:
    east = minutes_east(moment)
    sign, hours, minutes = "+" if east >= 0 else "-", abs(east) // 60, abs(east) % 60
    if field.letter == "Z":
        return f"{sign}{hours:02}{minutes:02}"
    if east == 0:
        return "Z"
    return f"{sign}{hours:02}" + ("", f"{minutes:02}", f":{minutes:02}")[field.count - 1]


def _week_of_year(moment: datetime) -> tuple[int, int]:
    """Week year and week: weeks start on Sunday, and the first is the one with the first of January."""
    saturday = moment.toordinal() + (5 - moment.weekday()) % 7
    year = datetime.fromordinal(saturday).year if saturday <= datetime.max.toordinal() else moment.year + 1
    first = datetime(year, 1, 1).toordinal() if year <= 9999 else datetime.max.toordinal() + 1
    return year, (saturday - first) // 7 + 1


def _week_of_month(moment: datetime) -> int:
    first_weekday = moment.replace(day=1).isoweekday() % 7
    return (moment.day + first_weekday - 1) // 7 + 1


_NUMBERS: dict[str, Callable[[datetime], int]] = {
    "w": lambda moment: _week_of_year(moment)[1],
    "W": _week_of_month,
    "D": lambda moment: moment.timetuple().tm_yday,
    "d": lambda moment: moment.day,
    "F": lambda moment: (moment.day - 1) // 7 + 1,
    "u": lambda moment: moment.isoweekday(),
    "H": lambda moment: moment.hour,
    "k": lambda moment: moment.hour or 24,
    "K": lambda moment: moment.hour % 12,
    "h": lambda moment: moment.hour % 12 or 12,
    "m": lambda moment: moment.minute,
    "s": lambda moment: moment.second,
    "S": lambda moment: moment.microsecond // 1000,
}


# Reading ------------------------------------------------------------------------------------------------------------


def parse_date(text: str, pattern: str) -> int:
    """
    Milliseconds since 1970 of a text that starts with what the pattern says.

    >>> parse_date("2022-13-45", "yyyy-MM-dd") == parse_date("2023-02-14", "yyyy-MM-dd")
    True
    """
    reader = _Reader(text, elements(pattern))
    try:
        return milliseconds(reader.read())
    except (_UnreadableError, OverflowError, ValueError):
        raise RenderError(f"a text cannot be read as a date with the pattern `{pattern}`") from None


class _UnreadableError(Exception):
    pass


class _Reader:
    """Reads one text by the elements of a pattern."""

    def __init__(self, text: str, parts: tuple[Element, ...]) -> None:
        self.text = text
        self.parts = parts
        self.position = 0
        self.fields = DateFields()

    def read(self) -> DateFields:
        for index, part in enumerate(self.parts):
            if isinstance(part, str):
                self._literal(part)
            else:
                self._skip_blanks()
                self._field(part, index)
        return self.fields

    def _literal(self, literal: str) -> None:
        if not self.text.startswith(literal, self.position):
            raise _UnreadableError
        self.position += len(literal)

    def _skip_blanks(self) -> None:
        while self.text[self.position : self.position + 1] in (" ", "\t"):
            self.position += 1

    def _field(self, field: Field, index: int) -> None:
        letter = field.letter
        if field.is_number:
            self._number(field, index)
        elif letter in "ML":
            self.fields.put("M", self._one_of(MONTHS) + 1)
        elif letter == "E":
            self.fields.put("u", self._one_of(WEEKDAYS) + 1)
        elif letter == "a":
            self.fields.put("a", self._one_of(["AM", "PM"]))
        elif letter == "G":
            self.fields.put("G", self._one_of(["BC", "AD"]))
        else:
            self.fields.east = self._iso_zone(field.count) if letter == "X" else self._zone()

    def _one_of(self, names: list[str]) -> int:
        """The longest of the full and three-letter names that stands here, in any case."""
        rest = self.text[self.position : self.position + 12].lower()
        best, length = -1, 0
        for number, name in enumerate(names):
            for form in (name.lower(), name[:3].lower()):
                if len(form) > length and rest.startswith(form):
                    best, length = number, len(form)
        if best < 0:
            raise _UnreadableError
        self.position += length
        return best

    def _number(self, field: Field, index: int) -> None:
        following = self.parts[index + 1] if index + 1 < len(self.parts) else ""
        fixed = isinstance(following, Field) and following.is_number
        end = self.position + field.count if fixed else len(self.text)
        match = _DIGITS.match(self.text, self.position, end)
        if not match or end > len(self.text) or len(match.group()) > 18:
            raise _UnreadableError
        self.position = match.end()
        self.fields.put(*self._meaning(field, match.group(), index))

    def _meaning(self, field: Field, digits: str, index: int) -> tuple[str, int]:
        value = int(digits)
        if field.letter == "S":
            before = self.parts[index - 1] if index else ""
            is_fraction = isinstance(before, str) and before.endswith((".", ","))
            return "S", int(f"{digits}00"[:3]) if is_fraction else value
        if field.letter in "yY" and field.count <= 2 and len(digits) == 2 and digits.isdigit():
            return field.letter, _within_the_century(value)
        return "M" if field.letter == "L" else field.letter, value

    def _zone(self) -> int:
        """``+0000``, ``GMT+01:00`` or a name."""
        match = _RFC_ZONE.match(self.text, self.position) or _GMT_ZONE.match(self.text, self.position)
        if match:
            return self._east(match)
        for name in _BY_LENGTH:
            if self.text[self.position : self.position + len(name)].upper() == name:
                self.position += len(name)
                return round(ABBREVIATIONS[name][0] * 60)
        raise _UnreadableError

    def _iso_zone(self, count: int) -> int:
        if self.text.startswith("Z", self.position):
            self.position += 1
            return 0
        match = _ISO_ZONE[count].match(self.text, self.position)
        if not match:
            raise _UnreadableError
        return self._east(match)

    def _east(self, match: re.Match[str]) -> int:
        self.position = match.end()
        sign, hours, *minutes = match.groups(default="0")
        past = int(minutes[0]) if minutes else 0
        if int(hours) > 23 or past > 59:
            raise _UnreadableError
        return (60 * int(hours) + past) * (-1 if sign == "-" else 1)


def _within_the_century(year: int) -> int:
    """Two digits mean a year from 80 years ago to 20 years ahead."""
    start = datetime.now(UTC).year - 80
    return start + (year - start) % 100
