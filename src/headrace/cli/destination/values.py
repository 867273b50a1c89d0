"""Reaching into JSON by paths, and changing it without touching what was given."""

from collections.abc import Iterator
from typing import Any

from headrace.model.block import steps

Path = tuple[int | str, ...]
#: Says that there is nothing at a path.
NOTHING = object()


def at(value: Any, path: Path) -> Any:
    """Return what stands at a path, or ``NOTHING``."""
    for step in path:
        if not _has(value, step):
            return NOTHING
        value = value[step]
    return value


def _has(value: Any, step: int | str) -> bool:
    if isinstance(value, list):
        return isinstance(step, int) and step < len(value)
    return isinstance(value, dict) and step in value


def path_of(document: Any, pointer: str) -> Path:
    """
    Return the path that a JSON pointer is in a document.

    >>> path_of({"a": [{"0": 1}]}, "/a/0/0")
    ('a', 0, '0')
    """
    path: Path = ()
    for step in steps(pointer):
        path = (*path, int(step) if isinstance(at(document, path), list) else step)
    return path


def put(value: Any, path: Path, item: Any) -> Any:
    """
    Return the value with an item at a path, all of whose containers are there.

    >>> put({"a": [1, 2]}, ("a", 1), 3)
    {'a': [1, 3]}
    """
    if not path:
        return item
    first, *rest = path
    changed: Any = dict(value) if isinstance(value, dict) else list(value)
    changed[first] = put(changed[first] if rest else None, tuple(rest), item)
    return changed


def walk(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every value of a document with its path, containers before what they hold."""
    yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from walk(item, (*path, key))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from walk(item, (*path, place))
