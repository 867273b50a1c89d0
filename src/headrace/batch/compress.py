"""
How the bytes of a file are compressed, a piece at a time: the codecs that Spark has for lines of text, and the ends of
names that go with them.

`lz4` and `snappy` are written in the blocks that Hadoop frames them in, as loaders of Spark's files expect, and not in
the frames of the `lz4` and `snappy` tools. Parquet compresses inside of the file, and passes through here as it is.
"""

import bz2
import struct
from collections.abc import Callable
from typing import Protocol, TypeAlias

import pyarrow as pa
from isal import isal_zlib

from headrace.batch.formats import formats
from headrace.model.file_configurations import PARQUET_SUFFIXES, SUFFIXES
from headrace.model.file_format import FileFormat

#: Hadoop's blocks: 256 KiB, less what the codec may add to text that does not give way.
_BLOCK = 256 * 1024
_LZ4_BLOCK, _SNAPPY_BLOCK = _BLOCK - (_BLOCK // 255 + 16), _BLOCK - (_BLOCK // 6 + 32)
#: Three quarters of the size that level 6 of zlib comes to, at fifteen times its speed.
_ISAL_LEVEL = 1
_GZIP, _ZLIB = 31, 15

Bytes: TypeAlias = bytes | memoryview | pa.Buffer


class Compressor(Protocol):
    """Compresses one file. What it returns may be empty; ``flush`` ends the file."""

    def compress(self, data: Bytes, /) -> Bytes:
        """Take bytes, and return what has become of them and of those before."""
        ...

    def flush(self) -> Bytes:
        """Return the rest."""
        ...


def suffix(look: FileFormat) -> str:
    """
    Return the end of a file's name: `.csv.gz`, `.snappy.parquet`.

    Raises:
        AuthoringError: there is no such type of file.
    """
    own = formats.get(look.file_type).suffix
    if look.file_type == "parquet":
        return PARQUET_SUFFIXES[look.compression] + own
    return own + SUFFIXES[look.compression]


def compressor(look: FileFormat) -> Compressor:
    """Return what compresses one file. The same rows come to the same bytes: gzip makes one member, without a time."""
    return Plain() if look.file_type == "parquet" else _COMPRESSORS[look.compression]()


class Plain:
    """Leaves everything as it is."""

    def compress(self, data: Bytes, /) -> Bytes:
        return data

    def flush(self) -> bytes:
        return b""


class Blocks:
    """Hadoop's framing: of each block the size, then the size it is compressed to, then that; sizes are big-endian."""

    def __init__(self, codec: str, size: int) -> None:
        self._codec = pa.Codec(codec)
        self._size = size
        self._waiting = bytearray()

    def compress(self, data: Bytes, /) -> bytes:
        self._waiting += memoryview(data)
        whole = len(self._waiting) // self._size * self._size
        made = b"".join(self._block(place) for place in range(0, whole, self._size))
        del self._waiting[:whole]
        return made

    def flush(self) -> bytes:
        return self._block(0) if self._waiting else b""

    def _block(self, place: int) -> bytes:
        block = bytes(self._waiting[place : place + self._size])
        packed: bytes = self._codec.compress(block, asbytes=True)
        return struct.pack(">II", len(block), len(packed)) + packed


class Zstd:
    """One frame of zstd."""

    def __init__(self) -> None:
        self._made = _Made()
        self._stream = pa.CompressedOutputStream(pa.PythonFile(self._made, "w"), "zstd")

    def compress(self, data: Bytes, /) -> bytes:
        self._stream.write(data)
        return self._made.take()

    def flush(self) -> bytes:
        self._stream.close()
        return self._made.take()


class _Made:
    """A file to write into that is emptied again and again."""

    closed = False

    def __init__(self) -> None:
        self._bytes = bytearray()

    def write(self, data: bytes) -> int:
        self._bytes += data
        return len(data)

    def take(self) -> bytes:
        made = bytes(self._bytes)
        self._bytes.clear()
        return made

    def flush(self) -> None:
        """There is nothing behind."""

    def close(self) -> None:
        """What was written can still be taken."""


_COMPRESSORS: dict[str, Callable[[], Compressor]] = {
    "none": Plain,
    "gzip": lambda: isal_zlib.compressobj(_ISAL_LEVEL, isal_zlib.DEFLATED, _GZIP),
    "deflate": lambda: isal_zlib.compressobj(_ISAL_LEVEL, isal_zlib.DEFLATED, _ZLIB),
    "bzip2": bz2.BZ2Compressor,
    "lz4": lambda: Blocks("lz4_raw", _LZ4_BLOCK),
    "snappy": lambda: Blocks("snappy", _SNAPPY_BLOCK),
    "zstd": Zstd,
}
