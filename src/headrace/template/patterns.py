"""
Regular expressions of templates.

RE2 runs in linear time whatever the pattern. What it cannot say, look-around and references back, is given to a
backtracking engine under a time limit; nothing else here depends on a clock.
"""

import math
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import re2
import regex

from headrace.template.limits import Meter
from headrace.template.values import RenderError

LONGEST_PATTERN = 1000
MOST_MEMORY = 1 << 20
"""Of one compiled pattern: RE2 forgets and computes again what does not fit."""
STEPS_OF_A_MATCH = 12
MOST_REPETITIONS = 1000
"""The product of all ``{n}`` of a pattern for the backtracking engine, which writes repetitions out."""
NO_PATTERN = "filter `split` was given a delimiter that is not a regular expression"
_BEYOND_RE2 = re.compile(r"\(\?(?:=|!|<=|<!|>)|\\[1-9k]|[*+?}]\+")
_COUNTS = re.compile(r"\{([0-9]+)(?:,([0-9]*))?\}")
_PLAIN = re.compile(r"\\([^A-Za-z0-9])|([^\\.\[\]{}()*+?^$|])", re.DOTALL)


class Finder(Protocol):
    """A compiled pattern."""

    @property
    def steps_to_read(self) -> int:
        """What it is charged when a rendering meets it first."""

    def find(self, text: str, meter: Meter) -> Iterator[tuple[int, int]]:
        """Say where in a text it matches, from left to right."""


@dataclass(frozen=True, slots=True)
class _Linear:
    """A pattern that RE2 takes. Its program's size bounds what reading it and one character of a text can cost."""

    pattern: Any
    steps_to_read: int

    def find(self, text: str, meter: Meter) -> Iterator[tuple[int, int]]:
        meter.spend(len(text) * (self.pattern.programsize + 40) // 160)
        for match in self.pattern.finditer(text):
            yield match.span()


@dataclass(frozen=True, slots=True)
class _Backtracking:
    """A pattern with look-around or references back: all of them together have the time that the meter gives."""

    pattern: Any
    steps_to_read: int

    def find(self, text: str, meter: Meter) -> Iterator[tuple[int, int]]:
        start = time.monotonic()
        try:
            for match in self.pattern.finditer(text, timeout=max(0.001, meter.backtracking)):
                yield match.span()
        except (TimeoutError, MemoryError, RecursionError):
            raise RenderError("regular expressions with look-around take too long", limit="time") from None
        finally:
            meter.backtracking -= time.monotonic() - start


@lru_cache(64)
def finder(pattern: str) -> Finder:
    """A compiled pattern. Raises: RenderError if neither engine takes it."""
    if len(pattern) > LONGEST_PATTERN:
        raise RenderError(f"a regular expression is longer than {LONGEST_PATTERN:,} characters", limit="pattern")
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = MOST_MEMORY
    try:
        linear = re2.compile(pattern, options=options)
    except re2.error:
        return _backtracking(pattern)
    return _Linear(linear, 50 + 2 * len(pattern) + 2 * linear.programsize)


def _backtracking(pattern: str) -> Finder:
    if not _BEYOND_RE2.search(pattern):
        raise RenderError(NO_PATTERN)
    if math.prod(max(map(int, filter(None, counts))) for counts in _COUNTS.findall(pattern)) > MOST_REPETITIONS:
        raise RenderError("a regular expression with look-around repeats too often", limit="pattern")
    try:
        compiled = regex.compile(pattern, regex.ASCII | regex.V0)
    except (regex.error, RecursionError, OverflowError):
        raise RenderError(NO_PATTERN) from None
    return _Backtracking(compiled, 300 + 20 * len(pattern))


def literal_of(pattern: str) -> str | None:
    """
    The one character that a pattern matches, if it is as simple as that.

    >>> literal_of(","), literal_of("\\\\."), literal_of(".")
    (',', '.', None)
    """
    match = _PLAIN.fullmatch(pattern)
    return (match.group(1) or match.group(2)) if match else None


def split_text(meter: Meter, text: str, pattern: str, limit: int) -> list[str]:
    """The pieces between the matches, as Java splits."""
    most = meter.limits.items
    literal = literal_of(pattern)
    if literal is not None:
        pieces = text.split(literal, min(limit - 1, most) if limit > 0 else most)
    else:
        pieces = _pieces(meter, text, pattern, limit)
    if len(pieces) > most:
        raise RenderError(f"filter `split` gives more than {most:,} pieces", limit="items")
    while limit == 0 and len(pieces) > 1 and not pieces[-1]:
        pieces.pop()
    if limit == 0 and pieces == [""] and text:
        pieces.pop()
    return pieces


def _pieces(meter: Meter, text: str, pattern: str, limit: int) -> list[str]:
    """Between the matches; an empty match at the very start cuts nothing off."""
    compiled = finder(pattern)
    meter.first_use(pattern, compiled.steps_to_read)
    pieces: list[str] = []
    position = 0
    for start, end in compiled.find(text, meter):
        if len(pieces) == limit - 1 or len(pieces) > meter.limits.items:
            break
        meter.spend(STEPS_OF_A_MATCH)
        if end == 0:
            continue
        pieces.append(text[position:start])
        position = end
    pieces.append(text[position:])
    return pieces
