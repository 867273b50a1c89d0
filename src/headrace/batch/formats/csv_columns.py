"""What stands in a cell of a CSV file before anything is quoted: each type of column as text, as Spark prints it."""

from dataclasses import dataclass

import pyarrow as pa

from headrace.batch.formats.java_dates import Kind, alphabet, as_utc, flat, java_date, missing
from headrace.batch.formats.numbers import java_decimal, java_double
from headrace.batch.formats.sql import identifier
from headrace.batch.formats.unfit import unfit
from headrace.model.date_patterns import parts_of
from headrace.model.file_format import CsvFormat
from headrace.model.problem import ConfigurationError, Problem

_DIGITS = "0123456789-"


@dataclass(frozen=True, slots=True)
class Column:
    """
    A column as SQL of type VARCHAR, null where it is null; ``sql`` is ``NULL`` where all of it is.

    ``characters``: all it can be made of, ``None`` for any. ``is_text``: it is what people wrote, perhaps a formula.
    ``is_computed``: saying it twice costs twice.
    """

    sql: str
    characters: frozenset[str] | None
    is_text: bool = False
    is_computed: bool = True


def column_of(field: pa.Field, look: CsvFormat) -> Column:
    """
    Return how a column is written.

    Raises:
        ConfigurationError: CSV has no form for its type, or a pattern asks for what its values do not have.
    """
    kind, name = field.type, identifier(field.name)
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if _is_text(kind):
        # Of a text the cast is nothing; JSON and UUIDs of the engine come here as texts, and are none to its functions.
        return Column(f"CAST({name} AS VARCHAR)", None, is_text=True, is_computed=kind is not field.type)
    if pa.types.is_null(kind):
        return Column("NULL", frozenset())
    if pa.types.is_boolean(kind):
        return Column(f"CAST({name} AS VARCHAR)", frozenset("truefalse"))
    if _is_number(kind):
        return _number(kind, name)
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return _time(field.name, kind, name, look)
    if _is_binary(kind):
        pairs = f"regexp_replace(hex(CAST({name} AS BLOB)), '(..)', '\\1 ', 'g')"
        return Column(f"('[' || rtrim({pairs}) || ']')", frozenset("[] 0123456789ABCDEF"))
    raise unfit("CSV", field.name, field.type)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_binary(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )


def _is_number(kind: pa.DataType) -> bool:
    is_known = pa.types.is_float32(kind) or pa.types.is_float64(kind) or pa.types.is_decimal(kind)
    return bool(pa.types.is_integer(kind) or is_known)


def _number(kind: pa.DataType, name: str) -> Column:
    if pa.types.is_floating(kind):
        return Column(java_double(name), frozenset(_DIGITS + ".ENaNInfinity"))
    if pa.types.is_decimal(kind):
        return Column(java_decimal(name, kind.precision, kind.scale), frozenset(_DIGITS + ".E"))
    return Column(f"CAST({name} AS VARCHAR)", frozenset(_DIGITS))


def _time(column: str, kind: pa.DataType, name: str, look: CsvFormat) -> Column:
    own: Kind = "date" if pa.types.is_date(kind) else "local" if kind.tz is None else "moment"
    option = "dateFormat" if own == "date" else "timestampFormat"
    parts = parts_of(look.date_format if own == "date" else look.timestamp_format)
    if runs := missing(parts, own):
        raise ConfigurationError([_no_such_field(column, option, runs[0], own)])
    written = flat(parts, own)
    return Column(java_date(_in_utc(name, kind), written), alphabet(written) if written else None)


def _in_utc(name: str, kind: pa.DataType) -> str:
    if pa.types.is_date(kind):
        return f"CAST({name} AS DATE)" if pa.types.is_date64(kind) else name
    return as_utc(name, kind)


_NAMES: dict[Kind, str] = {"date": "a date", "local": "a moment without a zone", "moment": "a moment"}


def _no_such_field(column: str, option: str, run: str, kind: Kind) -> Problem:
    message = (
        f"`{run}` cannot be written for the column `{column}`, which is {_NAMES[kind]}; "
        f"put it between `[` and `]`, or take it out of `{option}`"
    )
    return Problem("unfit-column", f"/csvOptions/{option}/value", message)
