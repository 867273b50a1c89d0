"""A calculated field, compiled."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from headrace.mapping.calculated.compiler import Compiler, Scope, Step, kind_given
from headrace.mapping.calculated.nodes import Node, weight_of
from headrace.mapping.calculated.parser import parse
from headrace.mapping.calculated.values import CalculationError, Kind, Value, weigh
from headrace.template.values import RenderError


@dataclass(frozen=True, slots=True)
class Calculation:
    """
    A function of a person.

    ``reads`` are the paths that it reads of one: where they hold the same, it gives the same. ``gives`` is the kind of
    its values, as far as the text tells.
    """

    text: str
    node: Node
    reads: tuple[tuple[str | int, ...], ...]
    gives: Kind
    _step: Step
    _weight: int

    def read(self, profile: dict[str, Any]) -> list[Value]:
        """Return what it reads of a person, to be compared with what it reads of another state of the same."""
        return [_seen(profile, path) for path in self.reads]

    def value(self, profile: dict[str, Any]) -> Value:
        """
        Compute the value for one person; null where there is none.

        Raises:
            CalculationError: the person's data is not what a function takes, or it would take too much.
        """
        scope = Scope(profile)
        try:
            scope.effort.spend(self._weight)
            result = self._step(scope)
            if type(result) is list or type(result) is dict:
                weigh(result, scope.effort)
        except RenderError as error:
            raise CalculationError(str(error)) from None
        return result


@lru_cache(256)
def calculation(text: str) -> Calculation:
    """
    Read and compile a calculated field.

    >>> calculation("ucase(person.name)").value({"person": {"name": "ann"}})
    'ANN'

    Raises:
        ExpressionError: it is none; the message says where, and what was expected.
    """
    node = parse(text)
    compiler = Compiler(text)
    step = compiler.compile(node)
    return Calculation(text, node, tuple(sorted(compiler.reads, key=str)), kind_given(node), step, weight_of(node))


def _seen(value: Value, path: tuple[str | int, ...]) -> Value:
    """Follow a path as a calculation does: a name leads into every object of a list."""
    for step in path:
        if type(value) is dict:
            value = value.get(step)
        elif type(value) is list and type(step) is int:
            value = value[step] if step < len(value) else None
        elif type(value) is list:
            value = [item.get(step) if type(item) is dict else None for item in value]
        else:
            return None
    return value
