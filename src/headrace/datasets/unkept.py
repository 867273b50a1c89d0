"""
What the engine would not give as it is: columns that it calls otherwise, and numbers that it makes smaller.

To it letters in either case are one, so of two columns ``Email`` and ``email`` it renames one; one without a name gets
a name; a decimal of more than 38 digits becomes a double.
"""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.types as kinds


def unkept(schema: pa.Schema) -> str | None:
    """
    Say what of a schema the engine would not keep, and what to do; nothing, if it keeps all.

    >>> unkept(pa.schema([("Email", pa.string()), ("email", pa.string())]))
    'two columns are named `email`, in whatever case of letters; rename one'
    """
    return next(_unkept(schema, ""), None)


def _unkept(fields: Iterable[pa.Field], above: str) -> Iterator[str]:
    seen: set[str] = set()
    for field in fields:
        path = f"{above}{field.name}"
        if field.name.lower() in seen:
            yield f"two columns are named `{path}`, in whatever case of letters; rename one"
        if field.name == "" or "\0" in field.name:
            yield f"the name of the column {path!r} is empty, or has U+0000 in it; rename it"
        seen.add(field.name.lower())
        yield from _inside(field.type, path)


def _inside(kind: pa.DataType, path: str) -> Iterator[str]:
    if kinds.is_decimal256(kind):
        yield f"the column `{path}` is of the type {kind}, which has more than 38 digits; make a text of it"
    if kinds.is_struct(kind):
        yield from _unkept(kind, f"{path}.")
    elif kinds.is_map(kind):
        yield from _inside(kind.item_type, f"{path}.*")
    elif kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind):
        yield from _inside(kind.value_type, f"{path}[]")
