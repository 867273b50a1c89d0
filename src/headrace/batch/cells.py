"""
Values of people as cells of a typed column.

A value that is not what its column holds leaves no cell: it is counted, and fails nobody's file. Texts may stand for
what they write, because people are sent with numbers and dates in quotes more often than not.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, Final

import orjson
import pyarrow as pa

from headrace.batch.selection import ColumnType
from headrace.model.profile import instant


class Unfit:
    """Stands for a value that does not fit its column."""


UNFIT: Final = Unfit()
Cell = Callable[[Any], Any]
ARROW: dict[ColumnType, pa.DataType] = {
    "string": pa.large_string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "date-time": pa.timestamp("us", tz="UTC"),
    "object": pa.large_string(),
}
_LARGEST = 2**63
#: Beyond this, a number with a fraction is not the whole number that it seems to be.
_LARGEST_SURE = 2**53
_WHOLE = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,300}(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ].{2,24}", re.ASCII)
_EARLIEST, _LATEST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)


def text(value: Any) -> Any:
    """
    Write a plain value as text: numbers and truth values as JSON does.

    >>> text(1.0), text(True), text("a")
    ('1.0', 'true', 'a')
    """
    return value if type(value) is str else document(value)


def integer(value: Any) -> Any:
    """Read a whole number, or a text that is one."""
    if type(value) is float and value.is_integer() and abs(value) <= _LARGEST_SURE:
        return int(value)
    if type(value) is str and _WHOLE.fullmatch(value):
        value = int(value)
    return value if type(value) is int and -_LARGEST <= value < _LARGEST else UNFIT


def number(value: Any) -> Any:
    """Read a number, or a text that is one."""
    if type(value) is str and _NUMBER.fullmatch(value):
        value = float(value)
    is_number = type(value) is int or (type(value) is float and math.isfinite(value))
    return float(value) if is_number else UNFIT


def boolean(value: Any) -> Any:
    """Read a truth value, or a text that is one."""
    if value == "true" or value == "false":
        return value == "true"
    return value if type(value) is bool else UNFIT


def day(value: Any) -> Any:
    """Read a day; of a moment, the day that it is in UTC."""
    if type(value) is not str:
        return UNFIT
    try:
        if _DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        return UNFIT
    read = moment(value)
    return read.date() if isinstance(read, datetime) else UNFIT


def moment(value: Any) -> Any:
    """Read a moment, in UTC where it names no zone; of a day, its beginning."""
    if type(value) is not str or not (_MOMENT.fullmatch(value) or _DAY.fullmatch(value)):
        return UNFIT
    try:
        read = instant(value).astimezone(UTC)
    except (ValueError, OverflowError):
        return UNFIT
    return read if _EARLIEST <= read <= _LATEST else UNFIT


def document(value: Any) -> Any:
    """Write anything as JSON that can be."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # A whole number of more than 64 bits, or too deep.
        return UNFIT


CELLS: dict[ColumnType, Cell] = {
    "string": text,
    "integer": integer,
    "number": number,
    "boolean": boolean,
    "date": day,
    "date-time": moment,
    "object": document,
}


def cell_of(type_: ColumnType) -> Cell:
    """Return what makes cells of values: nothing is none, nor is the empty text where it is no value."""
    make = CELLS[type_]
    is_text = type_ in ("string", "object")

    def cell(value: Any) -> Any:
        if value is None or (value == "" and not is_text):
            return None
        return make(value)

    return cell
