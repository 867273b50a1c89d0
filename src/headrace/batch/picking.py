"""
The process that makes rows of people for an export: documents are decoded and mapped here, beside the server.

It is told on standard input what is asked for, and after that people come there as a stream of Arrow. It writes rows as
another to standard output, and then what became of everybody.
"""

import gc
import signal
import sys
from collections.abc import Iterator
from typing import BinaryIO

import msgspec
import pyarrow as pa

from headrace.batch.asked import Asked
from headrace.batch.candidates import Candidates

#: What it ends with where people came to an end too early.
CUT_OFF = 3
_LENGTH = 8
#: Objects until garbage is looked for: rows make many, and no circles.
_GARBAGE = 100_000


def told(asked: Asked) -> bytes:
    """Return what the process is told first."""
    said = msgspec.msgpack.encode(asked)
    return len(said).to_bytes(_LENGTH, "big") + said


def main() -> int:
    """Make rows until there are no more people. What is said of an error is its kind: it may hold what people are."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this.
    gc.freeze()
    gc.set_threshold(_GARBAGE)
    length = int.from_bytes(sys.stdin.buffer.read(_LENGTH), "big")
    asked = msgspec.msgpack.decode(sys.stdin.buffer.read(length), type=Asked)
    try:
        _make(asked, _people(sys.stdin.buffer), sys.stdout.buffer)
    except _CutOff:
        return CUT_OFF
    except Exception as error:
        sys.stderr.write(type(error).__name__)
        return 1
    return 0


class _CutOff(Exception):
    """People came to an end too early."""


def _people(told: BinaryIO) -> Iterator[pa.RecordBatch]:
    try:
        with pa.ipc.open_stream(told) as stream:
            yield from stream
    except (pa.ArrowInvalid, OSError):
        raise _CutOff from None


def _make(asked: Asked, people: Iterator[pa.RecordBatch], written: BinaryIO) -> None:
    candidates = Candidates(asked)
    with pa.ipc.new_stream(written, asked.schema) as rows:
        for batch in people:
            for made in candidates.take(batch):
                rows.write_batch(made)
    written.write(msgspec.msgpack.encode(candidates.counted()))
    written.flush()


if __name__ == "__main__":
    sys.exit(main())
