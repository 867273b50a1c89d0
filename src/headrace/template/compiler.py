"""
Turns the tree of a template into the source of one Python function.

The function keeps a list of pieces and joins it once. Neighbouring texts and expressions become one formatted piece;
its length is added to a counter that is compared with the output limit before the next one is made, so the longest
overrun is a single piece. A loop is charged for all its steps before the first.
"""

from dataclasses import dataclass

from headrace.template import nodes
from headrace.template.effort import steps_of_a_turn
from headrace.template.limits import Limits
from headrace.template.scopes import LOOP_MEMBERS, PAIR_MEMBERS, Scope, Scopes, direct_sets, used_members, uses
from headrace.template.translate import Path, Translator
from headrace.template.writer import Writer

MOST_VALUES_IN_A_PIECE = 4
INLINED_DEPTH = 12
"""Choices that nest deeper, or hold deeper expressions, stay statements: Python limits brackets in brackets."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """Generated source with its line table, and what it reads from the context."""

    source: str
    offsets: tuple[int, ...]
    reads: frozenset[Path]
    asks: frozenset[Path]


@dataclass(frozen=True, slots=True)
class _Value:
    """A printed expression: code that gives a string."""

    code: str
    offset: int
    weight: int = 1


class Compiler:
    """Compiles one template."""

    def __init__(self, body: nodes.Body, limits: Limits) -> None:
        self.body = body
        self.limits = limits
        self.scopes = Scopes(body)
        self.translator = Translator(self.scopes)
        self.writer = Writer()
        self.append = "append"
        self.escape = "print_escaped"
        self.conditional = 0

    def compile(self) -> Compiled:
        """The function ``render(context, m)``."""
        write = self.writer
        write.line("def render(context, m):", 0)
        write.indent = 1
        write.line("pieces = []; append = pieces.append; used = 0", 0)
        prologue = len(write.lines)
        self._statements(self.body)
        self._check_output(0)
        write.line("return ''.join(pieces)", 0)
        write.insert(prologue, self._load_roots())
        noted = frozenset(self.translator.reads), frozenset(self.translator.asks)
        return Compiled(write.text(), tuple(write.offsets), *noted)

    def _load_roots(self) -> list[str]:
        lines = ["get = context.get"]
        for name, variable in self.scopes.root.variables.items():
            default = ", UNSET" if self.scopes.needs_sentinel(name) else ""
            lines.append(f"{variable} = get({name!r}{default})")
        lines += [f"{variable} = {code}" for variable, code in self.translator.hoisted.values()]
        return lines

    def _check_output(self, offset: int) -> None:
        self.writer.line(f"if used > {self.limits.output}: m.overflow()", offset)

    # Statements -----------------------------------------------------------------------------------------------------

    def _statements(self, body: nodes.Body, first: str = "") -> None:
        """Write the statements of a body; ``first`` is a variable that is printed before them."""
        run: list[str | _Value] = [_Value(first, 0)] if first else []
        for statement in body:
            if isinstance(statement, nodes.Text):
                run.append(statement.value)
            elif isinstance(statement, nodes.Output):
                run.append(self._printed(statement.value))
            elif isinstance(statement, nodes.If) and _is_choice(statement, INLINED_DEPTH):
                run.append(self._choice(statement))
            else:
                self._pieces(run)
                run = []
                self._tag(statement)
        self._pieces(run)

    def _choice(self, statement: nodes.If) -> _Value:
        """An ``if`` that only chooses between texts and values is itself a value."""
        code, weight = "", 0
        for condition, body in statement.branches:
            items = self._items(body)
            weight += 1 + sum(item.weight for item in items if isinstance(item, _Value))
            code += f"{self._joined(items)} if {self.translator.condition(condition)} else "
        items = self._items(statement.otherwise)
        weight += sum(item.weight for item in items if isinstance(item, _Value))
        return _Value(f"({code}{self._joined(items)})", statement.branches[0][0].offset, weight)

    def _items(self, body: nodes.Body) -> list[str | _Value]:
        items: list[str | _Value] = []
        for statement in body:
            if isinstance(statement, nodes.Text):
                items.append(statement.value)
            elif isinstance(statement, nodes.Output):
                items.append(self._printed(statement.value))
            elif isinstance(statement, nodes.If):
                items.append(self._choice(statement))
        return items

    def _joined(self, items: list[str | _Value]) -> str:
        """Code for texts and values one after the other."""
        values = [item for item in items if isinstance(item, _Value)]
        if not values:
            return repr("".join(item for item in items if isinstance(item, str)))
        if len(items) == 1:
            return values[0].code
        pattern = "".join("%s" if isinstance(item, _Value) else item.replace("%", "%%") for item in items)
        return f"({pattern!r} % ({' '.join(value.code + ',' for value in values)}))"

    def _tag(self, statement: nodes.If | nodes.For | nodes.Set | nodes.FilterBlock) -> None:
        if isinstance(statement, nodes.Set):
            self._set(statement)
        elif isinstance(statement, nodes.If):
            self._if(statement)
        elif isinstance(statement, nodes.For):
            self._for(statement)
        else:
            self._filter_block(statement)

    def _block(self, body: nodes.Body, offset: int) -> None:
        self.writer.indent += 1
        self._inner_statements(body, offset)
        self.writer.indent -= 1

    def _inner_statements(self, body: nodes.Body, offset: int, first: str = "") -> None:
        """Statements that may not be reached, or more than once."""
        self.conditional += 1
        self.scopes.enter_block()
        before = len(self.writer.lines)
        self._statements(body, first)
        if len(self.writer.lines) == before:
            self.writer.line("pass", offset)
        self.scopes.leave_block()
        self.conditional -= 1

    # Output ---------------------------------------------------------------------------------------------------------

    def _printed(self, node: nodes.Expression) -> str | _Value:
        constant = self.translator.constant(node)
        if constant is not None:
            return constant
        return _Value(self.translator.output(node, self.escape), node.offset)

    def _pieces(self, run: list[str | _Value]) -> None:
        """Write a run of texts and values as few pieces."""
        piece: list[str | _Value] = []
        values = 0
        for item in run:
            weight = item.weight if isinstance(item, _Value) else 0
            if values and values + weight > MOST_VALUES_IN_A_PIECE:
                self._piece(piece)
                piece, values = [], 0
            values += weight
            piece.append(item)
        self._piece(piece)

    def _piece(self, items: list[str | _Value]) -> None:
        values = [item for item in items if isinstance(item, _Value)]
        if not values:
            constant = "".join(item for item in items if isinstance(item, str))
            if constant:
                self.writer.line(f"{self.append}({constant!r}); used += {len(constant)}", 0)
            return
        offset = values[0].offset
        self.writer.line(f"piece = ({self._joined([item for item in items if item])})", offset)
        self.writer.line(f"used += len(piece); {self.append}(piece)", offset)
        self._check_output(offset)

    # Tags -----------------------------------------------------------------------------------------------------------

    def _set(self, statement: nodes.Set) -> None:
        value = self.scopes.fresh("v")
        self.writer.line(f"{value} = ({self.translator.value(statement.value)})", statement.offset)
        for line in self.scopes.assign(statement.name, value):
            self.writer.line(line, statement.offset)
        self.scopes.settled[-1].add(statement.name)
        if not self.conditional and not self.scopes.inner:
            self.scopes.root.certain.add(statement.name)

    def _if(self, statement: nodes.If) -> None:
        for number, (condition, body) in enumerate(statement.branches):
            code = self.translator.condition(condition)
            self.writer.line(f"{'elif' if number else 'if'} ({code}):", condition.offset)
            self._block(body, condition.offset)
        if statement.otherwise:
            self.writer.line("else:", 0)
            self._block(statement.otherwise, 0)

    def _filter_block(self, statement: nodes.FilterBlock) -> None:
        """The body is not escaped piece by piece; the result of the whole chain is escaped once."""
        pieces, append = self.scopes.fresh("p"), self.scopes.fresh("a")
        outer = self.append, self.escape
        self.writer.line(f"{pieces} = []; {append} = {pieces}.append", statement.offset)
        self.append, self.escape = append, "print_plain"
        self._statements(statement.body)
        self.append, self.escape = outer
        self._check_output(statement.offset)
        self.translator.filtered_body = self.scopes.fresh("b")
        self.writer.line(f"{self.translator.filtered_body} = ''.join({pieces})", statement.offset)
        self._pieces([_Value(self.translator.output(statement.chain, self.escape), statement.chain.offset)])

    # Loops ----------------------------------------------------------------------------------------------------------

    def _for(self, statement: nodes.For) -> None:
        loop = _Loop(self.scopes, statement)
        write, offset = self.writer, statement.iterable.offset
        write.line(f"{loop.items} = ({self.translator.value(statement.iterable)})", statement.offset)
        if loop.pair:
            write.line(f"if type({loop.items}) is dict: {loop.items} = {loop.items}.items()", offset)
            write.line(f"else: {loop.items} = pairs_of(m, {loop.items})", offset)
        else:
            write.line(f"if type({loop.items}) is not list: {loop.items} = items_of(m, {loop.items})", offset)
        write.line(f"if {loop.items}:", offset)
        write.indent += 1
        self._charge_steps(loop, steps_of_a_turn(statement.body), offset)
        self._iterate(loop, statement)
        write.indent -= 1
        if statement.otherwise:
            write.line(f"elif {loop.items} is not None:", offset)
            self._block(statement.otherwise, offset)

    def _charge_steps(self, loop: "_Loop", each: int, offset: int) -> None:
        times = f" * {each}" if each > 1 else ""
        self.writer.line(f"{loop.length} = len({loop.items}); m.steps -= {loop.length}{times}", offset)
        self.writer.line("if m.steps < 0: m.exhausted()", offset)

    def _iterate(self, loop: "_Loop", statement: nodes.For) -> None:
        write, offset = self.writer, statement.offset
        for variable in loop.unset:
            write.line(f"{variable} = UNSET", offset)
        if loop.counted:
            write.line(f"{loop.index} = -1; {loop.end} = {loop.length} - 1", offset)
        if loop.separator:
            write.line(f"{loop.separator} = ''", offset)
        write.line(f"for {loop.target} in {loop.items}:", offset)
        write.indent += 1
        if loop.counted:
            write.line(f"{loop.index} += 1", offset)
        if loop.whole:
            write.line(f"{loop.whole} = loop_map({loop.index}, {loop.length})", offset)
        self.scopes.inner.append(loop.scope)
        self._inner_statements(loop.body, offset, loop.separator)
        if loop.separator:
            write.line(f"{loop.separator} = {loop.between!r}", offset)
        self.scopes.inner.pop()
        write.indent -= 1


def _is_choice(statement: nodes.If, depth: int) -> bool:
    """Whether an ``if`` only chooses between texts and values that are not too deep."""
    bodies = [*(body for _, body in statement.branches), statement.otherwise]
    if depth < 0 or len(bodies) > 4 or any(condition.depth > depth for condition, _ in statement.branches):
        return False
    return all(_is_chosen(part, depth - 4) for body in bodies for part in body) and sum(map(len, bodies)) <= 12


def _is_chosen(statement: nodes.Statement, depth: int) -> bool:
    if isinstance(statement, nodes.If):
        return _is_choice(statement, depth)
    return isinstance(statement, nodes.Text) or (isinstance(statement, nodes.Output) and statement.value.depth <= depth)


def _without_separator(statement: nodes.For) -> tuple[nodes.Body, str]:
    """
    The body of a loop without a last ``{% if not loop.last %},{% endif %}``, and the text of that.

    What stands between the items is printed before every item but the first instead: then it is part of a piece that
    is made anyway, and nobody has to count.
    """
    *body, last = statement.body or (nodes.Text(""),)
    if not body or not isinstance(last, nodes.If) or isinstance(body[0], nodes.For | nodes.Set | nodes.FilterBlock):
        return statement.body, ""
    condition, texts = last.branches[0]
    is_separator = (
        statement.name != "loop"
        and len(last.branches) == 1
        and not last.otherwise
        and isinstance(condition, nodes.Unary)
        and condition.operator == "not"
        and set(uses(condition.operand, "loop")) == {"last"}
        and isinstance(condition.operand, nodes.Subscript)
        and isinstance(condition.operand.target, nodes.Name)
        and not any(use is None for use in uses(tuple(body), "loop"))
    )
    if not is_separator or not all(isinstance(text, nodes.Text) for text in texts):
        return statement.body, ""
    return tuple(body), "".join(text.value for text in texts if isinstance(text, nodes.Text))


class _Loop:
    """The variables of one loop, and as few as its body needs."""

    def __init__(self, scopes: Scopes, statement: nodes.For) -> None:
        self.items, self.length = scopes.fresh("x"), scopes.fresh("n")
        self.index, self.end = scopes.fresh("i"), scopes.fresh("z")
        self.scope = Scope()
        self.body, self.between = _without_separator(statement)
        self.separator = scopes.fresh("q") if self.between else ""
        members = used_members(self.body, "loop", LOOP_MEMBERS) if statement.name != "loop" else None
        self.whole = scopes.fresh("l") if members is None and statement.name != "loop" else ""
        self.counted = bool(members) or bool(self.whole)
        self._hold_loop()
        self.pair = used_members(statement.body, statement.name, PAIR_MEMBERS) or set()
        self.target = self._hold_item(scopes, statement.name)
        names = dict.fromkeys(direct_sets(statement.body))
        created = [name for name in names if not scopes.holds(name) and name not in self.scope.certain]
        for name in created:
            self.scope.variables[name] = scopes.fresh("s")
        self.unset = [self.scope.variables[name] for name in created]

    def _hold_loop(self) -> None:
        if self.whole:
            self.scope.variables["loop"] = self.whole
            self.scope.certain.add("loop")
        else:
            self.scope.members["loop"] = {
                "index": self.index,
                "length": self.length,
                "first": f"({self.index} == 0)",
                "last": f"({self.index} == {self.end})",
                "revindex": f"({self.end} - {self.index})",
            }

    def _hold_item(self, scopes: Scopes, name: str) -> str:
        if self.pair:
            key, value = scopes.fresh("k"), scopes.fresh("w")
            self.scope.members[name] = {"key": key, "value": value}
            return f"{key}, {value}"
        variable = scopes.fresh("v")
        self.scope.members.pop(name, None)
        self.scope.variables[name] = variable
        self.scope.certain.add(name)
        return variable
