"""
Whom the files of an audience have as members, packed so that millions are small: a bit for each, in blocks.

The bits of a block are those of an Arrow array of truth values; five million people are 77 blocks, some 600 KB at most.
"""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

#: People of one block, by their numbers.
BLOCK = 1 << 16
_PLACES = pa.array(range(BLOCK), pa.int64())
_CODEC = pa.Codec("zstd")


def packed(profiles: pa.Array | pa.ChunkedArray) -> Iterator[tuple[int, bytes]]:
    """
    Yield the blocks of some people, told by their numbers in any order.

    >>> [block for block, _ in packed(pa.array([3, 70_000, 4]))]
    [0, 1]
    """
    whole = profiles.combine_chunks() if isinstance(profiles, pa.ChunkedArray) else profiles
    ordered = whole.take(pc.array_sort_indices(whole))
    runs = pc.run_end_encode(pc.shift_right(ordered, 16), run_end_type=pa.int64())
    begin = 0
    for block, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        places = pc.bit_wise_and(ordered.slice(begin, end - begin), BLOCK - 1)
        yield block, _CODEC.compress(pc.is_in(_PLACES, value_set=places).buffers()[1], asbytes=True)
        begin = end


def unpacked(blocks: Iterable[tuple[int, bytes]]) -> pa.ChunkedArray:
    """
    Return the numbers of the people in some blocks, in order.

    >>> unpacked(packed(pa.array([3, 70_000, 4]))).to_pylist()
    [3, 4, 70000]
    """
    return pa.chunked_array([_numbers(block, bits) for block, bits in blocks], pa.int64())


def _numbers(block: int, bits: bytes) -> pa.Array:
    whole = _CODEC.decompress(bits, decompressed_size=BLOCK // 8)
    places = pc.indices_nonzero(pa.BooleanArray.from_buffers(pa.bool_(), BLOCK, [None, whole]))
    return pc.add(places.cast(pa.int64()), block * BLOCK)
