"""Patterns that dates and moments are written by, in the syntax of Java that Spark takes: faults, and parts."""

import re
from dataclasses import dataclass

DATE_LETTERS = frozenset("GyDMLdQqEF")
TIME_LETTERS = frozenset("HhkKmsSa")
ZONE_LETTERS = frozenset("VzOXxZ")
#: How often each letter may stand in a row. All others are refused: Spark cannot write them, or says something else.
COUNTS = {
    **{letter: range(1, 5) for letter in "GMLQqEz"},
    **{letter: range(1, 3) for letter in "dHhkKms"},
    **{letter: range(1, 6) for letter in "XxZ"},
    **{letter: range(1, 2) for letter in "Fa"},
    "y": range(1, 11),
    "D": range(1, 4),
    "S": range(1, 10),
    "V": range(2, 3),
    "O": range(1, 5, 3),
}
_TOKEN = re.compile(r"'(?P<quoted>(?:[^']|'')*)'|(?P<run>([A-Za-z])\3*)|(?P<other>.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Letters:
    """One letter, some times in a row: a field of the date or the time."""

    letter: str
    count: int

    @property
    def run(self) -> str:
        return self.letter * self.count


@dataclass(frozen=True, slots=True)
class Optional:
    """What stands between brackets: left out where a value has not all of its fields."""

    parts: "Parts"


Part = str | Letters | Optional
Parts = tuple[Part, ...]


def parts_of(pattern: str) -> Parts:
    """
    Return the parts of a pattern that has no faults; a text stands for itself.

    >>> parts_of("yyyy-MM'T'[.SSS]")
    (Letters(letter='y', count=4), '-', Letters(letter='M', count=2), 'T', Optional(parts=('.', Letters(letter='S', count=3))))
    """  # noqa: E501
    open_ones: list[list[Part]] = [[]]
    for token in _TOKEN.finditer(pattern):
        if token["other"] == "[":
            open_ones.append([])
        elif token["other"] == "]":
            inner = open_ones.pop()
            open_ones[-1].append(Optional(tuple(inner)))
        elif token["run"]:
            open_ones[-1].append(Letters(token["run"][0], len(token["run"])))
        else:
            open_ones[-1].append(_literal(token))
    while len(open_ones) > 1:  # a bracket that nobody closes is closed at the end
        inner = open_ones.pop()
        open_ones[-1].append(Optional(tuple(inner)))
    return tuple(open_ones[0])


def _literal(token: re.Match[str]) -> str:
    return token["other"] or token["quoted"].replace("''", "'") or "'"


def faults_of(pattern: str, name: str) -> list[str]:
    """
    Return what is wrong with a pattern, one sentence each; ``name`` is the option that holds it.

    >>> faults_of("YYYY-MM", "dateFormat")
    ['`Y` is no letter of `dateFormat`; put literal text between single quotes']
    """
    others = [token["other"] for token in _TOKEN.finditer(pattern) if token["other"]]
    if "'" in others:
        return [f"a text in `{name}` does not end: close its single quote, or write two for one"]
    faults = [fault for run in _runs(pattern) if (fault := _fault_of(run, name))]
    if any(others[:place].count("]") > others[:place].count("[") for place in range(len(others) + 1)):
        faults.append(f"a `]` in `{name}` closes nothing: put `[` before it, or leave it out")
    faults += [f"`{other}` in `{name}` has to stand between single quotes" for other in "{}#" if other in others]
    return faults


def _runs(pattern: str) -> list[str]:
    return sorted({token["run"] for token in _TOKEN.finditer(pattern) if token["run"]})


def _fault_of(run: str, name: str) -> str | None:
    counts = COUNTS.get(run[0])
    if counts is None:
        return f"`{run[0]}` is no letter of `{name}`; put literal text between single quotes"
    if len(run) in counts:
        return None
    choices = ", ".join(f"`{run[0] * count}`" for count in counts)
    return f"`{run}` is nothing that `{name}` can hold; write {choices}"
