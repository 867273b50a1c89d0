"""The text of a template, and where in it something is."""

import difflib
from bisect import bisect_right
from collections.abc import Iterable
from functools import cached_property

from headrace.errors import TemplateProblem


class Source:
    """A named text that turns offsets into lines and columns."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        self._lines: dict[int, str] = {}

    @cached_property
    def _line_starts(self) -> list[int]:
        starts = [0]
        position = self.text.find("\n")
        while position >= 0:
            starts.append(position + 1)
            position = self.text.find("\n", position + 1)
        return starts

    def problem(self, offset: int, message: str) -> TemplateProblem:
        """What is wrong, with its place."""
        index = bisect_right(self._line_starts, offset) - 1
        column = offset - self._line_starts[index] + 1
        return TemplateProblem(message, self.name, index + 1, column, self._line(index))

    def _line(self, index: int) -> str:
        """A line without its end; a template may be one long line with many problems, so lines are kept."""
        if index not in self._lines:
            start = self._line_starts[index]
            end = self.text.find("\n", start)
            self._lines[index] = self.text[start : end if end >= 0 else len(self.text)].rstrip("\r")
        return self._lines[index]


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """
    Say that there is no such thing, and what the author may have meant.

    >>> unknown("filter", "lowercase", ["lower", "upper"])
    '`lowercase` is not a filter; did you mean `lower`?'
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, 1, 0.5) or [n for n in names if n.lower() == name.lower()]
    hint = f"did you mean `{near[0]}`?" if near else f"these are: {', '.join(names)}"
    article = "an" if what[0] in "aeiou" else "a"
    return f"`{name}` is not {article} {what}; {hint}"
