"""
How values print.

Objects and lists of a profile print as compact JSON; what the template made prints as Java prints a map or a list.
What a template made may hold one text a million times over, so its printed form is built under a limit; what came in
with the data is as long as it is.
"""

import re
from decimal import Decimal

import orjson

from headrace.template.limits import VALUE_DEPTH
from headrace.template.values import Character, Entry, RenderError, Safe, TemplateList, TemplateMap, kind_name

_SIMPLE = frozenset({int, str})
_EXPONENT = re.compile(rb"[0-9][eE][-+0-9]")
BYTES_OF_A_PIECE = 64
"""A printed structure has at most one piece for so many characters of its limit: pieces cost memory too."""
_SMALLEST_PLAIN, _LARGEST_PLAIN = 1e-7, 1e21


def double_text(value: float) -> str:
    """
    The shortest digits that identify a double, always with a decimal part, without exponent where that stays short.

    >>> double_text(2.0), double_text(1e16), double_text(1e-5), double_text(1e21)
    ('2.0', '10000000000000000.0', '0.00001', '1.0E21')
    """
    shortest = repr(value)
    if "e" not in shortest and "n" not in shortest:
        return shortest
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if _SMALLEST_PLAIN <= abs(value) < _LARGEST_PLAIN:
        plain = format(Decimal(shortest), "f")
        return plain if "." in plain else f"{plain}.0"
    digits, exponent = shortest.split("e")
    return f"{digits if '.' in digits else digits + '.0'}E{int(exponent)}"


def text(value: object, limit: int) -> str:
    """The printed form of any value. Raises: RenderError if it would be longer than ``limit``."""
    kind = type(value)
    if kind is str:
        return value  # type: ignore[return-value]
    if value is None:
        return ""
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value)
    if kind is float:
        return double_text(value)  # type: ignore[arg-type]
    if kind is Safe or kind is Character:
        return str.__str__(value)
    if kind is dict or kind is list:
        return json_text(value, limit)
    if kind is TemplateList and set(map(type, value)) <= _SIMPLE:  # type: ignore[call-overload]
        return _simple_list(value, limit)  # type: ignore[arg-type]
    return _Printer(limit).java_text(value)


def _simple_list(items: TemplateList, limit: int) -> str:
    """What most lists of templates are: a few texts and integers."""
    texts = [item if type(item) is str else str(item) for item in items]
    if sum(map(len, texts)) + 2 * len(texts) > limit:
        raise _too_long(limit)
    return f"[{', '.join(texts)}]"


def _too_long(limit: int) -> RenderError:
    return RenderError(f"a printed list or map is too long: the limit is {limit:,} characters", limit="strings")


def json_text(value: object, limit: int) -> str:
    """The value as compact JSON: keys in order, nothing escaped that need not be."""
    if type(value) is not TemplateList and type(value) is not TemplateMap:
        try:
            encoded = orjson.dumps(value)
        except (TypeError, ValueError):
            return _Printer(limit).json_text(value)
        if not _EXPONENT.search(encoded):
            return encoded.decode()
    return _Printer(limit).json_text(value)


class _Printer:
    """Writes one value piece by piece and stops at the limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.left = limit
        self.most_pieces = limit // BYTES_OF_A_PIECE
        self.pieces: list[str] = []

    def json_text(self, value: object) -> str:
        self._json(value, VALUE_DEPTH)
        return "".join(self.pieces)

    def java_text(self, value: object) -> str:
        self._java(value, VALUE_DEPTH)
        return "".join(self.pieces)

    def _put(self, piece: str) -> None:
        self.left -= len(piece)
        if self.left < 0 or len(self.pieces) > self.most_pieces:
            raise _too_long(self.limit)
        self.pieces.append(piece)

    def _deeper(self, depth: int) -> int:
        if depth == 0:
            raise RenderError(f"lists and maps are nested deeper than {VALUE_DEPTH}", limit="depth")
        return depth - 1

    def _java(self, value: object, depth: int) -> None:
        if isinstance(value, TemplateMap):
            self._sequence("{", "}", ", ", [(key, item) for key, item in value.items()], depth)
        elif isinstance(value, TemplateList):
            self._sequence("[", "]", ", ", value, depth)
        elif isinstance(value, Entry):
            self._pair((value.key, value.value), self._deeper(depth))
        elif isinstance(value, dict | list):
            self._json(value, self._deeper(depth))
        elif value is None:
            self._put("null")
        else:
            self._put(_scalar(value))

    def _sequence(self, opening: str, closing: str, comma: str, items: list[object] | TemplateList, depth: int) -> None:
        deeper = self._deeper(depth)
        self._put(opening)
        for position, item in enumerate(items):
            if position:
                self._put(comma)
            if type(item) is tuple:
                self._pair(item, deeper)
            else:
                self._java(item, deeper)
        self._put(closing)

    def _pair(self, pair: tuple[object, object], depth: int) -> None:
        self._java(pair[0], depth)
        self._put("=")
        self._java(pair[1], depth)

    def _json(self, value: object, depth: int) -> None:
        if isinstance(value, Entry):
            value = value.as_map()
        if isinstance(value, dict):
            self._json_items("{", "}", [(key, item) for key, item in value.items()], depth)
        elif isinstance(value, list):
            self._json_items("[", "]", value, depth)
        elif isinstance(value, str):
            self._put(_quoted(value))
        elif value is None or value != value:
            self._put("null")
        else:
            self._put(_scalar(value))

    def _json_items(self, opening: str, closing: str, items: list[object], depth: int) -> None:
        deeper = self._deeper(depth)
        self._put(opening)
        for position, item in enumerate(items):
            if position:
                self._put(",")
            if type(item) is tuple:
                self._put(_quoted(text(item[0], self.limit)) + ":")
                item = item[1]
            self._json(item, deeper)
        self._put(closing)


def _scalar(value: object) -> str:
    if type(value) in (str, bool, int, float, Safe, Character):
        return text(value, 0)
    raise RenderError(f"{kind_name(value)} cannot be printed")


def _quoted(value: str) -> str:
    try:
        return orjson.dumps(str.__str__(value)).decode()
    except (TypeError, ValueError):
        raise RenderError("a text holds half of a surrogate pair") from None
