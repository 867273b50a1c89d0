"""
The cells of a column, for many rows at once.

Where the values of a column are all of one kind, as nearly always, Arrow makes cells of them. Otherwise each is looked
at by itself, which comes to the same.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeAlias

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from headrace.batch.asked import ColumnAsked
from headrace.batch.cells import ARROW, UNFIT, Cell, cell_of

#: The values of a column, a row each: JSON as text in an array of Arrow, or as they are in a list.
Values: TypeAlias = "pa.Array | Sequence[Any]"
_NESTED = frozenset({list, dict})
#: Which kinds of values, as Arrow sees them, are cells of a type as they are or once they are cast.
_AT_ONCE = {
    "string": (pa.string(), pa.int64(), pa.bool_()),
    "integer": (pa.int64(),),
    "number": (pa.float64(), pa.int64()),
    "boolean": (pa.bool_(),),
    "date": (),
    "date-time": (),
    "object": (),
}


class CellsOfColumn:
    """Makes cells of the values of a column. Of an identity, values are cells already."""

    def __init__(self, place: int, column: ColumnAsked) -> None:
        self._place = place
        self._type = ARROW[column.type]
        self._at_once = _AT_ONCE[column.type]
        self._is_nested = column.type == "object"
        self._is_text = self._type == pa.large_string() and not self._is_nested
        self._is_made = column.identity is not None
        self._cell: Cell = cell_of(column.type)

    def cells(self, values: Values, left_out: Counter[tuple[int, Any]]) -> pa.Array:
        """Return the cells. Values that are none are counted, and leave none."""
        if self._is_made:
            return pa.array(values, self._type)
        if isinstance(values, pa.Array):
            if self._is_text and _are_bare(values):
                return pc.binary_slice(values.cast(pa.binary()), 1, -1).cast(pa.string()).cast(self._type)
            values = [None if text is None else orjson.loads(text) for text in values.to_pylist()]
        found = self._found(values)
        return found if found is not None else pa.array([self._one(value, left_out) for value in values], self._type)

    def are_there(self, values: Values) -> pa.BooleanArray:
        """Say in which rows there is anything; an empty text is nothing."""
        cells = self.cells(values, Counter())
        if self._type != pa.large_string():
            return cells.is_valid()
        nothing = pa.array(['""' if self._is_nested else ""], self._type)
        return pc.and_(cells.is_valid(), pc.invert(pc.is_in(cells, value_set=nothing)))

    def _found(self, values: Sequence[Any]) -> pa.Array | None:
        """Return the cells of values of one kind that needs no look at each; ``None``: they are not."""
        if self._is_text:
            with suppress(pa.ArrowException, ValueError, TypeError):
                return pa.array(values, self._type)
        try:
            found = pa.array(values)
        except (pa.ArrowException, ValueError, TypeError, OverflowError):
            return None
        if found.type == pa.null():
            return found.cast(self._type)
        if found.type not in self._at_once or (found.type == pa.float64() and not pc.all(pc.is_finite(found)).as_py()):
            return None
        return found.cast(self._type, safe=False)

    def _one(self, value: Any, left_out: Counter[tuple[int, Any]]) -> Any:
        if type(value) in _NESTED and not self._is_nested:
            left_out[self._place, "list-or-object"] += 1
            return None
        cell = self._cell(value)
        if cell is UNFIT or (type(cell) is str and not _is_written(cell)):
            left_out[self._place, "another-type"] += 1
            return None
        return cell


def _are_bare(texts: pa.Array) -> bool:
    """Say whether all are JSON of texts in which nothing is escaped: what stands between the marks is the text."""
    characters = texts.buffers()[2]
    is_escaped = characters is not None and b"\\" in characters.to_pybytes()
    return not is_escaped and pc.all(pc.starts_with(texts, '"')).as_py() is not False


def _is_written(text: str) -> bool:
    """Say whether a text can be written: half a character cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
