"""
Rows as profiles: each becomes the document that ``POST /ingest/profiles`` would have been sent.

Types are kept: dates are ISO 8601, decimals are numbers with all their digits, structs are objects. What is null is
left out.
"""

import math
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa

from headrace.datasets.formats.ndjson import DOCUMENT
from headrace.datasets.rows import BadRow, Piece
from headrace.model.dataset import Dataset

#: A row as a profile, with its file and line.
Person = tuple[str, int, bytes]


class _Unfit(Exception):
    """A value has no form in a profile."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Shaping:
    """Makes profiles of the rows of one dataset."""

    def __init__(self, dataset: Dataset, schema: pa.Schema) -> None:
        self._dataset = dataset
        self._is_whole = dataset.shape == "profiles"
        self._is_document = self._is_whole and dataset.format == "ndjson"
        self.columns = None if self._is_whole else [name for name in dataset.columns if name in schema.names]

    def rows(self, piece: Piece) -> Iterator[Person | BadRow]:
        """Yield each row of a piece as a profile, or as what is wrong with it, in the order of the lines."""
        waiting = iter((*piece.bad, None))
        bad = next(waiting)
        for line, row in zip(piece.lines, _values(piece.batch), strict=True):
            while bad is not None and bad.line < line:
                yield bad
                bad = next(waiting)
            yield self._shaped(piece.file, line, row)
        while bad is not None:
            yield bad
            bad = next(waiting)

    def _shaped(self, file: str, line: int, row: dict[str, Any]) -> Person | BadRow:
        try:
            return file, line, self._document(row)
        except _Unfit as unfit:
            return BadRow(file, line, unfit.code, unfit.reason)

    def _document(self, row: dict[str, Any]) -> bytes:
        if self._is_document:
            return bytes(row[DOCUMENT].encode())
        return _written(_whole(row) if self._is_whole else self._profile(row))

    def _profile(self, row: dict[str, Any]) -> dict[str, Any]:
        profile: dict[str, Any] = {}
        if self._dataset.key is not None:
            (profile["profileId"],) = _ids(self._dataset.key, row) or _missing(self._dataset.key)
        if identities := self._identities(row):
            profile["identityMap"] = identities
        for attribute in self._dataset.attributes:
            value = _plain(attribute.column, row[attribute.column])
            if value is not None:
                _put(profile, attribute.path.split("."), value)
        return profile

    def _identities(self, row: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for identity in self._dataset.identities:
            primary = {"primary": True} if identity.primary else {}
            for id_ in _ids(identity.column, row):
                found.setdefault(identity.namespace, []).append({"id": id_, **primary})
        return found


def _values(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Read a batch as values of Python; of moments, what is finer than a microsecond is cut off."""
    coarse = [
        array.cast(_coarse(array.type), safe=False) if array.type != _coarse(array.type) else array
        for array in batch.columns
    ]
    plain = pa.RecordBatch.from_arrays(coarse, names=batch.schema.names)
    rows: list[dict[str, Any]] = plain.to_pylist(maps_as_pydicts="lossy")
    return rows


def _coarse(kind: pa.DataType) -> pa.DataType:
    """Return a type without nanoseconds, which Python's moments do not have."""
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return pa.timestamp("us", kind.tz)
    if pa.types.is_time64(kind) and kind.unit == "ns":
        return pa.time64("us")
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(_coarse(kind.value_type)) if _coarse(kind.value_type) != kind.value_type else kind
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_coarse(field.type)) for field in kind])
    return kind


def _ids(column: str, row: dict[str, Any]) -> list[str]:
    """Return the ids that a column holds: a text or a whole number, or a list of them."""
    value = row[column]
    values = value if isinstance(value, list) else [value]
    return [_id(column, one) for one in values if one is not None]


def _id(column: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if type(value) is int or (isinstance(value, Decimal) and value == value.to_integral_value()):
        return str(int(value))
    raise _Unfit("identity", f"`{column}` says who somebody is and holds neither a text nor a whole number")


def _missing(column: str) -> list[str]:
    raise _Unfit("no-key", f"`{column}` is empty, and people are kept under it")


def _whole(row: dict[str, Any]) -> dict[str, Any]:
    return {name: plain for name, value in row.items() if (plain := _plain(name, value)) is not None}


def _plain(column: str, value: Any) -> Any:
    """Return a value as JSON has it; ``None`` for nothing."""
    if value is None or isinstance(value, str | bool | int | date | datetime | time):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f")) if value.is_finite() else None
    if isinstance(value, dict):
        return {str(name): plain for name, one in value.items() if (plain := _plain(column, one)) is not None}
    if isinstance(value, list):
        return [_plain(column, one) for one in value]
    raise _Unfit("type", f"`{column}` holds bytes or spans of time, which have no form in a profile: write it as text")


def _put(profile: dict[str, Any], path: list[str], value: Any) -> None:
    place = profile
    for step in path[:-1]:
        place = place.setdefault(step, {})
    place[path[-1]] = value


def _written(profile: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(profile)
    except (TypeError, orjson.JSONEncodeError):
        raise _Unfit("type", "the row holds a value that has no form in JSON") from None
