"""
The escaping strategies, and the functions that print into the output.

Escaping looks before it works: most texts hold nothing to escape, and five searches in C cost less than one replaced
copy. What is printed is bounded by the output limit before it is copied.
"""

import re
import sys
from collections.abc import Callable
from urllib.parse import quote

from headrace.template.printing import text
from headrace.template.values import RenderError, Safe

MOST_REMEMBERED = 10_000

_JSON_SHORT = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
}
_JS_SHORT = {**_JSON_SHORT, "'": "\\'", "\0": "\\0"}
_CSS_UNSAFE = re.compile(r"^[0-9_]|^-(?=[-0-9])|[^A-Za-z0-9_-]")
_CSS_BY_BACKSLASH = frozenset(" !\"#$%&'()*+,-./;<=>?@[\\]^_`{|}~")
_HEX = frozenset("0123456789abcdefABCDEF")
_URL_KEPT = "/?:@!$()*,;~'"


def escape_html(value: str) -> str:
    """The five characters that mean something in HTML."""
    if "&" in value:
        value = value.replace("&", "&amp;")
    if "<" in value:
        value = value.replace("<", "&lt;")
    if ">" in value:
        value = value.replace(">", "&gt;")
    if '"' in value:
        value = value.replace('"', "&quot;")
    if "'" in value:
        value = value.replace("'", "&#39;")
    return value


def escape_json(value: str) -> str:
    """For the inside of a JSON string, in ASCII only."""
    if value.isascii() and value.isprintable() and not _holds_json_mark(value):
        return value
    return value.translate(_JSON).replace("</", "<\\/")


def _holds_json_mark(value: str) -> bool:
    return '"' in value or "\\" in value or "&" in value or "</" in value


def _json_character(found: str) -> str:
    return _JSON_SHORT.get(found) or (found if " " <= found <= "~" and found != "&" else _utf16(found))


class _Table(dict[int, str]):
    """
    What each character becomes, for ``str.translate``; a character is looked at when it is first met.

    A pattern with a function for each match would take thirty times as long for a text of accented letters.
    """

    def __init__(self, change: Callable[[str], str]) -> None:
        super().__init__()
        self.change = change

    def __missing__(self, code: int) -> str:
        if len(self) >= MOST_REMEMBERED:
            self.clear()
        self[code] = changed = self.change(chr(code))
        return changed


def _utf16(character: str) -> str:
    """A character as ``\\uXXXX``, two of them beyond the basic plane."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02X}{units[i + 1]:02X}" for i in range(0, len(units), 2))


def escape_js(value: str) -> str:
    """For the inside of a JavaScript string."""
    return value.translate(_JS).replace("</", "<\\/")


def _js_character(found: str) -> str:
    short = _JS_SHORT.get(found)
    if short or (" " <= found <= "~" and found != "&"):
        return short or found
    return f"\\x{ord(found):02X}" if ord(found) <= 0xFF else _utf16(found)


def escape_css(value: str) -> str:
    """For a CSS identifier."""
    return _CSS_UNSAFE.sub(_css_character, value)


def _css_character(match: re.Match[str]) -> str:
    found = match.group()
    if found in _CSS_BY_BACKSLASH:
        return f"\\{found}"
    following = match.string[match.end() : match.end() + 1]
    return f"\\{ord(found):X}{' ' if following in _HEX else ''}"


def escape_url_param(value: str) -> str:
    """For the value of a query parameter."""
    try:
        return quote(value, safe=_URL_KEPT)
    except UnicodeEncodeError:
        raise RenderError("a text holds half of a surrogate pair") from None


_JSON, _JS = _Table(_json_character), _Table(_js_character)

STRATEGIES: dict[str, Callable[[str], str]] = {
    "html": escape_html,
    "json": escape_json,
    "js": escape_js,
    "css": escape_css,
    "url_param": escape_url_param,
}
WIDEST = 12  # characters that one character can become
PARTS = 16  # a text that is longer than such a part of the output's limit is looked at before it is printed
WIDE = 2  # bytes of memory for each byte of the output's limit, for one text
SMALL = 1 << 16
LENGTH_OF_A_PART = 1 << 16


def plain_printer(limit: int) -> Callable[[object], str]:
    """A function that prints any value without escaping."""
    short = limit // PARTS

    def print_plain(value: object) -> str:
        if type(value) is str and len(value) <= short:
            return value
        return _bounded(value if type(value) is str else text(value, limit), limit)

    return print_plain


def html_printer(limit: int) -> Callable[[object], str]:
    """As :func:`printer` for ``html``, with the usual case first."""
    rest = _general_printer(escape_html, limit)
    short = limit // PARTS

    def print_html(value: object) -> str:
        if (
            type(value) is str
            and not ("&" in value or "<" in value or ">" in value or '"' in value or "'" in value)
            and len(value) <= short
        ):
            return value
        return rest(value)

    return print_html


def printer(strategy: str, limit: int) -> Callable[[object], str]:
    """A function that prints any value escaped by a strategy, and a safe value as it is."""
    if strategy == "html":
        return html_printer(limit)
    if strategy == "none":
        return plain_printer(limit)
    return _general_printer(STRATEGIES[strategy], limit)


def _general_printer(escape: Callable[[str], str], limit: int) -> Callable[[object], str]:
    short = limit // PARTS

    def print_escaped(value: object) -> str:
        if type(value) is Safe:
            return _bounded(str.__str__(value), limit)
        shown = value if type(value) is str else text(value, limit)
        return escape(shown) if len(shown) <= short else _long_escaped(_bounded(shown, limit), escape, limit)

    return print_escaped


def _bounded(shown: str, limit: int) -> str:
    """
    The text if it may be printed.

    Several values are put together before the output is measured, so one may neither be longer than all of the output
    nor, with a single wide character in it, take several times as much memory.
    """
    if len(shown) > limit:
        raise RenderError(f"the output is longer than {limit:,} bytes", limit="output")
    if not shown.isascii() and sys.getsizeof(shown) > max(WIDE * limit, SMALL):
        raise RenderError("a text that is printed takes too much memory", limit="strings")
    return shown


def _long_escaped(shown: str, escape: Callable[[str], str], limit: int) -> str:
    """The escaped text, which is measured part by part before all of it is made."""
    length = 0
    for start in range(0, len(shown), LENGTH_OF_A_PART):
        length += len(escape(shown[start : start + LENGTH_OF_A_PART]))
        if length > limit:
            raise RenderError(f"the output is longer than {limit:,} bytes", limit="output")
    return escape(shown)
