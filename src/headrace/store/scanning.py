"""
Scans of people as columns: one statement, read by a process of its own.

On SQLite the Arrow driver brings a library of its own. Two of those in one process do not see each other's locks on the
file, and a checkpoint of the writer would pull the ground from under the reader: so a scan is always another process.
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
        if bad := [name for name in columns if _ESCAPED.search(name)]:
            raise ValueError(f"the path {bad[0]!r} holds a character that the name of an attribute cannot have")
        wanted = Wanted(self.address, self.is_file, self.tenant, tuple(columns), since)
        command = [sys.executable, "-m", _PROCESS[self.is_file]]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # noqa: S603
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            process.stdin.write(msgspec.json.encode(wanted))
            process.stdin.close()
            yield pa.RecordBatchReader.from_batches(wanted.schema, _batches(process, process.stdout, process.stderr))
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()


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
