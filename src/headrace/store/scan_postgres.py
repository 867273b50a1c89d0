"""
The process that scans a store on PostgreSQL, by one COPY.

The server packs a batch of people into one row, a column into one or two values of it, as Arrow wants them: reading
people one by one costs fifty times as much here.
"""

from array import array
from collections.abc import Iterator
from contextlib import closing
from sys import byteorder

import psycopg
import pyarrow as pa
import pyarrow.compute as pc

from headrace.store import scanner
from headrace.store.wanted import OWN, Wanted

#: What a null is as a number; there is no such sequence.
_NULL = -1
#: How values of a column stand one after the other, and, where they have lengths, these too.
_NUMBERS = "string_agg(int8send(coalesce({0}, -1)), ''::bytea)"
_TEXTS = "string_agg(int4send(octet_length({0})), ''::bytea), string_agg({0}, ''::bytea)"
_PACKED = {
    "profile": _NUMBERS.format("profile"),
    "sequence": _NUMBERS.format("sequence"),
    "identities_at": _NUMBERS.format("identities_at"),
    "key": _TEXTS.format("convert_to(key, 'UTF8')"),
    "document": _TEXTS.format("substr(document, 2)"),  # Without the byte that says its form.
}
_PREPARE = "SET jit = off; SET enable_seqscan = off"


def statement(wanted: Wanted) -> str:
    """Return the one statement of a scan, a row for each batch; what varies in it are numbers and names of ours."""
    tenant, by = f"tenant = {wanted.tenant:d}", "profile" if wanted.since is None else "sequence"
    newest = "" if wanted.since is None else f" AND sequence > {wanted.since:d}"
    ends = f"SELECT min({by}) AS first, max({by}) AS last FROM profiles WHERE {tenant}{newest}"  # noqa: S608
    columns = ", ".join(_PACKED[name] for name in wanted.stored)
    packed = f"""
        SELECT {columns} FROM profiles WHERE {tenant} AND {by} >= begin AND {by} < begin + {wanted.batch:d}
        HAVING count(*) > 0
    """  # noqa: S608
    begins = f"({ends}) AS ends, generate_series(first, last, {wanted.batch:d}) AS begin"
    return f"SELECT packed.* FROM {begins}, LATERAL ({packed}) AS packed"  # noqa: S608


def read(wanted: Wanted) -> Iterator[pa.RecordBatch]:
    """Read what is stored, batch after batch."""
    with closing(psycopg.connect(wanted.address)) as connection, connection.cursor() as cursor:
        cursor.execute(_PREPARE)
        with cursor.copy(f"COPY ({statement(wanted)}) TO STDOUT (FORMAT BINARY)".encode()) as copy:
            copy.set_types(["bytea"] * sum(2 if _has_lengths(name) else 1 for name in wanted.stored))
            for row in copy.rows():
                values = iter(row)
                arrays = [
                    _texts(name, next(values), next(values)) if _has_lengths(name) else _numbers(next(values))
                    for name in wanted.stored
                ]
                yield pa.record_batch(arrays, list(wanted.stored))


def _has_lengths(name: str) -> bool:
    return name in ("key", "document")


def _numbers(packed: bytes) -> pa.Array:
    numbers = pa.Array.from_buffers(pa.int64(), len(packed) // 8, [None, pa.py_buffer(_of_network("q", packed))])
    return pc.if_else(pc.equal(numbers, _NULL), pa.scalar(None, pa.int64()), numbers)


def _texts(name: str, lengths: bytes, packed: bytes) -> pa.Array:
    ends = array("i", [0])
    counted = pa.Array.from_buffers(pa.int32(), len(lengths) // 4, [None, pa.py_buffer(_of_network("i", lengths))])
    ends.frombytes(memoryview(pc.cumulative_sum(counted).buffers()[1])[: len(lengths)])
    return pa.Array.from_buffers(OWN[name], len(counted), [None, pa.py_buffer(ends), pa.py_buffer(packed)])


def _of_network(kind: str, packed: bytes) -> "array[int]":
    """Return numbers that stand in the order of bytes of networks."""
    numbers = array(kind, packed)
    if byteorder == "little":
        numbers.byteswap()
    return numbers


def people(told: bytes) -> Iterator[pa.RecordBatch]:
    """Yield what is wanted, in a process that reads for itself."""
    return scanner.laid_out(read, scanner.wanted_of(told))


if __name__ == "__main__":
    scanner.run(read)
