"""
A second writer, slow and plain, made from the rules alone; it shares no line with the kernel.

It walks over each value character by character, and takes options as the author wrote them.
"""

import struct
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime
from decimal import ROUND_FLOOR, Decimal, localcontext
from typing import Any

import pyarrow as pa

DEFAULTS = {
    "sep": ",",
    "quote": "",
    "escape": "\\",
    "quoteAll": "false",
    "escapeQuotes": "true",
    "header": "true",
    "ignoreLeadingWhiteSpace": "true",
    "ignoreTrailingWhiteSpace": "true",
    "nullValue": "",
    "emptyValue": '""',
    "dateFormat": "yyyy-MM-dd",
    "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss[.SSS][XXX]",
    "encoding": "UTF-8",
    "lineSep": "\n",
}
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
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
NAMED = {"\\t": "\t", "\\r": "\r", "\\n": "\n", "\\\\": "\\"}


def file_of(table: pa.Table, options: dict[str, Any]) -> bytes:
    said = {**DEFAULTS, **options}
    lines = [[("text", name) for name in table.schema.names]] if said["header"] == "true" else []
    columns = [values_of(column, said) for column in table.columns]
    lines += [list(row) for row in zip(*columns, strict=True)]
    text = ""
    for place, line in enumerate(lines):
        is_header = place == 0 and said["header"] == "true"
        cells = [cell(kind, value, said, column == 0, is_header) for column, (kind, value) in enumerate(line)]
        if whole := separator(said).join(cells):
            text += whole + character(said["lineSep"])
    if said["encoding"] == "UTF-8":
        return text.encode()
    return b"\xfe\xff" + text.encode("utf-16-be") if text else b""


def separator(said: dict[str, Any]) -> str:
    return NAMED.get(said["sep"], said["sep"])


def character(text: str) -> str:
    return NAMED.get(text, text) or "\0"


# -- cells ------------------------------------------------------------------------------------------------------------


def cell(kind: str, value: str | None, said: dict[str, Any], is_first: bool, is_header: bool) -> str:
    quote, before = character(said["quote"]), said["ignoreLeadingWhiteSpace"] == "true"
    after = said["ignoreTrailingWhiteSpace"] == "true"
    is_replaced = value is None
    if value is None:
        value = said["nullValue"]
    elif value == "" or ((before or after) and all(one <= " " for one in value)):
        value, is_replaced = said["emptyValue"], True
    start = 0
    while before and start < len(value) and value[start] <= " ":
        start += 1
    rest = value[start:]
    if (
        kind == "text"
        and not is_header
        and not is_replaced
        and said.get("formulaGuard")
        and rest[:1] in FORMULAS
        and rest
    ):
        rest = "'" + rest
    must = said["quoteAll"] == "true" or rest[:1] == quote or (is_first and value[:1] == "#" and rest != "")
    if must and is_replaced and len(value) > 1 and value[0] == quote and value[-1] == quote:
        return value
    triggers = [separator(said), "\n", "\r", character(said["lineSep"])]
    triggers += [quote] if said["escapeQuotes"] == "true" else []
    is_quoted = must or any(rest.startswith(trigger, at) for at in range(len(rest)) for trigger in triggers)
    body = "".join(escaped(one, said) for one in rest) if is_quoted else rest
    while after and body and body[-1] <= " ":
        body = body[:-1]
    return quote + body + quote if is_quoted else body


FORMULAS = "=+-@\t\r\0"


def escaped(one: str, said: dict[str, Any]) -> str:
    quote, escape = character(said["quote"]), character(said["escape"])
    if one == quote:
        return escape + one
    if one != escape:
        return one
    own = said.get("charToEscapeQuoteEscaping")
    return (own if own is not None else escape) + one


# -- values -----------------------------------------------------------------------------------------------------------


def values_of(column: pa.ChunkedArray, said: dict[str, Any]) -> list[tuple[str, str | None]]:
    kind = column.type
    name = "text" if pa.types.is_string(kind) or pa.types.is_large_string(kind) else "other"
    return [(name, None if value is None else text_of(value, kind, said)) for value in column.to_pylist()]


def text_of(value: Any, kind: pa.DataType, said: dict[str, Any]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return java_float(value, "f" if pa.types.is_float32(kind) else "d")
    if isinstance(value, Decimal):
        return java_decimal(value, kind.scale)
    if isinstance(value, datetime):
        return printed(said["timestampFormat"], value, has_time=True, has_zone=kind.tz is not None)
    if isinstance(value, date):
        return printed(said["dateFormat"], datetime(value.year, value.month, value.day), has_time=False, has_zone=False)
    if isinstance(value, bytes):
        return "[" + " ".join(f"{byte:02X}" for byte in value) + "]"
    return str(value)


def java_float(x: float, code: str) -> str:
    """The fewest digits, and at least two, that are read back as the number; of those the nearest."""
    if x != x:
        return "NaN"
    sign = "-" if struct.pack(">d", x)[0] & 0x80 else ""
    x = abs(x)
    if x == float("inf"):
        return sign + "Infinity"
    if x == 0:
        return sign + "0.0"
    written = next(text for places in range(1, 18) for text in near(x, places) if read_back(text, code) == x)
    digits, exponent = written.split("e")
    digits, point = digits.replace(".", "").rstrip("0"), int(exponent)
    if not -3 <= point < 7:
        return f"{sign}{digits[0]}.{digits[1:] or '0'}E{point}"
    if point < 0:
        return f"{sign}0.{'0' * (-point - 1)}{digits}"
    digits = digits.ljust(point + 2, "0")
    return f"{sign}{digits[: point + 1]}.{digits[point + 1 :]}"


def near(x: float, places: int) -> list[str]:
    """The two decimals of so many places around a number, the nearer one first; of two as near, the even one."""
    exact = Decimal(x)
    step = Decimal((0, (1,), exact.adjusted() - places))
    with localcontext(prec=1200):
        below = (exact / step).to_integral_value(ROUND_FLOOR)
        both = sorted((below, below + 1), key=lambda one: (abs(one * step - exact), one % 2))
        return [f"{one * step:.{places}e}" for one in both]


def read_back(text: str, code: str) -> float:
    try:
        return struct.unpack(code, struct.pack(code, float(text)))[0]
    except OverflowError:
        return float("inf")


def java_decimal(value: Decimal, scale: int) -> str:
    """All places there are; with an exponent where the first digit stands after the sixth place."""
    sign, digits, exponent = value.as_tuple()
    whole = "".join(map(str, digits)) + "0" * (int(exponent) + scale)
    whole = whole.lstrip("0") or "0"
    minus = "-" if sign and whole != "0" else ""
    first = len(whole) - 1 - scale
    if first < -6:
        return f"{minus}{whole[0]}{'.' if whole[1:] else ''}{whole[1:]}E{first}"
    whole = whole.rjust(scale + 1, "0")
    return f"{minus}{whole[: len(whole) - scale]}.{whole[len(whole) - scale :]}" if scale else minus + whole


# -- patterns ---------------------------------------------------------------------------------------------------------


class Missing(Exception):
    """A field that a value does not have."""


def printed(pattern: str, at: datetime, *, has_time: bool, has_zone: bool) -> str:
    return "".join(pieces(pattern, at, has_time=has_time, has_zone=has_zone))


def pieces(pattern: str, at: datetime, *, has_time: bool, has_zone: bool) -> Iterator[str]:
    place = 0
    while place < len(pattern):
        one = pattern[place]
        if one == "'":
            end = place + 1
            text = ""
            while pattern[end : end + 1] != "'" or pattern[end : end + 2] == "''":
                text += pattern[end]
                end += 2 if pattern[end] == "'" else 1
            yield text or "'"
            place = end + 1
        elif one == "[":
            inner, place = bracket(pattern, place)
            with suppress(Missing):
                yield printed(inner, at, has_time=has_time, has_zone=has_zone)
        elif one.isascii() and one.isalpha():
            count = len(pattern[place:]) - len(pattern[place:].lstrip(one))
            yield field(one, count, at, has_time=has_time, has_zone=has_zone)
            place += count
        else:
            yield one
            place += 1


def bracket(pattern: str, start: int) -> tuple[str, int]:
    depth, place, is_literal = 0, start, False
    while place < len(pattern):
        one = pattern[place]
        is_literal ^= one == "'"
        if not is_literal:
            depth += {"[": 1, "]": -1}.get(one, 0)
        if depth == 0:
            return pattern[start + 1 : place], place + 1
        place += 1
    return pattern[start + 1 :], place


def field(letter: str, count: int, at: datetime, *, has_time: bool, has_zone: bool) -> str:
    if (letter in "aHhKkmsS" and not has_time) or (letter in "VzOXxZ" and not has_zone):
        raise Missing(letter)
    quarter = (at.month - 1) // 3 + 1
    if letter == "y" and count == 2:
        return f"{at.year % 100:02d}"
    if letter == "S":
        return f"{at.microsecond:06d}000"[:count]
    if letter in "ML" and count > 2:
        return MONTHS[at.month - 1][: 3 if count == 3 else 99]
    if letter in "Qq" and count > 2:
        return f"Q{quarter}" if count == 3 else ("1st", "2nd", "3rd", "4th")[quarter - 1] + " quarter"
    if letter == "E":
        return DAYS[at.weekday()][: 3 if count < 4 else 99]
    if letter == "G":
        return "AD" if count < 4 else "Anno Domini"
    if letter == "a":
        return "AM" if at.hour < 12 else "PM"
    if letter in "VzOXxZ":
        return zone(letter, count)
    number = {
        "y": at.year,
        "M": at.month,
        "L": at.month,
        "d": at.day,
        "D": at.timetuple().tm_yday,
        "Q": quarter,
        "q": quarter,
        "F": (at.day - 1) % 7 + 1,
        "H": at.hour,
        "k": at.hour or 24,
        "K": at.hour % 12,
        "h": at.hour % 12 or 12,
        "m": at.minute,
        "s": at.second,
    }[letter]
    return f"{number:0{count}d}"


def zone(letter: str, count: int) -> str:
    """UTC in words and in numbers."""
    if letter == "V" or (letter == "z" and count < 4):
        return "UTC"
    if letter == "z":
        return "Coordinated Universal Time"
    if letter == "O" or (letter == "Z" and count == 4):
        return "GMT"
    if letter == "X" or (letter == "Z" and count == 5):
        return "Z"
    if letter == "x" and count == 1:
        return "+00"
    return "+00:00" if letter == "x" and count in (3, 5) else "+0000"
