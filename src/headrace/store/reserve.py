"""
A file that takes room on the disk and holds nothing: it is given up when the disk is full, so that one can delete.

While it is missing nothing new is to be taken in; what is there is delivered, and may be removed. It is made again once
there is room for it twice.
"""

import contextlib
import os
import shutil
from pathlib import Path

#: Its name in the data directory.
FILE = "reserve"


class Reserve:
    """The reserve of a data directory. A size of 0: there is none."""

    def __init__(self, directory: Path, size: int = 0) -> None:
        self._path = directory / FILE
        self._size = size
        self.is_short = False

    def make(self) -> bool:
        """Make the file if there is room, and say whether it is there; a size that was set anew counts."""
        if not self._size:
            self._path.unlink(missing_ok=True)
            self.is_short = False
            return True
        if not self._is_whole():
            self.is_short = not self._made()
        return not self.is_short

    def release(self) -> None:
        """Give the room up."""
        if self._size:
            self.is_short = True
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)

    def _is_whole(self) -> bool:
        return self._path.exists() and self._path.stat().st_size == self._size

    def _made(self) -> bool:
        try:
            self._path.unlink(missing_ok=True)
            if shutil.disk_usage(self._path.parent).free < 2 * self._size:
                return False
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self._size)
            finally:
                os.close(descriptor)
        except OSError:
            self._path.unlink(missing_ok=True)
            return False
        return True
