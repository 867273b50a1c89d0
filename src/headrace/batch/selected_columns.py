# ruff: noqa: S608 - what is put into these queries are names of ours, and names of columns in quotes.
"""The columns of an export's rows, as SQL over candidates: their names, objects taken apart, and columns of uploads."""

from typing import Any

import orjson

from headrace.batch.deduplicating import KEPT, PICKED
from headrace.batch.selection import Wanted
from headrace.datasets.engine import BadQuery, Engine

#: What the lists of members of audiences are called, followed by the audience's place.
UPLOAD = "upload"
#: The longest shape that objects are taken apart by, as JSON: with more, somebody uses names as values.
LONGEST_SHAPE = 1 << 16
#: Finds whole numbers that may be too long for a column of such.
_HUGE = "'.*[0-9]{19}.*'"
_UPLOADED = "uploaded"


def sql_of(engine: Engine, wanted: Wanted, *, is_each_a_row: bool = True) -> str:
    """Return SQL for the rows of candidates who keep them, in order."""
    columns = [
        f"{_value(engine, f'c{place}', column.type)} AS {_quoted(column.name)}"
        for place, column in enumerate(wanted.columns)
    ]
    names = list(dict.fromkeys(name for audience in wanted.audiences for name in audience.enrichment))
    columns += [f"e{place} AS {_quoted(name)}" for place, name in enumerate(names)]
    joined = f" LEFT JOIN ({_uploads(engine, wanted, names)}) AS {_UPLOADED} USING (audience, person)" if names else ""
    which = "" if is_each_a_row else " WHERE place = 0"
    if wanted.key is not None:
        joined += f" SEMI JOIN {KEPT} USING (audience, profile)"
    ordered = " ORDER BY profile, audience, place" if joined else ""
    return f"SELECT {', '.join(columns)} FROM {PICKED}{joined}{which}{ordered}"


def _value(engine: Engine, column: str, type_: str) -> str:
    """Return SQL for what stands in a column: of JSON, structs and lists, where all have one shape."""
    shape = _shape(engine, column) if type_ == "object" else None
    if shape is None:
        return column
    value = f"from_json({column}::JSON, {_literal(orjson.dumps(shape).decode())})"
    try:
        engine.schema(f"SELECT {value} FROM {PICKED}")
    except BadQuery:  # Names that differ in the case of letters alone, or an empty one.
        return column
    return value


def _shape(engine: Engine, column: str) -> Any:
    """Return the shape that all JSON of a column has; ``None``: it has none, or one that is too long to be one."""
    found = f"json_group_structure({column}::JSON)::VARCHAR AS shape, bool_or({column} SIMILAR TO {_HUGE}) AS is_huge"
    (row,) = engine.read(f"SELECT {found} FROM {PICKED}").read_all().to_pylist()
    if row["shape"] is None or row["is_huge"] or len(row["shape"]) > LONGEST_SHAPE:
        return None
    try:
        return _typed(orjson.loads(row["shape"]))
    except _NoShape:
        return None


class _NoShape(Exception):
    """Values of one place are of several kinds."""


def _typed(shape: Any) -> Any:
    """
    Return a shape with types of ours, its names in order.

    Raises:
        _NoShape: of some place, values are of several kinds.
    """
    if isinstance(shape, dict):
        return {name: _typed(shape[name]) for name in sorted(shape)}
    if isinstance(shape, list):
        return [_typed(part) for part in shape]
    if shape == "JSON":
        raise _NoShape
    return {"UBIGINT": "BIGINT", "NULL": "VARCHAR"}.get(shape, shape)


def _uploads(engine: Engine, wanted: Wanted, names: list[str]) -> str:
    """Return SQL for the columns of all uploads, by audience and person."""
    parts = [_upload(engine, wanted, place, names) for place, one in enumerate(wanted.audiences) if one.uploaded]
    nothing = ", ".join(f"NULL AS e{place}" for place, _ in enumerate(names))
    return " UNION ALL ".join(parts) or f"SELECT 0 AS audience, '' AS person, {nothing} LIMIT 0"


def _upload(engine: Engine, wanted: Wanted, place: int, names: list[str]) -> str:
    enrichment = wanted.audiences[place].enrichment
    there = set(engine.schema(f"SELECT * FROM {UPLOAD}{place}").names)
    values = ", ".join(
        f"{_quoted(enrichment[name]) if enrichment.get(name) in there else 'NULL'} AS e{number}"
        for number, name in enumerate(names)
    )
    return f"SELECT {place} AS audience, key AS person, {values} FROM {UPLOAD}{place}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
