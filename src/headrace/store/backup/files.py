"""
The files of the data directory that the store names: lists of members, what was uploaded, copies of datasets.

They are linked to in a folder beside them before they are read, so that what is removed or put in their place meanwhile
stays as it is. They are linked before the moment of the backup and after it: what the store names at that moment was
there at one of the two.
"""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

#: The folders of the data directory that belong to a store.
FOLDERS = ("audiences", "datasets")
#: Where files are linked to while a backup is taken.
LINKED = "backing-up"
#: Folders in which work is done: nothing in them is named by the store.
_PASSING = frozenset({"scratch", "spill", "parted"})


def link(directory: Path) -> None:
    """Link to every file that is there now; a newer one takes the place of an older of the same name."""
    for file in _files(directory):
        target = directory / LINKED / file.relative_to(directory)
        with contextlib.suppress(FileNotFoundError):  # It was removed just now.
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            target.unlink(missing_ok=True)
            target.hardlink_to(file)


def linked(directory: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files that were linked to, each with the name that it has in the data directory."""
    root = directory / LINKED
    for file in sorted(path for path in root.rglob("*") if path.is_file()):
        yield file.relative_to(root).as_posix(), file


def unlink(directory: Path) -> None:
    """Remove the links, also those of a process that died: people are erased from files, and these are the same."""
    shutil.rmtree(directory / LINKED, ignore_errors=True)


def _files(directory: Path) -> Iterator[Path]:
    for folder in FOLDERS:
        for path in (directory / folder).rglob("*"):
            if (
                not _PASSING.intersection(path.relative_to(directory).parts)
                and path.is_file()
                and not path.is_symlink()
            ):
                yield path
