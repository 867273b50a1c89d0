"""
A folder of this machine, for development: below a directory that whoever runs Headrace allows, and nowhere else.

A file is staged under a name that begins with a dot, and synced; it is given its own name last. No link is followed.
"""

import asyncio
import errno
import os
import stat
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any, ClassVar

from headrace.connect.storage.given import Given
from headrace.connect.storage.objects import folder_of
from headrace.connect.storage.storage import Cause, NotStored, Storage, Stored, Way, forgotten, storages, where_allowed
from headrace.connect.storage.unseen import is_unseen, unseen
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


@dataclass(frozen=True, slots=True)
class _Mark:
    """What tells the file that was staged from another in its place."""

    inode: int
    size: int


class LocalStorage:
    """The ``Storage`` below a directory."""

    def __init__(self, directory: Path, folder: str) -> None:
        self._directory = directory
        self._folder = folder

    async def stage(
        self, path: str, pieces: AsyncIterable[bytes | memoryview], *, replaces: bool = False
    ) -> "LocalStaged":
        """Write a file under another name; see ``Storage``."""
        with _told(path):
            folder, name = await asyncio.to_thread(self._folder_of, path, makes=True)
            try:
                if not replaces:
                    await asyncio.to_thread(_refuse_another, folder, name)
                aside = unseen(name)
                return LocalStaged(self, path, aside, replaces, await _write(folder, aside, pieces))
            finally:
                os.close(folder)

    async def write(self, path: str, pieces: AsyncIterable[bytes | memoryview], *, replaces: bool = False) -> Stored:
        """Store a file; see ``Storage``."""
        return await (await self.stage(path, pieces, replaces=replaces)).publish()

    async def clear(self, path: str) -> None:
        """Remove what lies in a file's folder and was to become it; see ``Storage``."""
        with where_allowed(), _told(path):
            await asyncio.to_thread(self._clear, path)

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
            with self._opened(path) as (folder, name):
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            self._see_directory()
            return None
        return Stored(path, found.st_size, _tag(found)) if stat.S_ISREG(found.st_mode) else None

    def _remove(self, path: str) -> None:
        with suppress(FileNotFoundError), self._opened(path) as (folder, name):
            os.unlink(name, dir_fd=folder)
            os.fsync(folder)

    def _clear(self, path: str) -> None:
        with suppress(FileNotFoundError), self._opened(path) as (folder, name), os.scandir(folder) as entries:
            for found in (entry.name for entry in entries if is_unseen(entry.name, name)):
                _unlink(folder, found)

    def _name(self, path: str, aside: str, replaces: bool, mark: _Mark) -> Stored:
        try:
            with self._opened(path) as (folder, name):
                found = os.stat(aside, dir_fd=folder, follow_symlinks=False)
                if (found.st_ino, found.st_size) != (mark.inode, mark.size):
                    raise NotStored("gone", forgotten(path))
                _name(folder, aside, name, replaces=replaces)
        except FileNotFoundError:
            raise NotStored("gone", forgotten(path)) from None
        return Stored(path, found.st_size, _tag(found))

    def _drop(self, path: str, aside: str) -> None:
        with suppress(OSError), self._opened(path) as (folder, _):
            _unlink(folder, aside)

    @contextmanager
    def _opened(self, path: str) -> Iterator[tuple[int, str]]:
        folder, name = self._folder_of(path, makes=False)
        try:
            yield folder, name
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


class LocalStaged:
    """A file under another name; see ``Staged``. Nothing of it is open."""

    def __init__(self, storage: LocalStorage, path: str, aside: str, replaces: bool, mark: _Mark) -> None:
        self.path = path
        self.size = mark.size
        self._storage = storage
        self._aside = aside
        self._replaces = replaces
        self._mark = mark

    async def publish(self) -> Stored:
        """Give it its name, which the system does whole or not at all."""
        act = partial(self._storage._name, self.path, self._aside, self._replaces, self._mark)
        naming = asyncio.ensure_future(asyncio.to_thread(act))
        with _told(self.path):
            try:
                return await asyncio.shield(naming)
            except asyncio.CancelledError:
                with suppress(NotStored, OSError):
                    await naming
                    await self._storage.remove(self.path)
                raise
            finally:
                await self.discard()

    async def discard(self) -> None:
        """Remove it under its other name, if it still has that."""
        await asyncio.to_thread(self._storage._drop, self.path, self._aside)


async def _write(folder: int, aside: str, pieces: AsyncIterable[bytes | memoryview]) -> _Mark:
    """Write a new file and have it on the disk."""
    handle = await asyncio.to_thread(os.open, aside, _NEW_FILE, 0o640, dir_fd=folder)
    try:
        async for piece in pieces:
            await asyncio.to_thread(_write_all, handle, piece)
        await asyncio.to_thread(os.fsync, handle)
        found = os.fstat(handle)
        return _Mark(found.st_ino, found.st_size)
    except BaseException:
        _unlink(folder, aside)
        raise
    finally:
        os.close(handle)


def _refuse_another(folder: int, name: str) -> None:
    """Spare the way where there is a file; that none comes in between is for the last step to see to."""
    with suppress(FileNotFoundError):
        os.stat(name, dir_fd=folder, follow_symlinks=False)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def _name(folder: int, aside: str, name: str, *, replaces: bool) -> None:
    """Give a whole file its name: a second name is refused where there is one already, which renaming is not."""
    if replaces:
        os.replace(aside, name, src_dir_fd=folder, dst_dir_fd=folder)
    else:
        os.link(aside, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        os.unlink(aside, dir_fd=folder)
    os.fsync(folder)


def _unlink(folder: int, name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


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
