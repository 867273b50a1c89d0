"""
The rows of an export's files, and what became of everybody.

    people → candidates (both in a process of its own) → deduplicated → columns with their names

Without a key, and without columns that take a look at all rows first, nothing is gathered: rows are made while they are
read, and the first is there at once. Otherwise candidates wait in the scratch directory, and the engine, whose memory
is bounded, finds out which of them stay. Rows come by the numbers of people, and of one by the order of audiences: the
same store gives the same rows in the same order.
"""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa

from headrace.batch import picking
from headrace.batch.asked import Asked, Counted
from headrace.batch.deduplicating import PICKED, SILENT, Lost, lost
from headrace.batch.parts import Rows, without_data
from headrace.batch.people_rows import PeopleRows
from headrace.batch.selected_columns import UPLOAD, sql_of
from headrace.batch.selection import LeftOutOf, OfAudience, Outcome, People, Reading, Wanted
from headrace.datasets.engine import Engine
from headrace.errors import HeadraceError, OperationError

_PROCESS = "headrace.batch.picking"
_KEPT = "kept"
#: Bytes that wait in a pipe: what everybody may ask of Linux.
_PIPE = 1 << 20
#: What is freed is kept for the next people, and not given back and asked for again: a fifth of what it takes.
_KEEPS_MEMORY = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 28),
    "MALLOC_MMAP_THRESHOLD_": str(1 << 28),
}
_read_counted = msgspec.msgpack.Decoder(Counted).decode


class Selected:
    """The rows of an export; once they were read to the end, also what became of everybody."""

    def __init__(self, rows: Rows, wanted: Wanted, picked: "_Picked", lost: Lost | None = None) -> None:
        self.rows = rows
        self._wanted, self._picked, self._lost = wanted, picked, lost

    def outcome(self) -> Outcome:
        """
        Say what became of everybody.

        Raises:
            OperationError: the rows were not read to the end yet.
        """
        counted = self._picked.counted
        if counted is None:
            raise OperationError("the rows of the export were not read to their end")
        audiences = tuple(self._of_audience(counted, place) for place in range(len(self._wanted.audiences)))
        return Outcome(counted.cut, counted.looked, audiences, tuple(self._left_out(counted)))

    def _of_audience(self, counted: Counted, place: int) -> OfAudience:
        one = counted.audiences[place]
        excluded = dict(one.excluded)
        rows = one.rows if _is_each_a_row(self._wanted) else one.received - sum(one.excluded.values())
        if self._lost is not None and (people := self._lost.counts.get(place)):
            excluded["duplicate"] = people
        if self._lost is not None:
            of_each = self._lost.rows if _is_each_a_row(self._wanted) else self._lost.counts
            rows -= of_each.get(place, 0)
        return OfAudience(self._wanted.audiences[place].number, one.received, rows, excluded, one.members)

    def _left_out(self, counted: Counted) -> Iterator[LeftOutOf]:
        for place, reason, values in counted.left_out:
            if place < len(self._wanted.columns):
                yield LeftOutOf(self._wanted.columns[place].name, reason, values)


@contextmanager
def selecting(people: People, wanted: Wanted, scratch: Path, *, memory_mb: int = 384) -> Iterator[Selected]:
    """
    Select the rows of an export. They are there until this is left; whatever was started for them ends then.

    With a key, columns of an upload or objects, this takes as long as it takes to look at everybody.

    Raises:
        OperationError: people cannot be read, or there is no room for candidates.
        AccountError: a path or a calculated field of the mapping is none.
    """
    asked = Asked.of(wanted)
    PeopleRows(asked)  # What is wrong with the mapping is said here, and not by the process.
    with _picking(people.reading(asked.stored), asked) as picked, _Engine(scratch, picked, memory_mb) as engine:
        with _said(picked):
            sql, found = select(engine, wanted, picked.reader())
        yield Selected(_Rows(engine, sql, picked), wanted, picked, found)


def select(engine: Engine, wanted: Wanted, candidates: pa.RecordBatchReader) -> tuple[str, Lost | None]:
    """Return SQL for the rows that candidates have; with a key, also who has lost theirs."""
    if not wanted.gathers:
        engine.view_arrow(PICKED, candidates)
        return sql_of(engine, wanted), None
    file = engine.view_apart(PICKED, SILENT, "is_silent", candidates)
    for place, audience in enumerate(wanted.audiences):
        if audience.uploaded:
            engine.view_parquet(f"{UPLOAD}{place}", [Path(one) for one in audience.uploaded])
    if wanted.key is None:
        return sql_of(engine, wanted), None
    is_each_a_row = _is_each_a_row(wanted)
    found = lost(engine, Asked.of(wanted), file, is_each_a_row=is_each_a_row)
    if found.is_any:
        engine.view_arrow(_KEPT, found.kept(file))
    return sql_of(engine, wanted, _KEPT if found.is_any else PICKED, is_each_a_row=is_each_a_row), found


def _is_each_a_row(wanted: Wanted) -> bool:
    """Say whether somebody has a row for each identity of the key: where one stands in a column."""
    many = Asked.of(wanted).many
    return many is not None and many < len(wanted.columns)


# -- the process -------------------------------------------------------------------------------------------------------


class _Picked:
    """What the process writes: rows, and what became of everybody once they were read."""

    def __init__(self, process: "subprocess.Popen[bytes]", schema: pa.Schema, people: Reading) -> None:
        self._process, self._schema, self._people = process, schema, people
        self.counted: Counted | None = None
        self.failure: HeadraceError | None = None

    def reader(self) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(self._schema, self._batches())

    def end(self) -> None:
        """End the process; whoever reads what it writes is told that it failed."""
        self._process.kill()

    def _batches(self) -> Iterator[pa.RecordBatch]:
        assert self._process.stdout is not None
        try:
            with pa.ipc.open_stream(self._process.stdout) as stream:
                yield from stream
            self.counted = _read_counted(self._process.stdout.read())
        except (pa.ArrowInvalid, OSError, msgspec.DecodeError):
            self.failure = self._reason()
            raise self.failure from None

    def _reason(self) -> HeadraceError:
        """Return why there are no more rows: people could not be read, or the process failed."""
        assert self._process.stderr is not None
        told = self._process.stderr.read().decode(errors="replace").strip()
        if self._process.wait() == picking.NOT_READ:
            return self._people.failed(told)
        return OperationError(f"the rows of the export cannot be made: {told or 'their process was ended'}")


@contextmanager
def _picking(people: Reading, asked: Asked) -> Iterator[_Picked]:
    """Start the process that reads people and makes rows of them."""
    command, pipe = [sys.executable, "-m", _PROCESS], subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env={**os.environ, **_KEEPS_MEMORY})  # noqa: S603
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        _widen(process.stdout.fileno())
        process.stdin.write(picking.told(asked, people))
        process.stdin.close()
        yield _Picked(process, asked.schema, people)
    finally:
        process.kill()
        process.wait()
        for opened in (process.stdin, process.stdout, process.stderr):
            if opened is not None:
                with suppress(BrokenPipeError):
                    opened.close()


def _widen(pipe: int) -> None:
    """Let more wait in a pipe, where the system can: both sides are woken less often."""
    with suppress(AttributeError, OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)


class _Engine(Engine):
    """An engine that ends the process as well when it is interrupted: a query may be waiting for it."""

    def __init__(self, scratch: Path, picked: _Picked, memory_mb: int) -> None:
        super().__init__(scratch, memory_mb=memory_mb, keeps_order=True)
        # The first rows are handed on, and do not wait until a megabyte of them was found.
        self._connection.execute("SET streaming_buffer_size = '100KB'")
        self._picked = picked

    def interrupt(self) -> None:
        """End the process, and the query under way."""
        self._picked.end()
        super().interrupt()


@dataclass(frozen=True, slots=True)
class _Rows(Rows):
    """Rows that come from the process: where that failed, its reason is told."""

    picked: _Picked

    def read(self, select: str) -> Iterator[pa.RecordBatch]:
        """Yield what the list of a SELECT makes of the rows."""
        with _said(self.picked):
            yield from Rows.read(self, select)


@contextmanager
def _said(picked: _Picked) -> Iterator[None]:
    """Say in place of what the engine made of it why there are no rows."""
    try:
        yield
    except (OperationError, duckdb.Error, pa.ArrowException, OSError) as error:
        if picked.failure is not None:
            raise picked.failure from None
        if isinstance(error, HeadraceError):
            raise
        raise OperationError(f"the rows of the export cannot be selected: {without_data(str(error))}") from None
