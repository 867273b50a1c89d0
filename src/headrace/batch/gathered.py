"""
Rows that wait to be handed on: values become cells a column at a time.

Where a column's values are all of one kind, as nearly always, Arrow makes cells of them at once. Otherwise each is
looked at by itself, which comes to the same.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from headrace.batch.asked import Asked, ColumnAsked
from headrace.batch.cells import ARROW, UNFIT, Cell, cell_of

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


class Gathered:
    """Rows that wait; ``size`` is about how many characters they have."""

    def __init__(self, asked: Asked) -> None:
        self._schema = asked.schema
        self._columns = [_Column(place, column) for place, column in enumerate(asked.columns)]
        self._own: list[tuple[Any, ...]] = []
        self._rows: list[Sequence[Any]] = []
        self.size = 0

    def add(self, own: tuple[Any, ...], row: Sequence[Any]) -> None:
        """Take a row; what stands before its columns is apart."""
        self._own.append(own)
        self._rows.append(row)

    def flushed(self, left_out: Counter[tuple[int, Any]]) -> pa.RecordBatch:
        """Return the rows, and gather anew. Values that are no cells are counted."""
        types = self._schema.types[: len(self._schema) - len(self._columns)]
        own = zip(*self._own, strict=True) if self._own and types else [()] * len(types)
        rows = zip(*self._rows, strict=True) if self._rows else [()] * len(self._columns)
        arrays = [pa.array(values, type_) for values, type_ in zip(own, types, strict=True)]
        arrays += [column.cells(values, left_out) for column, values in zip(self._columns, rows, strict=True)]
        self._own, self._rows, self.size = [], [], 0
        return pa.record_batch(arrays, schema=self._schema)


def has_value(value: Any, column: ColumnAsked) -> bool:
    """Say whether there is anything in the cell that a value becomes."""
    if value is None or value == "":
        return False
    if column.identity is not None or (column.type == "string" and type(value) is str):
        return True
    if type(value) in _NESTED and column.type != "object":
        return False
    return cell_of(column.type)(value) is not UNFIT


def _is_written(text: str) -> bool:
    """Say whether a text can be written: half a character cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Column:
    """Makes cells of the values of a column."""

    def __init__(self, place: int, column: ColumnAsked) -> None:
        self._place = place
        self._type = ARROW[column.type]
        self._at_once = _AT_ONCE[column.type]
        self._is_nested = column.type == "object"
        self._is_made = column.identity is not None
        self._cell: Cell = cell_of(column.type)

    def cells(self, values: Sequence[Any], left_out: Counter[tuple[int, Any]]) -> pa.Array:
        if self._is_made:
            return pa.array(values, self._type)
        found = self._found(values)
        return found if found is not None else pa.array([self._one(value, left_out) for value in values], self._type)

    def _found(self, values: Sequence[Any]) -> pa.Array | None:
        """Return the cells of values of one kind that needs no look at each; ``None``: they are not."""
        if self._type == pa.large_string() and not self._is_nested:
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
