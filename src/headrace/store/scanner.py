"""
What the processes that scan have in common: told on standard input what is wanted, they write Arrow to standard output.

A process lives for one scan, so it imports little: ``scan_sqlite`` and ``scan_postgres`` have a driver each.
"""

import sys
from collections.abc import Callable, Iterator

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from headrace.store.projection import Projection
from headrace.store.wanted import Wanted

Read = Callable[[Wanted], Iterator[pa.RecordBatch]]


def run(read: Read) -> None:
    """Write batch after batch of what ``read`` reads of the table, laid out as it is wanted."""
    wanted = wanted_of(sys.stdin.buffer.read())
    with pa.ipc.new_stream(sys.stdout.buffer, wanted.schema) as stream:
        for batch in laid_out(read, wanted):
            stream.write_batch(batch)


def wanted_of(told: bytes) -> Wanted:
    """Read what a process is told."""
    return msgspec.json.decode(told, type=Wanted)


def laid_out(read: Read, wanted: Wanted) -> Iterator[pa.RecordBatch]:
    """Yield what ``read`` reads of the table, as it is wanted."""
    projection = Projection(wanted.paths)
    for read_batch in read(wanted):
        # The parts of people that batches are come in order, and within one they may lie as they are stored.
        batch = _sorted(read_batch) if wanted.in_order else read_batch
        found = projection.find(batch.column("document")) if wanted.paths else {}
        arrays = [found[name] if name in found else batch.column(name) for name in wanted.columns]
        # A column of which a whole result is null has no type that a driver could know.
        cast = [array.cast(type_) for array, type_ in zip(arrays, wanted.schema.types, strict=True)]
        yield pa.record_batch(cast, wanted.schema)


def _sorted(batch: pa.RecordBatch) -> pa.RecordBatch:
    numbers = batch.column("profile")
    if len(numbers) < 2 or pc.all(pc.less(numbers[:-1], numbers[1:])).as_py():
        return batch
    return batch.take(pc.array_sort_indices(numbers))
