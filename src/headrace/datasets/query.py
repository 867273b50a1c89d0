"""What a query that people wrote asks for, before anything is read: that it is one ``SELECT``, and of which tables."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

from headrace.datasets.engine import BadQuery


@dataclass(frozen=True, slots=True)
class Named:
    """A table as a query names it, and where: ``line 1, column 15``."""

    name: str
    place: str


def tables_of(sql: str) -> list[Named]:
    """
    Return the tables that a query reads, each once; not those that it makes for itself (``WITH``).

    Raises:
        BadQuery: it is not one ``SELECT``; it says where.
    """
    tree = _tree(sql)
    if not tree["statements"]:
        raise BadQuery("the query is empty: write one that begins with SELECT or WITH")
    if len(tree["statements"]) != 1:
        raise BadQuery(f"write one query: a second statement begins at {_place_of_second(sql)}")
    made = {name for node in _nodes(tree) for name in _made_by(node)}
    found: dict[str, Named] = {}
    for node in _nodes(tree):
        if node.get("type") != "BASE_TABLE":
            continue
        place = _place(sql, int(node.get("query_location") or 0))
        if node["schema_name"] or node["catalog_name"]:
            raise BadQuery(f"datasets have no schemas: write the name alone, in double quotes, at {place}")
        if node["table_name"].lower() not in made:
            found.setdefault(node["table_name"].lower(), Named(node["table_name"], place))
    return list(found.values())


def _tree(sql: str) -> dict[str, Any]:
    if "\0" in sql:
        raise BadQuery("the query has the character U+0000")
    with duckdb.connect(":memory:", config={"autoload_known_extensions": False}) as connection:
        row = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchone()
    assert row is not None
    tree: dict[str, Any] = json.loads(row[0])
    if tree["error"] and tree["error_type"] == "not implemented":
        raise BadQuery(
            f"write one query that begins with SELECT or WITH: what begins at {_place_of_other(sql)} is none"
        )
    if tree["error"]:
        position = tree.get("position")
        where = f" at {_place(sql, int(position))}" if position is not None else ""
        raise BadQuery(f"{tree['error_message']}{where}")
    return tree


def _made_by(node: dict[str, Any]) -> Iterator[str]:
    made = node.get("cte_map")
    for entry in made.get("map", ()) if isinstance(made, dict) else ():
        yield str(entry["key"]).lower()


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every node of a tree; not by recursion, for a query may be nested deeply."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += reversed(list(node.values()))
        elif isinstance(node, list):
            waiting += reversed(node)


def _place_of_second(sql: str) -> str:
    return _place(sql, len(duckdb.extract_statements(sql)[0].query))


def _place_of_other(sql: str) -> str:
    """Return where the first statement begins that is no query."""
    begin = 0
    for statement in duckdb.extract_statements(sql):
        if statement.type != duckdb.StatementType.SELECT:
            break
        begin += len(statement.query)
    return _place(sql, begin)


def _place(sql: str, position: int) -> str:
    """Write a position, counted in bytes, as people count."""
    text = sql.encode()
    while position < len(text) and text[position : position + 1].isspace():
        position += 1
    before = text[:position].decode(errors="replace")
    return f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"
