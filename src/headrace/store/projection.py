"""
What is found at paths of documents, a column for each path.

Only what is asked for is made an object: the decoder is given a type with the steps of the paths and skips all else.
What stands at the end of a path is handed on as it is written.
"""

from array import array
from collections.abc import Iterable, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

_NOTHING = msgspec.Raw()
_NO_VALUES = pa.array(["", "null"])


class Projection:
    """Some paths, their steps parted by dots, ready to be looked for."""

    def __init__(self, paths: Iterable[str]) -> None:
        split = {path: tuple(path.split(".")) for path in paths}
        # What is wanted whole cannot be taken apart on the way: what is inside of it is for a projection of its own.
        self._inside = {path: _rest(path, split) for path in split if not _is_within(path, split)}
        names = _Names()
        self._decode = msgspec.json.Decoder(_shape([split[path] for path in self._inside], names)).decode
        self._steps = [[names.of(step) for step in split[path]] for path in self._inside]

    def find(self, documents: pa.Array) -> dict[str, pa.Array]:
        """Return what is found in documents, by path: JSON as text, null where there is nothing or null."""
        people = [self._decode(text) for text in _texts(documents)]
        found: dict[str, pa.Array] = {}
        for (path, inside), steps in zip(self._inside.items(), self._steps, strict=True):
            column = _column(_taken(people, steps))
            found[path] = column
            if inside is not None:
                below = inside.find(pc.fill_null(column, "null").cast(pa.binary()))
                found |= {f"{path}.{rest}": values for rest, values in below.items()}
        return found


class _Names:
    """Names of fields for steps, which may be any text."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def of(self, step: str) -> str:
        return self._names.setdefault(step, f"f{len(self._names)}")


def _is_within(path: str, paths: Iterable[str]) -> bool:
    return any(path.startswith(f"{other}.") for other in paths)


def _rest(path: str, paths: Iterable[str]) -> Projection | None:
    inside = [other.removeprefix(f"{path}.") for other in paths if other.startswith(f"{path}.")]
    return Projection(inside) if inside else None


def _shape(paths: Sequence[tuple[str, ...]], names: _Names) -> Any:
    """Return the type of values that have these paths, or are something else altogether."""
    fields: list[tuple[str, Any, Any]] = []
    renamed: dict[str, str] = {}
    for step in dict.fromkeys(path[0] for path in paths):
        inner = [path[1:] for path in paths if path[0] == step and len(path) > 1]
        shape = _shape(inner, names) if inner else msgspec.Raw
        fields.append((names.of(step), shape, None if inner else _NOTHING))
        renamed[names.of(step)] = step
    made = msgspec.defstruct("Found", fields, rename=renamed, gc=False, frozen=True)
    return made | None | bool | int | float | str | list[msgspec.Raw]


def _texts(documents: pa.Array) -> Iterable[memoryview]:
    """Yield what the rows hold, without copying it."""
    _, offsets, data = documents.buffers()
    if data is None:
        return (memoryview(b"") for _ in range(0))
    whole = memoryview(data)
    ends = memoryview(offsets).cast("i")[documents.offset : documents.offset + len(documents) + 1].tolist()
    return (whole[begin:end] for begin, end in pairwise(ends))


def _taken(people: list[Any], steps: list[str]) -> list[msgspec.Raw]:
    take = attrgetter(".".join(steps))
    try:
        return [take(person) for person in people]
    except AttributeError:  # Of somebody, what is on the way is missing, or no object.
        return [_taken_of(person, steps) for person in people]


def _taken_of(value: Any, steps: list[str]) -> msgspec.Raw:
    for step in steps:
        value = getattr(value, step, None)
    return _NOTHING if value is None else value


def _column(values: list[msgspec.Raw]) -> pa.Array:
    lengths = pa.Array.from_buffers(pa.int32(), len(values), [None, pa.py_buffer(array("i", map(len, values)))])
    ends = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths)])
    text = pa.StringArray.from_buffers(len(values), ends.buffers()[1], pa.py_buffer(b"".join(values)))
    return pc.if_else(pc.is_in(text, _NO_VALUES), pa.scalar(None, pa.string()), text)
