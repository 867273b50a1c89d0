"""
Columns of whole numbers, packed: each with its lowest number, and of the others what they are above it.

A column of one number takes no room, and one of neighbours a byte for each.
"""

import struct
import sys
from array import array
from collections.abc import Sequence
from typing import Final

#: What stands first: the form, how many columns, how many numbers each has.
_HEAD: Final = struct.Struct("<BBI")
_FORM: Final = 1
#: Before each column: how many bytes each number has, and the lowest.
_COLUMN: Final = struct.Struct("<Bq")
_CODES: Final = {1: "B", 2: "H", 4: "I", 8: "Q"}


def pack(columns: Sequence[Sequence[int]]) -> bytes:
    """
    Pack columns of the same length, none of them empty.

    >>> unpack(pack([(7, 9, 8), (1, 1, 1)]))
    [[7, 9, 8], [1, 1, 1]]
    """
    parts = [_HEAD.pack(_FORM, len(columns), len(columns[0]))]
    for column in columns:
        lowest = min(column)
        width = _width(max(column) - lowest)
        parts.append(_COLUMN.pack(width, lowest))
        if width:
            parts.append(_bytes(array(_CODES[width], [number - lowest for number in column])))
    return b"".join(parts)


def unpack(packed: bytes) -> list[list[int]]:
    """Return the columns that were packed."""
    _, columns, length = _HEAD.unpack_from(packed)
    found: list[list[int]] = []
    at = _HEAD.size
    for _ in range(columns):
        width, lowest = _COLUMN.unpack_from(packed, at)
        at += _COLUMN.size
        above = _numbers(packed, at, width, length)
        found.append([lowest + number for number in above] if width else [lowest] * length)
        at += width * length
    return found


def is_in_first(packed: bytes, number: int) -> bool:
    """Say whether a number is in the first column, without unpacking the others."""
    _, _, length = _HEAD.unpack_from(packed)
    width, lowest = _COLUMN.unpack_from(packed, _HEAD.size)
    if not width:
        return bool(number == lowest)
    above = number - lowest
    return 0 <= above < 1 << 8 * width and above in _numbers(packed, _HEAD.size + _COLUMN.size, width, length)


#: How many bytes a number takes, by how many it needs.
_WIDTHS: Final = (0, 1, 2, 4, 4, 8, 8, 8, 8)


def _width(span: int) -> int:
    return _WIDTHS[(span.bit_length() + 7) // 8]


def _numbers(packed: bytes, at: int, width: int, length: int) -> "array[int]":
    numbers = array(_CODES[width or 1])
    numbers.frombytes(packed[at : at + width * length])
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _bytes(numbers: "array[int]") -> bytes:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()
