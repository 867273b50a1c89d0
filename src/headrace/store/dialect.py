"""What a store asks of the database it stands on, and what goes wrong with it."""

import re
from collections.abc import AsyncGenerator, Callable, Collection, Iterator
from typing import Any, Protocol

from sqlalchemy import Connection, Engine

from headrace.errors import DataError, OperationError


class StoreUnavailable(OperationError):
    """The store cannot take anything now: the disk is full, or the database does not answer."""

    code = "store-unavailable"


class StoreFull(StoreUnavailable):
    """There is no room for what the store is to keep."""


class NotStorable(DataError):
    """A text cannot be kept: it holds the character U+0000, or is too long for rows to be found by it."""

    code = "not-storable"


class Rows(Protocol):
    """What a statement answers, as both drivers have it."""

    @property
    def rowcount(self) -> int: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...

    def __iter__(self) -> Iterator[Any]: ...


class Dialect(Protocol):
    """
    One kind of database. ``is_shared``: several processes may have it at a time.

    ``engine`` is asked for twice: once to write, by one connection whose transactions exclude those of all others, and
    once to read, by connections of which each transaction sees one moment and changes nothing. ``translate`` is asked
    before every statement that goes straight to the driver, and remembers. ``explain`` says what a driver's error means
    for whoever waits; ``None``: nothing foreseen. ``is_in_doubt`` says of one whether what was committed before may not
    be on the disk, whatever later commits say. ``checkpoint`` leaves nothing of the past in a log of its own.

    ``hold`` keeps the form of the tables as it is for as long as this process is there, and ``exclude`` raises where
    another one does. ``tell`` has what was woken told to other processes at the commit, and ``hear`` yields what others
    told: ``None`` first, when it has begun to listen.
    """

    is_shared: bool

    @property
    def name(self) -> str: ...

    def engine(self, *, writes: bool) -> Engine: ...

    def translate(self, sql: str) -> str: ...

    def checkpoint(self) -> bool: ...

    def explain(self, error: BaseException) -> OperationError | DataError | None: ...

    def hold(self, connection: Connection, form: str) -> None: ...

    def exclude(self, connection: Connection) -> None: ...

    def tell(self, connection: Connection, woken: Collection[str]) -> None: ...

    def hear(self) -> AsyncGenerator[str | None, None]: ...
    def is_in_doubt(self, error: BaseException) -> bool: ...


#: Texts and quoted names, which stay as they are; comments and white space; casts; parameters; the percent sign.
_PART = re.compile(
    r"""(?P<kept> '(?:[^']|'')*' | "(?:[^"]|"")*" | ::) | (?P<blank> (?:\s|--[^\n]*)+)
      | :(?P<parameter> [A-Za-z_]\w*) | (?P<percent> %)""",
    re.VERBOSE,
)


def rewrite(sql: str, parameter: Callable[[str], str] | None = None) -> str:
    """
    Fold white space, and write parameters as a driver wants them, which then wants percent signs doubled.

    >>> rewrite("SELECT  ':a  b'  WHERE  c = :c")
    "SELECT ':a  b' WHERE c = :c"
    >>> rewrite("SELECT '5%'::text WHERE c = :c", "%({})s".format)
    "SELECT '5%%'::text WHERE c = %(c)s"
    """

    def written(part: re.Match[str]) -> str:
        if part["blank"]:
            return " "
        if parameter is None:
            return part[0]
        return parameter(part["parameter"]) if part["parameter"] else part[0].replace("%", "%%")

    return _PART.sub(written, sql).strip()
