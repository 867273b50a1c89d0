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


def run(read: Callable[[Wanted], Iterator[pa.RecordBatch]]) -> None:
    """Write batch after batch of what ``read`` reads of the table, laid out as it is wanted."""
    wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=Wanted)
    projection = Projection(wanted.paths)
    with pa.ipc.new_stream(sys.stdout.buffer, wanted.schema) as stream:
        for read_batch in read(wanted):
            # The parts of people that batches are come in order, and within one they may lie as they are stored.
            batch = _sorted(read_batch) if wanted.in_order else read_batch
            found = projection.find(batch.column("document")) if wanted.paths else {}
            arrays = [found[name] if name in found else batch.column(name) for name in wanted.columns]
            # A column of which a whole result is null has no type that a driver could know.
            stream.write_batch(
                pa.record_batch([a.cast(t) for a, t in zip(arrays, wanted.schema.types, strict=True)], wanted.schema)
            )


def _sorted(batch: pa.RecordBatch) -> pa.RecordBatch:
    numbers = batch.column("profile")
    if len(numbers) < 2 or pc.all(pc.less(numbers[:-1], numbers[1:])).as_py():
        return batch
    return batch.take(pc.array_sort_indices(numbers))
