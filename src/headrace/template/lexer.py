"""
Cuts the text of a template into tokens.

The lexer never fails: what it cannot read becomes an ``INVALID`` token that carries the reason, and it goes on behind
the end of the tag. So the parser meets every mistake of a template in one pass and reports them together.
"""

import re
from collections.abc import Iterator
from enum import Enum, auto
from itertools import islice

JAVA_WHITE_SPACE = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2008\u2009\u200a"
    "\u2028\u2029\u205f\u3000"
)
"""What the language takes for white space. The no-break space is not in it."""

DEEPEST_INTERPOLATION = 16
WORD_OPERATORS = frozenset({"and", "or", "not", "is", "contains", "equals"})


class Kind(Enum):
    """What a token is."""

    TEXT = auto()
    COMMENT = auto()
    PRINT_OPEN = auto()
    PRINT_CLOSE = auto()
    TAG_OPEN = auto()
    TAG_CLOSE = auto()
    NAME = auto()
    STRING = auto()
    INTERPOLATED = auto()
    INTEGER = auto()
    DECIMAL = auto()
    OPERATOR = auto()
    INVALID = auto()
    END = auto()


class Token:
    """A piece of the template: ``value`` is what it means, ``start`` and ``end`` where it stands."""

    __slots__ = ("end", "kind", "parts", "start", "value")

    def __init__(self, kind: Kind, value: str, start: int, end: int, parts: "tuple[Part, ...]" = ()) -> None:
        self.kind = kind
        self.value = value
        self.start = start
        self.end = end
        self.parts = parts

    def __repr__(self) -> str:
        return f"Token({self.kind.name}, {self.value!r}, {self.start}, {self.end})"

    def is_operator(self, *spellings: str) -> bool:
        """Whether this is one of these operators or brackets."""
        return self.kind is Kind.OPERATOR and self.value in spellings


Part = str | list[Token]
"""A piece of a string with interpolation: literal text, or the tokens between ``#{`` and ``}``."""

_OPENING = re.compile(r"\{[{%#]")
_BLANKS = re.compile(r"[ \t\n\x0b\f\r]+")
_LEXEME = re.compile(
    r"(?P<foreign>\?\?|\?:|\*\*|//|===|!==|&&|\|\||<>)"
    r"|(?P<operator>is not(?!\w)|\.\.|==|!=|<=|>=|[<>+\-*/%~|?:=.,()\[\]{}])"
    r"|(?P<decimal>[0-9]+\.[0-9]+(?!\w))"
    r"|(?P<integer>[0-9]+L?(?!\w))"
    r"|(?P<malformed>[0-9]\w*)"
    r"|(?P<name>[^\W\d]\w*)"
)
_CLOSE_OF = {"{{": "}}", "{%": "%}"}
_BRACKETS = {"(": ")", "[": "]", "{": "}"}
_OPEN_KIND = {"{{": Kind.PRINT_OPEN, "{%": Kind.TAG_OPEN}
_CLOSE_KIND = {"{{": Kind.PRINT_CLOSE, "{%": Kind.TAG_CLOSE}


class Lexer:
    """Reads one template from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.trim_next = False
        self.marker = -1
        self.interpolations = 0

    def tokens(self, most: int | None = None) -> list[Token]:
        """All tokens, or the first ones; their spans and the blanks between them are the whole text."""
        return list(islice(self._scan(), most))

    def _scan(self) -> Iterator[Token]:
        while self.position < len(self.text):
            opening = _OPENING.search(self.text, self.position)
            stop = opening.start() if opening else len(self.text)
            opener = opening.group() if opening else ""
            trims = bool(opener) and self._has_trim_mark(stop + 2)
            if stop > self.position:
                yield self._text_token(stop, trim_end=trims)
            if opener == "{#":
                yield self._comment(stop)
            elif opener:
                yield from self._delimited(opener, stop, trims)
        yield Token(Kind.END, "", self.position, self.position)

    def _has_trim_mark(self, position: int) -> bool:
        """A dash trims only before white space: ``{{-x}}`` is a negated ``x``."""
        following = self.text[position : position + 2]
        return len(following) == 2 and following[0] == "-" and following[1] in JAVA_WHITE_SPACE

    def _text_token(self, stop: int, *, trim_end: bool) -> Token:
        start, value = self.position, self.text[self.position : stop]
        if self.trim_next:
            value = value.lstrip(JAVA_WHITE_SPACE)
        if trim_end:
            value = value.rstrip(JAVA_WHITE_SPACE)
        self.trim_next = False
        self.position = stop
        return Token(Kind.TEXT, value, start, stop)

    def _comment(self, start: int) -> Token:
        end = self.text.find("#}", start + 2)
        if end < 0:
            self.position = len(self.text)
            return Token(Kind.INVALID, "this comment is not closed: `#}` is missing", start, self.position)
        body = self.text[start + 2 : end]
        self.trim_next = len(body) > 1 and body[-1] == "-" and body[-2] in JAVA_WHITE_SPACE
        self.position = end + 2
        return Token(Kind.COMMENT, "", start, self.position)

    def _delimited(self, opener: str, start: int, trims: bool) -> Iterator[Token]:
        self.trim_next = False
        self.position = start + (3 if trims else 2)
        yield Token(_OPEN_KIND[opener], opener, start, self.position)
        yield from self._inside(_CLOSE_OF[opener], start)
        closing = self.position
        if closing < len(self.text):
            self.trim_next = self.text[closing] == "-"
            self.position = closing + (3 if self.trim_next else 2)
        yield Token(_CLOSE_KIND[opener], _CLOSE_OF[opener], closing, self.position)

    def _inside(self, close: str, opened_at: int) -> Iterator[Token]:
        """The tokens up to ``close``, which is left for the caller."""
        brackets: list[tuple[str, int]] = []
        while True:
            self._skip_blanks()
            if self.position >= len(self.text):
                opener = self.text[opened_at : opened_at + 2]
                yield self._invalid(f"`{opener}` is not closed: `{close}` is missing", opened_at)
                return
            in_map = bool(brackets) and brackets[-1][0] == "}" and close[0] == "}"
            if self._at_close(close) and not in_map:
                if brackets:
                    bracket, at = brackets[-1]
                    yield self._invalid(f"`{self.text[at]}` is not closed: `{bracket}` is missing", at)
                return
            token = self._lexeme()
            yield self._matched(token, brackets)
            if token.kind is Kind.INVALID:
                self._recover(close)
                return

    def _at_close(self, close: str) -> bool:
        if self.text.startswith(close, self.position):
            return True
        return len(close) == 2 and self.text.startswith("-" + close, self.position)

    def _skip_blanks(self) -> None:
        blanks = _BLANKS.match(self.text, self.position)
        if blanks:
            self.position = blanks.end()

    def _matched(self, token: Token, brackets: list[tuple[str, int]]) -> Token:
        """Keep count of the open brackets, and refuse one that closes nothing."""
        if token.kind is not Kind.OPERATOR:
            return token
        if token.value in _BRACKETS:
            brackets.append((_BRACKETS[token.value], token.start))
        elif token.value in _BRACKETS.values():
            if not brackets or brackets[-1][0] != token.value:
                expected = f"; expected `{brackets[-1][0]}`" if brackets else ""
                token.kind, token.value = Kind.INVALID, f"`{token.value}` closes nothing here{expected}"
            else:
                brackets.pop()
        return token

    def _lexeme(self) -> Token:
        start = self.position
        if self.text[start] in "\"'":
            return self._string(start)
        match = _LEXEME.match(self.text, start)
        if match is None:
            self.position += 1
            character = self.text[start]
            shown = f"`{character}`" if character.isprintable() else f"U+{ord(character):04X}"
            return self._invalid(f"the character {shown} has no meaning here", start)
        self.position = match.end()
        spelling = match.group()
        kind = match.lastgroup
        if kind == "foreign":
            return self._invalid(f"`{spelling}` is not an operator of this language", start)
        if kind == "malformed":
            return self._invalid(f"`{spelling}` is not a number: digits, or digits `.` digits", start)
        if kind == "operator" or spelling in WORD_OPERATORS:
            return Token(Kind.OPERATOR, spelling, start, self.position)
        return Token(Kind[kind.upper()] if kind else Kind.INVALID, spelling, start, self.position)

    def _string(self, start: int) -> Token:
        """A string ends at the first quote of its kind that has no backslash before it."""
        quote = self.text[start]
        close = self._closing_quote(quote, start + 1)
        if quote == '"' and self._next_marker(start) < (close if close >= 0 else len(self.text)):
            return self._interpolated(start)
        if close < 0:
            self.position = start + 1
            return self._invalid(f"this string is not closed: {quote} is missing", start)
        self.position = close + 1
        return Token(Kind.STRING, self.text[start + 1 : close].replace("\\" + quote, quote), start, self.position)

    def _next_marker(self, position: int) -> int:
        """Where the next interpolation begins; remembered, for a text may have many strings and no interpolation."""
        if self.marker < position:
            found = self.text.find("#{", position)
            self.marker = found if found >= 0 else len(self.text)
        return self.marker

    def _closing_quote(self, quote: str, position: int) -> int:
        while True:
            position = self.text.find(quote, position)
            if position < 0 or self.text[position - 1] != "\\":
                return position
            position += 1

    def _interpolated(self, start: int) -> Token:
        parts: list[Part] = []
        self.position = start + 1
        close = 0
        while True:
            if 0 <= close < self.position:
                close = self._closing_quote('"', self.position)
            marker = self._next_marker(self.position)
            if close < 0 and marker == len(self.text):
                self.position = start + 1
                return self._invalid('this string is not closed: " is missing', start)
            if 0 <= close < marker:
                parts.append(self.text[self.position : close])
                self.position = close + 1
                return Token(Kind.INTERPOLATED, "", start, self.position, tuple(parts))
            parts.append(self.text[self.position : marker])
            self.position = marker + 2
            if self.interpolations == DEEPEST_INTERPOLATION:
                return self._invalid(f"strings nest deeper than {DEEPEST_INTERPOLATION} in strings", marker)
            self.interpolations += 1
            inner = list(self._inside("}", marker))
            self.interpolations -= 1
            if inner and inner[-1].kind is Kind.INVALID:
                return inner[-1]
            inner.append(Token(Kind.END, "}", self.position, self.position + 1))
            parts.append(inner)
            self.position += 1

    def _recover(self, close: str) -> None:
        """Go to where the tag ends, so that what stands behind it is read as usual."""
        end = self.text.find(close, self.position)
        if end < 0:
            end = len(self.text)
        elif end > self.position and self.text[end - 1] == "-":
            end -= 1
        self.position = end

    def _invalid(self, reason: str, start: int) -> Token:
        return Token(Kind.INVALID, reason, start, max(self.position, start))
