"""
The template language in the simplest way: a walk over the tree, with a list of maps for the scopes.

What the compiler makes must do the same; no cleverness may show. It knows the whole language, and has no limits of its
own: those are for the caller.
"""

from collections.abc import Iterator
from typing import Any

from headrace.template import engine, nodes, operators, registry, runtime
from headrace.template.escaping import printer
from headrace.template.limits import Limits, Meter

OPERATORS = {
    "-": operators.subtract,
    "*": operators.multiply,
    "/": operators.divide,
    "%": operators.modulo,
    "==": operators.equal,
    "equals": operators.equal,
    "!=": operators.unequal,
    "contains": operators.contains,
}
COMPARISONS = {
    "<": operators.less,
    ">": operators.greater,
    "<=": operators.at_most,
    ">=": operators.at_least,
}
CHAINS = {"~": operators.concatenate, "+": operators.add_all}


class Interpreter:
    """Renders by walking the tree."""

    def __init__(self, context: dict[str, Any], limits: Limits, escaping: str = "html") -> None:
        self.scopes: list[dict[str, Any]] = [dict(context)]
        self.meter = Meter(limits, engine.compile_template.__code__)
        self.filtered: list[str] = []
        self.print = {True: printer(escaping, limits.output), False: printer("none", limits.output)}

    # Statements -----------------------------------------------------------------------------------------------------

    def body(self, body: nodes.Body, *, escaping: bool = True) -> str:
        return "".join(piece for statement in body for piece in self.statement(statement, escaping))

    def statement(self, statement: nodes.Statement, escaping: bool) -> Iterator[str]:
        if isinstance(statement, nodes.Text):
            yield statement.value
        elif isinstance(statement, nodes.Output):
            yield self.printed(statement.value, escaping)
        elif isinstance(statement, nodes.Set):
            self.assign(statement.name, self.value(statement.value))
        elif isinstance(statement, nodes.FilterBlock):
            self.filtered.append(self.body(statement.body, escaping=False))
            yield self.printed(statement.chain, escaping)
            self.filtered.pop()
        elif isinstance(statement, nodes.If):
            chosen = next((body for test, body in statement.branches if self.truth(test)), statement.otherwise)
            yield self.body(chosen, escaping=escaping)
        else:
            yield from self.loop(statement, escaping)

    def loop(self, statement: nodes.For, escaping: bool) -> Iterator[str]:
        items = runtime.items_of(self.meter, self.value(statement.iterable))
        if items == []:
            yield self.body(statement.otherwise, escaping=escaping)
        if not items:
            return
        self.meter.spend(len(items))
        self.scopes.append({})
        for index, item in enumerate(items):
            self.scopes[-1]["loop"] = runtime.loop_map(index, len(items))
            self.scopes[-1][statement.name] = item
            yield self.body(statement.body, escaping=escaping)
        self.scopes.pop()

    # Output ---------------------------------------------------------------------------------------------------------

    def printed(self, node: nodes.Expression, escaping: bool, *, nested: bool = False) -> str:
        if is_constant(node):
            return self.print[False](self.value(node))
        if isinstance(node, nodes.Conditional) and not nested:
            return self.printed(node.yes if self.truth(node.condition) else node.no, escaping, nested=True)
        return self.print[escaping](self.value(node))

    # Expressions ----------------------------------------------------------------------------------------------------

    def read(self, name: str) -> Any:
        scope = next((scope for scope in reversed(self.scopes) if name in scope), {})
        value = scope.get(name)
        return runtime.operator_form(value) if name == "customerData" and scope is self.scopes[0] else value

    def assign(self, name: str, value: Any) -> None:
        scope = next((scope for scope in reversed(self.scopes) if name in scope), self.scopes[-1])
        scope[name] = value

    def truth(self, node: nodes.Expression) -> bool:
        return operators.truth(self.value(node))

    def value(self, node: nodes.Expression) -> Any:
        if isinstance(node, nodes.Conditional):
            return self.value(node.yes if self.truth(node.condition) else node.no)
        if isinstance(node, nodes.Chain) and node.operator == "and":
            return all(self.truth(part) for part in node.operands)
        if isinstance(node, nodes.Chain) and node.operator == "or":
            return any(self.truth(part) for part in node.operands)
        if isinstance(node, nodes.Unary):
            if node.operator == "not":
                return not self.truth(node.operand)
            return (operators.negate if node.operator == "-" else operators.plus)(self.value(node.operand))
        return self._strict(node)

    def _strict(self, node: nodes.Expression) -> Any:
        if isinstance(node, nodes.Literal):
            return node.value
        if isinstance(node, nodes.Name):
            return self.read(node.name)
        if isinstance(node, nodes.FilteredBody):
            return self.filtered[-1]
        if isinstance(node, nodes.MapLiteral):
            pairs = [(self.value(key), self.value(value)) for key, value in node.items]
            return runtime.new_map(self.meter, pairs)
        parts = [self.value(part) for part in nodes.parts_of(node)]
        return self._applied(node, parts)

    def _applied(self, node: nodes.Expression, parts: list[Any]) -> Any:
        if isinstance(node, nodes.Subscript):
            return runtime.subscript(self.meter, *parts)
        if isinstance(node, nodes.ListLiteral):
            return runtime.new_list(self.meter, parts)
        if isinstance(node, nodes.Chain):
            return CHAINS[node.operator](self.meter, *parts)
        if isinstance(node, nodes.MethodCall):
            return runtime.call_method(self.meter, parts[0], node.name, *parts[1:])
        if isinstance(node, nodes.Binary):
            if node.operator in COMPARISONS:
                return COMPARISONS[node.operator](*parts)
            return OPERATORS[node.operator](self.meter, *parts)
        if isinstance(node, nodes.Test):
            return registry.tests.entries[node.name].implementation(self.meter, *parts) is not node.negated
        assert isinstance(node, nodes.Filter | nodes.Call)
        table = registry.filters if isinstance(node, nodes.Filter) else registry.functions
        return table.entries[node.name].implementation(self.meter, *parts)


def is_constant(node: nodes.Expression) -> bool:
    """Whether it is printed as it is: a literal, or two literal texts put together."""
    if isinstance(node, nodes.Chain) and node.operator == "~" and len(node.operands) <= 2:
        return all(isinstance(part, nodes.Literal) and isinstance(part.value, str) for part in node.operands)
    return isinstance(node, nodes.Literal)
