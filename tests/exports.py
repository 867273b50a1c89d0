"""Exports as tests make them: rows of SQL, a look in a few words, and a storage that remembers."""

import io
import struct
from collections.abc import AsyncIterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from headrace.batch.parts import Piece, Rows, write_parts
from headrace.connect.storage import NotStored, Stored
from headrace.datasets.engine import Engine
from headrace.model.file_configurations import FileConfigurations
from headrace.model.file_format import FileFormat
from headrace.model.reading import read


def look(file_type: str, compression: str = "none", *, ignores_nulls: bool = True) -> FileFormat:
    """The format of files, with defaults for the rest."""
    ours = {"jsonOptions": {"ignoreNullFields": _text("true" if ignores_nulls else "false")}}
    said = {"fileType": _text(file_type), "compression": _text(compression), "x-headrace": ours}
    return FileFormat.of(read(FileConfigurations, said)[0], lambda text: text.value)


def _text(value: str) -> dict[str, str]:
    return {"templatingStrategy": "NONE", "value": value}


def parts_of(tmp_path: Path, sql: str, wanted: FileFormat, max_rows: int = 1_000_000) -> list[tuple[int, bytes]]:
    """The files that the rows of a query are laid out as: their rows and their bytes."""
    pieces: list[Piece] = []
    with Engine(tmp_path / "scratch", keeps_order=True) as engine:
        write_parts(Rows(engine, sql), wanted, pieces.append, max_rows)
    return [
        (last.rows, b"".join(piece.data for piece in pieces if piece.part == last.part))
        for last in pieces
        if last.is_last
    ]


def file_of(tmp_path: Path, sql: str, wanted: FileFormat) -> bytes:
    """The one file that the rows of a query are laid out as."""
    ((_, file),) = parts_of(tmp_path, sql, wanted)
    return file


class Memory:
    """A storage in memory, by the contract: a file is there whole or not at all. It may be told to fail."""

    def __init__(self, *, fails_after: int | None = None) -> None:
        self.files: dict[str, bytes] = {}
        self.staged: dict[str, bytes] = {}
        self.taken = 0
        self._fails_after = fails_after

    async def stage(
        self, path: str, pieces: AsyncIterable[bytes | memoryview], *, replaces: bool = False
    ) -> "MemoryStaged":
        made = io.BytesIO()
        async for piece in pieces:
            made.write(piece)
            self.taken += 1
            if self.taken == self._fails_after:
                raise NotStored("full", "there is no room")
        self.staged[path] = made.getvalue()
        return MemoryStaged(self, path, made.tell(), replaces)

    async def write(self, path: str, pieces: AsyncIterable[bytes | memoryview], *, replaces: bool = False) -> Stored:
        return await (await self.stage(path, pieces, replaces=replaces)).publish()

    async def clear(self, path: str) -> None:
        self.staged.pop(path, None)

    async def look(self, path: str) -> Stored | None:
        return Stored(path, len(self.files[path])) if path in self.files else None

    async def remove(self, path: str) -> None:
        self.files.pop(path, None)

    async def check(self) -> None:
        """Memory is always in order."""


@dataclass
class MemoryStaged:
    """A file of ``Memory`` that nobody sees yet."""

    storage: Memory
    path: str
    size: int
    replaces: bool

    async def publish(self) -> Stored:
        if self.path not in self.storage.staged:
            raise NotStored("gone", f"{self.path} was forgotten")
        data = self.storage.staged.pop(self.path)
        if self.path in self.storage.files and not self.replaces:
            raise NotStored("exists", f"{self.path} is there already")
        self.storage.files[self.path] = data
        return Stored(self.path, self.size, "tag")

    async def discard(self) -> None:
        self.storage.staged.pop(self.path, None)


def read_hadoop(file: bytes, codec: str) -> bytes:
    """Read Hadoop's block framing as its own reader does: blocks of one or more compressed pieces."""
    unpacked, place, text = pa.Codec(codec), 0, b""
    while place < len(file):
        (left,) = struct.unpack_from(">I", file, place)
        place += 4
        while left:
            (size,) = struct.unpack_from(">I", file, place)
            piece = file[place + 4 : place + 4 + size]
            block = unpacked.decompress(piece, decompressed_size=left, asbytes=True)
            text += block
            left -= len(block)
            place += 4 + size
    return text
