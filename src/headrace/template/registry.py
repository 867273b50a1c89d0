"""
The tables of filters, functions and tests.

A name is registered once, with the names of its parameters; the parser checks arguments and suggests names from the
same table that the compiled template calls.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Implementation = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Signature:
    """A name of the language with its parameters; the implementation takes the meter first."""

    name: str
    parameters: tuple[str, ...]
    variadic: bool
    implementation: Implementation


@dataclass(frozen=True, slots=True)
class Table:
    """All names of one sort, in the order of their registration."""

    what: str
    entries: dict[str, Signature] = field(default_factory=dict)

    def register(
        self, name: str, *parameters: str, variadic: bool = False
    ) -> Callable[[Implementation], Implementation]:
        """Make a function available to templates under this name."""

        def add(implementation: Implementation) -> Implementation:
            self.entries[name] = Signature(name, parameters, variadic, implementation)
            return implementation

        return add


filters = Table("filter")
functions = Table("function")
tests = Table("test")
