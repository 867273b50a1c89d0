"""Finding out who is in an audience: a query is asked, or an uploaded file read; in a thread, for it may take long."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from headrace.datasets import members
from headrace.datasets.engine import BadQuery, Engine
from headrace.datasets.members import KEY, Before, Difference
from headrace.datasets.places import Place, Places
from headrace.datasets.removal import Gone
from headrace.datasets.rows import BadRow, Surroundings
from headrace.datasets.snapshot import Snapshot
from headrace.datasets.sources import Sources
from headrace.errors import OperationError
from headrace.model.audience import AudienceDefinition
from headrace.model.dataset import Dataset
from headrace.model.profile import LONGEST_KEY, prefix_of
from headrace.services.erased import CODE as ERASED
from headrace.services.erased import REASON as ERASED_REASON

#: The most rejected lines that are listed; all are counted.
MOST_LISTED = 100
#: Seconds that a query may take, and a look at what one would answer.
LONGEST = 15 * 60.0
LONGEST_PREVIEW = 30.0
_COUNTED = "SELECT count(DISTINCT key) AS n, count(*) FILTER (key IS NULL) AS bad FROM asked_for"
_FIRST = "SELECT DISTINCT key FROM asked_for WHERE key IS NOT NULL ORDER BY 1 LIMIT 10"


@dataclass(slots=True)
class Rejects:
    """The lines that name nobody."""

    count: int = 0
    listed: list[dict[str, Any]] = field(default_factory=list)

    def note(self, rows: Sequence[BadRow]) -> None:
        """Note some."""
        self.count += len(rows)
        self.listed += [asdict(row) for row in rows[: MOST_LISTED - len(self.listed)]]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a query would answer: how many members, the first of them, and how many rows name nobody."""

    count: int
    sample: list[str]
    rejected: int


def preview(scratch: Path, definition: AudienceDefinition, tables: dict[str, Snapshot]) -> Preview:
    """
    Say what the query of a definition would answer.

    Raises:
        BadQuery: it is wrong, or takes too long.
    """
    with _asked(scratch, definition, tables, LONGEST_PREVIEW) as engine:
        (row,) = engine.read(_COUNTED).read_all().to_pylist()
        sample = engine.read(_FIRST).read_all().to_pylist()
    return Preview(row["n"], [item[KEY] for item in sample], row["bad"])


def find_by_query(
    scratch: Path,
    directory: Path,
    definition: AudienceDefinition,
    tables: dict[str, Snapshot],
    gone: Gone | None = None,
) -> tuple[Path, Rejects]:
    """
    Write the keys that a query answers into a file of a directory, without those who are ``gone``.

    Raises:
        BadQuery: it is wrong, or takes too long.
    """
    rejects, writer = Rejects(), members.Writer(directory)
    keys = _Keys("query", KEY, _prefix(definition), rejects, gone)
    with _asked(scratch, definition, tables, LONGEST) as engine:
        line = 1
        try:
            for batch in engine.read("FROM asked_for"):
                writer.write(keys.of(batch, range(line, line + batch.num_rows)))
                line += batch.num_rows
        except (duckdb.Error, pa.ArrowException) as error:
            raise BadQuery(f"the query failed: {str(error).strip()[:500]}") from None
        finally:
            file = writer.close()
    return file, rejects


def find_in_file(
    directory: Path, definition: AudienceDefinition, file: Path, gone: Gone | None = None
) -> tuple[Path, Rejects]:
    """
    Write the keys that an uploaded file has into a file of a directory, with what else it says of each.

    Those who are ``gone`` are left out.

    Raises:
        HeadraceError: it cannot be read, or lacks the column.
    """
    column = column_of(definition)
    kind = file.suffix.removeprefix(".")
    described = {"name": "upload", "format": kind, "location": str(file), "key": column}
    dataset = Dataset.model_validate(described).model_copy(update={"csv": definition.csv})
    surroundings = Surroundings(Places((Place(file.parent),)), Sources(()), str)
    rejects, writer = Rejects(), members.Writer(directory)
    keys = _Keys("upload", column, _prefix(definition), rejects, gone)
    for piece in Snapshot.take(surroundings, dataset).rows.pieces():
        bad = [BadRow("upload", row.line, row.code, row.reason) for row in piece.bad]
        rejects.note(bad)
        if piece.batch.num_rows:
            writer.write(keys.of(piece.batch, piece.lines))
    return writer.close(), rejects


def compare(raw: Path, directory: Path, before: Before, *, replace: bool, refresh: bool) -> Difference:
    """
    Make the list of members, and say who came and who went.

    Raises:
        OperationError: it does not fit on the disk, or what is known of members does not fit to what was.
    """
    try:
        return members.compare(raw, directory, before, replace=replace, refresh=refresh)
    except (duckdb.Error, pa.ArrowException) as error:
        raise OperationError(f"the lists of members cannot be compared: {str(error).strip()[:500]}") from None


@contextmanager
def _asked(
    scratch: Path, definition: AudienceDefinition, tables: dict[str, Snapshot], longest: float
) -> Iterator[Engine]:
    """Lend an engine that has the tables, shut off from the rest; what takes longer is ended."""
    with Engine(scratch) as engine:
        for name, snapshot in tables.items():
            snapshot.view(engine, name)
        engine.lock()
        is_late = threading.Event()

        def end() -> None:
            is_late.set()
            engine.interrupt()

        timer = threading.Timer(longest, end)
        timer.start()
        try:
            engine.view_keys("asked_for", definition.query or "", column_of(definition))
            yield engine
        except (BadQuery, duckdb.Error, pa.ArrowException):
            if is_late.is_set():
                raise BadQuery(f"the query takes more than {longest:.0f} seconds: ask for less") from None
            raise
        finally:
            timer.cancel()


def column_of(definition: AudienceDefinition) -> str:
    """Return the column that says who is a member."""
    return definition.key or (definition.identity.column if definition.identity else "")


def _prefix(definition: AudienceDefinition) -> str:
    return ":" if definition.identity is None else prefix_of(definition.identity.namespace)


@dataclass(frozen=True, slots=True)
class _Keys:
    """Makes keys of what a column holds, and notes the rows that name nobody, or somebody who is ``gone``."""

    file: str
    column: str
    prefix: str
    rejects: Rejects
    gone: Gone | None

    def of(self, batch: pa.RecordBatch, lines: Sequence[int]) -> pa.RecordBatch:
        """Return a batch with a column ``key`` first and the others after it, without the rows that are rejected."""
        ids = pc.cast(batch.column(self.column), pa.string())
        is_right = self._right(ids, lines)
        keys = pc.binary_join_element_wise(self.prefix, ids, "")
        others = [name for name in batch.schema.names if name not in (self.column, KEY)]
        made = pa.RecordBatch.from_arrays([keys, *(batch.column(name) for name in others)], names=[KEY, *others])
        if self.gone is not None:
            is_right = pc.and_(is_right, self._there(keys, is_right, lines, self.gone))
        return made.filter(is_right)

    def _right(self, ids: pa.StringArray, lines: Sequence[int]) -> pa.BooleanArray:
        length, most = pc.utf8_length(ids), LONGEST_KEY - len(self.prefix)
        has_nul = pc.match_substring(ids, "\0")
        is_right = pc.and_(pc.and_(pc.greater(length, 0), pc.less_equal(length, most)), pc.invert(has_nul))
        is_right = pc.fill_null(is_right, False)
        wrong = [place for place, right in enumerate(is_right.to_pylist()) if not right] if _is_any(is_right) else []
        told = [BadRow(self.file, lines[place], *_reason(ids[place].as_py(), self.column, most)) for place in wrong]
        self.rejects.note(told)
        return is_right

    def _there(
        self, keys: pa.StringArray, is_right: pa.BooleanArray, lines: Sequence[int], gone: Gone
    ) -> pa.BooleanArray:
        are_gone = gone(pc.if_else(is_right, keys, pa.scalar(None, pa.string())).to_pylist())
        self.rejects.note(
            [
                BadRow(self.file, line, ERASED, ERASED_REASON)
                for line, is_gone in zip(lines, are_gone, strict=True)
                if is_gone
            ]
        )
        return pa.array([not is_gone for is_gone in are_gone], pa.bool_())


def _is_any(is_right: pa.BooleanArray) -> bool:
    return pc.all(is_right).as_py() is False


def _reason(value: str | None, column: str, most: int) -> tuple[str, str]:
    if not value:
        return "no-key", f"`{column}` is empty, and says who is a member"
    if "\0" in value:
        return "nul", f"`{column}` has the character U+0000"
    return "key-too-long", f"`{column}` is over {most} characters"
