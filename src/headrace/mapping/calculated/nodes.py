"""The parts of a calculated field. Where a part stands does not count when two are compared."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, number, truth value or null that is written out."""

    value: str | int | float | bool | None

    def __eq__(self, other: object) -> bool:
        return type(other) is Literal and type(self.value) is type(other.value) and self.value == other.value

    def __hash__(self) -> int:
        return hash((type(self.value), self.value))


@dataclass(frozen=True, slots=True)
class Array:
    """A list that is written out: ``[1, 2]``."""

    items: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Name:
    """An attribute of the profile at its root, or the parameter of a lambda around it."""

    name: str
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Member:
    """What stands under a name in an object: ``person.name``."""

    of: "Node"
    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """What stands at a position of a list: ``orders[0]``."""

    of: "Node"
    index: "Node"


@dataclass(frozen=True, slots=True)
class Unary:
    """A minus or a ``!`` before something."""

    operator: str
    operand: "Node"


@dataclass(frozen=True, slots=True)
class Binary:
    """Two things and what is between them."""

    operator: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Lambda:
    """What is done with each item of a list: ``x -> x.name``."""

    parameter: str
    body: "Node"
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments. ``a.f(b)`` is ``f(a, b)``."""

    name: str
    arguments: "tuple[Node, ...]"
    at: int = field(default=0, compare=False)


Node = Literal | Array | Name | Member | Index | Unary | Binary | Lambda | Call


def parts_of(node: Node) -> "tuple[Node, ...]":
    """Return what a part is directly made of."""
    match node:
        case Array(items):
            return items
        case Call(arguments=arguments):
            return arguments
        case Member(of=of):
            return (of,)
        case Index(of, index):
            return (of, index)
        case Unary(operand=operand):
            return (operand,)
        case Binary(left=left, right=right):
            return (left, right)
        case Lambda(body=body):
            return (body,)
    return ()


def weight_of(node: Node) -> int:
    """Count the parts, itself among them."""
    return 1 + sum(map(weight_of, parts_of(node)))
