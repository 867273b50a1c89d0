"""
The operators on values.

Integers have 64 bits and wrap, division truncates toward zero, nothing is coerced that the language does not coerce:
``1 == true`` is false, a list is no condition. Work on long texts is charged to the meter before it is done.
"""

import math
import re
from collections.abc import Callable

from headrace.template.limits import VALUE_DEPTH, Meter
from headrace.template.printing import text
from headrace.template.values import Entry, RenderError, TemplateList, kind_name

_NUMERAL = re.compile(r"[-+]?[0-9]{1,30}(\.[0-9]{1,30})?")
_WRAP, _HALF = 2**64, 2**63
STEPS_OF_A_NUMERAL = 4


def wrapped(value: int) -> int:
    """The 64-bit integer that a machine would be left with."""
    return value if -_HALF <= value < _HALF else (value + _HALF) % _WRAP - _HALF


def is_number(value: object) -> bool:
    """Whether this is a number; a boolean is none."""
    return type(value) is int or type(value) is float


def truth(value: object) -> bool:
    """Judge a condition. Lists and maps have no truth: a template says ``is not empty``."""
    kind = type(value)
    if kind is bool or value is None:
        return bool(value)
    if kind is str:
        return value != ""
    if kind is int or kind is float:
        return value == value and value != 0
    hint = "; use `is not empty`" if isinstance(value, list | dict) else ""
    raise RenderError(f"a condition must be a boolean, number, string or null, not {kind_name(value)}{hint}")


# Arithmetic ---------------------------------------------------------------------------------------------------------


def add(meter: Meter, left: object, right: object) -> object:
    """``+``: text if either side is a string, a longer list, or a sum."""
    if type(left) is int and type(right) is int:
        return wrapped(left + right)
    if type(left) is str or type(right) is str:
        return concatenate(meter, "null" if left is None else left, "null" if right is None else right)
    if isinstance(left, list):
        added = right if isinstance(right, list) else [right]
        meter.collection(len(left) + len(added))
        return TemplateList([*left, *added])
    if is_number(left) and is_number(right):
        return float(left) + float(right)  # type: ignore[arg-type]
    raise _operands("+", left, right)


def add_all(meter: Meter, first: object, *others: object) -> object:
    """``a + b + c`` from left to right."""
    total = first
    for other in others:
        total = add(meter, total, other)
    return total


def subtract(meter: Meter, left: object, right: object) -> object:
    """``-``: a list without some items, or a difference."""
    if type(left) is int and type(right) is int:
        return wrapped(left - right)
    if isinstance(left, list):
        removed = right if isinstance(right, list) else [right]
        meter.collection(len(left))
        return TemplateList([item for item in left if not _holds(meter, removed, item)])
    return _arithmetic(meter, "-", left, right, lambda a, b: a - b, lambda a, b: a - b)


def multiply(meter: Meter, left: object, right: object) -> object:
    """``*``."""
    return _arithmetic(meter, "*", left, right, lambda a, b: a * b, lambda a, b: a * b)


def divide(meter: Meter, left: object, right: object) -> object:
    """``/``: of two integers an integer, cut off toward zero."""
    return _arithmetic(meter, "/", left, right, _integer_quotient, _quotient)


def modulo(meter: Meter, left: object, right: object) -> object:
    """``%``: the rest has the sign of the left side."""
    return _arithmetic(meter, "%", left, right, lambda a, b: a - b * _integer_quotient(a, b), _rest)


def _arithmetic(
    meter: Meter,
    sign: str,
    left: object,
    right: object,
    integers: Callable[[int, int], int],
    doubles: Callable[[float, float], float],
) -> object:
    if type(left) is str or type(right) is str:
        meter.spend(STEPS_OF_A_NUMERAL)
    a, b = _numeric(left), _numeric(right)
    if a is None or b is None:
        raise _operands(sign, left, right)
    if type(a) is int and type(b) is int:
        return wrapped(integers(a, b))
    return doubles(float(a), float(b))


def _numeric(value: object) -> int | float | None:
    """The number, or the number that a string looks like."""
    if type(value) is int:
        return wrapped(value)
    if type(value) is float:
        return value
    match = _NUMERAL.fullmatch(value) if type(value) is str else None
    if match is None:
        return None
    return float(match.group()) if match.group(1) else wrapped(int(match.group()))


def _integer_quotient(a: int, b: int) -> int:
    if b == 0:
        raise RenderError("division by zero")
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _quotient(a: float, b: float) -> float:
    if b:
        return a / b
    return math.nan if a == 0 or a != a else math.copysign(math.inf, a) * math.copysign(1.0, b)


def _rest(a: float, b: float) -> float:
    return math.nan if b == 0 or math.isinf(a) or a != a or b != b else math.fmod(a, b)


def negate(value: object) -> object:
    """Unary ``-``."""
    if type(value) is int:
        return wrapped(-value)
    if type(value) is float:
        return -value
    raise RenderError(f"the operand of unary `-` must be a number, not {kind_name(value)}")


def plus(value: object) -> object:
    """Unary ``+``."""
    if is_number(value):
        return value
    raise RenderError(f"the operand of unary `+` must be a number, not {kind_name(value)}")


def _operands(sign: str, left: object, right: object) -> RenderError:
    return RenderError(f"`{sign}` does not take {kind_name(left)} and {kind_name(right)}")


# Text ---------------------------------------------------------------------------------------------------------------


def concatenate(meter: Meter, *operands: object) -> str:
    """``~``: the printed forms one after the other."""
    limit = meter.limits.strings
    pieces = [operand if type(operand) is str else text(operand, limit) for operand in operands]
    meter.charge(sum(map(len, pieces)))
    return "".join(pieces)


# Comparison ---------------------------------------------------------------------------------------------------------


def equal(meter: Meter, left: object, right: object) -> bool:
    """``==``: numbers by their value, everything else only with its own kind."""
    if is_number(left) and is_number(right):
        return left == right
    return same(meter, left, right)


def unequal(meter: Meter, left: object, right: object) -> bool:
    """``!=``."""
    return not equal(meter, left, right)


def same(meter: Meter, left: object, right: object, depth: int = VALUE_DEPTH) -> bool:
    """Equality of kind and content, as an item of a list has it: ``1`` is not ``1.0``."""
    if isinstance(left, list) and isinstance(right, list):
        if len(left) != len(right):
            return False
        deeper = _deeper(meter, depth, len(left))
        return all(same(meter, a, b, deeper) for a, b in zip(left, right, strict=True))
    if isinstance(left, dict) and isinstance(right, dict):
        if left.keys() != right.keys():
            return False
        deeper = _deeper(meter, depth, len(left))
        return all(same(meter, item, right[key], deeper) for key, item in left.items())
    if type(left) is Entry and type(right) is Entry:
        deeper = _deeper(meter, depth, 2)
        return same(meter, left.key, right.key, deeper) and same(meter, left.value, right.value, deeper)
    if type(left) is not type(right):
        return False
    if type(left) is str and len(left) == len(right):  # type: ignore[arg-type]
        meter.work(len(left))
    return left == right


def _deeper(meter: Meter, depth: int, count: int) -> int:
    if depth == 0:
        raise RenderError(f"lists and maps are nested deeper than {VALUE_DEPTH}", limit="depth")
    meter.steps -= 2 * count + 2
    meter.work(0)
    return depth - 1


def _ordered(sign: str, left: object, right: object) -> bool:
    """Whether the two can be compared: null never, numbers always, nothing else at all."""
    if left is None or right is None:
        return False
    if is_number(left) and is_number(right):
        return True
    raise RenderError(f"`{sign}` compares numbers, not {kind_name(left)} and {kind_name(right)}")


def less(left: object, right: object) -> bool:
    """``<``."""
    return _ordered("<", left, right) and left < right  # type: ignore[operator]


def greater(left: object, right: object) -> bool:
    """``>``."""
    return _ordered(">", left, right) and left > right  # type: ignore[operator]


def at_most(left: object, right: object) -> bool:
    """``<=``."""
    return _ordered("<=", left, right) and left <= right  # type: ignore[operator]


def at_least(left: object, right: object) -> bool:
    """``>=``."""
    return _ordered(">=", left, right) and left >= right  # type: ignore[operator]


def contains(meter: Meter, left: object, right: object) -> bool:
    """``contains``: the item of a list (all items, if a list is asked for), the key of a map, a part of a string."""
    if left is None:
        return False
    if isinstance(left, list):
        wanted = right if isinstance(right, list) else [right]
        return all(_holds(meter, left, item) for item in wanted)
    if isinstance(left, dict):
        return has_key(meter, left, right)
    if type(left) is str:
        part = text(right, meter.limits.strings)
        meter.work(len(left) + len(part))
        return part in left
    raise RenderError(f"the left side of `contains` must be a list, map or string, not {kind_name(left)}")


def has_key(meter: Meter, mapping: dict[object, object], key: object) -> bool:
    """Whether a map holds this key."""
    if isinstance(key, list | dict | Entry):
        return False
    if isinstance(key, str):
        meter.work(len(key))
    return key in mapping


def _holds(meter: Meter, items: list[object], wanted: object) -> bool:
    meter.steps -= len(items)
    meter.work(0)
    return any(same(meter, item, wanted) for item in items)
