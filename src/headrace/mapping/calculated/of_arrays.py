"""Functions of lists."""

from collections.abc import Callable

from headrace.mapping.calculated.registry import function
from headrace.mapping.calculated.values import (
    CalculationError,
    Effort,
    Value,
    flattened,
    is_less,
    kind_of,
    list_of,
    text_of,
    truth_of,
)

Each = Callable[[Value], Value]


@function(
    "array_to_string",
    takes=("separator", "array"),
    gives="text",
    examples=(
        ('array_to_string("_", ["a", "b", 3])', "a_b_3"),
        ('array_to_string(",", [["a"], null, [["b"]]])', "a,b"),
        ('array_to_string(",", [to_object("id", 1)])', '{"id":1}'),
        ('array_to_string(",", null)', None),
    ),
)
def array_to_string(effort: Effort, separator: Value, array: Value) -> str | None:
    """Write the items of a list as one text. Lists within it are flattened, objects are written as JSON."""
    if array is None:
        return None
    between = "" if separator is None else text_of(separator, effort)
    items = flattened(list_of(array, "`array_to_string`"), effort)
    parts = [text_of(item, effort) for item in items if item is not None]
    effort.charge(sum(map(len, parts)) + len(parts) * len(between))
    return between.join(parts)


@function(
    "flattenArray",
    takes=("array",),
    gives="array",
    examples=(("flattenArray([[1, [2]], 3, []])", [1, 2, 3]), ("flattenArray(null)", [])),
)
def flatten_array(effort: Effort, array: Value) -> list[Value]:
    """Make one list of all that lists within a list hold."""
    found = list(flattened(list_of(array, "`flattenArray`"), effort))
    effort.collection(len(found))
    return found


@function(
    "filterArray",
    takes=("array", "item -> condition"),
    gives="array",
    examples=(
        ("filterArray([1, 2, 3], x -> x > 1)", [2, 3]),
        ('filterArray([to_object("y", 2020), to_object("y", 2022)], org -> org.y > 2021)', [{"y": 2022}]),
    ),
)
def filter_array(effort: Effort, array: Value, condition: Each) -> list[Value]:
    """Keep the items of a list for which a condition holds."""
    items = list_of(array, "`filterArray`")
    effort.collection(len(items))
    return [item for item in items if truth_of(condition(item), "the condition of `filterArray`")]


@function(
    "transformArray",
    takes=("array", "item -> value"),
    gives="array",
    examples=(
        ('transformArray(["a", "b"], x -> ucase(x))', ["A", "B"]),
        ('transformArray([to_object("a", 1)], x -> to_object("b", x.a))', [{"b": 1}]),
    ),
)
def transform_array(effort: Effort, array: Value, change: Each) -> list[Value]:
    """Make a list of what becomes of each item."""
    items = list_of(array, "`transformArray`")
    effort.collection(len(items))
    return [change(item) for item in items]


@function(
    "size_of",
    takes=("value",),
    gives="number",
    examples=(("size_of([1, 2, 3, 4])", 4), ('size_of(to_object("a", 1))', 1), ("size_of(null)", 0)),
)
def size_of(_: Effort, value: Value) -> int:
    """Count the items of a list, the members of an object, or the characters of a text; null has none."""
    if value is None:
        return 0
    if type(value) not in (list, dict, str):
        raise CalculationError(f"`size_of` takes a list, an object or a text, and was given a {kind_of(value)}")
    return len(value)


@function(
    "is_empty",
    takes=("value",),
    gives="truth",
    examples=(("is_empty([])", True), ("is_empty([1])", False), ('is_empty("")', True), ("is_empty(null)", True)),
)
def is_empty(_: Effort, value: Value) -> bool:
    """Say whether something is null, or a list, an object or a text with nothing in it."""
    return value is None or (type(value) in (list, dict, str) and not value)


@function(
    "coalesce",
    takes=("value…",),
    gives="anything",
    is_lazy=True,
    examples=(('coalesce(null, null, "first", "second")', "first"), ("coalesce([null, true, false])", True)),
)
def coalesce(_: Effort, *values: Callable[[], Value]) -> Value:
    """Take the first of several values that is not null; of a single list, the first item that is not."""
    given = (value() for value in values)
    if len(values) == 1:
        only = next(given)
        given = (item for item in (only if type(only) is list else [only]))
    return next((value for value in given if value is not None), None)


@function(
    "first",
    takes=("value…",),
    gives="anything",
    examples=(('first("1", "2")', "1"), ("first([1, 2])", 1), ("first([])", None)),
)
def first(_: Effort, *values: Value) -> Value:
    """Take the first item of a list, or the first of several values."""
    items = _items(values, "`first`")
    return items[0] if items else None


@function(
    "last",
    takes=("value…",),
    gives="anything",
    examples=(('last("1", "2")', "2"), ("last([1, 2])", 2), ("last(null)", None)),
)
def last(_: Effort, *values: Value) -> Value:
    """Take the last item of a list, or the last of several values."""
    items = _items(values, "`last`")
    return items[-1] if items else None


@function("min", takes=("value…",), gives="anything", examples=(("min(3, 1, 4)", 1), ("min([2, null])", 2)))
def smallest(effort: Effort, *values: Value) -> Value:
    """Take the smallest of several numbers or texts; nulls do not count."""
    return _extreme(effort, values, lambda found, value: is_less(value, found))


@function("max", takes=("value…",), gives="anything", examples=(("max(3, 1, 4)", 4), ('max("a", "b")', "b")))
def largest(effort: Effort, *values: Value) -> Value:
    """Take the largest of several numbers or texts; nulls do not count."""
    return _extreme(effort, values, is_less)


@function(
    "add_to_array",
    takes=("array", "value…"),
    gives="array",
    examples=(('add_to_array(["a", "b"], "c", "d")', ["a", "b", "c", "d"]), ("add_to_array(null, 1)", [1])),
)
def add_to_array(effort: Effort, array: Value, *values: Value) -> list[Value]:
    """Add values at the end of a list."""
    items = list_of(array, "`add_to_array`")
    effort.collection(len(items) + len(values))
    return [*items, *values]


@function(
    "join_arrays",
    takes=("array", "array…"),
    gives="array",
    examples=(("join_arrays([1], [2], [3, 4])", [1, 2, 3, 4]),),
)
def join_arrays(effort: Effort, *arrays: Value) -> list[Value]:
    """Put lists together."""
    lists = [list_of(array, "`join_arrays`") for array in arrays]
    effort.collection(sum(map(len, lists)))
    return [item for items in lists for item in items]


@function(
    "to_array",
    takes=("include_nulls", "value…"),
    gives="array",
    examples=(("to_array(false, 1, null, 2, 3)", [1, 2, 3]), ("to_array(true, 1, null)", [1, None])),
)
def to_array(effort: Effort, include_nulls: Value, *values: Value) -> list[Value]:
    """Make a list of values, with the nulls among them or without."""
    effort.collection(len(values))
    keeps = truth_of(include_nulls, "`to_array`")
    return [value for value in values if keeps or value is not None]


def _items(values: tuple[Value, ...], what: str) -> list[Value] | tuple[Value, ...]:
    return list_of(values[0], what) if len(values) == 1 else values


def _extreme(effort: Effort, values: tuple[Value, ...], is_better: Callable[[Value, Value], bool]) -> Value:
    found: Value = None
    for value in _items(values, "a comparison"):
        effort.spend(1)
        if value is not None and (found is None or is_better(found, value)):
            found = value
    return found
