"""Folders for tests, written in a line each."""

from pathlib import Path

from headrace.cli.destination.checking import check
from headrace.cli.destination.folder import Folder, read_folder
from headrace.cli.destination.scaffold import Kind, SignIn, new_folder


def write(root: Path, files: dict[str, str]) -> Path:
    """Write files into a folder."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def acme(root: Path, **changed: str) -> Path:
    """Write the folder of a new destination; ``changed`` replaces texts of all of its files."""
    files = new_folder("Acme", Kind.streaming, SignIn.bearer)
    for name, text in files.items():
        for old, new in changed.items():
            text = text.replace(old, new)
        files[name] = text
    return write(root, files)


def changed(root: Path, file: str, old: str, new: str) -> Folder:
    """Change a text of a file and read the folder."""
    path = root / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return read_folder(root)


def found(root: Path) -> list[str]:
    """Return what is found in a folder, without the excerpts, with paths from the folder."""
    return [str(one).splitlines()[0].replace(f"{root}/", "") for one in check(read_folder(root))]
