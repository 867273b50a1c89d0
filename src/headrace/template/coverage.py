"""
Renders a template and remembers the way: which branches were taken, and which tag printed which part of the output.

Marks are put into a copy of the tree, each a call that prints a number between two characters that are in no text. The
compiler is the usual one, so what is rendered for delivery pays nothing for this.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from headrace.template import nodes
from headrace.template.compiler import Compiler
from headrace.template.engine import Template
from headrace.template.limits import Limits, Meter
from headrace.template.quoting import branches_of
from headrace.template.reading import start_of
from headrace.template.source import Source

_OPEN, _CLOSE = "\ufdd0", "\ufdd1"
"""Two of the code points that Unicode keeps free for the inside of a program."""
_MARK = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")
_CALL = "reached"


@dataclass(frozen=True, slots=True)
class Branch:
    """A part of the template that is rendered or not."""

    offset: int
    what: str


@dataclass(frozen=True, slots=True)
class Trace:
    """A rendered text, and where in the template each part of it comes from."""

    text: str
    starts: tuple[int, ...]
    sources: tuple[nodes.Text | nodes.Output | nodes.FilterBlock, ...]

    def origin(self, position: int) -> tuple[int, ...]:
        """The offset in the template of what printed this character, or of all that may have printed it."""
        index = bisect_right(self.starts, position) - 1
        if index < 0:
            return (0,)
        source = self.sources[index]
        if isinstance(source, nodes.Text):
            return (source.offset + min(position - self.starts[index], max(0, len(source.value) - 1)),)
        if isinstance(source, nodes.FilterBlock):
            return (source.offset,)
        return tuple(start_of(branch) for branch in branches_of(source.value))


class Traced:
    """A template that remembers. One object is for one look at a template: it counts over all renderings."""

    def __init__(self, source: Source, body: nodes.Body, escaping: str, limits: Limits) -> None:
        self.branches: list[Branch] = []
        self.taken: set[int] = set()
        self._printers: list[nodes.Text | nodes.Output | nodes.FilterBlock] = []
        compiled = Compiler(self._body(body, shown=True), limits).compile()
        self._template = Template(source, compiled, escaping, limits, {f"function_{_CALL}": _reached(self.taken)})

    def render(self, context: Mapping[str, object]) -> Trace:
        """Render once. Raises: TemplateError."""
        marked = self._template.render(context)
        pieces: list[str] = []
        starts: list[int] = []
        sources = []
        position = end = 0
        for mark in _MARK.finditer(marked):
            piece = marked[end : mark.start()]
            pieces.append(piece)
            position += len(piece)
            end = mark.end()
            starts.append(position)
            sources.append(self._printers[int(mark.group(1))])
        return Trace("".join([*pieces, marked[end:]]), tuple(starts), tuple(sources))

    def untaken(self) -> list[Branch]:
        """The branches that no rendering took."""
        return [branch for number, branch in enumerate(self.branches) if number not in self.taken]

    # Marks ----------------------------------------------------------------------------------------------------------

    def _body(self, body: nodes.Body, *, shown: bool) -> nodes.Body:
        """The statements with marks; inside of a filter block nothing may be printed beside them."""
        marked: list[nodes.Statement] = []
        for statement in body:
            if shown and isinstance(statement, nodes.Text | nodes.Output | nodes.FilterBlock):
                marked.append(self._printer(statement))
            marked.append(self._within(statement, shown=shown))
        return tuple(marked)

    def _within(self, statement: nodes.Statement, *, shown: bool) -> nodes.Statement:
        if isinstance(statement, nodes.FilterBlock):
            return nodes.FilterBlock(statement.offset, statement.chain, self._body(statement.body, shown=False))
        if isinstance(statement, nodes.If):
            return self._if(statement, shown=shown)
        if isinstance(statement, nodes.For):
            body = self._branch(statement.body, statement.offset, "the body of this `for`", shown=shown)
            otherwise: nodes.Body = ()
            if statement.else_offset is not None:
                otherwise = self._branch(statement.otherwise, statement.else_offset, "this `else`", shown=shown)
            return nodes.For(statement.offset, statement.name, statement.iterable, body, otherwise)
        return statement

    def _if(self, statement: nodes.If, *, shown: bool) -> nodes.If:
        branches = []
        for number, (condition, body) in enumerate(statement.branches):
            what = "this `elseif`" if number else "the body of this `if`"
            branches.append((condition, self._branch(body, condition.offset, what, shown=shown)))
        otherwise: nodes.Body = ()
        if statement.else_offset is not None:
            otherwise = self._branch(statement.otherwise, statement.else_offset, "this `else`", shown=shown)
        return nodes.If(tuple(branches), otherwise)

    def _branch(self, body: nodes.Body, offset: int, what: str, *, shown: bool) -> nodes.Body:
        self.branches.append(Branch(offset, what))
        mark = _call(len(self.branches) - 1, printed=None)
        return (mark, *self._body(body, shown=shown))

    def _printer(self, statement: nodes.Text | nodes.Output | nodes.FilterBlock) -> nodes.Output:
        self._printers.append(statement)
        return _call(-1, printed=len(self._printers) - 1)


def _call(branch: int, printed: int | None) -> nodes.Output:
    """The mark: a call of a function that no author can name."""
    arguments = (nodes.Literal(0, 1, branch), nodes.Literal(0, 1, printed))
    return nodes.Output(nodes.Filter(0, 3, nodes.Call(0, 2, _CALL, arguments), "raw", ()))


def _reached(taken: set[int]) -> Callable[[Meter, int, int | None], str]:
    def reached(_: Meter, branch: int, printed: int | None) -> str:
        if branch >= 0:
            taken.add(branch)
        return "" if printed is None else f"{_OPEN}{printed}{_CLOSE}"

    return reached
