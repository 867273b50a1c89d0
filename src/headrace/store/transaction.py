"""What a piece of work is handed: a connection inside a transaction, and the short way to its driver."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection

from headrace.errors import HeadraceError
from headrace.store.dialect import Dialect, Rows


class Transaction:
    """
    What a piece of work is handed.

    ``core`` is SQLAlchemy's connection. ``run`` and ``many`` go straight to the driver with the same named parameters:
    two and a half times cheaper a row, for the paths that every change takes. ``woken`` is what others are told once it
    is committed. ``remembers``: the store keeps what became of whom.
    """

    __slots__ = ("_driver", "_translate", "core", "remembers", "woken")

    def __init__(self, core: Connection, translate: Callable[[str], str], *, remembers: bool = True) -> None:
        self.core = core
        self.remembers = remembers
        self._driver: Any = core.connection.driver_connection
        self._translate = translate
        self.woken: set[str] = set()

    def wake(self, tenant: int, dataflow: int | None = None) -> None:
        """Have processes look at a dataflow that may have something waiting, or at all of a sandbox that changed."""
        self.woken.add(f"{tenant}" if dataflow is None else f"{tenant}:{dataflow}")

    def run(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Rows:
        """Run one statement with named parameters (``:name``)."""
        rows: Rows = self._driver.execute(self._translate(sql), parameters or {})
        return rows

    def many(self, sql: str, rows: Iterable[Mapping[str, Any]]) -> Rows:
        """Run one statement for every row."""
        cursor = self._driver.cursor()
        cursor.executemany(self._translate(sql), rows)
        counted: Rows = cursor
        return counted


def storable(text: str) -> str:
    """Return a text that says something to people without the one character that not every database keeps."""
    return text.replace("\0", "\N{SYMBOL FOR NULL}")


def explained(error: Exception, dialect: Dialect) -> Exception:
    """Return what an error means for whoever waits; one that nobody has foreseen stays as it is."""
    if isinstance(error, HeadraceError):
        return error
    return dialect.explain(getattr(error, "orig", None) or error) or error
