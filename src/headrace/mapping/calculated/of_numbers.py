"""Functions that make one kind of value out of another."""

from headrace.mapping.calculated.registry import function
from headrace.mapping.calculated.values import CalculationError, Effort, Value, checked, number_of, text_of


@function(
    "to_string",
    takes=("value",),
    gives="text",
    examples=(("to_string(7)", "7"), ("to_string(true)", "true"), ("to_string([1])", "[1]"), ("to_string(null)", None)),
)
def to_string(effort: Effort, value: Value) -> str | None:
    """Write a value as text; lists and objects as JSON."""
    return None if value is None else text_of(value, effort)


@function(
    "to_integer",
    "to_bigint",
    takes=("value",),
    gives="number",
    examples=(('to_integer("12")', 12), ("to_integer(12.9)", 12), ("to_integer(null)", None)),
)
def to_integer(_: Effort, value: Value) -> float | None:
    """Read a whole number; a fraction is cut off."""
    return None if value is None else checked(int(number_of(value, "`to_integer`")))


@function(
    "to_decimal",
    "to_float",
    takes=("value",),
    gives="number",
    examples=(('to_decimal("20.5")', 20.5), ("to_decimal(3)", 3.0)),
)
def to_decimal(_: Effort, value: Value) -> float | None:
    """Read a number with a fraction."""
    return None if value is None else float(number_of(value, "`to_decimal`"))


@function(
    "to_boolean",
    takes=("value",),
    gives="truth",
    examples=(('to_boolean("TRUE")', True), ('to_boolean("no")', False), ("to_boolean(1)", True)),
)
def to_boolean(effort: Effort, value: Value) -> bool | None:
    """Read a truth value: `true`, `yes`, `y` and `1` are true, `false`, `no`, `n` and `0` are false."""
    if value is None or type(value) is bool:
        return value
    word = text_of(value, effort).strip().lower()
    if word not in ("true", "yes", "y", "1", "false", "no", "n", "0"):
        raise CalculationError("`to_boolean` was given something that is neither true nor false")
    return word in ("true", "yes", "y", "1")
