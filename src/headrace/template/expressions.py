"""
Reads expressions: a precedence climber over the tokens of one template.

A prefix operator takes its operand at the tightest level, so ``not a == b`` is ``(not a) == b``; ``~`` binds tighter
than ``|`` and ``|`` tighter than arithmetic. These levels are the language's, and not the usual ones.
"""

from collections.abc import Callable
from typing import Never

from headrace.template import nodes
from headrace.template.lexer import WORD_OPERATORS, Kind, Token
from headrace.template.limits import Limits
from headrace.template.registry import Signature, Table, filters, functions, tests
from headrace.template.source import unknown

LEVELS = {
    "or": 10,
    "and": 15,
    "is": 20,
    "is not": 20,
    "contains": 20,
    "==": 30,
    "equals": 30,
    "!=": 30,
    "<": 30,
    ">": 30,
    "<=": 30,
    ">=": 30,
    "+": 40,
    "-": 40,
    "*": 60,
    "/": 60,
    "%": 60,
    "|": 100,
    "~": 110,
}
FLAT = frozenset({"or", "and", "+", "~"})
CONSTANTS = {
    "true": True,
    "TRUE": True,
    "false": False,
    "FALSE": False,
    "null": None,
    "NULL": None,
    "none": None,
    "NONE": None,
}
NOT_AVAILABLE = {
    "range": "function `range` is not available in message templates",
    "block": "function `block` needs the tag `block`, which is not available in message templates",
    "parent": "function `parent` needs the tag `block`, which is not available in message templates",
    "i18n": "function `i18n` is not available in message templates: there are no bundles",
}
ELSEWHERE = {
    "in": "write `list contains item`",
    "if": "write `condition ? value : other`",
    "matches": "there are no regular expressions in conditions",
    "starts": "write `text.startsWith(other)`",
    "ends": "write `text.endsWith(other)`",
}
"""Operators that other template languages have, and what there is instead."""
LARGEST_INTEGER = 2**63 - 1


class ReadError(Exception):
    """The tag cannot be read any further."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message


class ExpressionParser:
    """Reads tokens one after the other; the parser of tags shares it."""

    def __init__(self, tokens: list[Token], limits: Limits, note: Callable[[int, str], None]) -> None:
        self.tokens = tokens
        self.limits = limits
        self.note = note
        self.position = 0
        self.nesting = 0
        self.nodes_left = limits.nodes

    # Tokens ---------------------------------------------------------------------------------------------------------

    def peek(self) -> Token:
        """The next token."""
        return self.tokens[self.position]

    def take(self) -> Token:
        """The next token, which is consumed unless it is the end."""
        token = self.tokens[self.position]
        if token.kind is not Kind.END:
            self.position += 1
        return token

    def take_operator(self, *spellings: str) -> Token | None:
        """The next token if it is one of these operators."""
        token = self.tokens[self.position]
        return self.take() if token.kind is Kind.OPERATOR and token.value in spellings else None

    def expect(self, spelling: str, after: str) -> Token:
        """This operator or bracket must follow."""
        return self.take_operator(spelling) or self.unexpected(f"`{spelling}` {after}")

    def end_of(self, close: Kind) -> None:
        """The tag must end here."""
        token = self.peek()
        if token.kind is not close:
            if token.kind is Kind.NAME and token.value in ELSEWHERE:
                raise ReadError(token.start, f"`{token.value}` is not an operator here; {ELSEWHERE[token.value]}")
            self.unexpected("the end of the tag")
        self.position += 1

    def skip_tag(self) -> None:
        """Go behind the end of the current tag."""
        self.nesting = 0
        while self.peek().kind not in (Kind.PRINT_CLOSE, Kind.TAG_CLOSE, Kind.END):
            self.position += 1
        self.take()

    def unexpected(self, expected: str) -> Never:
        """Refuse the next token and say what was expected."""
        token = self.peek()
        if token.kind is Kind.INVALID:
            raise ReadError(token.start, token.value)
        if token.is_operator(".."):
            raise ReadError(token.start, "the operator `..` is not available in message templates: it is `range`")
        if token.kind in (Kind.PRINT_CLOSE, Kind.TAG_CLOSE, Kind.END):
            raise ReadError(token.start, f"expected {expected}, but the tag ends")
        found = "a string" if token.kind in (Kind.STRING, Kind.INTERPOLATED) else f"`{token.value}`"
        raise ReadError(token.start, f"expected {expected}, not {found}")

    # Building -------------------------------------------------------------------------------------------------------

    def count_node(self, count: int = 1) -> None:
        """Charge for pieces of the template."""
        self.nodes_left -= count
        if self.nodes_left < 0:
            raise ReadError(self.peek().start, f"the template has more than {self.limits.nodes:,} pieces")

    def above(self, offset: int, *children: nodes.Expression) -> int:
        """The depth of an expression that has these parts."""
        self.count_node()
        depth = 1 + max((child.depth for child in children), default=0)
        if depth > self.limits.depth:
            raise ReadError(offset, f"this expression is nested deeper than {self.limits.depth}")
        return depth

    # Expressions ----------------------------------------------------------------------------------------------------

    def expression(self) -> nodes.Expression:
        """A full expression."""
        self.nesting += 1
        if self.nesting > self.limits.depth:
            raise ReadError(self.peek().start, f"this expression is nested deeper than {self.limits.depth}")
        condition = self._binary(0)
        question = self.take_operator("?")
        if question:
            yes = self.expression()
            self.expect(":", "between the two values of `?`")
            no = self.expression()
            depth = self.above(question.start, condition, yes, no)
            condition = nodes.Conditional(condition.offset, depth, condition, yes, no)
        self.nesting -= 1
        return condition

    def _binary(self, level: int) -> nodes.Expression:
        left = self._unary()
        while True:
            token = self.peek()
            own = LEVELS.get(token.value, -1) if token.kind is Kind.OPERATOR else -1
            if own < level:
                return left
            self.take()
            left = self._operation(left, token, own)

    def _operation(self, left: nodes.Expression, token: Token, level: int) -> nodes.Expression:
        operator = token.value
        if operator == "|":
            return self._filter(left)
        if operator in ("is", "is not"):
            return self._test(left, negated=operator == "is not")
        if operator in FLAT:
            return self._chain(left, token, level)
        right = self._binary(level + 1)
        return nodes.Binary(token.start, self.above(token.start, left, right), operator, left, right)

    def _chain(self, left: nodes.Expression, token: Token, level: int) -> nodes.Expression:
        operands = [left]
        while True:
            operands.append(self._binary(level + 1))
            if not self.take_operator(token.value):
                break
        depth = self.above(token.start, *operands)
        return nodes.Chain(token.start, depth, token.value, tuple(operands))

    def _unary(self) -> nodes.Expression:
        operator = self.take_operator("not", "-", "+")
        if not operator:
            return self._postfix()
        self.nesting += 1
        if self.nesting > self.limits.depth:
            raise ReadError(operator.start, f"this expression is nested deeper than {self.limits.depth}")
        operand = self._unary()
        self.nesting -= 1
        depth = self.above(operator.start, operand)
        return nodes.Unary(operator.start, depth, operator.value, operand)

    def _postfix(self) -> nodes.Expression:
        token = self.peek()
        value = self._primary()
        if token.kind in (Kind.INTEGER, Kind.DECIMAL) or token.is_operator("[", "{"):
            return value
        while (following := self.peek()).is_operator(".", "["):
            self.take()
            value = self._member(value, following) if following.value == "." else self._subscript(value, following)
        return value

    def _member(self, target: nodes.Expression, dot: Token) -> nodes.Expression:
        token = self.peek()
        calls_contains = token.is_operator("contains") and self.tokens[self.position + 1].is_operator("(")
        if token.kind is Kind.OPERATOR and token.value.split()[0] in WORD_OPERATORS and not calls_contains:
            word = token.value.split()[0]
            raise ReadError(token.start, f'`{word}` is an operator and cannot follow a dot; write ["{word}"]')
        if token.kind is not Kind.NAME and not calls_contains:
            self.unexpected("a name after the dot")
        self.take()
        if self.peek().is_operator("("):
            arguments = self._arguments(Signature(token.value, (), True, _nothing), "method", token)
            depth = self.above(dot.start, target, *arguments)
            return nodes.MethodCall(token.start, depth, target, token.value, arguments)
        key = nodes.Literal(token.start, 1, token.value)
        return nodes.Subscript(token.start, self.above(dot.start, target), target, key)

    def _subscript(self, target: nodes.Expression, bracket: Token) -> nodes.Expression:
        key = self.expression()
        self.expect("]", "after the key")
        return nodes.Subscript(bracket.start, self.above(bracket.start, target, key), target, key)

    def _primary(self) -> nodes.Expression:
        token = self.peek()
        if token.kind is Kind.NAME:
            return self._name(self.take())
        if token.kind in (Kind.STRING, Kind.INTEGER, Kind.DECIMAL):
            return self._literal(self.take())
        if token.kind is Kind.INTERPOLATED:
            return self._interpolated(self.take())
        if self.take_operator("("):
            value = self.expression()
            self.expect(")", "after the expression")
            return value
        if self.take_operator("["):
            return self._list(token)
        if self.take_operator("{"):
            return self._map(token)
        return self.unexpected("an expression")

    def _name(self, token: Token) -> nodes.Expression:
        if token.value in CONSTANTS:
            return nodes.Literal(token.start, self.above(token.start), CONSTANTS[token.value])
        if self.peek().is_operator("("):
            return self._call(token)
        return nodes.Name(token.start, self.above(token.start), token.value)

    def _literal(self, token: Token) -> nodes.Expression:
        value: str | int | float = token.value
        if token.kind is Kind.INTEGER:
            value = int(token.value.rstrip("L")) if len(token.value) < 25 else LARGEST_INTEGER + 1
            if value > LARGEST_INTEGER:
                raise ReadError(token.start, "this integer does not fit into 64 bits")
        elif token.kind is Kind.DECIMAL:
            value = float(token.value)
        return nodes.Literal(token.start, self.above(token.start), value)

    def _interpolated(self, token: Token) -> nodes.Expression:
        operands: list[nodes.Expression] = []
        for part in token.parts:
            if isinstance(part, str):
                if part:
                    operands.append(nodes.Literal(token.start, self.above(token.start), part))
            else:
                operands.append(self._within(part))
        depth = self.above(token.start, *operands)
        return nodes.Chain(token.start, depth, "~", tuple(operands))

    def _within(self, tokens: list[Token]) -> nodes.Expression:
        """The expression of an interpolation, which has its own tokens."""
        outer = self.tokens, self.position
        self.tokens, self.position = tokens, 0
        try:
            value = self.expression()
            if self.peek().kind is not Kind.END:
                self.unexpected("`}` after the expression")
        finally:
            self.tokens, self.position = outer
        return value

    def _list(self, bracket: Token) -> nodes.Expression:
        items: list[nodes.Expression] = []
        while not (self.peek().is_operator("]") and not items):
            items.append(self.expression())
            if not self.take_operator(","):
                break
        self.expect("]", "after the items of the list")
        return nodes.ListLiteral(bracket.start, self.above(bracket.start, *items), tuple(items))

    def _map(self, brace: Token) -> nodes.Expression:
        items: list[tuple[nodes.Expression, nodes.Expression]] = []
        while not (self.peek().is_operator("}") and not items):
            key = self.expression()
            self.expect(":", "after the key")
            items.append((key, self.expression()))
            if not self.take_operator(","):
                break
        self.expect("}", "after the entries of the map")
        depth = self.above(brace.start, *(part for item in items for part in item))
        return nodes.MapLiteral(brace.start, depth, tuple(items))

    # Filters, tests, functions --------------------------------------------------------------------------------------

    def filter_chain(self, value: nodes.Expression) -> nodes.Expression:
        """The filters of a ``filter`` tag around its body."""
        value = self._filter(value)
        while self.take_operator("|"):
            value = self._filter(value)
        return value

    def _filter(self, value: nodes.Expression) -> nodes.Expression:
        token = self._callee("filter")
        signature = self._known(filters, token)
        arguments = self._arguments(signature, "filter", token) if self.peek().is_operator("(") else ()
        depth = self.above(token.start, value, *arguments)
        return nodes.Filter(token.start, depth, value, token.value, arguments)

    def _test(self, value: nodes.Expression, *, negated: bool) -> nodes.Expression:
        if self.peek().is_operator("not"):
            raise ReadError(self.peek().start, "`is not` is one operator: exactly one blank stands inside of it")
        token = self._callee("test")
        signature = self._known(tests, token)
        if self.peek().is_operator("("):
            self._arguments(signature, "test", token)
        return nodes.Test(token.start, self.above(token.start, value), value, token.value, negated)

    def _call(self, token: Token) -> nodes.Expression:
        if token.value in NOT_AVAILABLE:
            self.note(token.start, NOT_AVAILABLE[token.value])
            signature = Signature(token.value, (), True, _nothing)
        else:
            signature = self._known(functions, token)
        arguments = self._arguments(signature, "function", token)
        return nodes.Call(token.start, self.above(token.start, *arguments), token.value, arguments)

    def _callee(self, what: str) -> Token:
        if self.peek().kind is not Kind.NAME:
            self.unexpected(f"the name of a {what}")
        return self.take()

    def _known(self, table: Table, token: Token) -> Signature:
        signature = table.entries.get(token.value)
        if signature is None:
            self.note(token.start, unknown(table.what, token.value, table.entries))
            return Signature(token.value, (), True, _nothing)
        return signature

    def _arguments(self, signature: Signature, what: str, callee: Token) -> tuple[nodes.Expression, ...]:
        """Positional arguments first, then named ones; the result is in the order of the parameters."""
        self.expect("(", "")
        positional: list[nodes.Expression] = []
        named: dict[str, nodes.Expression] = {}
        while not (self.peek().is_operator(")") and not positional and not named):
            self._argument(signature, what, positional, named)
            if not self.take_operator(","):
                break
        self.expect(")", "after the arguments")
        if signature.variadic:
            return tuple(positional)
        if len(positional) > len(signature.parameters):
            most = len(signature.parameters)
            self.note(callee.start, f"{what} `{callee.value}` takes {_arguments_text(most)}, not {len(positional)}")
        return self._in_order(signature, positional, named)

    def _argument(
        self, signature: Signature, what: str, positional: list[nodes.Expression], named: dict[str, nodes.Expression]
    ) -> None:
        token = self.peek()
        if token.kind is Kind.NAME and self.tokens[self.position + 1].is_operator("="):
            self.position += 2
            taken = set(signature.parameters[: len(positional)]) | set(named)
            if token.value not in signature.parameters:
                self.note(token.start, self._no_argument(signature, what, token.value))
            elif token.value in taken:
                self.note(token.start, f"argument `{token.value}` is given twice")
            named[token.value] = self.expression()
        elif named:
            raise ReadError(token.start, "positional arguments come before named ones")
        else:
            positional.append(self.expression())

    def _no_argument(self, signature: Signature, what: str, name: str) -> str:
        if not signature.parameters:
            return f"{what} `{signature.name}` has no named arguments"
        return unknown(f"argument of {what} `{signature.name}`", name, signature.parameters)

    def _in_order(
        self, signature: Signature, positional: list[nodes.Expression], named: dict[str, nodes.Expression]
    ) -> tuple[nodes.Expression, ...]:
        rest = signature.parameters[len(positional) :]
        values = [*positional, *(named.get(parameter, nodes.Literal(0, 1, None)) for parameter in rest)]
        while values and isinstance(values[-1], nodes.Literal) and values[-1].value is None:
            values.pop()
        return tuple(values)


def _arguments_text(count: int) -> str:
    return "no arguments" if count == 0 else "1 argument" if count == 1 else f"{count} arguments"


def _nothing(*_: object) -> None:
    return None
