"""Functions of objects."""

import orjson

from headrace.mapping.calculated.registry import function
from headrace.mapping.calculated.values import CalculationError, Effort, Value, object_of, text_of


@function(
    "to_object",
    takes=("name", "value…"),
    gives="object",
    examples=(('to_object("firstName", "John", "lastName", "Doe")', {"firstName": "John", "lastName": "Doe"}),),
)
def to_object(effort: Effort, *flat: Value) -> dict[str, Value]:
    """Make an object of names and values, by turns."""
    if len(flat) % 2:
        raise CalculationError("`to_object` takes a value for each name")
    effort.collection(len(flat))
    return {text_of(name, effort): value for name, value in zip(flat[::2], flat[1::2], strict=True)}


@function(
    "str_to_object",
    takes=("text", "of_value?", "of_field?"),
    gives="object",
    of_text=True,
    examples=(
        ('str_to_object("a=1,b=2", "=", ",")', {"a": "1", "b": "2"}),
        ('str_to_object("firstName - John ; lastName - ", "-", ";").get("firstName")', "John"),
    ),
)
def str_to_object(effort: Effort, text: str, of_value: Value = ":", of_field: Value = ",") -> dict[str, Value]:
    """Read an object from a text: names and values, with one separator between them and another between fields."""
    between, after = text_of(of_value, effort) or ":", text_of(of_field, effort) or ","
    effort.charge(len(text))
    effort.collection(text.count(after) + 1)
    fields = (field.partition(between) for field in text.split(after))
    return {name.strip(): value.strip() for name, separator, value in fields if separator}


@function(
    "json_to_object",
    takes=("text",),
    gives="anything",
    of_text=True,
    examples=((r"""json_to_object('{"a": [1, 2]}').a[1]""", 2),),
)
def json_to_object(effort: Effort, text: str) -> Value:
    """Read a text that is JSON."""
    effort.charge(4 * len(text))
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise CalculationError("`json_to_object` was given a text that is not JSON") from None


@function(
    "get",
    takes=("object", "name"),
    gives="anything",
    examples=(('to_object("a", 1).get("a")', 1), ('get(to_object("a", 1), "b")', None)),
)
def get(effort: Effort, value: Value, name: Value) -> Value:
    """Take what stands under a name in an object."""
    return object_of(value, "`get`").get(text_of(name, effort))


@function(
    "contains_key",
    takes=("object", "name"),
    gives="truth",
    examples=(('contains_key(to_object("a", null), "a")', True), ('contains_key(null, "a")', False)),
)
def contains_key(effort: Effort, value: Value, name: Value) -> bool:
    """Say whether an object has a name."""
    return text_of(name, effort) in object_of(value, "`contains_key`")


@function(
    "get_keys",
    takes=("object",),
    gives="array",
    examples=(('get_keys(to_object("a", 1, "b", 2))', ["a", "b"]),),
)
def get_keys(effort: Effort, value: Value) -> list[str]:
    """List the names of an object."""
    members = object_of(value, "`get_keys`")
    effort.collection(len(members))
    return list(members)
