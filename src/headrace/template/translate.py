"""
Turns expressions into Python expressions.

Only constants (by ``repr``), names made here and calls of helpers reach the generated source, never a piece of the
template's text. Lookups in plain maps are written out, everything else is a call.
"""

from collections.abc import Callable

from headrace.template import nodes
from headrace.template.escaping import STRATEGIES
from headrace.template.printing import text
from headrace.template.scopes import LOOP_MEMBERS, Scopes
from headrace.template.writer import marked

CALLS = {
    "-": "subtract(m, {}, {})",
    "*": "multiply(m, {}, {})",
    "/": "divide(m, {}, {})",
    "%": "modulo(m, {}, {})",
    "<": "less({}, {})",
    ">": "greater({}, {})",
    "<=": "at_most({}, {})",
    ">=": "at_least({}, {})",
    "==": "equal(m, {}, {})",
    "equals": "equal(m, {}, {})",
    "!=": "unequal(m, {}, {})",
    "contains": "contains(m, {}, {})",
}
BOOLEAN = frozenset({"<", ">", "<=", ">=", "==", "equals", "!=", "contains"})
OPERATOR_DATA = (("customerData",), ("destination", "config"))
NEVER_CONSTANT = (nodes.Name, nodes.Subscript, nodes.Filter, nodes.Call, nodes.MethodCall)
"""What is compared in place: Python warns of ``is`` beside a constant."""
INLINED_DEPTH = 16
"""Deeper expressions call helpers only: the brackets of generated code must not nest too deep for Python."""

Path = tuple[str, ...]


class Translator:
    """Translates the expressions of one template."""

    def __init__(self, scopes: Scopes) -> None:
        self.scopes = scopes
        self.reads: set[Path] = set()
        self.asks: set[Path] = set()
        self.filtered_body = ""
        self.hoisted: dict[Path, tuple[str, str]] = {}
        """Variables, each with its code, that are set before everything else."""
        self._translations: dict[type, Callable[..., str]] = {
            nodes.Literal: self._literal,
            nodes.Name: self._name,
            nodes.Subscript: self._member_access,
            nodes.MethodCall: self._method_call,
            nodes.Call: self._call,
            nodes.Filter: self._filter,
            nodes.FilteredBody: lambda _: self.filtered_body,
            nodes.Test: self._test,
            nodes.Unary: self._unary,
            nodes.Binary: self._binary,
            nodes.Chain: self._chain,
            nodes.Conditional: self._conditional,
            nodes.ListLiteral: self._list,
            nodes.MapLiteral: self._map,
        }

    def value(self, node: nodes.Expression) -> str:
        """Code for the value."""
        return self._translations[type(node)](node)

    def condition(self, node: nodes.Expression) -> str:
        """Code for the truth of the value."""
        code = self.value(node)
        if self.is_boolean(node):
            return code
        if node.depth > INLINED_DEPTH:
            return marked(node.offset, f"truth({code})")
        name = self.scopes.fresh("t")
        return f"({name} if type({name} := {code}) is bool else {marked(node.offset, f'truth({name})')})"

    def is_boolean(self, node: nodes.Expression) -> bool:
        """Whether the value is true or false whatever the data."""
        if isinstance(node, nodes.Binary):
            return node.operator in BOOLEAN
        if isinstance(node, nodes.Chain):
            return node.operator in ("and", "or")
        if isinstance(node, nodes.Unary):
            return node.operator == "not"
        if isinstance(node, nodes.Literal):
            return type(node.value) is bool
        if isinstance(node, nodes.Subscript):
            return self._loop_member(node) in ("first", "last")
        return isinstance(node, nodes.Test)

    # Output ---------------------------------------------------------------------------------------------------------

    def constant(self, node: nodes.Expression) -> str | None:
        """The text that an expression prints whatever the data: that of a literal is never escaped."""
        if isinstance(node, nodes.Literal):
            return text(node.value, 0)
        if isinstance(node, nodes.Chain) and node.operator == "~" and len(node.operands) <= 2:
            parts = [part.value for part in node.operands if isinstance(part, nodes.Literal)]
            if len(parts) == len(node.operands) and all(type(part) is str for part in parts):
                return "".join(map(str, parts))
        return None

    def output(self, node: nodes.Expression, escape: str) -> str:
        """
        Code for the text that is printed; ``escape`` is the printer for what is not safe.

        Each branch of ``? :`` is judged alone. That a value is safe is mostly known here, from the last filter.
        """
        constant = self.constant(node)
        if constant is not None:
            return repr(constant)
        if isinstance(node, nodes.Conditional):
            yes, no = (self._branch(branch, escape) for branch in (node.yes, node.no))
            return f"({yes} if {self.condition(node.condition)} else {no})"
        if self.is_boolean(node):
            return f"('true' if {self.value(node)} else 'false')"
        if self._loop_member(node):
            return f"str({self.value(node)})"
        return self._printed(node, escape)

    def _branch(self, node: nodes.Expression, escape: str) -> str:
        """A branch that is itself a choice is escaped as a whole."""
        return self._printed(node, escape) if isinstance(node, nodes.Conditional) else self.output(node, escape)

    def _printed(self, node: nodes.Expression, escape: str) -> str:
        if isinstance(node, nodes.Filter):
            if node.name == "raw":
                return f"print_plain({self.value(node.value)})"
            strategy = self._escape_strategy(node)
            if strategy:
                return f"print_{strategy}({self.value(node.value)})"
        return f"{escape}({self.value(node)})"

    def _escape_strategy(self, node: nodes.Filter) -> str | None:
        if node.name != "escape":
            return None
        if not node.arguments:
            return "html"
        argument = node.arguments[0]
        strategy = argument.value if isinstance(argument, nodes.Literal) else None
        return strategy if isinstance(strategy, str) and strategy in STRATEGIES else None

    # Lookups --------------------------------------------------------------------------------------------------------

    def _name(self, node: nodes.Name) -> str:
        return self._noted((node.name,), self.scopes.read(node.name))

    def _member_access(self, node: nodes.Subscript) -> str:
        path = self._static_path(node)
        code = self._lookup(node)
        return self._noted(path, code) if path else code

    def _noted(self, path: Path, code: str) -> str:
        """Remember what is read from the context; what the operator entered prints in a form of its own."""
        if not self.scopes.may_be_root(path[0]):
            return code
        self.reads.add(path)
        if path[0] == OPERATOR_DATA[0][0] or path[:2] == OPERATOR_DATA[1]:
            return f"operator_form({code})"
        return code

    def _static_path(self, node: nodes.Expression) -> Path:
        keys: list[str | None] = []
        while isinstance(node, nodes.Subscript):
            key = node.key.value if isinstance(node.key, nodes.Literal) else None
            keys.append(key if isinstance(key, str) else None)
            node = node.target
        if not isinstance(node, nodes.Name):
            return ()
        path = [node.name]
        for key in reversed(keys):
            if key is None:
                break
            path.append(key)
        return tuple(path)

    def _loop_member(self, node: nodes.Expression) -> str | None:
        """The member of ``loop`` that is read, where ``loop`` is the loop's own."""
        if isinstance(node, nodes.Subscript) and isinstance(node.target, nodes.Name) and node.target.name == "loop":
            known = self.scopes.members_of("loop")
            key = node.key.value if isinstance(node.key, nodes.Literal) else None
            if known and key in LOOP_MEMBERS and isinstance(key, str) and key in known:
                return key
        return None

    def _lookup(self, node: nodes.Expression) -> str:
        if isinstance(node, nodes.Name):
            return self.scopes.read(node.name)
        if not isinstance(node, nodes.Subscript):
            return self.value(node)
        key = node.key.value if isinstance(node.key, nodes.Literal) else None
        if isinstance(node.target, nodes.Name) and isinstance(key, str):
            members = self.scopes.members_of(node.target.name)
            if members:
                return members[key]
        if self.scopes.inner and isinstance(key, str):
            hoisted = self._hoisted(node)
            if hoisted:
                return hoisted
        target = self._lookup(node.target)
        if isinstance(key, str):
            return self._constant_key(node, target, repr(key))
        return self._dynamic_key(node, target, self.value(node.key))

    def _hoisted(self, node: nodes.Subscript) -> str | None:
        """
        A variable that holds what a constant path of the context leads to.

        A lookup cannot fail and the context never changes, so what a loop would look up again and again is looked up
        once, before everything else.
        """
        path = self._static_path(node)
        if len(path) != _length(node) or self.scopes.is_assigned(path[0]):
            return None
        if path not in self.hoisted:
            outer, self.scopes.inner = self.scopes.inner, []
            self.hoisted[path] = self.scopes.fresh("c"), self._lookup(node)
            self.scopes.inner = outer
        return self.hoisted[path][0]

    def _constant_key(self, node: nodes.Subscript, target: str, key: str) -> str:
        if node.depth > INLINED_DEPTH:
            return f"member({target}, {key})"
        name, bound = self._bound(target)
        return f"({name}.get({key}) if type({bound}) is dict else member({name}, {key}))"

    def _dynamic_key(self, node: nodes.Subscript, target: str, key: str) -> str:
        if node.depth > INLINED_DEPTH:
            return marked(node.offset, f"subscript(m, {target}, {key})")
        map_name, map_bound = self._bound(target)
        key_name, key_bound = self._bound(key)
        slow = marked(node.offset, f"subscript(m, {map_name}, {key_name})")
        both = f"(type({map_bound}) is dict) & (type({key_bound}) is str)"
        return f"({map_name}.get({key_name}) if {both} else {slow})"

    def _bound(self, code: str) -> tuple[str, str]:
        """A name for a value that is used twice, and the code that gives it that name."""
        if code.isidentifier():
            return code, code
        name = self.scopes.fresh("t")
        return name, f"{name} := {code}"

    # Operations -----------------------------------------------------------------------------------------------------

    def _literal(self, node: nodes.Literal) -> str:
        return repr(node.value)

    def _call_with(self, node: nodes.Expression, function: str, parts: tuple[nodes.Expression, ...]) -> str:
        arguments = "".join(f", {self.value(part)}" for part in parts)
        return marked(node.offset, f"{function}(m{arguments})")

    def _method_call(self, node: nodes.MethodCall) -> str:
        arguments = "".join(f", {self.value(part)}" for part in node.arguments)
        return marked(node.offset, f"call_method(m, {self.value(node.target)}, {node.name!r}{arguments})")

    def _call(self, node: nodes.Call) -> str:
        return self._call_with(node, f"function_{node.name}", node.arguments)

    def _filter(self, node: nodes.Filter) -> str:
        return self._call_with(node, f"filter_{node.name}", (node.value, *node.arguments))

    def _test(self, node: nodes.Test) -> str:
        value = self.value(node.value)
        if node.name in ("null", "defined") and isinstance(node.value, NEVER_CONSTANT):
            positive = (node.name == "null") is not node.negated
            return f"({value} is {'None' if positive else 'not None'})"
        if node.name == "empty" and node.depth <= INLINED_DEPTH:
            name, bound = self._bound(value)
            slow = marked(node.offset, f"test_empty(m, {name})")
            code = f"(not {name} if type({bound}) is dict else {slow})"
        else:
            code = marked(node.offset, f"test_{node.name}(m, {value})")
        return f"(not {code})" if node.negated else f"({code})"

    def _unary(self, node: nodes.Unary) -> str:
        if node.operator == "not":
            return f"(not {self.condition(node.operand)})"
        if isinstance(node.operand, nodes.Literal) and type(node.operand.value) in (int, float):
            number = node.operand.value
            assert isinstance(number, int | float)
            return f"({number if node.operator == '+' else -number!r})"
        return marked(node.offset, f"{'negate' if node.operator == '-' else 'plus'}({self.value(node.operand)})")

    def _binary(self, node: nodes.Binary) -> str:
        if node.operator in ("==", "equals", "!="):
            comparison = self._with_constant(node)
            if comparison:
                return comparison
        if node.operator == "contains" and isinstance(node.right, nodes.Literal):
            self._note_question(node.left, node.right.value)
        left, right = self.value(node.left), self.value(node.right)
        return marked(node.offset, CALLS[node.operator].format(left, right))

    def _note_question(self, asked: nodes.Expression, key: object) -> None:
        """Remember that the template asks whether a map of the context has a key."""
        path = self._static_path(asked)
        if path and len(path) == _length(asked) and isinstance(key, str) and self.scopes.may_be_root(path[0]):
            self.asks.add((*path, key))

    def _with_constant(self, node: nodes.Binary) -> str | None:
        """A comparison with a constant string, boolean or null, for which Python's own comparison is the language's."""
        left, right = node.left, node.right
        if isinstance(left, nodes.Literal):
            left, right = right, left
        if not isinstance(right, nodes.Literal) or type(right.value) in (int, float):
            return None
        if not isinstance(left, NEVER_CONSTANT):
            return None
        negated = node.operator == "!="
        if type(right.value) is str:
            return f"({self.value(left)} {'!=' if negated else '=='} {right.value!r})"
        return f"({self.value(left)} {'is not' if negated else 'is'} {right.value!r})"

    def _chain(self, node: nodes.Chain) -> str:
        if node.operator in ("and", "or"):
            return "(" + f" {node.operator} ".join(self.condition(part) for part in node.operands) + ")"
        if node.operator == "~":
            return self._call_with(node, "concatenate", node.operands)
        return self._call_with(node, "add" if len(node.operands) == 2 else "add_all", node.operands)

    def _conditional(self, node: nodes.Conditional) -> str:
        return f"({self.value(node.yes)} if {self.condition(node.condition)} else {self.value(node.no)})"

    def _list(self, node: nodes.ListLiteral) -> str:
        items = ", ".join(self.value(item) for item in node.items)
        return marked(node.offset, f"new_list(m, [{items}])")

    def _map(self, node: nodes.MapLiteral) -> str:
        items = ", ".join(f"({self.value(key)}, {self.value(value)})" for key, value in node.items)
        return marked(node.offset, f"new_map(m, [{items}])")


def _length(node: nodes.Expression) -> int:
    """How many names a path would have if all of its keys were constant."""
    length = 1
    while isinstance(node, nodes.Subscript):
        length += 1
        node = node.target
    return length
