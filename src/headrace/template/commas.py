"""
Loops that print JSON items with a comma too many or too few.

A body of a loop is split into its separators and its content. A separator is an ``if`` that prints nothing but a comma,
or a printed variable that holds nothing but one. The content may print always, or only sometimes; most mistakes come
from a comma that does not ask whether there was content.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from headrace.template import nodes
from headrace.template.quoting import Place, Places
from headrace.template.reading import Note, Reading, names_in
from headrace.template.scopes import direct_sets
from headrace.template.shape import NEVER_EMPTY

FLAG_WAY = 'set it before the outermost loop: `{% set sep = "" %}`, then `{{ sep | raw }}item{% set sep = "," %}`'


@dataclass(frozen=True, slots=True)
class _Around:
    """The text before and after a loop, as far as it is certain."""

    before: str = ""
    after: str = ""


class Commas:
    """Looks at every loop that stands between JSON values."""

    def __init__(self, reading: Reading, places: Places, note: Note) -> None:
        self.reading = reading
        self.places = places
        self.note = note

    def body(self, body: nodes.Body, outer: tuple[nodes.For, ...] = ()) -> None:
        """Look at the loops of these statements, which stand in ``outer`` loops."""
        for index, statement in enumerate(body):
            if isinstance(statement, nodes.If):
                for _, branch in statement.branches:
                    self.body(branch, outer)
                self.body(statement.otherwise, outer)
            elif isinstance(statement, nodes.For):
                if self.places.of.get(id(statement)) is Place.OUTSIDE:
                    self._loop(statement, _Around(before(body, index), after(body, index + 1)), outer)
                self.body(statement.body, (*outer, statement))
                self.body(statement.otherwise, outer)

    def _loop(self, loop: nodes.For, around: _Around, outer: tuple[nodes.For, ...]) -> None:
        separators = [statement for statement in within_ifs(loop.body) if self.is_separator(statement)]
        if separators:
            self._guarded(loop, separators, outer)
            return
        first, last = after(loop.body), before(loop.body)
        if last == "," and around.after in ("]", "}"):
            self._trailing(loop, "after the last item")
        elif first == "," and around.before in ("[", "{"):
            self._trailing(loop, "before the first item")
        elif around.before in ("[", "{") and around.after in ("]", "}") and self._runs_together(loop, first, last):
            way = "`{% if not loop.last %},{% endif %}` at its end"
            self.note(loop.offset, "comma-missing", f"nothing stands between the items of this loop; write {way}")

    def _trailing(self, loop: nodes.For, where: str) -> None:
        mark = "loop.last" if "last" in where else "loop.first"
        way = f"print it with `{{% if not {mark} %}},{{% endif %}}`"
        self.note(loop.offset, "comma-trailing", f"this loop prints a comma {where} too; {way}")

    def _runs_together(self, loop: nodes.For, first: str, last: str) -> bool:
        """Whether the body prints one whole value: its items then stand side by side."""
        inner = any(isinstance(statement, nodes.For) for statement in within_ifs(loop.body))
        prints = self._always_prints(loop.body) and not inner
        return prints and "," not in (first, last) and not self._may_print_comma(loop.body)

    def _may_print_comma(self, body: nodes.Body) -> bool:
        return any(
            isinstance(statement, nodes.Output) and self._holds_comma(statement.value) for statement in within_ifs(body)
        )

    def _holds_comma(self, node: nodes.Expression) -> bool:
        texts = self.reading.printed[id(node)].texts
        return texts is not None and any("," in text for text in texts)

    def _always_prints(self, body: nodes.Body) -> bool:
        """Whether a body prints something whatever the data."""
        return any(map(self._certain, body))

    def _certain(self, statement: nodes.Statement) -> bool:
        if isinstance(statement, nodes.If):
            return all(map(self._always_prints, [*(branch for _, branch in statement.branches), statement.otherwise]))
        if isinstance(statement, nodes.FilterBlock):
            return self._always_prints(statement.body)
        if isinstance(statement, nodes.For):
            full = self.reading.printed[id(statement.iterable)].label == NEVER_EMPTY
            return full and self._always_prints(statement.body)
        return isinstance(statement, nodes.Output) or (
            isinstance(statement, nodes.Text) and not statement.value.isspace()
        )

    # Separators -----------------------------------------------------------------------------------------------------

    def is_separator(self, statement: nodes.Statement) -> bool:
        """Whether this prints a comma or nothing, and never anything else."""
        if isinstance(statement, nodes.Output):
            texts = self.reading.printed[id(statement.value)].texts
            return bool(texts) and {text.strip() for text in texts or ()} <= {"", ","} and "," in "".join(texts or ())
        if not isinstance(statement, nodes.If) or statement.otherwise:
            return False
        return len(statement.branches) == 1 and _is_comma(statement.branches[0][1])

    def _guarded(self, loop: nodes.For, separators: list[nodes.Statement], outer: tuple[nodes.For, ...]) -> None:
        """Whether the separators of a loop ask the right question."""
        content = tuple(part for part in loop.body if not self.is_separator(part))
        raised = set(direct_sets(loop.body))
        for separator in separators:
            flags = names_in(_deciding(separator))
            own = sorted(flags & raised)
            if "loop" in flags:
                if separator in loop.body and not self._always_prints(content):
                    message = "the comma asks for the place in the loop, but some items print nothing"
                    self.note(_deciding(separator).offset, "comma-without-item", f"{message}; {FLAG_WAY}")
            elif own and self._is_forgotten(own[0], loop, outer):
                message = f"`{own[0]}` is forgotten at the end of this loop, so the next one begins without a comma"
                self.note(_deciding(separator).offset, "comma-forgotten", f"{message}; {FLAG_WAY}")
            elif own and self._is_raised_early(own[0], loop, content):
                message = f"`{own[0]}` is raised also where nothing was printed, so a comma may come first"
                self.note(_deciding(separator).offset, "comma-without-item", f"{message}; raise it beside the item")

    def _is_forgotten(self, flag: str, loop: nodes.For, outer: tuple[nodes.For, ...]) -> bool:
        """Whether the flag lives in this loop alone while an outer loop goes on, with no comma of its own."""
        if not outer or flag not in self.reading.created[id(loop)]:
            return False
        around = [statement for statement in within_ifs(outer[-1].body) if statement is not loop]
        return not any(self.is_separator(statement) for statement in around) and not any(
            isinstance(statement, nodes.Text) and statement.value.strip() for statement in around
        )

    def _is_raised_early(self, flag: str, loop: nodes.For, content: nodes.Body) -> bool:
        """Whether the flag is raised at each turn although the content may print nothing."""
        raised = any(isinstance(statement, nodes.Set) and statement.name == flag for statement in loop.body)
        return raised and not self._always_prints(content)


def _deciding(separator: nodes.Statement) -> nodes.Expression:
    """The expression that says whether the comma is printed."""
    if isinstance(separator, nodes.If):
        return separator.branches[0][0]
    assert isinstance(separator, nodes.Output)
    return separator.value


def within_ifs(body: nodes.Body) -> list[nodes.Statement]:
    """The statements of a body and of its ``if`` tags, not those of its loops."""
    found: list[nodes.Statement] = []
    for statement in body:
        found.append(statement)
        if isinstance(statement, nodes.If):
            for _, branch in statement.branches:
                found += within_ifs(branch)
            found += within_ifs(statement.otherwise)
    return found


def _is_comma(body: nodes.Body) -> bool:
    """Whether a body is a comma; what it sets does not count."""
    texts = [statement.value for statement in body if isinstance(statement, nodes.Text)]
    silent = all(isinstance(statement, nodes.Text | nodes.Set) for statement in body)
    return silent and "".join(texts).strip() == ","


def after(body: nodes.Body, start: int = 0) -> str:
    """The first character that is printed for sure from a statement on, blanks aside; empty if that is not known."""
    return _edge((body[index] for index in range(start, len(body))), 0)


def before(body: nodes.Body, end: int | None = None) -> str:
    """The last one before a statement."""
    return _edge((body[index] for index in reversed(range(len(body) if end is None else end))), -1)


def _edge(statements: Iterator[nodes.Statement], end: int) -> str:
    for statement in statements:
        if isinstance(statement, nodes.Text):
            if statement.value.strip():
                return statement.value.strip()[end]
        elif not isinstance(statement, nodes.Set):
            return ""
    return ""
