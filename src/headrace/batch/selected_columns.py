# ruff: noqa: S608 - what is put into these queries are names of ours, and names of columns in quotes.
"""The columns of an export's rows, as SQL over candidates: their names, objects taken apart, and columns of uploads."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from headrace.batch.deduplicating import PICKED
from headrace.batch.selection import Wanted
from headrace.datasets.engine import BadQuery, Engine

#: What the lists of members of audiences are called, followed by the audience's place.
UPLOAD = "upload"
#: The longest shape that objects are taken apart by, as JSON: with more, somebody uses names as values.
LONGEST_SHAPE = 1 << 16
#: Finds whole numbers that may be too long for a column of such.
_HUGE = "'.*[0-9]{19}.*'"
_UPLOADED = "uploaded"
#: Columns of an upload and their types, by the names they have in files.
_Columns = Mapping[str, tuple[str, str]]


def sql_of(engine: Engine, wanted: Wanted, rows: str = PICKED, *, is_each_a_row: bool = True) -> str:
    """
    Return SQL for the rows that stand in order under a name.

    ``is_each_a_row``: by an identity, somebody has a row for each of theirs.
    """
    columns = [
        f"{_value(engine, f'c{place}', column.type)} AS {_quoted(column.name)}"
        for place, column in enumerate(wanted.columns)
    ]
    names = list(dict.fromkeys(name for audience in wanted.audiences for name in audience.enrichment))
    columns += [f"e{place} AS {_quoted(name)}" for place, name in enumerate(names)]
    which = "" if is_each_a_row else " WHERE place = 0"
    if not names:
        return f"SELECT {', '.join(columns)} FROM {rows}{which}"
    # What is joined does not come in order by itself.
    joined = f"{rows} LEFT JOIN ({_uploads(engine, wanted, names)}) AS {_UPLOADED} USING (audience, person)"
    return f"SELECT {', '.join(columns)} FROM {joined}{which} ORDER BY profile, audience, place"


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
    there = {
        place: {name: (column, types[column]) for name, column in one.enrichment.items() if column in types}
        for place, one in enumerate(wanted.audiences)
        if one.uploaded and (types := _types(engine, place))
    }
    parts = []
    for place, columns in there.items():
        values = [f"{_uploaded(name, columns, there.values())} AS e{number}" for number, name in enumerate(names)]
        parts.append(f"SELECT {place} AS audience, key AS person, {', '.join(values)} FROM {UPLOAD}{place}")
    nothing = ", ".join(f"NULL AS e{number}" for number, _ in enumerate(names))
    return " UNION ALL ".join(parts) or f"SELECT 0 AS audience, '' AS person, {nothing} LIMIT 0"


def _uploaded(name: str, columns: _Columns, all_uploads: Iterable[_Columns]) -> str:
    """Return SQL for a column of an upload; what has another type in another upload is text."""
    value = _quoted(columns[name][0]) if name in columns else "NULL"
    is_text = len({other[name][1] for other in all_uploads if name in other}) > 1
    return f"{value}::VARCHAR" if is_text else value


def _types(engine: Engine, place: int) -> dict[str, str]:
    """Return the columns of an upload, each with its type."""
    schema = engine.schema(f"SELECT * FROM {UPLOAD}{place}")
    return {field.name: str(field.type) for field in schema}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
