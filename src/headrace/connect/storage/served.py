"""
Files below a directory of this machine, for others to read: found step by step, so that no link leads elsewhere.

What has a name that begins with a dot is under way, and is not there for anybody.
"""

import heapq
import os
import stat
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

#: How many names a path may have: each takes an open folder.
DEEPEST = 64
#: Names of one folder that are held and put in order at a time.
_BATCH = 1000
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Seen:
    """A file, or a folder with some in it: its name ends with ``/``, and it has no size."""

    name: str
    size: int
    modified_ns: int
    tag: str

    @property
    def is_folder(self) -> bool:
        return self.name.endswith("/")


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that is open; whoever has it closes ``handle``."""

    seen: Seen
    handle: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What of a directory is listed: names that begin with ``prefix`` and come after ``after``.

    ``by_folder``: a folder whose files would all be listed stands for them.
    """

    prefix: str = ""
    after: str = ""
    by_folder: bool = False

    def holds(self, key: str) -> bool:
        """Say whether a file's name, or a folder's with its ``/``, is among what is listed, or leads to it."""
        if not key.endswith("/"):
            return key.startswith(self.prefix) and key > self.after
        if self.stands_for_all(key):
            return key > self.after
        is_on_the_way = key.startswith(self.prefix) or self.prefix.startswith(key)
        return is_on_the_way and (key > self.after or self.after.startswith(key))

    def stands_for_all(self, key: str) -> bool:
        return self.by_folder and key.startswith(self.prefix) and key != self.prefix


def is_there(directory: Path) -> bool:
    """Say whether a directory can be read from."""
    try:
        os.close(os.open(directory, _FOLDER))
    except OSError:
        return False
    return True


def open_file(directory: Path, path: str) -> Opened | None:
    """Open a file; ``None``: there is none of this name for others to read."""
    *folders, name = path.split("/")
    if len(folders) >= DEEPEST or not all(map(_is_shown, (*folders, name))):
        return None
    try:
        folder = _folder_at(directory, folders)
        try:
            handle = os.open(name, _FILE, dir_fd=folder)
        finally:
            os.close(folder)
    except (OSError, ValueError):
        return None
    found = os.fstat(handle)
    if stat.S_ISREG(found.st_mode):
        return Opened(_seen(path, found), handle)
    os.close(handle)
    return None


def page(directory: Path, wanted: Wanted, most: int) -> tuple[list[Seen], bool]:
    """
    Return what is wanted in the order of whole names, so many at the most, and whether there is more.

    Raises:
        FileNotFoundError: there is no such directory.
    """
    folder = os.open(directory, _FOLDER)
    try:
        with closing(_walk(folder, "", wanted)) as found:
            items = list(islice(found, most + 1))
    finally:
        os.close(folder)
    return items[:most], len(items) > most


def forget_older(directory: Path, before_ns: int, under_way_before_ns: int) -> int:
    """
    Remove files that were last written before a moment, and what was under way and is forgotten; return how many.

    Folders go that are empty and nobody has touched since.
    """
    removed = 0
    for _, folders, names, folder in os.fwalk(directory, topdown=False):
        for name in names:
            removed += _forget(folder, name, under_way_before_ns if name.startswith(".") else before_ns)
        for name in folders:
            with suppress(OSError):
                if os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime_ns < before_ns:
                    os.rmdir(name, dir_fd=folder)
    return removed


def _forget(folder: int, name: str, before_ns: int) -> bool:
    with suppress(FileNotFoundError):
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISREG(found.st_mode) and found.st_mtime_ns < before_ns:
            os.unlink(name, dir_fd=folder)
            return True
    return False


def _walk(folder: int, at: str, wanted: Wanted) -> Generator[Seen, None, None]:
    for key in _in_order(folder, at, wanted):
        whole = f"{at}{key}"
        if not key.endswith("/"):
            with suppress(FileNotFoundError):
                yield _seen(whole, os.stat(key, dir_fd=folder, follow_symlinks=False))
        elif not wanted.stands_for_all(whole):
            yield from _inside(folder, key, whole, wanted)
        elif _has_any(folder, key, whole):
            yield Seen(whole, 0, 0, "")


def _has_any(folder: int, name: str, whole: str) -> bool:
    with closing(_inside(folder, name, whole, Wanted())) as found:
        return next(found, None) is not None


def _inside(folder: int, name: str, whole: str, wanted: Wanted) -> Generator[Seen, None, None]:
    if whole.count("/") >= DEEPEST:
        return
    try:
        inner = os.open(name.rstrip("/"), _FOLDER, dir_fd=folder)
    except OSError:  # Gone meanwhile, or not ours to read.
        return
    try:
        yield from _walk(inner, whole, wanted)
    finally:
        os.close(inner)


def _in_order(folder: int, at: str, wanted: Wanted) -> Iterator[str]:
    """Yield the names in a folder that are wanted, those of folders with a ``/``; a few of them are in memory."""
    last = ""
    while True:
        batch = heapq.nsmallest(_BATCH, (key for key in _keys(folder) if key > last and wanted.holds(f"{at}{key}")))
        yield from batch
        if len(batch) < _BATCH:
            return
        last = batch[-1]


def _keys(folder: int) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if not _is_shown(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield f"{entry.name}/"
            elif entry.is_file(follow_symlinks=False):
                yield entry.name


def _is_shown(name: str) -> bool:
    """Say whether others see what has this name; names that are no text are nobody's."""
    return bool(name) and not name.startswith(".") and not any("\ud800" <= character <= "\udfff" for character in name)


def _folder_at(directory: Path, folders: Iterable[str]) -> int:
    folder = os.open(directory, _FOLDER)
    for name in folders:
        try:
            inner = os.open(name, _FOLDER, dir_fd=folder)
        finally:
            os.close(folder)
        folder = inner
    return folder


def _seen(name: str, found: os.stat_result) -> Seen:
    return Seen(name, found.st_size, found.st_mtime_ns, f"0x{found.st_ino:X}{found.st_mtime_ns:X}")
