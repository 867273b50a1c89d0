"""A folder of this machine as a storage: for files that are made by hand, and for measuring."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from headrace.connect.storage import Cause, NotStored, Stored

_CAUSES: dict[type[OSError], Cause] = {
    FileNotFoundError: "no-place",
    NotADirectoryError: "no-place",
    PermissionError: "denied",
    FileExistsError: "exists",
}


class Folder:
    """A ``Storage`` of files below a folder. A file is written under another name beside its own, and then renamed."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def write(self, path: str, pieces: AsyncIterable[bytes | memoryview], *, replaces: bool = False) -> Stored:
        target = self._root / path
        unfinished = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}")
        try:
            size = await _fill(unfinished, pieces)
            await asyncio.to_thread(_give_name, unfinished, target, replaces)
        except OSError as error:
            raise _not_stored(target, error) from None
        finally:
            with suppress(OSError):
                unfinished.unlink()
        return Stored(path, size)

    async def look(self, path: str) -> Stored | None:
        target = self._root / path
        return Stored(path, target.stat().st_size) if target.is_file() else None

    async def remove(self, path: str) -> None:
        (self._root / path).unlink(missing_ok=True)

    async def check(self) -> None:
        if not os.access(self._root, os.W_OK | os.X_OK):
            raise NotStored("denied", f"{self._root}: nothing can be written there")


async def _fill(path: Path, pieces: AsyncIterable[bytes | memoryview]) -> int:
    size = 0
    with path.open("xb") as file:
        async for piece in pieces:
            size += await asyncio.to_thread(file.write, piece)
        await asyncio.to_thread(_sync, file)
    return size


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _give_name(unfinished: Path, target: Path, replaces: bool) -> None:
    if replaces:
        unfinished.replace(target)
    else:
        target.hardlink_to(unfinished)


def _not_stored(target: Path, error: OSError) -> NotStored:
    cause: Cause = next((cause for kind, cause in _CAUSES.items() if isinstance(error, kind)), "refused")
    return NotStored(cause, f"{target}: cannot be written: {error.strerror}")
