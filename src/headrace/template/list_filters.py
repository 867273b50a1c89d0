"""Filters of lists and maps, and those that take lists and strings alike. None changes its input."""

import math

from headrace.template.filters import a_string, an_integer, shown
from headrace.template.limits import Meter
from headrace.template.operators import is_number
from headrace.template.patterns import split_text
from headrace.template.printing import text
from headrace.template.registry import filters
from headrace.template.values import Character, Entry, RenderError, TemplateList, TemplateMap, entries, kind_name


def a_list(name: str, value: object) -> list[object]:
    """The value of a filter that takes lists only."""
    if isinstance(value, list):
        return value
    raise RenderError(f"filter `{name}` takes a list, not {kind_name(value)}")


@filters.register("first")
def first(_: Meter, value: object) -> object:
    """The first item or character."""
    return _end("first", value, 0)


@filters.register("last")
def last(_: Meter, value: object) -> object:
    """The last item or character."""
    return _end("last", value, -1)


def _end(name: str, value: object, index: int) -> object:
    if value is None:
        return None
    if isinstance(value, str):
        if not value:
            raise RenderError(f"filter `{name}` was given an empty string")
        return Character(str.__getitem__(value, index))
    items = a_list(name, value)
    return items[index] if items else None


@filters.register("join", "separator")
def join(meter: Meter, value: object, separator: object = None) -> object:
    """The printed items with a text between them; a null item prints as ``null``."""
    if value is None:
        return None
    items = a_list("join", value)
    between = "" if separator is None else shown(meter, separator)
    meter.collection(len(items))
    pieces = [item if type(item) is str else _joined(meter, item) for item in items]
    meter.charge(sum(map(len, pieces)) + len(between) * max(0, len(pieces) - 1))
    return between.join(pieces)


def _joined(meter: Meter, item: object) -> str:
    if item is None:
        return "null"
    piece = text(item, meter.limits.strings)
    meter.charge(len(piece))
    return piece


@filters.register("length")
def length(_: Meter, value: object) -> int:
    """How many characters, items or entries; of null and numbers none."""
    return len(value) if isinstance(value, str | list | dict) else 0


@filters.register("merge", "items")
def merge(meter: Meter, value: object, items: object = None) -> object:
    """Two lists or two maps as one; the left side says which. Of two equal keys the right one wins."""
    if value is None or items is None:
        if value is None and items is None:
            raise RenderError("filter `merge` was given nothing on both sides")
        return items if value is None else value
    if not isinstance(value, list | dict) or not isinstance(items, list | dict):
        raise RenderError(f"filter `merge` takes lists and maps, not {kind_name(value)} and {kind_name(items)}")
    meter.collection(len(value) + len(items))
    if isinstance(value, list):
        return TemplateList([*value, *(entries(items) if isinstance(items, dict) else items)])
    return TemplateMap({**value, **(items if isinstance(items, dict) else _by_themselves(items))})


def _by_themselves(items: list[object]) -> dict[object, object]:
    for item in items:
        if isinstance(item, list | dict | Entry):
            raise RenderError(f"{kind_name(item)} cannot be the key of a map")
    return {item: item for item in items}


@filters.register("reverse")
def reverse(meter: Meter, value: object) -> object:
    """The list from its end."""
    if value is None:
        return None
    items = a_list("reverse", value)
    meter.collection(len(items))
    return TemplateList(items[::-1])


@filters.register("sort")
def sort(meter: Meter, value: object) -> object:
    """The list in natural order: numbers by value, strings by code unit."""
    return None if value is None else _sorted(meter, "sort", value, reverse=False)


@filters.register("rsort")
def rsort(meter: Meter, value: object) -> object:
    """The list in reverse natural order."""
    return None if value is None else _sorted(meter, "rsort", value, reverse=True)


def _sorted(meter: Meter, name: str, value: object, *, reverse: bool) -> TemplateList:
    items = a_list(name, value)
    meter.collection(len(items))
    rounds = math.ceil(math.log2(len(items) + 1))
    meter.steps -= len(items) * rounds
    if all(map(is_number, items)) or all(type(item) is bool for item in items):
        return TemplateList(sorted(items, reverse=reverse))  # type: ignore[type-var]
    if not all(isinstance(item, str) for item in items):
        raise RenderError(f"filter `{name}` takes a list of numbers or of strings, without null")
    meter.charge(2 * rounds * sum(map(len, items)))  # type: ignore[arg-type]
    return TemplateList(sorted(items, key=_code_units, reverse=reverse))


def _code_units(item: object) -> bytes:
    """Strings compare by UTF-16 unit, which differs from the order of characters beyond the basic plane."""
    return str(item).encode("utf-16-be", "surrogatepass")


@filters.register("slice", "fromIndex", "toIndex")
def cut(meter: Meter, value: object, start: object = None, end: object = None) -> object:
    """From inclusive, to exclusive. Bounds are not clamped: what lies outside is an error."""
    if value is None:
        return None
    if not isinstance(value, str | list):
        raise RenderError(f"filter `slice` takes a string or list, not {kind_name(value)}")
    low = 0 if start is None else an_integer("slice", "fromIndex", start)
    high = len(value) if end is None else an_integer("slice", "toIndex", end)
    if low < 0 or high > len(value) or low >= high:
        raise RenderError("the bounds of filter `slice` do not fit its input: 0 <= fromIndex < toIndex <= length")
    if isinstance(value, list):
        meter.collection(high - low)
        return TemplateList(value[low:high])
    meter.charge(high - low)
    return str.__getitem__(value, slice(low, high))


@filters.register("split", "delimiter", "limit")
def split(meter: Meter, value: object, delimiter: object = None, limit: object = None) -> object:
    """Cut at what a regular expression matches; without a limit empty pieces at the end are dropped."""
    if value is None:
        return None
    plain = a_string("split", value)
    if not isinstance(delimiter, str):
        raise RenderError("filter `split` needs a delimiter, a string that is a regular expression")
    most = 0 if limit is None else an_integer("split", "limit", limit)
    meter.charge(2 * len(plain))
    pieces = split_text(meter, plain, str.__str__(delimiter), most)
    meter.collection(len(pieces))
    return TemplateList(pieces)
