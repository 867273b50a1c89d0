"""
Reads the tags of a template.

A mistake inside a tag is noted and the next tag is read as usual, so an author sees all of them at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Never

from headrace.errors import TemplateProblem, TemplateSyntaxError
from headrace.template import nodes
from headrace.template.expressions import ExpressionParser, ReadError
from headrace.template.lexer import Kind, Lexer, Token
from headrace.template.limits import Limits
from headrace.template.source import Source, unknown

TAGS = ("for", "if", "set", "filter")
CLOSING = {"for": "endfor", "if": "endif", "filter": "endfilter"}
PARTS = {"for": ("else",), "if": ("elseif", "else"), "filter": ()}
NOT_AVAILABLE = frozenset(
    {
        "autoescape",
        "block",
        "cache",
        "embed",
        "extends",
        "flush",
        "from",
        "import",
        "include",
        "macro",
        "parallel",
        "verbatim",
    }
)
_THEIR_ENDS = frozenset(f"end{name}" for name in NOT_AVAILABLE)
_MISSING = nodes.Literal(0, 1, None)
MOST_PROBLEMS = 50
TOKENS_OF_A_NODE = 12
PIECES_OF_A_LOOP = 4  # more than the one of every tag: so much more is made of it


@dataclass(slots=True)
class _Open:
    """A tag that waits for its end."""

    tag: str
    token: Token
    header: nodes.Expression = _MISSING
    name: str = ""
    body: list[nodes.Statement] = field(default_factory=list)
    branches: list[tuple[nodes.Expression, nodes.Body]] = field(default_factory=list)
    else_offset: int | None = None
    before_else: nodes.Body = ()


class Parser:
    """Reads one template."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self.source = source
        self.limits = limits
        self.problems: list[tuple[int, str]] = []
        tokens = Lexer(source.text).tokens(limits.nodes * TOKENS_OF_A_NODE)
        if tokens[-1].kind is not Kind.END:
            raise TemplateSyntaxError([source.problem(0, f"the template has more than {limits.nodes:,} pieces")])
        self.expressions = ExpressionParser(tokens, limits, self.note)
        self.root: list[nodes.Statement] = []
        self.open: list[_Open] = []
        self.skipping: str | None = None
        self.tags: dict[str, Callable[[Token], None]] = {
            "if": self._if,
            "elseif": self._elseif,
            "else": self._else,
            "for": self._for,
            "set": self._set,
            "filter": self._filter,
        }

    def parse(self) -> nodes.Body:
        """The statements of the template. Raises: TemplateSyntaxError with every problem found."""
        while (token := self.expressions.take()).kind is not Kind.END:
            self._statement(token)
        for waiting in reversed(self.open):
            self.note(waiting.token.start, f'tag "{waiting.tag}" is not closed: `{CLOSING[waiting.tag]}` is missing')
        if self.problems:
            ordered = sorted(self.problems)[:MOST_PROBLEMS]
            raise TemplateSyntaxError([self.source.problem(*problem) for problem in ordered])
        return tuple(self.root)

    def note(self, offset: int, message: str) -> None:
        """Remember a problem and go on."""
        self.problems.append((offset, message))

    def _statement(self, token: Token) -> None:
        try:
            if token.kind is Kind.TAG_OPEN:
                self._tag()
            elif self.skipping or token.kind is Kind.COMMENT:
                return
            elif token.kind is Kind.TEXT and token.value:
                self._add(nodes.Text(token.value, self.source.text.index(token.value, token.start)))
            elif token.kind is Kind.PRINT_OPEN:
                self._refuse_glued_brace(token)
                self._add(nodes.Output(self.expressions.expression()))
                self.expressions.end_of(Kind.PRINT_CLOSE)
            elif token.kind is Kind.INVALID:
                self.note(token.start, token.value)
        except ReadError as mistake:
            self.note(mistake.offset, mistake.message)
            self.expressions.skip_tag()

    def _refuse_glued_brace(self, token: Token) -> None:
        following = self.expressions.peek()
        if following.is_operator("%") and following.start == token.end:
            raise ReadError(
                token.start, "`{{` opens a print tag here; put a blank between a literal `{` and a tag: `{ {%`"
            )

    def _add(self, statement: nodes.Statement) -> None:
        self.expressions.count_node()
        (self.open[-1].body if self.open else self.root).append(statement)

    def _tag(self) -> None:
        token = self.expressions.take()
        name = token.value
        if self.skipping:
            self._skipped(name)
        elif token.kind is not Kind.NAME:
            self._no_name(token)
        elif name in self.tags:
            self.tags[name](token)
        elif name in CLOSING.values():
            self._end(token)
        elif name in NOT_AVAILABLE or name in _THEIR_ENDS:
            self._not_available(token)
        else:
            self._unknown(token)

    def _no_name(self, token: Token) -> Never:
        if token.kind is Kind.INVALID:
            raise ReadError(token.start, token.value)
        if token.is_operator("-"):
            raise ReadError(token.start, "a tag must start with its name; after a trim mark a blank is missing: `{%- `")
        raise ReadError(token.start, "a tag must start with its name")

    def _not_available(self, token: Token) -> None:
        name = token.value
        if name in NOT_AVAILABLE:
            self.note(token.start, f'tag "{name}" is not available in message templates')
        if name == "verbatim":
            self.skipping = "endverbatim"
        self.expressions.skip_tag()

    def _skipped(self, name: str) -> None:
        if name == self.skipping:
            self.skipping = None
        self.expressions.skip_tag()

    def _unknown(self, token: Token) -> Never:
        if token.value in ("elif", "elsif"):
            raise ReadError(token.start, f"`{token.value}` is not a tag; did you mean `elseif`?")
        known = [*TAGS, *CLOSING.values(), "elseif", "else"]
        raise ReadError(token.start, unknown("tag", token.value, known))

    # Tags with a body -----------------------------------------------------------------------------------------------

    def _begin(self, tag: str, token: Token) -> _Open:
        if len(self.open) >= self.limits.depth:
            raise TemplateSyntaxError([self._too_deep(token, f"tags nest deeper than {self.limits.depth}")])
        loops = sum(waiting.tag == "for" for waiting in self.open)
        if tag == "for" and loops >= self.limits.loops:
            raise TemplateSyntaxError([self._too_deep(token, f"`for` tags nest deeper than {self.limits.loops}")])
        waiting = _Open(tag, token)
        self.open.append(waiting)
        return waiting

    def _too_deep(self, token: Token, message: str) -> TemplateProblem:
        return self.source.problem(token.start, message)

    def _if(self, token: Token) -> None:
        waiting = self._begin("if", token)
        waiting.header = self.expressions.expression()
        self._close_tag()

    def _elseif(self, token: Token) -> None:
        waiting = self._part_of(token)
        waiting.branches.append((waiting.header, tuple(waiting.body)))
        waiting.body = []
        waiting.header = self.expressions.expression()
        self._close_tag()

    def _else(self, token: Token) -> None:
        waiting = self._part_of(token)
        waiting.else_offset = token.start
        if waiting.tag == "if":
            waiting.branches.append((waiting.header, tuple(waiting.body)))
        else:
            waiting.before_else = tuple(waiting.body)
        waiting.body = []
        following = self.expressions.peek()
        if following.kind is Kind.NAME and following.value == "if":
            raise ReadError(following.start, "`else` takes nothing after it; did you mean `elseif`?")
        self._close_tag()

    def _part_of(self, token: Token) -> _Open:
        waiting = self.open[-1] if self.open else None
        if waiting is None or token.value not in PARTS[waiting.tag]:
            where = f'inside tag "{waiting.tag}"' if waiting else "outside of a tag"
            raise ReadError(token.start, f"`{token.value}` has no meaning {where}")
        if waiting.else_offset is not None:
            raise ReadError(token.start, f"`{token.value}` after `else`: only `{CLOSING[waiting.tag]}` may follow")
        return waiting

    def _for(self, token: Token) -> None:
        waiting = self._begin("for", token)
        self.expressions.count_node(PIECES_OF_A_LOOP)
        waiting.name = self._assignable("a loop variable")
        following = self.expressions.peek()
        if following.is_operator(","):
            raise ReadError(following.start, "a loop has one variable; of a map it gets entries with .key and .value")
        if following.kind is not Kind.NAME or following.value != "in":
            raise ReadError(following.start, f"expected `in` after the loop variable, not {following_text(following)}")
        self.expressions.take()
        waiting.header = self.expressions.expression()
        self._close_tag()

    def _filter(self, token: Token) -> None:
        waiting = self._begin("filter", token)
        self.expressions.count_node()
        waiting.header = self.expressions.filter_chain(nodes.FilteredBody(token.start, 1))
        self._close_tag()

    def _set(self, token: Token) -> None:
        name = self._assignable("the name of a variable")
        following = self.expressions.peek()
        if not following.is_operator("="):
            raise ReadError(following.start, f"expected `=` after the name, not {following_text(following)}")
        self.expressions.take()
        value = self.expressions.expression()
        self._add(nodes.Set(token.start, name, value))
        self._close_tag()

    def _assignable(self, what: str) -> str:
        token = self.expressions.take()
        if token.kind is Kind.INVALID:
            raise ReadError(token.start, token.value)
        if token.kind is not Kind.NAME:
            raise ReadError(token.start, f"expected {what}, not {following_text(token)}")
        if token.value in ("true", "false", "null", "none"):
            raise ReadError(token.start, f"`{token.value}` is a reserved word and cannot be assigned")
        return token.value

    def _close_tag(self) -> None:
        self.expressions.end_of(Kind.TAG_CLOSE)

    def _end(self, token: Token) -> None:
        waiting = self._waiting_for(token)
        statement = self._finished(waiting)
        self._add(statement)
        self._close_tag()

    def _waiting_for(self, token: Token) -> _Open:
        """The tag that this one closes. Tags inside it that lack their own end are reported on the way."""
        depth = next((i for i in reversed(range(len(self.open))) if CLOSING[self.open[i].tag] == token.value), None)
        if depth is None:
            expected = f"; expected `{CLOSING[self.open[-1].tag]}`" if self.open else ""
            raise ReadError(token.start, f"`{token.value}` closes no tag{expected}")
        while len(self.open) > depth + 1:
            lost = self.open.pop()
            self.note(token.start, f"expected `{CLOSING[lost.tag]}` before `{token.value}`")
        return self.open.pop()

    def _finished(self, waiting: _Open) -> nodes.Statement:
        body, offset = tuple(waiting.body), waiting.token.start
        if waiting.tag == "filter":
            return nodes.FilterBlock(offset, waiting.header, body)
        if waiting.tag == "for":
            first, second = (body, ()) if waiting.else_offset is None else (waiting.before_else, body)
            return nodes.For(offset, waiting.name, waiting.header, first, second, waiting.else_offset)
        if waiting.else_offset is not None:
            return nodes.If(tuple(waiting.branches), body, waiting.else_offset)
        return nodes.If((*waiting.branches, (waiting.header, body)), ())


def following_text(token: Token) -> str:
    """How a message calls a token."""
    if token.kind in (Kind.TAG_CLOSE, Kind.PRINT_CLOSE, Kind.END):
        return "the end of the tag"
    return "a string" if token.kind in (Kind.STRING, Kind.INTERPOLATED) else f"`{token.value}`"


def parse(source: Source, limits: Limits) -> nodes.Body:
    """The statements of a template. Raises: TemplateSyntaxError."""
    if len(source.text) > limits.source:
        raise TemplateSyntaxError([source.problem(0, f"the template is longer than {limits.source:,} characters")])
    return Parser(source, limits).parse()
