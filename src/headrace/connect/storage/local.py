"""
A folder of this machine, for development: below a directory that whoever runs Headrace allows, and nowhere else.

A file is written under a name that begins with a dot, synced, and given its own name last. No link is followed.
"""

import asyncio
import errno
import os
import stat
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any, ClassVar

from headrace.connect.storage.given import Given
from headrace.connect.storage.objects import folder_of
from headrace.connect.storage.storage import Cause, NotStored, Storage, Stored, Way, storages
from headrace.errors import AccountError

KIND = "LOCAL"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CAUSES: Mapping[int, Cause] = {
    errno.EACCES: "denied",
    errno.EPERM: "denied",
    errno.EROFS: "denied",
    errno.EEXIST: "exists",
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EFBIG: "full",
    errno.ENOENT: "no-place",
    errno.ENOTDIR: "refused",
    errno.ELOOP: "refused",
}


class LocalStorage:
    """The ``Storage`` below a directory."""

    def __init__(self, directory: Path, folder: str) -> None:
        self._directory = directory
        self._folder = folder

    async def write(self, path: str, pieces: AsyncIterable[bytes | memoryview], *, replaces: bool = False) -> Stored:
        """Store a file; see ``Storage``."""
        with _told(path):
            folder, name = await asyncio.to_thread(self._folder_of, path, makes=True)
            try:
                return await _write(folder, name, path, pieces, replaces=replaces)
            finally:
                os.close(folder)

    async def look(self, path: str) -> Stored | None:
        """Return a file; ``None``: there is none."""
        with _told(path):
            return await asyncio.to_thread(self._look, path)

    async def remove(self, path: str) -> None:
        """Remove a file, if there is one."""
        with _told(path):
            await asyncio.to_thread(self._remove, path)

    async def check(self) -> None:
        """Write a tiny file of a name that nobody else uses, and remove it."""
        path = f"headrace-check-{token_hex(8)}-may-be-deleted"

        async def pieces() -> AsyncIterator[bytes]:
            yield b"headrace\n"

        try:
            await self.write(path, pieces())
        finally:
            await self.remove(path)

    def _look(self, path: str) -> Stored | None:
        try:
            folder, name = self._folder_of(path, makes=False)
        except FileNotFoundError:
            self._see_directory()
            return None
        try:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        finally:
            os.close(folder)
        return Stored(path, found.st_size, _tag(found)) if stat.S_ISREG(found.st_mode) else None

    def _remove(self, path: str) -> None:
        try:
            folder, name = self._folder_of(path, makes=False)
        except FileNotFoundError:
            return
        try:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
                os.fsync(folder)
        finally:
            os.close(folder)

    def _see_directory(self) -> None:
        self._directory.stat()

    def _folder_of(self, path: str, *, makes: bool) -> tuple[int, str]:
        """Open the folder of a file, step by step, so that no link leads elsewhere, and return it with the name."""
        *folders, name = [one for one in f"{self._folder}/{path}".split("/") if one]
        folder = os.open(self._directory, _FOLDER)
        for step in folders:
            try:
                folder = _entered(folder, step, makes=makes)
            except BaseException:
                os.close(folder)
                raise
        return folder, name


class Local:
    """Directories of this machine."""

    auth_types: ClassVar[tuple[str, ...]] = ("NONE",)

    @asynccontextmanager
    async def open(
        self, place: Mapping[str, Any], auth_type: str, auth: Mapping[str, Any], way: Way
    ) -> AsyncIterator[Storage]:
        """Open a folder: ``directory`` is one that is allowed, ``path`` lies below it; see ``MakesStorage``."""
        asked = Given(place, auth)
        directory = Path(asked.place("directory"))
        if directory not in way.directories:
            raise AccountError(f"'{directory}' is not among the directories that files may be written to.")
        yield LocalStorage(directory, folder_of(asked.place("path", missing="/")))


async def _write(
    folder: int, name: str, path: str, pieces: AsyncIterable[bytes | memoryview], *, replaces: bool
) -> Stored:
    partial = f".headrace-{token_hex(8)}.part"
    handle = await asyncio.to_thread(os.open, partial, _NEW_FILE, 0o640, dir_fd=folder)
    try:
        async for piece in pieces:
            await asyncio.to_thread(_write_all, handle, piece)
        return await asyncio.to_thread(_name, folder, handle, partial, name, path, replaces)
    finally:
        os.close(handle)
        with suppress(FileNotFoundError):
            os.unlink(partial, dir_fd=folder)


def _name(folder: int, handle: int, partial: str, name: str, path: str, replaces: bool) -> Stored:
    """Give a whole file its name: a second name is refused where there is one already, which renaming is not."""
    os.fsync(handle)
    if replaces:
        os.replace(partial, name, src_dir_fd=folder, dst_dir_fd=folder)
    else:
        os.link(partial, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        os.unlink(partial, dir_fd=folder)
    os.fsync(folder)
    found = os.fstat(handle)
    return Stored(path, found.st_size, _tag(found))


def _entered(folder: int, step: str, *, makes: bool) -> int:
    if makes:
        with suppress(FileExistsError):
            os.mkdir(step, 0o750, dir_fd=folder)
    inner = os.open(step, _FOLDER, dir_fd=folder)
    os.close(folder)
    return inner


def _write_all(handle: int, piece: bytes | memoryview) -> None:
    left = memoryview(piece).cast("B")
    while left:
        left = left[os.write(handle, left) :]


def _tag(found: os.stat_result) -> str:
    return f"{found.st_ino:x}-{found.st_mtime_ns:x}"


class _told:  # noqa: N801 - a context, written as one
    """Raises for what the system refuses what a storage raises."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError) and not isinstance(error, TimeoutError) and error.errno is not None:
            cause = _CAUSES.get(error.errno, "refused")
            raise NotStored(cause, f"'{self._path}': {(error.strerror or 'refused').lower()}.") from None


storages.register(KIND)(Local())
