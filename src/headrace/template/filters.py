"""Filters of text, numbers and encodings: each takes the meter, the value, its arguments; null mostly stays null."""

import base64
import binascii
import hashlib
import re

from headrace.template.conditions import is_empty
from headrace.template.escaping import STRATEGIES, WIDEST
from headrace.template.functions import form_encoded
from headrace.template.lexer import JAVA_WHITE_SPACE
from headrace.template.limits import Meter
from headrace.template.operators import is_number
from headrace.template.printing import json_text, text
from headrace.template.registry import filters
from headrace.template.runtime import TRIMMED, replace
from headrace.template.values import RenderError, Safe, TemplateList, TemplateMap, kind_name

CHARACTERS_OF_A_STEP = {"html": 64, "json": 4, "js": 4, "css": 1, "url_param": 16}
"""How many characters a strategy escapes in the time of a step, where each of them needs it."""
_LINE_BREAK = re.compile(r"\r?\n")
_WORD_START = re.compile(f"(^|[{JAVA_WHITE_SPACE}])([^{JAVA_WHITE_SPACE}])")


def shown(meter: Meter, value: object) -> str:
    """The printed form of a value that a filter of texts was given."""
    return value if type(value) is str else text(value, meter.limits.strings)


def a_string(name: str, value: object) -> str:
    """The value of a filter that takes strings only."""
    if isinstance(value, str):
        return value
    raise RenderError(f"filter `{name}` takes a string, not {kind_name(value)}")


def an_integer(name: str, argument: str, value: object) -> int:
    """An argument that must be an integer."""
    if type(value) is int:
        return value
    if value is None:
        raise RenderError(f"filter `{name}` needs the argument `{argument}`")
    raise RenderError(f"argument `{argument}` of filter `{name}` must be an integer, not {kind_name(value)}")


# Any value ----------------------------------------------------------------------------------------------------------


@filters.register("default", "default")
def default(meter: Meter, value: object, otherwise: object = None) -> object:
    """The argument in the place of what is empty; ``0`` and ``false`` are not."""
    return otherwise if is_empty(meter, value) else value


@filters.register("raw")
def raw(meter: Meter, value: object) -> object:
    """Mark the printed form as safe."""
    return None if value is None else _safe(meter, shown(meter, value))


@filters.register("toJson")
def to_json(meter: Meter, value: object) -> Safe:
    """Compact JSON, marked safe."""
    written = json_text(value, meter.limits.strings)
    if type(value) is TemplateMap or type(value) is TemplateList:
        meter.spend(len(written) // 3)
    return _safe(meter, written)


@filters.register("escape", "strategy")
def escape(meter: Meter, value: object, strategy: object = None) -> object:
    """Escape by a strategy and mark the result as safe; what is safe stays as it is."""
    name = "html" if strategy is None else strategy
    if not isinstance(name, str) or name not in STRATEGIES:
        raise RenderError(f"there is no such escaping strategy; these are: {', '.join(STRATEGIES)}")
    if value is None or type(value) is Safe:
        return value
    plain = shown(meter, value)
    meter.charge(len(plain))
    if len(plain) * WIDEST > meter.limits.strings:
        meter.charge(len(plain) * WIDEST)
    meter.spend(len(plain) // CHARACTERS_OF_A_STEP[name])
    return _safe(meter, STRATEGIES[name](plain))


def _safe(meter: Meter, value: str) -> Safe:
    meter.charge(len(value))
    return Safe(value)


# Text ---------------------------------------------------------------------------------------------------------------


@filters.register("abbreviate", "length")
def abbreviate(meter: Meter, value: object, length: object = None) -> object:
    """Cut a text that is as long as ``length`` or longer, with three dots where they fit."""
    if value is None:
        return None
    plain, most = shown(meter, value), an_integer("abbreviate", "length", length)
    if most < 0:
        raise RenderError("argument `length` of filter `abbreviate` must not be negative")
    if len(plain) < most or len(plain) <= 3:
        return plain
    meter.charge(most)
    return plain[:most] if most <= 3 else f"{plain[: most - 3]}..."


@filters.register("capitalize")
def capitalize(meter: Meter, value: object) -> object:
    """The first character that is no blank in title case; the rest stays."""
    if value is None:
        return None
    plain = shown(meter, value)
    meter.charge(len(plain))
    start = len(plain) - len(plain.lstrip(JAVA_WHITE_SPACE))
    return plain[:start] + _title_case(plain[start : start + 1]) + plain[start + 1 :]


@filters.register("title")
def title(meter: Meter, value: object) -> object:
    """The first character of every word in title case; the rest stays."""
    if value is None:
        return None
    plain = shown(meter, value)
    meter.charge(len(plain))
    return _WORD_START.sub(lambda match: match.group(1) + _title_case(match.group(2)), plain)


def _title_case(character: str) -> str:
    """Title case of one character where that is one character too, as for ``ß`` it is not."""
    changed = character.title()
    return changed if len(changed) == 1 else character


@filters.register("lower")
def lower(meter: Meter, value: object) -> object:
    """Lower case."""
    if value is None:
        return None
    plain = shown(meter, value)
    meter.charge(2 * len(plain))
    return plain.lower()


@filters.register("upper")
def upper(meter: Meter, value: object) -> object:
    """Upper case."""
    if value is None:
        return None
    plain = shown(meter, value)
    meter.charge(2 * len(plain))
    return plain.upper()


@filters.register("trim")
def trim(meter: Meter, value: object) -> object:
    """Without the characters up to U+0020 at both ends."""
    if value is None:
        return None
    plain = a_string("trim", value)
    meter.charge(len(plain))
    return plain.strip(TRIMMED)


@filters.register("nl2br")
def nl2br(meter: Meter, value: object) -> object:
    """Line breaks as ``<br />``."""
    if value is None:
        return None
    plain = shown(meter, value)
    meter.charge(len(plain) + 6 * plain.count("\n"))
    return _LINE_BREAK.sub("<br />", plain)


@filters.register("replace", "replace_pairs")
def replace_all(meter: Meter, value: object, pairs: object = None) -> object:
    """Replace each key of a map by its value, one pair after the other, as plain text."""
    if value is None:
        return None
    if not isinstance(pairs, dict):
        raise RenderError(f"filter `replace` takes a map of replacements, not {kind_name(pairs)}")
    plain = shown(meter, value)
    for old, new in pairs.items():
        plain = replace(meter, plain, shown(meter, old), "null" if new is None else shown(meter, new))
    return plain


# Encodings ----------------------------------------------------------------------------------------------------------


@filters.register("base64encode")
def base64encode(meter: Meter, value: object) -> object:
    """The printed form in UTF-8 and base 64."""
    if value is None:
        return None
    encoded = _utf8(meter, shown(meter, value))
    meter.charge(len(encoded) * 4 // 3 + 4)
    return base64.b64encode(encoded).decode()


@filters.register("base64decode")
def base64decode(meter: Meter, value: object) -> object:
    """The UTF-8 text behind base 64."""
    if value is None:
        return None
    plain = a_string("base64decode", value)
    meter.spend(len(plain) // 64)
    meter.charge(len(plain))
    padded = plain + "=" * (-len(plain) % 4) if plain[-1:] != "=" else plain
    try:
        return base64.b64decode(padded, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        raise RenderError("filter `base64decode` was given a text that is not base 64") from None


@filters.register("sha256")
def sha256(meter: Meter, value: object) -> object:
    """The SHA-256 of a string in lower-case hex."""
    if value is None:
        return None
    return hashlib.sha256(_utf8(meter, a_string("sha256", value))).hexdigest()


@filters.register("urlencode")
def urlencode(meter: Meter, value: object) -> object:
    """Encoded as a part of a form."""
    return None if value is None else form_encoded(meter, a_string("urlencode", value))


def _utf8(meter: Meter, value: str) -> bytes:
    meter.charge(len(value))
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise RenderError("a text holds half of a surrogate pair") from None


# Numbers ------------------------------------------------------------------------------------------------------------


@filters.register("abs")
def absolute(_: Meter, value: object) -> object:
    """Without its sign."""
    if is_number(value):
        return abs(value)  # type: ignore[arg-type]
    raise RenderError(f"filter `abs` takes a number, not {kind_name(value)}")
