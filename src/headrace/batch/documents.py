"""
What stands at paths in the documents of people: found for many at once, without making an object of each.

The engine's parser is in C++ and takes a tenth of what it takes to read a document in Python. What it finds is JSON as
text, whatever it is; ``cells_at_once`` makes cells of that.
"""

import re
from collections.abc import Sequence

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

#: The keys on the way from a document to a value in it.
Path = tuple[str, ...]
#: On the way, a number could be a place in a list, and a path of the mapping means a name by it.
_NUMBER = re.compile(r"[0-9]+")


class Documents:
    """Looks into documents. It is used by one thread at a time."""

    def __init__(self, memory_mb: int = 256) -> None:
        self._connection = duckdb.connect(
            ":memory:", config={"threads": 1, "memory_limit": f"{memory_mb}MB", "python_enable_replacements": False}
        )
        self._connection.execute("SET enable_progress_bar = false")

    def find(self, documents: pa.StringArray, paths: Sequence[Path]) -> list[pa.Array]:
        """
        Return what stands at each path in each document, as JSON; null where nothing does, or a null.

        Raises:
            duckdb.Error: a document is no JSON. The message holds some of it.
        """
        if not paths:
            return []
        self._connection.register("documents", pa.table({"document": documents}))
        columns = ", ".join(f"found[{at}]" for at in range(1, len(paths) + 1))
        found = self._connection.sql(
            f"SELECT {columns} FROM (SELECT json_extract(document, $paths) AS found FROM documents)",  # noqa: S608
            params={"paths": [_pointer(path) for path in paths]},
        ).to_arrow_table()
        return [_found(column.chunks) for column in found.columns]


def _found(chunks: Sequence[pa.Array]) -> pa.Array:
    found = pa.concat_arrays(chunks) if chunks else pa.array([], pa.string())
    is_null = pc.equal(found, "null")
    return pc.if_else(is_null, None, found) if pc.any(is_null).as_py() else found


def can_be_found(path: Path) -> bool:
    """Say whether a path says to ``Documents`` what it means to a mapping."""
    return not any(_NUMBER.fullmatch(step) or "\0" in step for step in path)


def _pointer(path: Path) -> str:
    """
    Write a path as JSON Pointer, RFC 6901.

    >>> _pointer(("a", "b/c"))
    '/a/b~1c'
    """
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in path)
