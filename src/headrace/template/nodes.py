"""
What a template says, as a tree.

Every node knows its offset in the source. An expression also knows how deep it is, for the depth is limited where the
tree is built: nothing later has to fear recursion.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Expression:
    """Anything that has a value."""

    offset: int
    depth: int


@dataclass(frozen=True, slots=True)
class Literal(Expression):
    """A constant: string, number, boolean or null."""

    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Name(Expression):
    """A variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Subscript(Expression):
    """``target.name`` or ``target[key]``, which differ only in how the key is written."""

    target: Expression
    key: Expression


@dataclass(frozen=True, slots=True)
class MethodCall(Expression):
    """``target.name(arguments)``: one of a short fixed list."""

    target: Expression
    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Call(Expression):
    """A function with its arguments in the order of its parameters."""

    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Filter(Expression):
    """``value | name(arguments)``, the arguments in the order of the filter's parameters."""

    value: Expression
    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Test(Expression):
    """``value is name``."""

    value: Expression
    name: str
    negated: bool


@dataclass(frozen=True, slots=True)
class Unary(Expression):
    """``not``, ``-`` or ``+`` before an operand."""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary(Expression):
    """Two operands of arithmetic, comparison or ``contains``."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Chain(Expression):
    """Many operands of one of ``+ ~ and or``, kept flat so that a long chain is not a deep tree."""

    operator: str
    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Conditional(Expression):
    """``condition ? yes : no``."""

    condition: Expression
    yes: Expression
    no: Expression


@dataclass(frozen=True, slots=True)
class ListLiteral(Expression):
    """``[a, b]``."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class MapLiteral(Expression):
    """``{"a": 1}``."""

    items: tuple[tuple[Expression, Expression], ...]


@dataclass(frozen=True, slots=True)
class Text:
    """Text that is copied to the output; ``offset`` is where its first character stands."""

    value: str
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Output:
    """An expression that is printed."""

    value: Expression


@dataclass(frozen=True, slots=True)
class If:
    """Conditions with their bodies, and what is rendered when none holds."""

    branches: "tuple[tuple[Expression, Body], ...]"
    otherwise: "Body"
    else_offset: int | None = None


@dataclass(frozen=True, slots=True)
class For:
    """A loop; ``otherwise`` is for the empty collection."""

    offset: int
    name: str
    iterable: Expression
    body: "Body"
    otherwise: "Body"
    else_offset: int | None = None


@dataclass(frozen=True, slots=True)
class Set:
    """An assignment."""

    offset: int
    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class FilterBlock:
    """A body whose text goes through filters: ``chain`` is the expression around the name ``BODY``."""

    offset: int
    chain: Expression
    body: "Body"


@dataclass(frozen=True, slots=True)
class FilteredBody(Expression):
    """Stands for the body of a filter block inside its chain."""


Statement = Text | Output | If | For | Set | FilterBlock
Body = tuple[Statement, ...]


def parts_of(node: Expression) -> tuple[Expression, ...]:
    """The expressions that an expression is made of."""
    if isinstance(node, Chain):
        return node.operands
    if isinstance(node, ListLiteral):
        return node.items
    if isinstance(node, MapLiteral):
        return tuple(part for item in node.items for part in item)
    if isinstance(node, Unary):
        return (node.operand,)
    if isinstance(node, Test):
        return (node.value,)
    if isinstance(node, MethodCall):
        return (node.target, *node.arguments)
    if isinstance(node, Subscript):
        return node.target, node.key
    if isinstance(node, Filter):
        return (node.value, *node.arguments)
    if isinstance(node, Binary):
        return node.left, node.right
    if isinstance(node, Conditional):
        return node.condition, node.yes, node.no
    return node.arguments if isinstance(node, Call) else ()
