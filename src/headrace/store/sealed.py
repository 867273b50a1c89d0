"""
Where sealed values are kept: every column that holds some, and how to find them in it.

A value is replaced in the text of its column and nothing else is touched, and only where the text is still the one that
was read: no version is made, nobody is woken, and whoever wrote meanwhile has it their way.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Table, Text, cast, or_, select, tuple_

from headrace.store import tables
from headrace.store.database import Transaction
from headrace.store.documents import NOUNS, sealed_in
from headrace.store.keys import key_in
from headrace.store.landing_zones import RECORD as LANDING_ZONE

#: Rows looked at in one question: while one sums up what a large table has sealed, no more of it is in memory.
_PAGE = 500

Found = Iterator[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Row:
    """A row with sealed values: its key, the text of its column, and the record, field and text of each value."""

    key: tuple[Any, ...]
    text: str
    values: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Shelf:
    """A column with sealed values. ``find`` is given a row's key, by the names of its columns, and the column."""

    table: Table
    column: str
    find: Callable[[dict[str, Any], Any], Found]

    @property
    def key(self) -> list[str]:
        return [column.name for column in self.table.primary_key.columns]


def _in_documents(noun: str, key: dict[str, Any], document: Any) -> Found:
    return ((key["id"], field, text) for field, text in sealed_in(noun, document))


def _in_fields(record: str, sealed: Any) -> Found:
    return ((record, field, value) for field, value in sealed.items())


#: Everything there is. A value is bound to its record and field: whoever seals in a new column adds a line here.
SHELVES: tuple[Shelf, ...] = (
    *(Shelf(table, "document", partial(_in_documents, noun)) for noun, table in NOUNS.items()),
    Shelf(tables.versions, "document", lambda key, held: _in_documents(key["noun"], key, held)),
    Shelf(tables.sign_in_states, "sealed", lambda key, held: _in_fields(key["holder"], held)),
    Shelf(tables.begun_sign_ins, "sealed", lambda key, held: _in_fields(key["state_hash"], held)),
    Shelf(tables.landing_zones, "keys", lambda _, held: _in_fields(LANDING_ZONE, held)),
)


def rows_sealed_with(
    tx: Transaction, shelf: Shelf, tenant: int, key_ids: Iterable[str], after: tuple[Any, ...] | None, most: int
) -> list[Row]:
    """Return rows of a sandbox with values that one of these keys sealed, in the order of their keys."""
    return _rows(tx, shelf, tenant, [f'%"v1.{key_id}.%' for key_id in key_ids], after, most)


def replace(tx: Transaction, shelf: Shelf, changed: Sequence[tuple[Row, dict[str, str]]]) -> int:
    """Put sealed texts in the places of others, in rows that are still as they were read; return how many were."""
    is_it = " AND ".join(f"{name} = :{name}" for name in shelf.key)
    column = shelf.column
    sql = f"UPDATE {shelf.table.name} SET {column} = :after WHERE {is_it} AND CAST({column} AS TEXT) = :before"  # noqa: S608
    given = [
        {**dict(zip(shelf.key, row.key, strict=True)), "before": row.text, "after": _resealed(row.text, texts)}
        for row, texts in changed
    ]
    return int(tx.many(sql, given).rowcount) if given else 0


def counted(tx: Transaction, tenants: Iterable[int], key_ids: Iterable[str] = ("k",)) -> Counter[str]:
    """Count the sealed values of sandboxes by the key; only rows are looked at that have one of these beginnings."""
    likes, found = [f'%"v1.{key_id}%' for key_id in key_ids], Counter[str]()
    for tenant in tenants:
        for shelf in SHELVES:
            found.update(key_in(text) for row in _all(tx, shelf, tenant, likes) for _, _, text in row.values)
    return found


def is_sealed_with(tx: Transaction, tenants: Iterable[int], key_id: str) -> bool:
    """Say whether anything in sandboxes is sealed with a key."""
    return counted(tx, tenants, [key_id])[key_id] > 0


def _all(tx: Transaction, shelf: Shelf, tenant: int, likes: Sequence[str]) -> Iterator[Row]:
    after: tuple[Any, ...] | None = None
    while rows := _rows(tx, shelf, tenant, likes, after, _PAGE):
        yield from rows
        after = rows[-1].key


def _rows(
    tx: Transaction, shelf: Shelf, tenant: int, likes: Sequence[str], after: tuple[Any, ...] | None, most: int
) -> list[Row]:
    columns = [shelf.table.c[name] for name in shelf.key]
    text = cast(shelf.table.c[shelf.column], Text)
    query = select(*columns, text).where(shelf.table.c.tenant == tenant, or_(*(text.like(like) for like in likes)))
    if after is not None:
        # Without the sandbox, which is the same: only then is the key's index entered at the place itself.
        rest = [(column, value) for column, value in zip(columns, after, strict=True) if column.name != "tenant"]
        if not rest:  # A sandbox has one row, which was it.
            return []
        query = query.where(tuple_(*(column for column, _ in rest)) > tuple_(*(value for _, value in rest)))
    return [_row(shelf, found) for found in tx.core.execute(query.order_by(*columns).limit(most))]


def _row(shelf: Shelf, found: Any) -> Row:
    *key, text = found
    values = shelf.find(dict(zip(shelf.key, key, strict=True)), json.loads(text))
    return Row(tuple(key), text, tuple(value for value in values if key_in(value[2])))


def _resealed(text: str, texts: dict[str, str]) -> str:
    for before, after in texts.items():
        text = text.replace(f'"{before}"', f'"{after}"')
    return text
