"""
Follows a template over the shape of its data, without any data.

Two things come out. Names that mean nothing: a variable that nobody sets, a member that the data does not have. And
what the template looks for where any key is right: which attributes and namespaces, compared with which texts, taken
for numbers or for dates. From the second, samples are made that fit the template.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from headrace.template import nodes
from headrace.template.scopes import direct_sets, loops_within
from headrace.template.shape import (
    ANY,
    BOOLEAN,
    LOOP,
    NULL,
    NUMBER,
    TEXT,
    WORD,
    Kind,
    Origin,
    Shape,
    entry_of,
    join,
    many,
    record,
)
from headrace.template.source import unknown

Note = Callable[[int, str, str], None]
"""Takes the place, the code and the text of what is wrong."""

RESULTS = MappingProxyType(
    {
        **dict.fromkeys(("abs", "length"), NUMBER),
        **dict.fromkeys(("base64encode", "date", "numberformat", "sha256", "urlencode"), WORD),
        **dict.fromkeys(("merge", "toJson"), ANY),
        "split": many(TEXT),
    }
)
"""What filters give whatever they take; a text where nothing is said."""
SAME = frozenset({"escape", "raw", "reverse", "rsort", "slice", "sort"})
MEMBERSHIPS = frozenset({"added", "addedSegments", "removed", "removedSegments"})
MOST_WANTED = 40


@dataclass(slots=True)
class Want:
    """What a template expects of the values under one key."""

    literals: dict[str | int | float | bool, None] = field(default_factory=dict)
    """What they are compared with."""
    is_number: bool = False
    date_pattern: str | None = None
    is_wrapped: bool = False
    """Whether ``.value`` is read of it, which attributes have that the operator named."""

    def add(self, literal: object) -> None:
        """Remember something that it is compared with."""
        if isinstance(literal, str | int | float) and len(self.literals) < MOST_WANTED:
            self.literals[literal] = None


class Reading:
    """Everything that one template reads. ``names`` of the data are known beyond those of ``context``."""

    def __init__(self, body: nodes.Body, context: Shape, note: Note) -> None:
        self.context = context
        self.note = note
        self.quiet = True
        self.wants: dict[str, dict[str | None, Want]] = {}
        self.printed: dict[int, Shape] = {}
        """The shape of every printed expression, by the identity of its node."""
        self.loop_names = {loop.name for loop in loops_within(body)}
        self.set_in_loops = {name for loop in loops_within(body) for name in direct_sets(loop.body)}
        self.created: dict[int, dict[str, Shape]] = {}
        """The variables that live in a loop, by the identity of its node."""
        self.scopes: list[dict[str, Shape]] = [dict.fromkeys(direct_sets(body), NULL)]
        self._body(body)
        self.quiet = False  # What a loop sets at its end is known at its beginning only the second time.
        self._body(body)

    # Statements -----------------------------------------------------------------------------------------------------

    def _body(self, body: nodes.Body) -> None:
        for statement in body:
            if isinstance(statement, nodes.Output):
                self.value(statement.value)
            elif isinstance(statement, nodes.Set):
                self._assign(statement.name, self.value(statement.value))
            elif isinstance(statement, nodes.If):
                for condition, branch in statement.branches:
                    self.value(condition)
                    self._body(branch)
                self._body(statement.otherwise)
            elif isinstance(statement, nodes.For):
                self._loop(statement)
            elif isinstance(statement, nodes.FilterBlock):
                self._body(statement.body)
                self.value(statement.chain)

    def _assign(self, name: str, shape: Shape) -> None:
        scope = next((scope for scope in reversed(self.scopes) if name in scope), self.scopes[-1])
        scope[name] = join(scope[name], shape) if name in scope else shape

    def _loop(self, statement: nodes.For) -> None:
        items = self.value(statement.iterable)
        held = {name for scope in self.scopes for name in scope}
        scope = self.created.setdefault(id(statement), {})
        for name in direct_sets(statement.body):
            if name not in held:
                scope.setdefault(name, NULL)
        scope |= {"loop": LOOP, statement.name: self._item(items)}
        self.scopes.append(scope)
        self._body(statement.body)
        self.scopes.pop()
        self._body(statement.otherwise)

    def _item(self, items: Shape) -> Shape:
        if items.kind is Kind.LIST:
            return items.inner or ANY
        return entry_of(items) if items.kind in (Kind.TABLE, Kind.RECORD) else ANY

    # Expressions ----------------------------------------------------------------------------------------------------

    def value(self, node: nodes.Expression) -> Shape:
        """The shape of an expression."""
        shape = self._value(node)
        self.printed[id(node)] = shape
        return shape

    def _value(self, node: nodes.Expression) -> Shape:
        if isinstance(node, nodes.Literal):
            return literal_shape(node.value)
        if isinstance(node, nodes.Name):
            return self._name(node)
        if isinstance(node, nodes.Subscript):
            return self._subscript(node)
        if isinstance(node, nodes.Filter):
            return self._filter(node)
        if isinstance(node, nodes.Binary):
            return self._binary(node)
        if isinstance(node, nodes.Conditional):
            self.value(node.condition)
            return join(self.value(node.yes), self.value(node.no))
        shapes = [self.value(part) for part in nodes.parts_of(node)]
        return self._composed(node, shapes)

    def _composed(self, node: nodes.Expression, shapes: list[Shape]) -> Shape:
        if isinstance(node, nodes.ListLiteral):
            inner = NULL
            for shape in shapes:
                inner = join(inner, shape)
            return many(inner if shapes else ANY)
        if isinstance(node, nodes.Chain):
            if node.operator in ("and", "or"):
                return BOOLEAN
            return TEXT if node.operator == "~" or any(shape.kind is Kind.TEXT for shape in shapes) else ANY
        if isinstance(node, nodes.Unary):
            return BOOLEAN if node.operator == "not" else NUMBER
        if isinstance(node, nodes.Call):
            return self._call(node, shapes)
        if isinstance(node, nodes.MethodCall):
            self._method(node, shapes[0])
        return BOOLEAN if isinstance(node, nodes.Test) else TEXT if isinstance(node, nodes.FilteredBody) else ANY

    def _call(self, node: nodes.Call, shapes: list[Shape]) -> Shape:
        if node.name in MEMBERSHIPS and shapes:
            return memberships(shapes[0])
        if node.name == "hasSegments":
            return BOOLEAN
        return TEXT if node.name == "formUrlEncode" else NUMBER

    def _method(self, node: nodes.MethodCall, target: Shape) -> None:
        for argument in node.arguments:
            if isinstance(argument, nodes.Literal):
                self._want(target.origin).add(argument.value)

    def _name(self, node: nodes.Name) -> Shape:
        for scope in reversed(self.scopes):
            if node.name in scope:
                return scope[node.name]
        shape = self.context.members.get(node.name)
        if shape is None:
            self._unknown_name(node)
        return shape or ANY

    def _unknown_name(self, node: nodes.Name) -> None:
        if node.name in self.loop_names | self.set_in_loops:
            kind, way = ("is the variable of a loop", "") if node.name in self.loop_names else ("is set in a loop", "")
            way = "" if node.name in self.loop_names else f"; set it before the loop: {{% set {node.name} = null %}}"
            self._tell(node.offset, "out-of-scope", f"`{node.name}` {kind} and forgotten at its end{way}")
            return
        near = self._paths().get(node.name)
        if near:
            message = f"`{node.name}` is not a variable; did you mean `{near}`?"
        else:
            names = [*self.context.names, *(name for scope in self.scopes for name in scope)]
            message = unknown("variable", node.name, names)
        self._tell(node.offset, "unknown-variable", message)

    def _paths(self) -> dict[str, str]:
        """What stands below the root ``input``, for those who forget to begin there."""
        incoming = self.context.members.get("input", ANY)
        profile = incoming.members.get("profile", ANY)
        below = {name: f"input.profile.{name}" for name in profile.members}
        return below | {name: f"input.{name}" for name in incoming.members}

    def _subscript(self, node: nodes.Subscript) -> Shape:
        target, key = self.value(node.target), self.value(node.key)
        if isinstance(node.key, nodes.Literal) and isinstance(node.key.value, str):
            return self._member(node, target, node.key.value)
        if target.kind is Kind.LIST:
            return target.inner or ANY
        if target.kind is Kind.TABLE:
            for text in key.texts or ():
                self._want((target.label, text))
            if key.origin and target.label:
                self._want((target.label, None))
            return target.value_of(None)
        return ANY

    def _member(self, node: nodes.Subscript, target: Shape, name: str) -> Shape:
        if target.kind is Kind.TABLE and target.label:
            self._want((target.label, name))
        if target.label == "attribute" and name == "value":
            self._want(target.origin).is_wrapped = True
        shape = target.read(name)
        if shape is None:
            self._tell(node.key.offset, "unknown-member", no_member(node, target, name))
        return shape or ANY

    def _filter(self, node: nodes.Filter) -> Shape:
        shape = self.value(node.value)
        arguments = [self.value(argument) for argument in node.arguments]
        self._expect(node, shape)
        if node.name in MEMBERSHIPS:
            return memberships(shape)
        if node.name in SAME:
            return shape
        if node.name == "default" and arguments:
            return join(shape, arguments[0])
        if node.name in ("first", "last"):
            return (shape.inner or ANY) if shape.kind is Kind.LIST else ANY
        return RESULTS.get(node.name, TEXT)

    def _expect(self, node: nodes.Filter, shape: Shape) -> None:
        """What the value has to be for this filter."""
        want = self._want(shape.origin)
        if node.name in ("abs", "numberformat"):
            want.is_number = True
        if node.name == "date":
            given = node.arguments[1] if len(node.arguments) > 1 else None
            pattern = given.value if isinstance(given, nodes.Literal) else None
            want.date_pattern = pattern if isinstance(pattern, str) else ""

    def _binary(self, node: nodes.Binary) -> Shape:
        sides = (node.left, self.value(node.left)), (node.right, self.value(node.right))
        for (_, shape), (other, _) in (sides, sides[::-1]):
            want = self._want(shape.origin)
            if node.operator in ("==", "equals", "!=", "contains"):
                want.add(other.value if isinstance(other, nodes.Literal) else None)
            else:
                want.is_number = True
                self._around(want, other)
        arithmetic = node.operator in ("*", "/", "%")
        return NUMBER if arithmetic else ANY if node.operator == "-" else BOOLEAN

    def _around(self, want: Want, bound: nodes.Expression) -> None:
        if isinstance(bound, nodes.Literal) and type(bound.value) in (int, float):
            for number in (bound.value, bound.value - 1, bound.value + 1):  # type: ignore[operator]
                want.add(number)

    # Notes ----------------------------------------------------------------------------------------------------------

    def _want(self, origin: Origin | None) -> Want:
        if origin is None:
            return Want()
        label, key = origin
        keys = self.wants.setdefault(label, {})
        if key not in keys and len(keys) > MOST_WANTED:
            return Want()
        return keys.setdefault(key, Want())

    def _tell(self, offset: int, code: str, message: str) -> None:
        if not self.quiet:
            self.note(offset, code, message)


def literal_shape(value: object) -> Shape:
    """The shape of a constant."""
    if isinstance(value, str):
        return replace(TEXT, texts=frozenset((value,)))
    return NULL if value is None else BOOLEAN if isinstance(value, bool) else NUMBER


def memberships(shape: Shape) -> Shape:
    """What ``added`` and ``removed`` give: of one level a map again, of two a list of entries."""
    audiences = shape.inner
    if shape.kind is Kind.TABLE and audiences is not None and audiences.kind is Kind.TABLE:
        return many(record(**entry_of(audiences).members, namespace=TEXT))
    return shape if shape.kind is Kind.TABLE else ANY


def start_of(node: nodes.Expression) -> int:
    """Where an expression begins; the offset of most is that of their operator."""
    first = (
        ()
        if isinstance(node, nodes.ListLiteral | nodes.MapLiteral | nodes.Unary | nodes.Call)
        else nodes.parts_of(node)
    )
    return min((start_of(part) for part in first[:1]), default=node.offset)


def names_in(node: nodes.Expression) -> set[str]:
    """The variables that an expression reads."""
    if isinstance(node, nodes.Name):
        return {node.name}
    return {name for part in nodes.parts_of(node) for name in names_in(part)}


def no_member(node: nodes.Subscript, target: Shape, name: str) -> str:
    """Say that there is no such member, and what there is."""
    path = spelled(node.target)
    if target.kind is Kind.LIST:
        inner = target.inner or ANY
        way = f"`{path}[0].{name}`, or loop over it" if inner.read(name) else "an index, or loop over it"
        return f"`{path}` is a list and has no member `{name}`; write {way}"
    if target.kind is not Kind.RECORD:
        kind = "text" if target.kind is Kind.WORD else target.kind.name.lower()
        return f"`{path}` is a {kind} and has no member `{name}`"
    return unknown(f"member of `{path}`", name, target.names)


def spelled(node: nodes.Expression) -> str:
    """An expression as the author wrote it, as far as it is a path."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Subscript):
        key = node.key.value if isinstance(node.key, nodes.Literal) else "…"
        written = f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{key}]"
        return f"{spelled(node.target)}{written}"
    return "(…)"
