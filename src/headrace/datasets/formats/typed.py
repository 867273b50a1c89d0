"""Values of text files as what their columns are said to hold."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import orjson
import pyarrow as pa

TYPES: dict[str, pa.DataType] = {
    "text": pa.string(),
    "whole": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "moment": pa.timestamp("us", "UTC"),
}
_NAMES = {
    "text": "text",
    "whole": "whole number of 64 bits",
    "number": "number",
    "boolean": "`true` or `false`",
    "date": "date like 2026-03-01",
    "moment": "moment like 2026-03-01T12:00:00Z",
}
_WHOLE = re.compile(r"[+-]?\d{1,19}")
_TRUTH = {"true": True, "false": False, "1": True, "0": False}


def converted(kinds: Mapping[str, str], row: dict[str, Any]) -> str | None:
    """
    Put into a row, in the place of its values, what its columns are said to hold.

    Returns what is wrong, without the value, which is somebody's; ``None``: nothing is.
    """
    for name, kind in kinds.items():
        value = row.get(name)
        if value is None:
            continue
        try:
            row[name] = _CONVERT[kind](value)
        except (ValueError, TypeError, OverflowError):
            return f"`{name}` is no {_NAMES[kind]}"
    return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _whole(value: Any) -> int:
    if isinstance(value, str):
        if _WHOLE.fullmatch(value.strip()) is None:
            raise ValueError
        value = int(value)
    if type(value) is not int or not -(1 << 63) <= value < 1 << 63:
        raise ValueError
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not math.isfinite(number := float(value)):
        raise ValueError
    return number


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    said = _TRUTH.get(str(value).strip().lower())
    if said is None:
        raise ValueError
    return said


def _date(value: Any) -> date:
    return date.fromisoformat(value.strip())


def _moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(value.strip())
    return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


_CONVERT: dict[str, Callable[[Any], Any]] = {
    "text": _text,
    "whole": _whole,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "moment": _moment,
}
