"""Reads a calculated field: operators by their binding power, everything else by what it begins with."""

from headrace.errors import ExpressionError
from headrace.mapping.calculated import nodes
from headrace.mapping.calculated.lexer import CONSTANTS, RESERVED, Token, tokens

DEEPEST = 32
#: The most operators between values, and steps behind values, of one text; each may hang below the one before.
MOST_JOINED = 200
#: How strongly an operator holds what is beside it; all of them hold the left first.
POWERS = {
    "||": 1,
    "&&": 2,
    "==": 3,
    "!=": 3,
    "<": 4,
    ">": 4,
    "<=": 4,
    ">=": 4,
    "+": 5,
    "-": 5,
    "*": 6,
    "/": 6,
    "%": 6,
}
_OF_A_SIGN = 7


def parse(text: str) -> nodes.Node:
    """
    Read a calculated field.

    >>> parse("a.b")
    Member(of=Name(name='a', at=0), name='b')

    Raises:
        ExpressionError: it is none; the message says where, and what was expected.
    """
    return _Parser(text).whole()


class _Parser:
    """Goes through the tokens of one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._place = 0
        self._depth = 0
        self._joined = 0

    def whole(self) -> nodes.Node:
        node = self._expression(0)
        if self._next.kind != "end":
            raise self._wrong("an operator or the end")
        return node

    @property
    def _next(self) -> Token:
        return self._tokens[self._place]

    def _take(self) -> Token:
        token = self._next
        self._place += 1
        return token

    def _takes(self, operator: str) -> bool:
        """Take an operator if it stands here."""
        is_here = self._next.is_operator(operator)
        self._place += is_here
        return is_here

    def _expect(self, operator: str) -> None:
        if not self._takes(operator):
            raise self._wrong(f"`{operator}`")

    def _expression(self, power: int) -> nodes.Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ExpressionError(self._text, self._next.start, f"it is nested more than {DEEPEST} deep")
        node = self._operations(power)
        self._depth -= 1
        return node

    def _operations(self, power: int) -> nodes.Node:
        node = self._prefixed()
        while self._next.kind == "operator" and POWERS.get(str(self._next.value), 0) > power:
            self._count_joined()
            operator = str(self._take().value)
            node = nodes.Binary(operator, node, self._expression(POWERS[operator]))
        return node

    def _count_joined(self) -> None:
        self._joined += 1
        if self._joined > MOST_JOINED:
            message = f"it has more than {MOST_JOINED} operators and steps of paths; split it"
            raise ExpressionError(self._text, self._next.start, message)

    def _prefixed(self) -> nodes.Node:
        if self._next.is_operator("-", "!"):
            operator = str(self._take().value)
            return nodes.Unary(operator, self._expression(_OF_A_SIGN))
        return self._followed(self._primary())

    def _primary(self) -> nodes.Node:
        token = self._take()
        if token.kind in ("text", "number"):
            return nodes.Literal(token.value)
        if token.kind == "name":
            return self._named(token)
        if token.is_operator("("):
            node = self._expression(0)
            self._expect(")")
            return node
        if token.is_operator("["):
            return nodes.Array(self._list("]"))
        self._place -= 1
        raise self._wrong("a value: an attribute, a text, a number, or a function")

    def _named(self, token: Token) -> nodes.Node:
        name = str(token.value)
        is_wrapped = self._text.startswith("${", token.start)
        if not is_wrapped and name in CONSTANTS:
            return nodes.Literal(CONSTANTS[name])
        if not is_wrapped and self._takes("("):
            return nodes.Call(name, self._list(")"), token.start)
        if not is_wrapped and name in RESERVED:
            message = f"`{name}` is a word of the language; the attribute is written `${{{name}}}`"
            raise ExpressionError(self._text, token.start, message)
        if self._takes("->"):
            return nodes.Lambda(name, self._expression(0), token.start)
        return nodes.Name(name, token.start)

    def _followed(self, node: nodes.Node) -> nodes.Node:
        """Read what hangs behind a value: members, positions, and functions that are written behind it."""
        while self._next.is_operator(".", "["):
            self._count_joined()
            node = self._step(node)
        return node

    def _step(self, node: nodes.Node) -> nodes.Node:
        if self._takes("["):
            index = self._expression(0)
            self._expect("]")
            return nodes.Index(node, index)
        self._take()
        token = self._take()
        if token.kind != "name" and not str(token.value).isidentifier():
            self._place -= 1
            raise self._wrong("a name behind the dot")
        name = self._text[token.start : token.end] if token.kind == "operator" else str(token.value)
        if not self._text.startswith("${", token.start) and self._takes("("):
            return nodes.Call(name, (node, *self._list(")")), token.start)
        return nodes.Member(node, name)

    def _list(self, closing: str) -> tuple[nodes.Node, ...]:
        items: list[nodes.Node] = []
        if self._takes(closing):
            return ()
        while True:
            items.append(self._expression(0))
            if self._takes(closing):
                return tuple(items)
            if not self._takes(","):
                raise self._wrong(f"`,` or `{closing}`")

    def _wrong(self, expected: str) -> ExpressionError:
        token = self._next
        found = "the end" if token.kind == "end" else f"`{self._text[token.start : token.end][:40]}`"
        return ExpressionError(self._text, token.start, f"expected {expected}, and found {found}")
