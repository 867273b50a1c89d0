"""The filter ``numberformat``: patterns of Java's ``DecimalFormat`` in English, rounding half to even."""

import math
import re
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache

from headrace.template.limits import Meter
from headrace.template.operators import is_number
from headrace.template.registry import filters
from headrace.template.values import RenderError, kind_name

DEFAULT_PATTERN = "#,##0.###"
LONGEST_PATTERN = 500
STEPS_OF_A_CHARACTER = 5  # of a pattern that is met for the first time
STEPS_OF_A_NUMBER = 10
_EXACT = Context(prec=1200, rounding=ROUND_HALF_EVEN)
_QUOTED = re.compile(r"'((?:[^']|'')*)'")
_DIGITS = re.compile(r"#*0*(#*)")
_FRACTION = re.compile(r"0*#*")
_PER = {"%": 100, "‰": 1000}


@filters.register("numberformat", "format")
def numberformat(meter: Meter, value: object, pattern: object = None) -> object:
    """A number by a pattern."""
    if value is None:
        return None
    if not is_number(value):
        raise RenderError(f"filter `numberformat` takes a number, not {kind_name(value)}")
    if pattern is not None and not isinstance(pattern, str):
        raise RenderError(f"argument `format` of filter `numberformat` must be a string, not {kind_name(pattern)}")
    meter.charge(4 * LONGEST_PATTERN)
    chosen = str.__str__(pattern) if pattern else DEFAULT_PATTERN
    meter.first_use(chosen, STEPS_OF_A_CHARACTER * len(chosen))
    formatted = format_number(value, chosen)  # type: ignore[arg-type]
    meter.spend(STEPS_OF_A_NUMBER + len(formatted) // 8)
    return formatted


@dataclass(frozen=True, slots=True)
class DecimalPattern:
    """What a pattern says."""

    prefix: str = ""
    suffix: str = ""
    negative: tuple[str, str] | None = None
    multiplier: int = 1
    whole: int = 1
    """Digits before the point, at least."""
    most_whole: int = 0
    """Digits before the point at most, which counts for exponents only."""
    fraction: int = 0
    most_fraction: int = 0
    grouping: int = 0
    exponent: int = 0
    point_always: bool = False


def format_number(number: int | float, pattern: str) -> str:
    """
    A number by a pattern.

    >>> format_number(1234567.891, "#,##0.00"), format_number(2.5, "0"), format_number(0.256, "0.0%")
    ('1,234,567.89', '2', '25.6%')
    """
    shape = decimal_pattern(pattern)
    if isinstance(number, float) and math.isnan(number):
        return "NaN"
    scaled = number * shape.multiplier
    negative = math.copysign(1, scaled) < 0 if isinstance(scaled, float) else scaled < 0
    if isinstance(scaled, float) and math.isinf(scaled):
        digits = "∞"
    elif shape.exponent:
        digits = _with_exponent(scaled, shape)
    else:
        digits = _plain(scaled, shape)
    before, after = shape.prefix, shape.suffix
    if negative:
        before, after = shape.negative or (f"-{shape.prefix}", shape.suffix)
    return f"{before}{digits}{after}"


def _shortest(number: int | float) -> Decimal:
    """The digits that identify the number."""
    return abs(Decimal(number) if isinstance(number, int) else Decimal(repr(number)))


def _rounded(number: int | float, places: int) -> Decimal:
    """
    Rounded half to even at a decimal place.

    The digits that identify the number are enough where they are not too many; else its exact value decides, so that
    1.005, which is a little less, goes down.
    """
    shortest = _shortest(number)
    exponent = shortest.as_tuple().exponent
    if isinstance(exponent, int) and -exponent <= places:
        return shortest
    return abs(Decimal(number)).quantize(Decimal(1).scaleb(-places), context=_EXACT)


def _plain(number: int | float, shape: DecimalPattern) -> str:
    plain = format(_rounded(number, shape.most_fraction), "f")
    whole, _, fraction = plain.partition(".")
    whole = whole.lstrip("0").rjust(shape.whole, "0")
    fraction = fraction.rstrip("0").ljust(shape.fraction, "0")
    if not whole and not fraction:
        whole = "0"
    if shape.grouping:
        whole = grouped(whole, shape.grouping)
    return f"{whole}.{fraction}" if fraction or shape.point_always else whole


def grouped(whole: str, size: int = 3) -> str:
    """Digits with a comma before every group from the right."""
    head = len(whole) % size
    groups = [whole[start : start + size] for start in range(head, len(whole), size)]
    return ",".join([whole[:head], *groups] if head else groups)


def _with_exponent(number: int | float, shape: DecimalPattern) -> str:
    digits, point = _significant(number, shape.most_whole + shape.most_fraction)
    whole, exponent = shape.whole, point
    if shape.most_whole > 1 and shape.most_whole > whole:
        steps = (point - 1 if point >= 1 else point - shape.most_whole) / shape.most_whole
        exponent = int(steps) * shape.most_whole
        whole = 1
    else:
        exponent -= whole
    integers = point - exponent if digits else whole
    total = max(len(digits), shape.whole + shape.fraction, integers)
    shown = digits.ljust(total, "0")
    mantissa = shown[:integers] + (f".{shown[integers:]}" if total > integers or shape.point_always else "")
    power = exponent if digits else 0
    return f"{mantissa}E{'-' if power < 0 else ''}{abs(power):0{shape.exponent}}"


def _significant(number: int | float, most: int) -> tuple[str, int]:
    """At most so many significant digits, and where the point stands before the first: 0.digits times a power."""
    exact = _shortest(number)
    if exact == 0:
        return "", 0
    places = most - exact.adjusted() - 1
    exact = _rounded(number, places) if most else exact
    digits = "".join(map(str, exact.as_tuple().digits)).rstrip("0")
    return digits, exact.adjusted() + 1


# Patterns -----------------------------------------------------------------------------------------------------------


@lru_cache(256)
def decimal_pattern(pattern: str) -> DecimalPattern:
    """What a pattern says. Raises: RenderError if it is none."""
    if len(pattern) > LONGEST_PATTERN:
        raise RenderError(f"a number pattern is longer than {LONGEST_PATTERN} characters", limit="pattern")
    prefix, numeric, suffix, rest, factor = _split(pattern)
    shape = replace(_numeric(numeric), prefix=prefix, suffix=suffix, multiplier=factor)
    if rest:
        before, _, after, _, _ = _split(rest)
        if (before, after) != (prefix, suffix):
            shape = replace(shape, negative=(before, after))
    return shape


def _split(pattern: str) -> tuple[str, str, str, str, int]:
    """Prefix, numeric part, suffix, what follows ``;``, and what the number is multiplied by."""
    affixes, numeric, factor, phase, position = ["", ""], "", 1, 0, 0
    while position < len(pattern):
        character = pattern[position]
        if character in "#0,." and phase == 0:
            numeric, position = _numeric_part(pattern, position)
            phase = 1
            continue
        if character in "#0,.":
            raise RenderError("a number pattern has digits in two places; a digit that is text is quoted")
        if character == ";":
            return affixes[0], numeric, affixes[1], pattern[position + 1 :], factor
        if character == "'":
            literal, position = _quoted(pattern, position)
        else:
            literal, position = "$" if character == "¤" else character, position + 1
            factor *= _PER.get(character, 1)
        affixes[phase] += literal
    return affixes[0], numeric, affixes[1], "", factor


def _quoted(pattern: str, start: int) -> tuple[str, int]:
    if pattern[start + 1 : start + 2] == "'":
        return "'", start + 2
    match = _QUOTED.match(pattern, start)
    if match is None:
        raise RenderError("a number pattern has a quote that is not closed")
    return match.group(1).replace("''", "'"), match.end()


def _numeric_part(pattern: str, start: int) -> tuple[str, int]:
    end = start
    while end < len(pattern) and pattern[end] in "#0,.":
        end += 1
    if pattern[end : end + 2] == "E0":
        end += 1
        while end < len(pattern) and pattern[end] == "0":
            end += 1
    return pattern[start:end], end


def _numeric(part: str) -> DecimalPattern:
    """The counts of digits, by the rules of ``DecimalFormat.applyPattern``."""
    mantissa, _, exponent = part.partition("E")
    integers, point, fraction = mantissa.partition(".")
    digits = (integers + fraction).replace(",", "")
    counted = _DIGITS.fullmatch(integers.replace(",", ""))
    if not counted or counted.group(1) or not _FRACTION.fullmatch(fraction):
        raise RenderError("a number pattern is `#` signs and zeros, a point, zeros and `#` signs")
    left = len(digits) - len(digits.lstrip("#"))
    zeros = digits.count("0")
    at = len(integers.replace(",", "")) if point else -1
    if zeros == 0 and left > 0 and at >= 0:
        left, zeros = max(at, 1) - 1, 1
    whole = (at if at >= 0 else len(digits)) - left
    return DecimalPattern(
        whole=whole,
        most_whole=left + whole,
        fraction=max(0, left + zeros - at) if at >= 0 else 0,
        most_fraction=len(digits) - at if at >= 0 else 0,
        grouping=len(integers) - integers.rfind(",") - 1 if "," in integers else 0,
        exponent=len(exponent),
        point_always=at in (0, len(digits)) if at >= 0 else False,
    )
