"""Values of calculated fields: plain JSON, what may be done with it, and how much of it."""

import math
import sys
from collections.abc import Iterator
from typing import Any, Literal

import orjson

from headrace.template.limits import Limits, Meter
from headrace.template.values import RenderError

Value = Any
Kind = Literal["text", "number", "truth", "array", "object", "anything"]
KIND_OF: dict[type, Kind] = {
    str: "text",
    int: "number",
    float: "number",
    bool: "truth",
    list: "array",
    dict: "object",
}
LARGEST_WHOLE = 2**63 - 1
#: What one calculation may do and make.
LIMITS = Limits(steps=100_000, strings=1 << 18, items=10_000)


class CalculationError(Exception):
    """What went wrong with one person's data. It names kinds and functions, never a value."""


class Effort(Meter):
    """Counts what one calculation does. What it made counts, held or not: a calculation is short."""

    def __init__(self) -> None:
        super().__init__(LIMITS, sys._getframe().f_code)

    def exhausted(self) -> None:
        """Say that the steps are used up."""
        raise RenderError(f"it takes more than {self.limits.steps:,} steps", limit="steps")

    def _take_stock(self, size: int) -> None:
        raise RenderError(f"it makes more than {self.limits.strings:,} characters", limit="strings")


def kind_of(value: Value) -> str:
    """Say what a value is."""
    return "null" if value is None else KIND_OF[type(value)]


def weigh(value: Value, effort: Effort) -> None:
    """Charge for all that a list or an object holds, and for each time that it holds it."""
    pending = [value]
    while pending:
        part = pending.pop()
        if isinstance(part, list):
            effort.collection(len(part))
            pending += part
        elif isinstance(part, dict):
            effort.collection(len(part))
            pending += part.values()
        elif type(part) is str:
            effort.charge(len(part))


def text_of(value: Value, effort: Effort) -> str:
    """Write a value as text: lists and objects as JSON, truth values as ``true`` and ``false``."""
    if type(value) is str:
        return value
    weigh(value, effort)
    try:
        return orjson.dumps(value).decode()
    except (orjson.JSONEncodeError, TypeError):
        raise CalculationError("a value is nested too deep to be written as text") from None


def number_of(value: Value, what: str) -> int | float:
    """Read a number, or a text that is one."""
    if type(value) is int or type(value) is float:
        return value
    if type(value) is str and len(value) <= 40:
        try:
            return checked(int(value) if value.strip().lstrip("+-").isdecimal() else float(value))
        except ValueError:
            pass
    raise CalculationError(f"{what} takes a number, and was given {_other(value)}")


def whole_of(value: Value, what: str) -> int:
    """Read a whole number."""
    number = number_of(value, what)
    if number != int(number):
        raise CalculationError(f"{what} takes a whole number, and was given one with a fraction")
    return int(number)


def checked(number: int | float) -> int | float:
    """Return a number that JSON can say everywhere."""
    if not -LARGEST_WHOLE <= number <= LARGEST_WHOLE and (type(number) is int or not math.isfinite(number)):
        raise CalculationError("a number is too large")
    return number


def truth_of(value: Value, what: str) -> bool:
    """Read a truth value; null is false."""
    if value is None or type(value) is bool:
        return bool(value)
    if value in ("true", "false"):
        return bool(value == "true")
    raise CalculationError(f"{what} takes true or false, and was given {_other(value)}")


def list_of(value: Value, what: str) -> list[Value]:
    """Read a list; null is an empty one, and anything else a list of itself."""
    if value is None:
        return []
    if type(value) is dict:
        raise CalculationError(f"{what} takes a list, and was given an object")
    return value if type(value) is list else [value]


def object_of(value: Value, what: str) -> dict[str, Value]:
    """Read an object; null is an empty one."""
    if value is None:
        return {}
    if type(value) is not dict:
        raise CalculationError(f"{what} takes an object, and was given {_other(value)}")
    return value


def are_equal(left: Value, right: Value, effort: Effort) -> bool:
    """Compare two values; a truth value is equal to no number, and a text to a number that it writes."""
    kinds = {kind_of(left), kind_of(right)}
    if kinds == {"text", "number"}:
        return any(left == other for other in _read(right)) or any(right == other for other in _read(left))
    if len(kinds) > 1:
        return False
    weigh(left, effort)
    weigh(right, effort)
    return bool(left == right)


def is_less(left: Value, right: Value) -> bool:
    """Compare two numbers, or two texts, by their order; with null it is false."""
    if left is None or right is None:
        return False
    if type(left) is str and type(right) is str:
        return left < right
    return number_of(left, "a comparison") < number_of(right, "a comparison")


def flattened(value: Value, effort: Effort) -> Iterator[Value]:
    """Yield what lists within lists hold, in order."""
    pending = [iter(value)]
    while pending:
        effort.spend(1)
        part = next(pending[-1], pending)
        if part is pending:
            pending.pop()
        elif type(part) is list:
            pending.append(iter(part))
        else:
            yield part


def _read(value: Value) -> Iterator[int | float]:
    if type(value) is str:
        try:
            yield number_of(value, "a comparison")
        except CalculationError:
            return


def _other(value: Value) -> str:
    kind = kind_of(value)
    article = {"object": "an object", "array": "a list", "truth": "a truth value", "null": "null"}
    return article.get(kind, f"a {kind}" if kind == "number" else "a text that is none")
