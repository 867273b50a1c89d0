"""Functions that choose."""

from collections.abc import Callable

from headrace.mapping.calculated.registry import function
from headrace.mapping.calculated.values import Effort, Value, are_equal, truth_of


@function(
    "iif",
    takes=("condition", "if_true", "if_false"),
    gives="anything",
    is_lazy=True,
    examples=(
        ('iif("s".equalsIgnoreCase("S"), "Yes", "No")', "Yes"),
        ("iif(null, 1, 2)", 2),
        ("iif(true, 1, 1 / 0)", 1),
    ),
)
def iif(_: Effort, condition: Callable[[], Value], yes: Callable[[], Value], no: Callable[[], Value]) -> Value:
    """Choose between two values by a condition; only the one that is chosen is looked at."""
    return yes() if truth_of(condition(), "`iif`") else no()


@function(
    "decode",
    takes=("key", "option…"),
    gives="anything",
    examples=(
        ('decode("ca", "ca", "California", "pa", "Pennsylvania", "N/A")', "California"),
        ('decode("ny", "ca", "California", "N/A")', "N/A"),
        ('decode("ny", "ca", "California")', None),
    ),
)
def decode(effort: Effort, key: Value, *options: Value) -> Value:
    """Choose the value that follows a key among keys and values by turns; one more at the end is for all others."""
    for option, value in zip(options[::2], options[1::2], strict=False):
        if are_equal(key, option, effort):
            return value
    return options[-1] if len(options) % 2 else None


@function("nullify", takes=(), gives="anything", examples=(("nullify()", None),))
def nullify(_: Effort) -> None:
    """Give null: the attribute is absent."""
