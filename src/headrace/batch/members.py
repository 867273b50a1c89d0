"""
Whom the files of an audience have as members, packed so that millions are small: a bit for each, in blocks.

The bits of a block are those of an Arrow array of truth values; five million people are 77 blocks, some 600 KB at most.
"""

from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

#: People of one block, by their numbers.
BLOCK = 1 << 16
_BYTES = BLOCK // 8
_PLACES = pa.array(range(BLOCK), pa.int64())
_CODEC = pa.Codec("zstd")
_NOBODY = bytes(_BYTES)

Packed = Iterable[tuple[int, bytes]]


class Members:
    """
    A set of people that takes a bit for each; numbers may come in any order.

    >>> 70_000 in Members(packed(pa.array([3, 70_000])))
    True
    """

    __slots__ = ("_blocks",)

    def __init__(self, blocks: Packed = ()) -> None:
        self._blocks: dict[int, bytes] = {block: _bits(packed) for block, packed in blocks}

    def __contains__(self, profile: int) -> bool:
        bits = self._blocks.get(profile >> 16)
        return bits is not None and bits[(profile & 0xFFFF) >> 3] >> (profile & 7) & 1 == 1

    def add(self, profiles: pa.Array) -> None:
        """Take some people in, who are told by their numbers in any order."""
        for block, bits in _blocks_of(profiles):
            there = int.from_bytes(self._blocks.get(block, _NOBODY), "little")
            self._blocks[block] = (there | int.from_bytes(bits, "little")).to_bytes(_BYTES, "little")

    def has(self, profiles: pa.Array) -> pa.Array:
        """Say of some people, who stand by their numbers, who is among these."""
        if not len(profiles):
            return pa.array([], pa.bool_())
        blocks = pc.run_end_encode(pc.shift_right(profiles, 16), run_end_type=pa.int64())
        found, begin = [], 0
        for block, end in zip(blocks.values.to_pylist(), blocks.run_ends.to_pylist(), strict=True):
            bits = pa.py_buffer(self._blocks.get(block, _NOBODY))
            places = pc.bit_wise_and(profiles.slice(begin, end - begin), BLOCK - 1)
            found.append(pa.BooleanArray.from_buffers(pa.bool_(), BLOCK, [None, bits]).take(places))
            begin = end
        return pa.concat_arrays(found)

    def packed(self) -> list[tuple[int, bytes]]:
        """Return the blocks in which somebody is."""
        return [(block, _pack(bits)) for block, bits in sorted(self._blocks.items()) if any(bits)]


def packed(profiles: pa.Array | pa.ChunkedArray) -> Iterator[tuple[int, bytes]]:
    """
    Yield the blocks of some people, told by their numbers in any order.

    >>> [block for block, _ in packed(pa.array([3, 70_000, 4]))]
    [0, 1]
    """
    whole = profiles.combine_chunks() if isinstance(profiles, pa.ChunkedArray) else profiles
    return ((block, _pack(bits)) for block, bits in _blocks_of(whole))


def _blocks_of(profiles: pa.Array) -> Iterator[tuple[int, pa.Buffer]]:
    """Yield the blocks of some people, each with its bits."""
    if not len(profiles):
        return
    ordered = profiles.take(pc.array_sort_indices(profiles))
    runs = pc.run_end_encode(pc.shift_right(ordered, 16), run_end_type=pa.int64())
    begin = 0
    for block, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        places = pc.bit_wise_and(ordered.slice(begin, end - begin), BLOCK - 1)
        yield block, pc.is_in(_PLACES, value_set=places).buffers()[1]
        begin = end


def unpacked(blocks: Packed) -> pa.ChunkedArray:
    """
    Return the numbers of the people in some blocks, in order.

    >>> unpacked(packed(pa.array([3, 70_000, 4]))).to_pylist()
    [3, 4, 70000]
    """
    return pa.chunked_array([_numbers(block, packed) for block, packed in blocks], pa.int64())


def both(left: Packed, right: Packed) -> list[tuple[int, bytes]]:
    """
    Return who is in the one and in the other.

    >>> unpacked(both(packed(pa.array([3, 4])), packed(pa.array([4, 70_000])))).to_pylist()
    [4]
    """
    return _joined(left, right, int.__and__)


def either(left: Packed, right: Packed) -> list[tuple[int, bytes]]:
    """Return who is in at least one of two."""
    return _joined(left, right, int.__or__)


def without(left: Packed, right: Packed) -> list[tuple[int, bytes]]:
    """Return who is in the first and not in the second."""
    return _joined(left, right, lambda one, other: one & ~other)


def _joined(left: Packed, right: Packed, join: Callable[[int, int], int]) -> list[tuple[int, bytes]]:
    sides = dict(left), dict(right)
    found = []
    for block in sorted({*sides[0], *sides[1]}):
        one, other = (int.from_bytes(_bits(side.get(block)), "little") for side in sides)
        if bits := join(one, other):
            found.append((block, _pack(bits.to_bytes(_BYTES, "little"))))
    return found


def _bits(packed: bytes | None) -> bytes:
    return _CODEC.decompress(packed, decompressed_size=_BYTES, asbytes=True) if packed is not None else _NOBODY


def _pack(bits: bytes | pa.Buffer) -> bytes:
    made: bytes = _CODEC.compress(bits, asbytes=True)
    return made


def _numbers(block: int, packed: bytes) -> pa.Array:
    places = pc.indices_nonzero(pa.BooleanArray.from_buffers(pa.bool_(), BLOCK, [None, pa.py_buffer(_bits(packed))]))
    return pc.add(places.cast(pa.int64()), block * BLOCK)
