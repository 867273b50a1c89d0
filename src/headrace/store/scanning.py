"""
Scans of people as columns: one statement, read by a process of its own.

On SQLite the Arrow driver brings a library of its own. Two of those in one process do not see each other's locks on the
file, and a checkpoint of the writer would pull the ground from under the reader: so a scan is always another process,
of its own or that of whoever is ``reading``.
It decodes the documents too, which leaves the writer's process alone. Rows come in batches, so memory stays flat.
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import msgspec
import pyarrow as pa

from headrace.store.dialect import StoreUnavailable
from headrace.store.wanted import Wanted

_PROCESS = {True: "headrace.store.scan_sqlite", False: "headrace.store.scan_postgres"}
#: What a step of a path cannot hold: JSON would have to escape it.
_ESCAPED = re.compile(r'["\\\x00-\x1f]')


@dataclass(frozen=True, slots=True)
class Profiles:
    """The people of one sandbox, in the store at an address: a file of SQLite, or a database of PostgreSQL."""

    address: str
    is_file: bool
    tenant: int

    @contextmanager
    def scan(self, columns: Sequence[str], since: int | None = None) -> Iterator[pa.RecordBatchReader]:
        """
        Read columns of everybody, or of those whose state is newer than the number ``since``, as of one moment.

        A column is ``profile``, ``key``, ``sequence``, ``identities_at`` or ``document``, or a path such as
        ``person.name.firstName`` or ``segmentMembership``. Nothing is held up by it, and it may be left before its end.

        Raises:
            StoreUnavailable: the store cannot be read; also while the reader is read.
            ValueError: a path has a quotation mark, a backslash or a control character in it.
        """
        wanted = self._wanted(columns, since=since)
        with self._process(wanted) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            batches = _batches(process, process.stdout, process.stderr)
            yield pa.RecordBatchReader.from_batches(wanted.schema, batches)

    def reading(self, columns: Sequence[str]) -> "Reading":
        """
        Return how a process of somebody else reads columns of everybody, in the order of their numbers.

        Raises:
            ValueError: as :meth:`scan`.
        """
        wanted = self._wanted(columns, in_order=True)
        return Reading(_PROCESS[self.is_file], msgspec.json.encode(wanted))

    def _wanted(self, columns: Sequence[str], *, since: int | None = None, in_order: bool = False) -> Wanted:
        if bad := [name for name in columns if _ESCAPED.search(name)]:
            raise ValueError(f"the path {bad[0]!r} holds a character that the name of an attribute cannot have")
        return Wanted(self.address, self.is_file, self.tenant, tuple(columns), since, in_order)

    @contextmanager
    def _process(self, wanted: Wanted) -> Iterator["subprocess.Popen[bytes]"]:
        command, pipe = [sys.executable, "-m", _PROCESS[self.is_file]], subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)  # noqa: S603
        assert process.stdin is not None
        try:
            process.stdin.write(msgspec.json.encode(wanted))
            process.stdin.close()
            yield process
        finally:
            process.kill()
            process.wait()
            for opened in (process.stdout, process.stderr):
                if opened is not None:
                    opened.close()


@dataclass(frozen=True, slots=True)
class Reading:
    """
    People as another process reads them: handed ``told``, the function ``people`` of a module yields them as columns.

    What is told says where the store is, with its password: it belongs into a pipe, and nowhere else.
    """

    module: str
    told: bytes

    def failed(self, reason: str) -> StoreUnavailable:
        """Return the error of people who could not be read."""
        return StoreUnavailable(f"people cannot be read now: {reason}")


def _batches(process: "subprocess.Popen[bytes]", written: IO[bytes], told: IO[bytes]) -> Iterator[pa.RecordBatch]:
    """Yield what the process writes; whatever ends it before its end is an error, never fewer people."""
    try:
        with pa.ipc.open_stream(written) as stream:
            yield from stream
    except (pa.ArrowInvalid, OSError) as error:
        raise StoreUnavailable(f"people cannot be read now: {_last_line(told) or error}") from None
    if process.wait() != 0:
        raise StoreUnavailable(f"people cannot be read now: {_last_line(told)}")


def _last_line(told: IO[bytes]) -> str:
    lines = told.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
