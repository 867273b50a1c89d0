"""From a calculated field's parts to one function of a person."""

import math
from collections.abc import Callable
from typing import Any

from headrace.errors import ExpressionError
from headrace.mapping.calculated import nodes
from headrace.mapping.calculated.registry import Function, functions, unknown
from headrace.mapping.calculated.values import (
    KIND_OF,
    CalculationError,
    Effort,
    Kind,
    Value,
    are_equal,
    checked,
    is_less,
    number_of,
    text_of,
    truth_of,
)


class Scope:
    """One calculation: the person, the effort, and what the parameters of lambdas are at this moment."""

    __slots__ = ("effort", "names", "profile")

    def __init__(self, profile: dict[str, Any]) -> None:
        self.profile = profile
        self.effort = Effort()
        self.names: dict[str, Value] = {}


Step = Callable[[Scope], Value]
_KINDS_OF_OPERATORS: dict[str, Kind] = {
    **dict.fromkeys(("||", "&&", "==", "!=", "<", ">", "<=", ">=", "!"), "truth"),
    **dict.fromkeys(("-", "*", "/", "%"), "number"),
}


class Compiler:
    """Compiles one text. ``reads`` collects the paths that it reads of a person."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._parameters: list[str] = []
        self.reads: set[tuple[str | int, ...]] = set()

    def compile(self, node: nodes.Node) -> Step:
        """Return the function of a part; what it reads is noted."""
        match node:
            case nodes.Literal(value):
                return lambda scope: value
            case nodes.Array(items):
                return self._array(items)
            case nodes.Name() | nodes.Member() | nodes.Index():
                return self._path(node)
            case nodes.Unary(operator, operand):
                return self._unary(operator, self.compile(operand))
            case nodes.Binary(operator, left, right):
                return _binary(operator, self.compile(left), self.compile(right))
            case nodes.Call():
                return self._call(node)
            case nodes.Lambda():
                raise self._wrong(node.at, f"a function of `{node.parameter}` is no argument here, and no value")

    def _array(self, items: tuple[nodes.Node, ...]) -> Step:
        steps = tuple(map(self.compile, items))
        return lambda scope: [step(scope) for step in steps]

    def _path(self, node: nodes.Name | nodes.Member | nodes.Index) -> Step:
        known = _fixed(node)
        before = set(self.reads)
        step = self._step(node)
        if known is not None:  # What it goes through on its way is not read by itself.
            self.reads = before if known[0] in self._parameters else before | {known}
        return step

    def _step(self, node: nodes.Name | nodes.Member | nodes.Index) -> Step:
        match node:
            case nodes.Name(name) if name in self._parameters:
                return lambda scope: scope.names[name]
            case nodes.Name(name):
                return lambda scope: scope.profile.get(name)
            case nodes.Member(of, name):
                return _member(self.compile(of), name)
            case nodes.Index(of, index):
                return _indexed(self.compile(of), self.compile(index))

    def _unary(self, operator: str, operand: Step) -> Step:
        if operator == "!":
            return lambda scope: not truth_of(operand(scope), "`!`")
        return lambda scope: None if (value := operand(scope)) is None else checked(-number_of(value, "a minus"))

    def _call(self, node: nodes.Call) -> Step:
        function = functions.get(node.name)
        if function is None:
            raise self._wrong(node.at, unknown(node.name))
        if not function.fewest <= len(node.arguments) <= function.most:
            given = f"{len(node.arguments)} argument{'' if len(node.arguments) == 1 else 's'}"
            raise self._wrong(node.at, f"it is written {function.signature}, and has {given}")
        arguments = tuple(
            self._lambda(function, argument, node.at) if function.takes_lambda(place) else self.compile(argument)
            for place, argument in enumerate(node.arguments)
        )
        return _called(function, arguments, node)

    def _lambda(self, function: Function, node: nodes.Node, at: int) -> Step:
        """Return a step that gives a function of one value."""
        if not isinstance(node, nodes.Lambda):
            message = f"it is written {function.signature}: the second argument is a function, as in `x -> x.name`"
            raise self._wrong(at, message)
        self._parameters.append(node.parameter)
        body, weight = self.compile(node.body), nodes.weight_of(node.body) + 1
        self._parameters.pop()
        parameter = node.parameter

        def step(scope: Scope) -> Callable[[Value], Value]:
            def apply(value: Value) -> Value:
                scope.effort.spend(weight)
                before = scope.names.get(parameter)
                scope.names[parameter] = value
                result = body(scope)
                scope.names[parameter] = before
                return result

            return apply

        return step

    def _wrong(self, at: int, message: str) -> ExpressionError:
        return ExpressionError(self._text, at, message)


def kind_given(node: nodes.Node) -> Kind:
    """Say what kind of value a part gives, as far as its text tells."""
    match node:
        case nodes.Literal(value):
            return KIND_OF.get(type(value), "anything")
        case nodes.Array():
            return "array"
        case nodes.Unary(operator=operator) | nodes.Binary(operator=operator):
            return _KINDS_OF_OPERATORS.get(operator, "anything")
        case nodes.Call("iif", (_, yes, no)) if kind_given(yes) == kind_given(no):
            return kind_given(yes)
        case nodes.Call(name) if name in functions:
            return functions[name].gives
    return "anything"


def _fixed(node: nodes.Node) -> tuple[str | int, ...] | None:
    """Return the path that a part is, if its text tells all of its steps."""
    match node:
        case nodes.Name(name):
            return (name,)
        case nodes.Member(of, name) if (path := _fixed(of)) is not None:
            return (*path, name)
        case nodes.Index(of, nodes.Literal(index)) if type(index) is int and (path := _fixed(of)) is not None:
            return (*path, index)
    return None


def _member(of: Step, name: str) -> Step:
    def step(scope: Scope) -> Value:
        value = of(scope)
        if type(value) is dict:
            return value.get(name)
        if type(value) is list:
            scope.effort.collection(len(value))
            return [item.get(name) if type(item) is dict else None for item in value]
        return None

    return step


def _indexed(of: Step, index: Step) -> Step:
    def step(scope: Scope) -> Value:
        value, place = of(scope), index(scope)
        if type(value) is dict and type(place) is str:
            return value.get(place)
        if type(value) is list and type(place) is int and 0 <= place < len(value):
            return value[place]
        return None

    return step


def _called(function: Function, arguments: tuple[Step, ...], node: nodes.Call) -> Step:
    implementation, weight = function.implementation, nodes.weight_of(node)
    if function.is_lazy:
        return lambda scope: implementation(scope.effort, *(_later(step, scope) for step in arguments))
    if not function.of_text:

        def of_anything(scope: Scope) -> Value:
            scope.effort.spend(weight)
            return implementation(scope.effort, *(step(scope) for step in arguments))

        return of_anything
    first, rest = arguments[0], arguments[1:]

    def of_text(scope: Scope) -> Value:
        scope.effort.spend(weight)
        value = first(scope)
        if value is None:
            return None
        return implementation(scope.effort, text_of(value, scope.effort), *(step(scope) for step in rest))

    return of_text


def _later(step: Step, scope: Scope) -> Callable[[], Value]:
    return lambda: step(scope)


def _binary(operator: str, left: Step, right: Step) -> Step:
    match operator:
        case "&&":
            return lambda scope: truth_of(left(scope), "`&&`") and truth_of(right(scope), "`&&`")
        case "||":
            return lambda scope: truth_of(left(scope), "`||`") or truth_of(right(scope), "`||`")
        case "==":
            return lambda scope: are_equal(left(scope), right(scope), scope.effort)
        case "!=":
            return lambda scope: not are_equal(left(scope), right(scope), scope.effort)
        case "<":
            return lambda scope: is_less(left(scope), right(scope))
        case ">":
            return lambda scope: is_less(right(scope), left(scope))
        case "<=" | ">=":
            return lambda scope: _is_at_most(*_ordered(operator, left(scope), right(scope)))
        case "+":
            return lambda scope: _added(left(scope), right(scope), scope.effort)
    return lambda scope: _computed(operator, left(scope), right(scope))


def _ordered(operator: str, left: Value, right: Value) -> tuple[Value, Value]:
    return (left, right) if operator == "<=" else (right, left)


def _is_at_most(left: Value, right: Value) -> bool:
    return left is not None and right is not None and not is_less(right, left)


def _added(left: Value, right: Value, effort: Effort) -> Value:
    """Add numbers, or put texts together; with null it is null."""
    if left is None or right is None:
        return None
    if type(left) is not str and type(right) is not str:
        return checked(number_of(left, "`+`") + number_of(right, "`+`"))
    one, two = text_of(left, effort), text_of(right, effort)
    effort.charge(len(one) + len(two))
    return one + two


def _computed(operator: str, left: Value, right: Value) -> Value:
    """Compute as Java does: whole numbers stay whole, and a remainder has the sign of what was divided."""
    if left is None or right is None:
        return None
    a, b = number_of(left, f"`{operator}`"), number_of(right, f"`{operator}`")
    if operator in "/%" and not b:
        raise CalculationError("a number is divided by zero")
    try:
        return checked(_ARITHMETIC[operator](a, b))
    except OverflowError:
        raise CalculationError("a number is too large") from None


def _divided(a: int | float, b: int | float) -> int | float:
    return _cut(a, b) if type(a) is int and type(b) is int else a / b


def _remainder(a: int | float, b: int | float) -> int | float:
    return a - b * _cut(a, b) if type(a) is int and type(b) is int else math.fmod(a, b)


def _cut(a: int, b: int) -> int:
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


_ARITHMETIC: dict[str, Callable[[Any, Any], int | float]] = {
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _divided,
    "%": _remainder,
}
