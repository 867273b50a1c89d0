"""
What of a document can be had without reading all of it: what stands at plain paths.

The decoder is given a type that has the steps of the paths and skips all else, and what it finds is taken in one call:
a tenth of what it takes to read a whole document and to walk through it.
"""

import re
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import msgspec
import orjson

Path = tuple[str, ...]
_ESCAPED = re.compile(r'["\\\x00-\x1f]')


class Plain:
    """Some paths, none of which leads through where another ends, ready to be looked for."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        # Names that JSON has to escape are not for the decoder.
        self._is_odd = any(_ESCAPED.search(step) for path in paths for step in path)
        names: dict[str, str] = {}
        self._decode = msgspec.json.Decoder(_shape([] if self._is_odd else paths, names)).decode
        self._take = _taking([[names.get(step, "") for step in path] for path in paths])

    def of(self, document: bytes) -> tuple[Any, ...]:
        """Return what stands at each path of an object; ``None`` where nothing does."""
        try:
            if not self._is_odd:
                return self._take(self._decode(document))
        except (AttributeError, msgspec.DecodeError):  # Something on the way is no object, or a number has no end.
            pass
        whole = orjson.loads(document)
        return tuple(_walk(whole, path) for path in self._paths)


def lead_through(paths: Sequence[Path]) -> set[Path]:
    """
    Return those paths that lead through where another ends.

    >>> lead_through([("a",), ("a", "b"), ("c",)])
    {('a', 'b')}
    """
    ends = set(paths)
    return {path for path in ends if any(path[:length] in ends for length in range(1, len(path)))}


def _taking(steps: Sequence[list[str]]) -> Callable[[Any], tuple[Any, ...]]:
    dotted = [".".join(path) for path in steps]
    if not dotted:
        return lambda found: ()
    take = attrgetter(*dotted)
    return take if len(dotted) > 1 else lambda found: (take(found),)


def _shape(paths: Sequence[Path], names: dict[str, str]) -> Any:
    """Return the type of objects that have these paths; what is missing on the way is an object without anything."""
    fields: list[tuple[str, Any, Any]] = []
    renamed: dict[str, str] = {}
    for step in dict.fromkeys(path[0] for path in paths):
        name = names.setdefault(step, f"f{len(names)}")
        renamed[name] = step
        inner = [path[1:] for path in paths if path[0] == step and len(path) > 1]
        if inner:
            made = _shape(inner, names)
            fields.append((name, made | None | bool | int | float | str | list[msgspec.Raw], made()))
        else:
            fields.append((name, Any, None))
    return msgspec.defstruct("Found", fields, rename=renamed, gc=False, frozen=True)


def _walk(value: Any, path: Path) -> Any:
    for step in path:
        value = value.get(step) if type(value) is dict else None
    return value
