"""What is wrong with one value, in our words."""

from collections.abc import Callable
from typing import Any

from pydantic_core import ErrorDetails

LONGEST_SHOWN = 80
_PLAIN = (str, int, float, bool, type(None))

_WORDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "string_type": lambda said: "must be a text, in quotes",
    "int_type": lambda said: "must be a whole number",
    "int_from_float": lambda said: "must be a whole number",
    "bool_type": lambda said: "must be `true` or `false`, without quotes",
    "tuple_type": lambda said: "must be a list",
    "dict_type": lambda said: "must be a JSON object",
    "model_type": lambda said: "must be a JSON object",
    "greater_than_equal": lambda said: f"must be at least {said['ge']:,}",
    "less_than_equal": lambda said: f"must be at most {said['le']:,}",
    "string_too_short": lambda said: "must not be empty; write something, or leave it out",
    "string_too_long": lambda said: f"must have at most {said['max_length']:,} characters",
    "too_short": lambda said: f"must have at least {_items(said['min_length'])}",
    "too_long": lambda said: f"must have at most {_items(said['max_length'])}",
    "literal_error": lambda said: f"must be one of {said['expected']}",
}


def what_it_is(detail: ErrorDetails) -> str:
    """Say what a value of this kind is, so that the sentence goes on from the field's name."""
    words = _WORDS.get(detail["type"])
    return words(detail.get("ctx", {})) if words is not None else detail["msg"]


def shown(value: object) -> str:
    """Return a value as a message names it: short, and never what is inside of an object."""
    if isinstance(value, dict):
        return "a JSON object"
    if not isinstance(value, _PLAIN):
        return "a list"
    text = {True: "true", False: "false", None: "null"}[value] if isinstance(value, bool | None) else repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _items(count: int) -> str:
    return f"{count:,} {'item' if count == 1 else 'items'}"
