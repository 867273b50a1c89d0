"""The filter ``format``: patterns of Java's ``String.format``. Widths are charged before anything is padded."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal

from headrace.template.decimals import grouped
from headrace.template.limits import Meter
from headrace.template.printing import text
from headrace.template.registry import filters
from headrace.template.values import Character, RenderError, kind_name

_SPECIFIER = re.compile(r"%([0-9]{1,9}\$|<)?([-#+ 0,(<]*)([1-9][0-9]*)?(?:\.([0-9]+))?([a-zA-Z%])")
_ROUNDING = Context(prec=2000, rounding=ROUND_HALF_UP)
LARGEST_PRECISION = 1000
STEPS_OF_A_VALUE = 15
CONVERSIONS = "bBcCdoxXeEfgGsS"


@dataclass(frozen=True, slots=True)
class Specifier:
    """One ``%…`` of a pattern."""

    flags: str
    width: int
    precision: int | None
    conversion: str

    @property
    def kind(self) -> str:
        """The conversion without regard to its case."""
        return self.conversion.lower()


@filters.register("format", variadic=True)
def format_text(meter: Meter, value: object, *arguments: object) -> object:
    """The values set into a pattern."""
    if value is None:
        return None
    pattern = value if type(value) is str else text(value, meter.limits.strings)
    return _Formatter(meter, arguments).format(pattern)


class _Formatter:
    """Fills one pattern."""

    def __init__(self, meter: Meter, arguments: tuple[object, ...]) -> None:
        self.meter = meter
        self.arguments = arguments
        self.next = 0
        self.last = -1

    def format(self, pattern: str) -> str:
        self.meter.charge(len(pattern))
        pieces: list[str] = []
        position = 0
        while (start := pattern.find("%", position)) >= 0:
            match = _SPECIFIER.match(pattern, start)
            if match is None:
                raise RenderError(
                    "filter `format` was given a pattern with a `%` that is no conversion; `%%` prints one"
                )
            pieces += (pattern[position:start], self._filled(match))
            position = match.end()
        return "".join((*pieces, pattern[position:]))

    def _filled(self, match: re.Match[str]) -> str:
        index, flags, width, precision, conversion = match.groups()
        if index == "<":
            flags += "<"
        if len(width or "") > 9 or len(precision or "") > 9:
            raise RenderError("filter `format` was given a width or precision that is too large")
        specifier = Specifier(flags, int(width or 0), int(precision) if precision else None, conversion)
        self.meter.spend(STEPS_OF_A_VALUE + (specifier.precision or 0) // 16)
        self.meter.charge(specifier.width + (specifier.precision or 0))
        if conversion == "n":
            return "\n"
        if conversion == "%":
            return _padded("%", specifier)
        return self._converted(specifier, self._argument(index, specifier))

    def _argument(self, index: str | None, specifier: Specifier) -> object:
        if "<" in specifier.flags:
            position = self.last
        elif index:
            position = int(index[:-1]) - 1
        else:
            position = self.next
            self.next += 1
        if not 0 <= position < len(self.arguments):
            raise RenderError(f"filter `format` has no value for `%{specifier.conversion}`")
        self.last = position
        return self.arguments[position]

    def _converted(self, specifier: Specifier, value: object) -> str:
        if specifier.conversion not in CONVERSIONS:
            raise RenderError(f"`%{specifier.conversion}` is not a conversion of filter `format`")
        flags = set(specifier.flags)
        if flags >= {"-", "0"} or not flags <= set(_FLAGS[specifier.kind]):
            raise RenderError(f"`%{specifier.conversion}` of filter `format` does not take these flags")
        if value is None and specifier.kind != "b":
            shown = _padded("null"[: specifier.precision], specifier)
        elif specifier.kind == "s":
            shown = self._string(specifier, value)
        else:
            shown = _CONVERSIONS[specifier.kind](specifier, value)
        return shown.upper() if specifier.conversion.isupper() else shown

    def _string(self, specifier: Specifier, value: object) -> str:
        plain = value if type(value) is str else text(value, self.meter.limits.strings)
        self.meter.charge(len(plain))
        return _padded(plain[: specifier.precision], specifier)


def _padded(plain: str, specifier: Specifier) -> str:
    if "-" in specifier.flags:
        if not specifier.width:
            raise RenderError("filter `format`: the flag `-` needs a width")
        return plain.ljust(specifier.width)
    return plain.rjust(specifier.width)


def _boolean(specifier: Specifier, value: object) -> str:
    shown = "false" if value is None or value is False else "true"
    return _padded(shown[: specifier.precision], specifier)


def _character(specifier: Specifier, value: object) -> str:
    if type(value) is Character:
        return _padded(str.__str__(value), specifier)
    raise _mismatch(specifier, value)


def _integer(specifier: Specifier, value: object) -> str:
    if type(value) is not int or specifier.precision is not None:
        raise _mismatch(specifier, value)
    digits = grouped(str(abs(value))) if "," in specifier.flags else str(abs(value))
    return _signed(digits, value < 0, specifier)


def _unsigned(specifier: Specifier, value: object) -> str:
    if type(value) is not int or specifier.precision is not None:
        raise _mismatch(specifier, value)
    digits = format(value % 2**64, specifier.kind)
    if "#" in specifier.flags:
        digits = ("0x" if specifier.kind == "x" else "0") + digits
    return digits.rjust(specifier.width, "0") if "0" in specifier.flags else _padded(digits, specifier)


def _signed(digits: str, negative: bool, specifier: Specifier) -> str:
    """Put the sign and the padding around the digits."""
    flags = specifier.flags
    before, after = ("(", ")") if negative and "(" in flags else ("-", "") if negative else ("", "")
    if not negative:
        before = "+" if "+" in flags else " " if " " in flags else ""
    if "0" in flags:
        return before + digits.rjust(specifier.width - len(before) - len(after), "0") + after
    return _padded(before + digits + after, specifier)


def _mismatch(specifier: Specifier, value: object) -> RenderError:
    what = "a decimal" if type(value) is float else "an integer" if type(value) is int else kind_name(value)
    return RenderError(f"`%{specifier.conversion}` of filter `format` does not take {what}")


def _decimal(specifier: Specifier, value: object) -> str:
    """``%f``, ``%e`` and ``%g``: decimals only, rounded half up."""
    if type(value) is not float:
        raise _mismatch(specifier, value)
    precision = 6 if specifier.precision is None else specifier.precision
    if precision > LARGEST_PRECISION:
        raise RenderError("filter `format` was given a precision that is too large")
    if value != value or value in (float("inf"), float("-inf")):
        return _not_finite(value, specifier)
    number = Decimal(repr(abs(value)))
    digits = _DECIMALS[specifier.kind](number, precision)
    if "," in specifier.flags and specifier.kind != "e":
        whole, point, rest = digits.partition(".")
        digits = grouped(whole) + point + rest if whole.isdigit() else digits
    negative = value < 0 or (value == 0 and repr(value)[0] == "-")
    return _signed(digits, negative, specifier)


def _not_finite(value: float, specifier: Specifier) -> str:
    plain = Specifier(specifier.flags.replace("0", ""), specifier.width, None, specifier.conversion)
    return _padded("NaN", plain) if value != value else _signed("Infinity", value < 0, plain)


def _fixed(number: Decimal, precision: int) -> str:
    return format(number.quantize(Decimal(1).scaleb(-precision), context=_ROUNDING), "f")


def _scientific(number: Decimal, precision: int) -> str:
    if number == 0:
        return f"{_fixed(number, precision)}e+00"
    exponent = number.adjusted()
    mantissa = number.scaleb(-exponent).quantize(Decimal(1).scaleb(-precision), context=_ROUNDING)
    if mantissa >= 10:
        return _scientific(mantissa.scaleb(exponent), precision)
    return f"{mantissa:f}e{'-' if exponent < 0 else '+'}{abs(exponent):02}"


def _general(number: Decimal, precision: int) -> str:
    precision = precision or 1
    if number == 0:
        return _fixed(number, precision - 1)
    rounded = _to_significant(number, precision)
    if Decimal("0.0001") <= rounded < Decimal(1).scaleb(precision):
        return _fixed(rounded, max(0, precision - rounded.adjusted() - 1))
    return _scientific(rounded, precision - 1)


def _to_significant(number: Decimal, precision: int) -> Decimal:
    return number.quantize(Decimal(1).scaleb(number.adjusted() - precision + 1), context=_ROUNDING)


_DECIMALS: dict[str, Callable[[Decimal, int], str]] = {"f": _fixed, "e": _scientific, "g": _general}
_FLAGS = {
    "b": "-<",
    "c": "-<",
    "s": "-<",
    "d": "-+ 0,(<",
    "o": "-#0<",
    "x": "-#0<",
    "e": "-#+ 0(<",
    "f": "-#+ 0,(<",
    "g": "-+ 0,(<",
}
_CONVERSIONS: dict[str, Callable[[Specifier, object], str]] = {
    "b": _boolean,
    "c": _character,
    "d": _integer,
    "o": _unsigned,
    "x": _unsigned,
    "e": _decimal,
    "f": _decimal,
    "g": _decimal,
}
