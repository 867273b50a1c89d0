"""
A folder of configuration: one file for each object, named as others refer to it.

    destination.yaml            the only destination, or destinations/NAME.yaml for each of several
    servers/NAME.yaml           NAME is what references say: `destinationServerId: servers/NAME`
    audience-templates/NAME.yaml
    credentials/NAME.yaml

A template may lie in a file of its own: `{templatingStrategy: PEBBLE_V1, file: body.peb}`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headrace.cli.destination.findings import Finding
from headrace.cli.destination.inside import OutsideError, beside, inside, read_text
from headrace.cli.destination.nouns import BY_FOLDER, ONLY, Noun, noun_of
from headrace.cli.destination.syntax import Place, Written, read_json, read_yaml
from headrace.cli.destination.values import put, walk
from headrace.errors import AuthoringError
from headrace.model.block import pointer

READERS = {".yaml": read_yaml, ".yml": read_yaml, ".json": read_json}


@dataclass(frozen=True)
class Object:
    """
    One object of a folder, read from its file.

    ``document`` is what the file says, templates of other files in their places; ``files`` are these, by the pointers
    of their texts.
    """

    name: str
    path: Path
    text: str
    written: Written
    document: Any
    files: dict[str, Path] = field(default_factory=dict)

    @property
    def noun(self) -> Noun:
        return noun_of(self.name)

    def finding(self, code: str, at: str, message: str, place: Place | None = None) -> Finding:
        """Say what is wrong at a pointer of this object."""
        place = place or self.written.place(at)
        return Finding(self.path, place, code, message, pointer=at, source_line=line_of(self.text, place.line))


@dataclass(frozen=True)
class Folder:
    """All objects of a folder by their names, and what could not be read."""

    root: Path
    objects: dict[str, Object]
    findings: list[Finding]

    def of(self, noun: Noun) -> list[Object]:
        return [item for item in self.objects.values() if item.noun == noun]


def read_folder(root: Path) -> Folder:
    """
    Read every object of a folder, as far as it can be read.

    Raises:
        AuthoringError: there is no such folder, or nothing in it.
    """
    if not root.is_dir():
        raise AuthoringError(f"there is no folder {root}")
    folder = Folder(root, {}, [])
    for name, path in _object_files(root):
        if name in folder.objects:
            message = f"`{name}` is already in {folder.objects[name].path.name}: keep one of the two"
            folder.findings.append(Finding(path, Place(1, 1), "two-files", message))
        elif (read := _read_object(folder, name, path)) is not None:
            folder.objects[name] = read
    _refuse_both_layouts(folder)
    return folder


def _object_files(root: Path) -> Iterator[tuple[str, Path]]:
    for ending in READERS:
        if (path := root / f"{ONLY}{ending}").exists():
            yield ONLY, path
    for name in BY_FOLDER:
        for path in sorted((root / name).glob("*")):
            if path.suffix in READERS and not path.name.startswith("."):
                yield f"{name}/{path.stem}", path


def _read_object(folder: Folder, name: str, path: Path) -> Object | None:
    try:
        text = read_text(inside(folder.root, path))
    except AuthoringError as error:
        folder.findings.append(Finding(path, Place(1, 1), _code(error, "unreadable-file"), error.message))
        return None
    written = READERS[path.suffix](text)
    for mistake in written.mistakes:
        line = line_of(text, mistake.place.line)
        folder.findings.append(Finding(path, mistake.place, mistake.code, mistake.message, source_line=line))
    if written.mistakes:
        return None
    return _with_files(folder, Object(name, path, text, written, written.value))


def _with_files(folder: Folder, item: Object) -> Object:
    """Put the templates that lie in files of their own into their places."""
    document, files = item.document, dict[str, Path]()
    for path, value in walk(item.document):
        if not (isinstance(value, dict) and "file" in value and "templatingStrategy" in value):
            continue
        at = pointer((*path, "file"))
        try:
            file: Path | None
            text, file = _file_of(folder.root, item.path, value)
        except AuthoringError as error:
            folder.findings.append(item.finding(_code(error, "template-file"), at, error.message))
            text, file = "", None
        members = {("value" if key == "file" else key): given for key, given in value.items() if key != "value"}
        document = put(document, path, {**members, "value": text})
        if file is not None:
            files[pointer((*path, "value"))] = file
    return Object(item.name, item.path, item.text, item.written, document, files)


def _file_of(root: Path, path: Path, value: dict[str, Any]) -> tuple[str, Path]:
    if "value" in value:
        raise AuthoringError("a template stands here, in `value`, or in a `file`: keep one of the two")
    if not isinstance(value["file"], str):
        raise AuthoringError("`file` is the path of the template, from where this file lies")
    file = beside(root, path, value["file"])
    try:
        return read_text(file), file
    except AuthoringError as error:
        raise AuthoringError(f"{file}: {error.message}") from None


def _code(error: AuthoringError, otherwise: str) -> str:
    return "outside-folder" if isinstance(error, OutsideError) else otherwise


def _refuse_both_layouts(folder: Folder) -> None:
    several = [item for item in folder.objects.values() if item.name.startswith("destinations/")]
    if ONLY in folder.objects and several:
        message = f"a folder has {ONLY}.yaml, or destinations/NAME.yaml for each: move this one there"
        folder.findings.append(folder.objects[ONLY].finding("two-files", "", message))


def line_of(text: str, number: int) -> str:
    """Return a line of a text; nothing beyond its end."""
    lines = text.split("\n")
    return lines[number - 1].rstrip("\r") if number <= len(lines) else ""
