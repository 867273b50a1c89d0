"""The tests: what may stand behind ``is``. ``null`` and ``defined`` are compiled in place and only listed here."""

from headrace.template.limits import Meter
from headrace.template.registry import tests
from headrace.template.values import RenderError, kind_name


@tests.register("empty")
def is_empty(meter: Meter, value: object) -> bool:
    """Null, white space only, or no items. A number or boolean is never empty."""
    if value is None:
        return True
    if isinstance(value, str):
        return not value or (value[0] <= " " and _is_blank(meter, value))
    return isinstance(value, dict | list) and not value


def _is_blank(meter: Meter, value: str) -> bool:
    meter.work(len(value))
    return not value.strip()


@tests.register("null")
def is_null(_: Meter, value: object) -> bool:
    """Null."""
    return value is None


@tests.register("defined")
def is_defined(_: Meter, value: object) -> bool:
    """Not null: a key that holds null is not defined."""
    return value is not None


@tests.register("even")
def is_even(_: Meter, value: object) -> bool:
    """An even integer."""
    return _integer(value, "even") % 2 == 0


@tests.register("odd")
def is_odd(_: Meter, value: object) -> bool:
    """An odd integer."""
    return _integer(value, "odd") % 2 == 1


def _integer(value: object, test: str) -> int:
    if type(value) is int:
        return value
    raise RenderError(
        f"test `{test}` takes an integer, not {'a decimal' if type(value) is float else kind_name(value)}"
    )


@tests.register("iterable")
def is_iterable(_: Meter, value: object) -> bool:
    """A list; a map or string is none."""
    return isinstance(value, list)


@tests.register("map")
def is_map(_: Meter, value: object) -> bool:
    """A map."""
    return isinstance(value, dict)
