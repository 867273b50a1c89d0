"""Paths that stay inside a folder: what a file names is never read or written elsewhere."""

import os
import tempfile
from pathlib import Path

from headrace.errors import AuthoringError

#: More than a template may be; a larger file is no file of configuration.
LARGEST = 4 << 20


class OutsideError(AuthoringError):
    """The path leads out of the folder."""


def inside(root: Path, path: Path) -> Path:
    """
    Return a path of the folder as it is, links followed.

    Raises:
        OutsideError: it lies elsewhere.
    """
    if not path.resolve().is_relative_to(root.resolve()):
        raise OutsideError(f"{path} leads out of the folder: put the file itself here")
    return path


def beside(root: Path, file: Path, name: str) -> Path:
    """
    Return the file that another names: a path from where that one lies, downwards.

    Raises:
        OutsideError: it leads upwards, or elsewhere by a link.
    """
    named = Path(name)
    if not name or named.is_absolute() or ".." in named.parts or "\0" in name:
        raise OutsideError(f"`{name}` is no path to a file beside this one: it begins here and leads downwards")
    return inside(root, file.parent / named)


def read_text(path: Path) -> str:
    """
    Read a file of the folder.

    Raises:
        AuthoringError: it is not there, no file, too large, or not in UTF-8; the message says which.
    """
    try:
        if not path.is_file():
            raise AuthoringError("there is no such file" if not path.exists() else "this is not a file")
        content = path.read_bytes() if path.stat().st_size <= LARGEST else None
    except OSError as error:
        raise AuthoringError(f"it cannot be read: {error.strerror}") from None
    if content is None:
        raise AuthoringError(f"it is larger than {LARGEST >> 20} MiB: this is no file of configuration")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AuthoringError(f"it is not in UTF-8: byte {error.start} cannot be read") from None


def write_text(root: Path, path: Path, text: str) -> None:
    """Write a file of the folder: all of it, or nothing; never through a link that leads out."""
    inside(root, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
