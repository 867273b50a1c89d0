"""
What compiled templates call for everything that is not a plain lookup: members of other values than maps, iteration,
the short list of methods.
"""

import re
from collections.abc import Callable, Iterable

from headrace.template.limits import Meter
from headrace.template.operators import contains, has_key
from headrace.template.printing import text
from headrace.template.values import (
    Entry,
    RenderError,
    TemplateList,
    TemplateMap,
    entries,
    java_form,
    kind_name,
)

_INDEX = re.compile(r"[0-9]{1,9}")
Pairs = Iterable[tuple[object, object]]


def operator_form(value: object) -> object:
    """What the operator entered (``customerData``) prints as if the template had made it."""
    return java_form(value) if type(value) is dict or type(value) is list else value


# Literals -----------------------------------------------------------------------------------------------------------


def new_list(meter: Meter, items: list[object]) -> TemplateList:
    """``[a, b]``."""
    meter.collection(len(items))
    return TemplateList(items)


def new_map(meter: Meter, items: list[tuple[object, object]]) -> TemplateMap:
    """``{"a": 1}``, in the order that is written."""
    meter.collection(2 * len(items))
    for key, _ in items:
        if isinstance(key, list | dict | Entry):
            raise RenderError(f"{kind_name(key)} cannot be the key of a map")
    return TemplateMap(items)


def loop_map(index: int, length: int) -> TemplateMap:
    """``loop`` where a template uses it as a whole."""
    return TemplateMap(
        index=index, length=length, first=index == 0, last=index == length - 1, revindex=length - 1 - index
    )


# Members ------------------------------------------------------------------------------------------------------------


def member(target: object, key: str) -> object:
    """``target.key`` for anything but a map of the data. What does not exist is null."""
    if target is None:
        return None
    if isinstance(target, dict):
        return target.get(key)
    if type(target) is Entry:
        return getattr(target, key) if key in Entry.__slots__ else None
    if isinstance(target, list):
        return _at(target, int(key)) if _INDEX.fullmatch(key) else _bare_method(_LIST_METHODS, target, key)
    if isinstance(target, str):
        return _bare_method(_STRING_METHODS, target, key)
    return None


def subscript(meter: Meter, target: object, key: object) -> object:
    """``target[key]`` for any two values."""
    if type(key) is str:
        meter.work(len(key))
        return member(target, key)
    if isinstance(target, list):
        return _at(target, key) if type(key) is int else None
    if type(target) is TemplateMap and not isinstance(key, list | dict | Entry):
        return target.get(key)
    return None


def _at(items: list[object], index: int) -> object:
    return items[index] if 0 <= index < len(items) else None


# Iteration ----------------------------------------------------------------------------------------------------------


def items_of(meter: Meter, value: object) -> list[object] | None:
    """What a loop goes over: items of a list, entries of a map, nothing at all for null."""
    if value is None or isinstance(value, list):
        return value
    if isinstance(value, dict):
        meter.collection(len(value))
        return list(entries(value))
    raise RenderError(f"{kind_name(value)} is not iterable: a loop needs a list, a map or null")


def pairs_of(meter: Meter, value: object) -> Pairs | None:
    """As :func:`items_of` for a loop that looks at ``.key`` and ``.value`` only: no entries are made."""
    if isinstance(value, dict):
        return value.items()
    items = items_of(meter, value)
    if items is None:
        return None
    meter.collection(len(items))
    return [(member(item, "key"), member(item, "value")) for item in items]


# Methods ------------------------------------------------------------------------------------------------------------

Method = Callable[..., object]


def call_method(meter: Meter, target: object, name: str, *arguments: object) -> object:
    """
    ``target.name(arguments)``: templates written for a Java engine use a few methods of strings, lists and maps.

    The list is fixed and each is written here; no object's own method is ever looked up.
    """
    if target is None:
        return None
    known = _methods_of(target)
    if name not in known:
        raise RenderError(f"{kind_name(target)} has no method `{name}`; it has: {', '.join(known) or 'none'}")
    method, fewest, most = known[name]
    if not fewest <= len(arguments) <= most:
        expected = str(fewest) if fewest == most else f"{fewest} or {most}"
        raise RenderError(f"method `{name}` takes {expected} arguments, not {len(arguments)}")
    return method(meter, target, *arguments)


def _methods_of(target: object) -> dict[str, tuple[Method, int, int]]:
    if isinstance(target, str):
        return _STRING_METHODS
    if isinstance(target, list):
        return _LIST_METHODS
    return _MAP_METHODS if isinstance(target, dict) else {}


def _bare_method(methods: dict[str, tuple[Method, int, int]], target: object, name: str) -> object:
    """``text.length`` without parentheses: the methods that only look, for nothing is charged here."""
    if name in ("length", "size", "isEmpty") and name in methods:
        return methods[name][0](None, target)
    return None


def _argument(value: object) -> str:
    if isinstance(value, str):
        return value
    raise RenderError(f"this method takes a string, not {kind_name(value)}")


def _starts(_: Meter, target: str, start: object) -> bool:
    return target.startswith(_argument(start))


def _ends(_: Meter, target: str, end: object) -> bool:
    return target.endswith(_argument(end))


def _index_of(meter: Meter, target: str, part: object) -> int:
    meter.work(len(target))
    return target.find(_argument(part))


def _substring(meter: Meter, target: str, start: object, end: object = None) -> str:
    stop = len(target) if end is None else end
    if type(start) is not int or type(stop) is not int or not 0 <= start <= stop <= len(target):
        raise RenderError("the bounds of `substring` are outside of the string")
    meter.charge(stop - start)
    return str.__getitem__(target, slice(start, stop))


def _changed_case(change: Callable[[str], str]) -> Method:
    def method(meter: Meter, target: str) -> str:
        meter.charge(3 * len(target))
        return change(target)

    return method


def _trimmed(meter: Meter, target: str) -> str:
    meter.charge(len(target))
    return target.strip(TRIMMED)


def _replaced(meter: Meter, target: str, old: object, new: object) -> str:
    return replace(meter, target, _argument(old), _argument(new))


def replace(meter: Meter, target: str, old: str, new: str) -> str:
    """Plain replacement, charged for what it will give."""
    meter.work(len(target))
    count = target.count(old)
    if count == 0:
        return target
    meter.charge(len(target) + count * max(0, len(new) - len(old)))
    return target.replace(old, new)


def _get(_: Meter, target: list[object], index: object) -> object:
    if type(index) is not int or not 0 <= index < len(target):
        raise RenderError("the index is outside of the list")
    return target[index]


def _keys(meter: Meter, target: dict[object, object]) -> TemplateList:
    meter.collection(len(target))
    return TemplateList(target)


def _values(meter: Meter, target: dict[object, object]) -> TemplateList:
    meter.collection(len(target))
    return TemplateList(target.values())


def _entry_set(meter: Meter, target: dict[object, object]) -> TemplateList:
    meter.collection(len(target))
    return TemplateList(entries(target))


TRIMMED = "".join(map(chr, range(0x21)))
_LENGTH: tuple[Method, int, int] = (lambda _, target: len(target), 0, 0)
_EMPTY: tuple[Method, int, int] = (lambda _, target: not target, 0, 0)
_CONTAINS: tuple[Method, int, int] = (contains, 1, 1)

_STRING_METHODS: dict[str, tuple[Method, int, int]] = {
    "length": _LENGTH,
    "isEmpty": _EMPTY,
    "startsWith": (_starts, 1, 1),
    "endsWith": (_ends, 1, 1),
    "contains": (lambda meter, target, part: contains(meter, text(target, 0), _argument(part)), 1, 1),
    "indexOf": (_index_of, 1, 1),
    "substring": (_substring, 1, 2),
    "toUpperCase": (_changed_case(str.upper), 0, 0),
    "toLowerCase": (_changed_case(str.lower), 0, 0),
    "trim": (_trimmed, 0, 0),
    "replace": (_replaced, 2, 2),
}
_LIST_METHODS: dict[str, tuple[Method, int, int]] = {
    "size": _LENGTH,
    "isEmpty": _EMPTY,
    "get": (_get, 1, 1),
    "contains": (lambda meter, target, item: contains(meter, target, TemplateList([item])), 1, 1),
}
_MAP_METHODS: dict[str, tuple[Method, int, int]] = {
    "size": _LENGTH,
    "isEmpty": _EMPTY,
    "get": (subscript, 1, 1),
    "containsKey": (has_key, 1, 1),
    "keySet": (_keys, 0, 0),
    "values": (_values, 0, 0),
    "entrySet": (_entry_set, 0, 0),
}
