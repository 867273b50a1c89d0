"""
Which variable of the compiled function a name of the template means.

A loop opens one scope for all its iterations. ``set`` writes to the innermost scope that already holds the name, else
it creates the name in the current scope; whether a scope holds a name may depend on the data. So each scope has its own
variable for a name, ``UNSET`` while it holds none, and the code asks at run time only where it cannot be known before.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass

from headrace.template import nodes

LOOP_MEMBERS = frozenset({"index", "length", "first", "last", "revindex"})
PAIR_MEMBERS = frozenset({"key", "value"})


def direct_sets(body: nodes.Body) -> Iterator[str]:
    """The names that are set in the scope of this body: not those set inside of its loops."""
    for statement in body:
        if isinstance(statement, nodes.Set):
            yield statement.name
        elif isinstance(statement, nodes.If):
            for _, branch in statement.branches:
                yield from direct_sets(branch)
            yield from direct_sets(statement.otherwise)
        elif isinstance(statement, nodes.FilterBlock):
            yield from direct_sets(statement.body)
        elif isinstance(statement, nodes.For):
            yield from direct_sets(statement.otherwise)


def loops_within(thing: object) -> Iterator[nodes.For]:
    """All loops of a body, at any depth."""
    if isinstance(thing, tuple):
        for item in thing:
            yield from loops_within(item)
    elif isinstance(thing, nodes.If):
        yield from loops_within(thing.branches)
        yield from loops_within(thing.otherwise)
    elif isinstance(thing, nodes.FilterBlock):
        yield from loops_within(thing.body)
    elif isinstance(thing, nodes.For):
        yield thing
        yield from loops_within(thing.body)
        yield from loops_within(thing.otherwise)


def uses(thing: object, name: str) -> Iterator[str | None]:
    """How a variable is used: the member that is read, or None for every other use."""
    if isinstance(thing, tuple):
        for item in thing:
            yield from uses(item, name)
    elif isinstance(thing, nodes.Subscript) and isinstance(thing.target, nodes.Name) and thing.target.name == name:
        member = thing.key.value if isinstance(thing.key, nodes.Literal) else None
        yield member if isinstance(member, str) else None
        yield from uses(thing.key, name)
    elif isinstance(thing, nodes.For) and name == "loop":
        yield from uses((thing.iterable, thing.otherwise), name)
    elif isinstance(thing, nodes.Name | nodes.Set | nodes.For) and thing.name == name:
        yield None
    elif is_dataclass(thing):
        for part in fields(thing):
            if part.name not in ("offset", "depth", "name"):
                yield from uses(getattr(thing, part.name), name)


def used_members(body: nodes.Body, name: str, allowed: frozenset[str]) -> set[str] | None:
    """The members that a body reads of a variable, or None if it does anything else with it."""
    found = set(uses(body, name))
    return {member for member in found if member} if found <= allowed else None


@dataclass(slots=True)
class Scope:
    """The names of the whole template or of one loop."""

    variables: dict[str, str] = field(default_factory=dict)
    """Names that the scope may hold, with their variables."""
    certain: set[str] = field(default_factory=set)
    """Names that it holds for sure at this point."""
    members: dict[str, dict[str, str]] = field(default_factory=dict)
    """Names that exist only as their members, such as ``loop`` and the entry of a map: member to code."""


class Scopes:
    """The scopes around the statement that is being compiled, outermost first."""

    def __init__(self, body: nodes.Body) -> None:
        self.root = Scope()
        self.inner: list[Scope] = []
        self.doubtful = {name for loop in loops_within(body) for name in direct_sets(loop.body)}
        self.assigned = self.doubtful | set(direct_sets(body)) | {loop.name for loop in loops_within(body)} | {"loop"}
        self.settled: list[set[str]] = [set()]
        """For each block around this point, the names that were set before it on every way that leads here."""
        self._counter = 0

    def enter_block(self) -> None:
        """Begin statements that may not be reached."""
        self.settled.append(set(self.settled[-1]))

    def leave_block(self) -> None:
        """End them."""
        self.settled.pop()

    def fresh(self, letter: str) -> str:
        """A variable that nothing else uses."""
        self._counter += 1
        return f"{letter}{self._counter}"

    def members_of(self, name: str) -> dict[str, str] | None:
        """The members of a name that exists only as these."""
        for scope in reversed(self.inner):
            if name in scope.members:
                return scope.members[name]
            if name in scope.variables:
                return None
        return None

    def may_be_root(self, name: str) -> bool:
        """Whether reading this name may read the context."""
        held = any(name in scope.certain or name in scope.members for scope in self.inner)
        return not held and name not in self.settled[-1] and name not in self.root.certain

    def holds(self, name: str) -> bool:
        """Whether some scope holds this name for sure, so that ``set`` creates nothing."""
        return name in self.root.certain or any(name in scope.certain for scope in self.inner)

    def root_variable(self, name: str) -> str:
        """The variable that holds a name of the context."""
        if name not in self.root.variables:
            self.root.variables[name] = self.fresh("r")
        return self.root.variables[name]

    def is_assigned(self, name: str) -> bool:
        """Whether anything in the template gives this name another meaning than the context does."""
        return name in self.assigned

    def needs_sentinel(self, name: str) -> bool:
        """Whether it matters if the context lacks this name or holds null under it."""
        return name in self.doubtful

    def read(self, name: str) -> str:
        """The code that reads a name."""
        chain: list[str] = []
        for scope in reversed(self.inner):
            if name in scope.variables:
                chain.append(scope.variables[name])
                if name in scope.certain:
                    return self._first_set(chain)
        chain.append(self.root_variable(name))
        if self.needs_sentinel(name) and name not in self.root.certain:
            chain.append("None")
        return self._first_set(chain)

    def _first_set(self, chain: list[str]) -> str:
        *maybe, last = chain
        if not maybe:
            return last
        return f"({''.join(f'{variable} if {variable} is not UNSET else ' for variable in maybe)}{last})"

    def assign(self, name: str, value: str) -> list[str]:
        """The statements that set a name to the value of a variable."""
        current = self.inner[-1] if self.inner else self.root
        lines: list[str] = []
        for scope in reversed(self.inner):
            if name in scope.certain:
                return self._alternatives(lines, scope.variables[name], value)
            if name in scope.variables:
                lines.append(scope.variables[name])
        root = self.root_variable(name)
        if current is self.root or name in self.root.certain:
            return self._alternatives(lines, root, value)
        return self._alternatives([*lines, root], current.variables[name], value)

    def _alternatives(self, maybe: list[str], last: str, value: str) -> list[str]:
        if not maybe:
            return [f"{last} = {value}"]
        lines = []
        for position, variable in enumerate(maybe):
            lines += [f"{'elif' if position else 'if'} {variable} is not UNSET:", f"    {variable} = {value}"]
        return [*lines, "else:", f"    {last} = {value}"]
