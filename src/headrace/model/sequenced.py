"""
Attributes that arrive in any order: what a sender numbered later stands, at every path by itself.

Beside the attributes stand *stamps*, a tree of the same shape. A node says with which number its value was last set
(``s``) and last written into as an object (``o``); ``c`` are the nodes below. A node that is not there was set with the
one above it, so a whole profile needs one stamp in all, and each path of a patch one more.

The law: however records arrive, and however often, the attributes are those that they would be in order.
"""

from typing import Any

Stamps = dict[str, Any]
#: Before every number that a sender gives.
NEVER = -1
_MISSING: Any = object()


def patched(target: Any, patch: Any) -> Any:
    """
    Return a value with a JSON merge patch (RFC 7396) applied; what was given stays as it is.

    >>> patched({"a": {"b": 1, "c": 2}}, {"a": {"b": None, "d": [3]}})
    {'a': {'c': 2, 'd': [3]}}
    """
    if type(patch) is not dict:
        return patch
    result = dict(target) if type(target) is dict else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = patched(result.get(name), value)
    return result


def replaced_at(
    value: dict[str, Any], stamps: Stamps, whole: dict[str, Any], number: int
) -> tuple[dict[str, Any], Stamps]:
    """Return attributes and stamps after a whole profile with a number: what was patched later stays patched."""
    if number < stamps.get("s", NEVER):
        return value, stamps
    return _overlaid(whole, value, stamps, number, number)


def patched_at(
    value: dict[str, Any], stamps: Stamps, patch: dict[str, Any], number: int
) -> tuple[dict[str, Any], Stamps]:
    """Return attributes and stamps after a merge patch with a number, which changes only what is not newer."""
    written, kept = _written(value, stamps, patch, number, NEVER)
    return written, kept


def _written(value: Any, stamps: Stamps, change: Any, number: int, above: int) -> tuple[Any, Stamps]:
    """Write a patch's value into the place of another; ``above`` is when what is around it was set."""
    was_set = stamps.get("s", above)
    if number < was_set:
        return value, stamps
    if type(change) is dict:
        return _opened(value, stamps, change, number, was_set)
    if stamps.get("o", NEVER) > number:
        return _overlaid({}, value, stamps, number, number)
    return (_MISSING if change is None else change), {"s": number}


def _opened(value: Any, stamps: Stamps, change: dict[str, Any], number: int, was_set: int) -> tuple[Any, Stamps]:
    result = dict(value) if type(value) is dict else {}
    below = dict(stamps.get("c", {}))
    for name, wanted in change.items():
        written, below[name] = _written(result.get(name, _MISSING), below.get(name, {}), wanted, number, was_set)
        _put(result, name, written)
    return result, {**stamps, "o": max(number, stamps.get("o", NEVER)), "c": below}


def _overlaid(base: dict[str, Any], value: Any, stamps: Stamps, after: int, own: int) -> tuple[dict[str, Any], Stamps]:
    """Return ``base``, as set with the number ``own``, with all of ``value`` that is later than ``after``."""
    result, below = dict(base), {}
    for name, node in stamps.get("c", {}).items():
        if node.get("s", NEVER) > after:
            _put(result, name, value.get(name, _MISSING))
            below[name] = node
        elif node.get("o", NEVER) > after:
            inner = result.get(name)
            laid = _overlaid(inner if type(inner) is dict else {}, value[name], node, after, NEVER)
            result[name], below[name] = laid
    kept: Stamps = {"s": own} if own != NEVER else {}
    if stamps.get("o", NEVER) > after:
        kept["o"] = stamps["o"]
    return result, {**kept, "c": below} if below else kept


def _put(into: dict[str, Any], name: str, value: Any) -> None:
    if value is _MISSING:
        into.pop(name, None)
    else:
        into[name] = value
