"""The functions that are not about audiences."""

from urllib.parse import quote_plus

from headrace.template.limits import Meter
from headrace.template.operators import is_number
from headrace.template.printing import text
from headrace.template.registry import functions
from headrace.template.values import RenderError, kind_name

_FORM_KEPT = "*"
STEPS_OF_A_PART = 5


@functions.register("max", variadic=True)
def greatest(_: Meter, *values: object) -> object:
    """The greatest number; nulls do not count."""
    return max(_numbers("max", values), default=None)


@functions.register("min", variadic=True)
def least(_: Meter, *values: object) -> object:
    """The least number; nulls do not count."""
    return min(_numbers("min", values), default=None)


def _numbers(function: str, values: tuple[object, ...]) -> list[int | float]:
    for value in values:
        if value is not None and not is_number(value):
            raise RenderError(f"function `{function}` takes numbers, not {kind_name(value)}")
    return [value for value in values if isinstance(value, int | float)]


@functions.register("formUrlEncode", variadic=True)
def form_url_encode(meter: Meter, *parts: object) -> str:
    """Names and values in turn, as a form is sent. Null is an empty value."""
    if len(parts) % 2:
        raise RenderError("function `formUrlEncode` takes names and values in turn: one value is missing")
    encoded = [form_encoded(meter, text(part, meter.limits.strings)) for part in parts]
    return "&".join(f"{name}={value}" for name, value in zip(encoded[::2], encoded[1::2], strict=True))


def form_encoded(meter: Meter, value: str) -> str:
    """One part of a form: a blank becomes ``+``, all but letters, digits and ``.-*_`` percent codes."""
    meter.spend(STEPS_OF_A_PART)
    meter.charge(3 * len(value.encode("utf-8", "surrogatepass")))
    try:
        return quote_plus(value, safe=_FORM_KEPT).replace("~", "%7E")
    except UnicodeEncodeError:
        raise RenderError("a text holds half of a surrogate pair") from None
