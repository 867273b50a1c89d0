"""
JSON: one object a line (NDJSON), laid out as Spark's JSON writer does.

A whole line is one SQL expression. A field without a value is left out, in structs inside of structs too; lists and
maps keep theirs as `null`. Fields stand in the order of the columns.
"""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.types as kinds

from headrace.batch.formats.format import Sink, formats
from headrace.batch.formats.java_dates import as_utc, flat, java_date
from headrace.batch.formats.lines import LinesWriter
from headrace.batch.formats.numbers import java_decimal, java_double
from headrace.batch.formats.sql import identifier, literal
from headrace.batch.formats.unfit import unfit
from headrace.model.date_patterns import parts_of
from headrace.model.file_format import FileFormat

#: The patterns that Spark's JSON has where nothing is said.
_DATE = flat(parts_of("yyyy-MM-dd"), "date")
_PATTERN = parts_of("yyyy-MM-dd'T'HH:mm:ss[.SSS][XXX]")
_MOMENT, _LOCAL = flat(_PATTERN, "moment"), flat(_PATTERN, "local")
Writes = Callable[[str], str]


class Json:
    """Files of JSON lines."""

    suffix = ".json"

    def select(self, schema: pa.Schema, look: FileFormat) -> str:
        """Return one column, ``line``."""
        layout = _Layout(ignores_nulls=look.json.ignores_nulls)
        columns = [(field.name, layout.value(field.type, identifier(field.name), field.name)) for field in schema]
        return f"{layout.fields(columns)} || chr(10) AS line"

    def open(self, sink: Sink, schema: pa.Schema, look: FileFormat) -> LinesWriter:
        """Begin a file; nothing stands before its first line."""
        return LinesWriter(sink)


formats.register("json")(Json())


class _Layout:
    """Makes SQL that writes values as JSON. Each expression is null where its value is."""

    def __init__(self, *, ignores_nulls: bool) -> None:
        self._ignores_nulls = ignores_nulls
        self._depth = 0

    def fields(self, values: list[tuple[str, str]]) -> str:
        """Write an object of named values."""
        written = [f"(to_json({literal(name)})::VARCHAR || ':') || {self._kept(value)}" for name, value in values]
        return f"'{{' || concat_ws(',', {', '.join(written)}) || '}}'"

    def value(self, kind: pa.DataType, at: str, path: str) -> str:
        """Write a value that stands at an expression; ``path`` is what people call it."""
        if kinds.is_struct(kind):
            return self._struct(kind, at, path)
        if kinds.is_map(kind):
            return self._map(kind, at, path)
        if _is_list(kind):
            return self._list(kind, at, path)
        return _scalar(kind, at, path)

    def _kept(self, value: str) -> str:
        return value if self._ignores_nulls else f"coalesce({value}, 'null')"

    def _struct(self, kind: pa.StructType, at: str, path: str) -> str:
        inner = [
            (
                field.name,
                self.value(field.type, f"struct_extract({at}, {literal(field.name)})", f"{path}.{field.name}"),
            )
            for field in kind
        ]
        return f"CASE WHEN {at} IS NOT NULL THEN {self.fields(inner)} END"

    def _list(self, kind: pa.ListType, at: str, path: str) -> str:
        return self._each(at, "[", "]", lambda item: self._or_null(kind.value_type, item, f"{path}[]"))

    def _map(self, kind: pa.MapType, at: str, path: str) -> str:
        def entry(item: str) -> str:
            key = _key(kind.key_type, f"struct_extract({item}, 'key')", path)
            value = self._or_null(kind.item_type, f"struct_extract({item}, 'value')", f"{path}.*")
            return f"{key} || ':' || {value}"

        return self._each(f"map_entries({at})", "{", "}", entry)

    def _or_null(self, kind: pa.DataType, at: str, path: str) -> str:
        return f"coalesce({self.value(kind, at, path)}, 'null')"

    def _each(self, at: str, opening: str, closing: str, write: Writes) -> str:
        item = f"_item_{self._depth}"
        self._depth += 1
        items = f"array_to_string(list_transform({at}, lambda {item}: {write(item)}), ',')"
        return f"CASE WHEN {at} IS NOT NULL THEN '{opening}' || coalesce({items}, '') || '{closing}' END"


def _is_list(kind: pa.DataType) -> bool:
    return any(is_one(kind) for is_one in (kinds.is_list, kinds.is_large_list, kinds.is_fixed_size_list))


def _scalar(kind: pa.DataType, at: str, path: str) -> str:
    for is_one, write in _SCALARS:
        if is_one(kind):
            return write(at)
    if kinds.is_decimal(kind):
        return java_decimal(at, kind.precision, kind.scale)
    if kinds.is_timestamp(kind):
        return _timestamp(kind, at)
    raise unfit("JSON", path, kind)


#: Stand in no quotes, but as keys.
_BARE = (kinds.is_integer, kinds.is_boolean, kinds.is_decimal, kinds.is_floating)


def _key(kind: pa.DataType, at: str, path: str) -> str:
    """Write the key of a map: always a text."""
    written = java_double(at) if kinds.is_floating(kind) else _scalar(kind, at, f"{path}{{}}")
    is_bare = any(is_one(kind) for is_one in _BARE)
    return _quoted(written) if is_bare else written


def _quoted(at: str) -> str:
    return f"'\"' || {at} || '\"'"


def _plain(at: str) -> str:
    return f"{at}::VARCHAR"


def _text(at: str) -> str:
    """DuckDB escapes what has to be, and no more, as Jackson does."""
    return f"to_json({at}::VARCHAR)::VARCHAR"


def _binary(at: str) -> str:
    return _quoted(f"base64({at}::BLOB)")


def _time(at: str) -> str:
    return _quoted(f"{at}::VARCHAR")


def _date(at: str) -> str:
    return _quoted(java_date(at, _DATE))


def _timestamp(kind: pa.TimestampType, at: str) -> str:
    return _quoted(java_date(as_utc(at, kind), _MOMENT if kind.tz else _LOCAL))


def _double(at: str) -> str:
    """No number and the infinite are texts."""
    return java_double(at, around_none='"')


_SCALARS: tuple[tuple[Callable[[pa.DataType], bool], Writes], ...] = (
    (kinds.is_string, _text),
    (kinds.is_large_string, _text),
    (kinds.is_dictionary, _text),
    (kinds.is_integer, _plain),
    (kinds.is_boolean, _plain),
    (kinds.is_floating, _double),
    (kinds.is_date, _date),
    (kinds.is_time, _time),
    (kinds.is_binary, _binary),
    (kinds.is_large_binary, _binary),
    (kinds.is_null, lambda at: "NULL::VARCHAR"),
)
