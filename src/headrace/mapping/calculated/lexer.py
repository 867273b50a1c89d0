"""Cuts the text of a calculated field into tokens."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from headrace.errors import ExpressionError

LONGEST = 4_000
_LONGEST_NUMBER = 18

Kind = Literal["name", "text", "number", "operator", "end"]

#: Words that mean the same as an operator.
WORDS = {
    "and": "&&",
    "or": "||",
    "not": "!",
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "gt": ">",
    "le": "<=",
    "ge": ">=",
    "mod": "%",
    "div": "/",
}
CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
#: Words that the language keeps for itself: as names of attributes, they are written ``${new}``.
RESERVED = frozenset(
    {*WORDS, *CONSTANTS, "new", "break", "var", "for", "while", "continue", "else", "if", "return", "do", "function"}
)

_TOKEN = re.compile(
    r"(?P<blank>\s+)"
    r"|(?P<number>[0-9]+(?:\.[0-9]+)?)"
    r"|(?P<name>[^\W\d][\w$]*|\$[\w$]+)"
    r"|(?P<wrapped>\$\{(?P<inner>(?:[^\\{}]|\\.)*)\})"
    r"|(?P<text>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
    r"|(?P<operator>->|==|!=|<=|>=|&&|\|\||[-+*/%<>!()\[\],.])",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text: what it means, and where it begins and ends."""

    kind: Kind
    value: str | int | float
    start: int
    end: int

    def is_operator(self, *spellings: str) -> bool:
        """Whether this is one of these operators or brackets."""
        return self.kind == "operator" and self.value in spellings


def tokens(text: str) -> list[Token]:
    """
    Cut a text into tokens; the last one is the end.

    Raises:
        ExpressionError: something in it belongs to no token, or it is too long.
    """
    if len(text) > LONGEST:
        raise ExpressionError(text, LONGEST, f"it is longer than {LONGEST:,} characters")
    return [*_tokens(text), Token("end", "", len(text), len(text))]


def _tokens(text: str) -> Iterator[Token]:
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ExpressionError(text, position, _unreadable(text, position))
        if match.lastgroup != "blank" and match["blank"] is None:
            yield _token(match, text)
        position = match.end()


def _token(match: "re.Match[str]", text: str) -> Token:
    start, end = match.span()
    written = match[0]
    if match["number"] is not None:
        if len(written) > _LONGEST_NUMBER:
            raise ExpressionError(text, start, f"a number has at most {_LONGEST_NUMBER} digits")
        return Token("number", float(written) if "." in written else int(written), start, end)
    if match["text"] is not None:
        return Token("text", _unescaped(written[1:-1]), start, end)
    if match["wrapped"] is not None:
        if not match["inner"]:
            raise ExpressionError(text, start, "a name stands between `${` and `}`")
        return Token("name", _unescaped(match["inner"]), start, end)
    if match["name"] is not None:
        return _named(written, start, end)
    return Token("operator", written, start, end)


def _named(written: str, start: int, end: int) -> Token:
    if written in WORDS:
        return Token("operator", WORDS[written], start, end)
    return Token("name", written, start, end)


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), text)


def _unreadable(text: str, position: int) -> str:
    character = text[position]
    if character in "\"'":
        return f"the text that begins here has no closing {character}"
    if text.startswith("${", position):
        return "the name that begins here has no closing }"
    if character == "=":
        return "a single `=` compares nothing: write `==`"
    return f"{character!r} means nothing here"
