"""What the API answers, as tables and lines for people; or as it is, for scripts."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from headrace.cli.printing import harmless, say, say_json

Row = dict[str, Any]
#: What is of no use where it is cut off.
_WIDEST = 240
_WHOLE = ("id", "state", "members")
#: What is shown of a noun: titles, and what stands under them.
Columns = dict[str, Callable[[Row], str]]


def member(name: str) -> Callable[[Row], str]:
    """Return what shows a member as it is."""
    return lambda row: str(row.get(name) or "")


def show_all(items: list[Row], columns: Columns, *, as_json: bool) -> None:
    """Print what a list has: a line for each."""
    if as_json:
        say_json(items)
        return
    show_rows([*columns], ([cell(item) for cell in columns.values()] for item in items))


def show_rows(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table."""
    console = Console()
    console.width = max(console.width, 0 if console.is_terminal else _WIDEST)  # What is piped on is not cut off.
    console.print(table_of(heads, rows))


def table_of(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Make a table. What others wrote is shown as it is, never read as markup; ids stay whole, for they are copied."""
    table = Table(box=SIMPLE_HEAD)
    for head in heads:
        table.add_column(head, no_wrap=head in _WHOLE)
    for row in rows:
        table.add_row(*(Text(harmless(cell)) for cell in row))
    return table


def show_one(item: Row, columns: Columns, *, as_json: bool) -> None:
    """Print one thing: a line for each member that it has."""
    if as_json:
        say_json(item)
        return
    for title, cell in columns.items():
        if text := cell(item):
            say(f"{title}: {text}")


def minute(moment: str | int | None) -> str:
    """
    Return a moment, as the API writes it, for people.

    >>> minute("2026-03-01T09:30:12.500Z"), minute(1772357412500), minute(None)
    ('2026-03-01 09:30', '2026-03-01 09:30', '')
    """
    if isinstance(moment, int):
        return datetime.fromtimestamp(moment / 1000, UTC).strftime("%Y-%m-%d %H:%M")
    return "" if moment is None else moment[:16].replace("T", " ")
