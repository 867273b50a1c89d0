"""
The process that makes rows of people for an export: they are read and mapped here, beside the server.

It is told on standard input what is asked for, and what reads people. It writes rows to standard output as a stream of
Arrow, and then what became of everybody.
"""

import gc
import importlib
import queue
import signal
import sys
import threading
from collections.abc import Iterator
from typing import BinaryIO

import msgspec
import pyarrow as pa

from headrace.batch.asked import Asked
from headrace.batch.candidates import Candidates
from headrace.batch.selection import Reading

#: What it ends with where people could not be read.
NOT_READ = 3
#: Bytes of people who are taken at once; and how many times that may wait.
AT_ONCE, WAITING = 16 << 20, 2
#: Objects until garbage is looked for: rows make many, and no circles.
_GARBAGE = 100_000


class _Order(msgspec.Struct, frozen=True):
    asked: Asked
    module: str
    told: bytes


def told(asked: Asked, people: Reading) -> bytes:
    """Return what the process is told."""
    return msgspec.msgpack.encode(_Order(asked, people.module, people.told))


def main() -> int:
    """Make rows until there are no more people. What is said of an error is its kind: it may hold what people are."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this.
    gc.freeze()
    gc.set_threshold(_GARBAGE)
    order = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=_Order)
    try:
        _make(order.asked, _ahead(_read(order)), sys.stdout.buffer)
    except _NotRead as error:
        sys.stderr.write(str(error))
        return NOT_READ
    except Exception as error:
        sys.stderr.write(type(error).__name__)
        return 1
    return 0


class _NotRead(Exception):
    """People could not be read to their end."""


def _read(order: _Order) -> Iterator[pa.RecordBatch]:
    """Yield people, so many at once that it is worth the while and not too much."""
    some: list[pa.RecordBatch] = []
    size = 0
    for batch in importlib.import_module(order.module).people(order.told):
        some.append(batch)
        size += batch.nbytes
        if size >= AT_ONCE:
            yield from _together(some, size)
            some, size = [], 0
    yield from _together(some, size)


def _together(some: list[pa.RecordBatch], size: int) -> Iterator[pa.RecordBatch]:
    """Yield people who came one after the other at once; of those who are large, fewer."""
    if some:
        whole = pa.Table.from_batches(some).combine_chunks()
        yield from whole.to_batches(max_chunksize=max(whole.num_rows * 2 * AT_ONCE // max(size, 1), 1))


def _ahead(people: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """
    Read people in a thread, a little ahead of whoever takes them: the driver and the parser leave Python to the other.

    Raises:
        _NotRead: they could not be read.
    """
    read: queue.Queue[pa.RecordBatch | Exception | None] = queue.Queue(WAITING)

    def run() -> None:
        try:
            for batch in people:
                read.put(batch)
            read.put(None)
        except Exception as error:
            read.put(error)

    threading.Thread(target=run, daemon=True).start()
    while (found := read.get()) is not None:
        if isinstance(found, Exception):
            raise _NotRead(str(found).strip().split("\n")[-1]) from found
        yield found


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
