"""
Regular expressions of templates.

RE2 runs in linear time whatever the pattern. What it cannot say, look-around and references back, is given to a
backtracking engine under a time limit; nothing else here depends on a clock.
"""

import math
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Protocol

import re2
import regex

from headrace.template.values import RenderError

BACKTRACKING_SECONDS = 0.1
LONGEST_PATTERN = 1000
MOST_REPETITIONS = 1000
"""The product of all ``{n}`` of a pattern for the backtracking engine, which writes repetitions out."""
NO_PATTERN = "filter `split` was given a delimiter that is not a regular expression"
_BEYOND_RE2 = re.compile(r"\(\?(?:=|!|<=|<!|>)|\\[1-9k]|[*+?}]\+")
_COUNTS = re.compile(r"\{([0-9]+)(?:,([0-9]*))?\}")
_PLAIN = re.compile(r"\\([^A-Za-z0-9])|([^\\.\[\]{}()*+?^$|])", re.DOTALL)


class Finder(Protocol):
    """Says where in a text a pattern matches, from left to right."""

    def __call__(self, text: str) -> Iterator[tuple[int, int]]: ...


@lru_cache(256)
def finder(pattern: str) -> Finder:
    """A compiled pattern. Raises: RenderError if neither engine takes it."""
    if len(pattern) > LONGEST_PATTERN:
        raise RenderError(f"a regular expression is longer than {LONGEST_PATTERN:,} characters", limit="pattern")
    options = re2.Options()
    options.log_errors = False
    try:
        linear = re2.compile(pattern, options=options)
    except re2.error:
        return _backtracking(pattern)
    return lambda text: (match.span() for match in linear.finditer(text))


def _backtracking(pattern: str) -> Finder:
    if not _BEYOND_RE2.search(pattern):
        raise RenderError(NO_PATTERN)
    if math.prod(max(map(int, filter(None, counts))) for counts in _COUNTS.findall(pattern)) > MOST_REPETITIONS:
        raise RenderError("a regular expression with look-around repeats too often", limit="pattern")
    try:
        compiled = regex.compile(pattern, regex.ASCII | regex.V0)
    except (regex.error, RecursionError, OverflowError):
        raise RenderError(NO_PATTERN) from None

    def find(text: str) -> Iterator[tuple[int, int]]:
        try:
            for match in compiled.finditer(text, timeout=BACKTRACKING_SECONDS):
                yield match.span()
        except (TimeoutError, MemoryError, RecursionError):
            raise RenderError("a regular expression with look-around takes too long", limit="time") from None

    return find


def literal_of(pattern: str) -> str | None:
    """
    The one character that a pattern matches, if it is as simple as that.

    >>> literal_of(","), literal_of("\\\\."), literal_of(".")
    (',', '.', None)
    """
    match = _PLAIN.fullmatch(pattern)
    return (match.group(1) or match.group(2)) if match else None


def split_text(text: str, pattern: str, limit: int, most: int) -> list[str]:
    """
    The pieces between the matches, as Java splits.

    >>> split_text("a,b,,", ",", 0, 10), split_text("a,b,,", ",", -1, 10), split_text("a,b,c", ",", 2, 10)
    (['a', 'b'], ['a', 'b', '', ''], ['a', 'b,c'])
    """
    literal = literal_of(pattern)
    if literal is not None:
        pieces = text.split(literal, min(limit - 1, most) if limit > 0 else most)
    else:
        pieces = _pieces(text, finder(pattern), limit, most)
    if len(pieces) > most:
        raise RenderError(f"filter `split` gives more than {most:,} pieces", limit="items")
    while limit == 0 and len(pieces) > 1 and not pieces[-1]:
        pieces.pop()
    if limit == 0 and pieces == [""] and text:
        pieces.pop()
    return pieces


def _pieces(text: str, find: Finder, limit: int, most: int) -> list[str]:
    """Between the matches; an empty match at the very start cuts nothing off."""
    pieces: list[str] = []
    position = 0
    for start, end in find(text):
        if len(pieces) == limit - 1 or len(pieces) > most:
            break
        if end == 0:
            continue
        pieces.append(text[position:start])
        position = end
    pieces.append(text[position:])
    return pieces
