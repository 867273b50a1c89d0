"""
The functions of calculated fields.

One table serves the parser's messages, the compiler, the tests and ``docs/reference/mapping-functions.md``: a function
comes with its parameters, what it gives, a sentence, and examples that hold.
"""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from headrace.mapping.calculated.values import Kind

Implementation = Callable[..., Any]
Example = tuple[str, Any]


@dataclass(frozen=True, slots=True)
class Function:
    """
    A function. It takes the effort first, then its arguments.

    Of its parameters, those ending in ``?`` may be left out, the last ending in ``…`` takes any number, and ``x -> …``
    is handed a function of one value. ``is_lazy``: it is handed functions without arguments, and calls those it needs.
    """

    name: str
    parameters: tuple[str, ...]
    gives: Kind
    about: str
    examples: tuple[Example, ...]
    implementation: Implementation
    is_lazy: bool = False
    of_text: bool = False

    @property
    def fewest(self) -> int:
        """The fewest arguments that it takes."""
        return sum(not parameter.endswith("?") for parameter in self.parameters)

    @property
    def most(self) -> float:
        """The most arguments that it takes."""
        is_open = bool(self.parameters) and self.parameters[-1].endswith("…") and "->" not in self.parameters[-1]
        return float("inf") if is_open else len(self.parameters)

    @property
    def signature(self) -> str:
        """How it is written."""
        return f"{self.name}({', '.join(self.parameters)})"

    def takes_lambda(self, place: int) -> bool:
        """Whether the argument at a place is a lambda."""
        return place < len(self.parameters) and "->" in self.parameters[place]


functions: dict[str, Function] = {}

#: Functions of the original that are not here, each with the reason.
_NOT_PURE = "the same person has to give the same value each time that a message is tried"
NOT_OFFERED = dict.fromkeys(("now", "timestamp", "uuid", "guid"), _NOT_PURE)


def function(
    *names: str,
    takes: tuple[str, ...],
    gives: Kind,
    examples: tuple[Example, ...],
    is_lazy: bool = False,
    of_text: bool = False,
) -> Callable[[Implementation], Implementation]:
    """
    Put a function into the table under its names; its docstring says what it does.

    ``of_text``: its first argument is a text, and null gives null without asking it.
    """

    def put(implementation: Implementation) -> Implementation:
        about = " ".join((implementation.__doc__ or "").split())
        for name in names:
            functions[name] = Function(name, takes, gives, about, examples, implementation, is_lazy, of_text)
        return implementation

    return put


def unknown(name: str) -> str:
    """Say that there is no such function, with the nearest there is."""
    if name in NOT_OFFERED:
        return f"`{name}` is not offered: {NOT_OFFERED[name]}"
    lowered = {known.lower(): known for known in functions}
    near = get_close_matches(name.lower(), lowered, n=1)
    return f"there is no function `{name}`" + (f"; the nearest is `{lowered[near[0]]}`" if near else "")
