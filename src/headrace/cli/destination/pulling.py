"""Writing what a server has into files: never over what was edited here."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from headrace.cli.destination.comparing import as_file, is_same
from headrace.cli.destination.folder import READERS, Folder, Object, read_folder
from headrace.cli.destination.inside import write_text
from headrace.cli.destination.lock import Lock, Seen, digest
from headrace.cli.destination.nouns import NOUNS, ONLY, Document, Noun, noun_of, references, title_of
from headrace.cli.destination.remote import Remote, Stored
from headrace.cli.destination.scaffold import stem_of
from headrace.cli.destination.syntax import write_json, write_yaml
from headrace.cli.destination.values import at, path_of, put
from headrace.errors import AuthoringError
from headrace.services.checks import DESTINATION

_COMMENT = re.compile(r"(?:^|\s)#", re.MULTILINE)


class Result(StrEnum):
    """What became of a file."""

    written = "written"
    same = "same"
    edited = "edited"
    conflict = "conflict"
    gone = "gone"


@dataclass(frozen=True, slots=True)
class Pulled:
    """A file, and what became of it."""

    name: str
    result: Result
    path: Path | None = None
    note: str = ""


def pull(root: Path, remote: Remote, lock: Lock, wanted: list[str], *, overwrites: bool) -> Iterator[Pulled]:
    """Write the objects that are wanted, with all that they point to: those of the folder, or all there are."""
    folder = _folder(root)
    unreadable = {finding.file for finding in folder.findings}
    names = dict(_names(folder, remote, lock, _chosen(folder, remote, lock, wanted)))
    for id_, name in names.items():
        yield _one(folder, remote, lock, id_, name, names, overwrites=overwrites, unreadable=unreadable)
        lock.save()
    if not wanted:
        gone = "it was deleted on the server; its file stays"
        away = [name for name, seen in lock.seen.items() if seen.instance_id not in names]
        yield from (Pulled(name, Result.gone, _path(root, name), gone) for name in away)


def _folder(root: Path) -> Folder:
    root.mkdir(parents=True, exist_ok=True)
    return read_folder(root)


def _chosen(folder: Folder, remote: Remote, lock: Lock, wanted: list[str]) -> Iterator[tuple[Noun, Document]]:
    """Yield what is wanted, as the server lists it; what is pointed to comes before what points."""
    listed = {noun.name: {item["instanceId"]: item for item in remote.all_of(noun)} for noun in NOUNS.values()}
    if wanted:
        roots = [_destination(listed[DESTINATION], lock, name) for name in wanted]
        for item in roots:
            for reference in references(item):
                if reference.value in listed[reference.noun.name]:
                    yield reference.noun, listed[reference.noun.name][reference.value]
        yield from ((NOUNS[DESTINATION], item) for item in roots)
        return
    is_new = not folder.objects and not lock.seen
    known = {seen.instance_id for seen in lock.seen.values()}
    titles = {(item.noun.name, title_of(item.document)) for item in folder.objects.values()}
    for noun in NOUNS.values():
        for id_, item in listed[noun.name].items():
            if is_new or id_ in known or (noun.name, title_of(item)) in titles:
                yield noun, item


def _destination(listed: dict[str, Document], lock: Lock, name: str) -> Document:
    seen = lock.seen.get(name)
    ids = [id_ for id_, item in listed.items() if name in (id_, title_of(item)) or (seen and seen.instance_id == id_)]
    if len(ids) != 1:
        there = ", ".join(sorted(title_of(item) or id_ for id_, item in listed.items())) or "(none)"
        many = "no" if not ids else f"{len(ids)}"
        raise AuthoringError(f"there is {many} destination {name!r} on the server; these are: {there}")
    return listed[ids[0]]


def _names(
    folder: Folder, remote: Remote, lock: Lock, chosen: Iterator[tuple[Noun, Document]]
) -> Iterator[tuple[str, str]]:
    """Give every object a name in the folder: the one it has, or a new one made of its title."""
    taken = {**{name: seen.instance_id for name, seen in lock.seen.items()}}
    each = list({item["instanceId"]: (noun, item) for noun, item in chosen}.items())
    destinations = sum(noun.name == DESTINATION for _, (noun, _) in each)
    for id_, (noun, item) in each:
        name = lock.name_of(id_) or _by_title(folder, noun, item, taken)
        if name is None:
            name = _new_name(folder, noun, item, taken, is_only=destinations == 1)
        taken[name] = id_
        yield id_, name


def _by_title(folder: Folder, noun: Noun, item: Document, taken: dict[str, str]) -> str | None:
    title = title_of(item)
    named = [one.name for one in folder.of(noun) if title is not None and title_of(one.document) == title]
    return named[0] if len(named) == 1 and named[0] not in taken else None


def _new_name(folder: Folder, noun: Noun, item: Document, taken: dict[str, str], *, is_only: bool) -> str:
    others = [name for name in {*folder.objects, *taken} if noun_of(name) == noun]
    if noun.name == DESTINATION and is_only and not others:
        return ONLY
    if noun.name == DESTINATION and ONLY in others:
        message = f"this folder is for one destination: move {ONLY}.yaml to destinations/, or pull into another folder"
        raise AuthoringError(message)
    stem = stem_of(title_of(item) or noun.name)
    candidates = (f"{noun.folder}/{stem}{number}" for number in ("", *(f"-{count}" for count in range(2, 10_000))))
    return next(name for name in candidates if name not in others)


def _one(
    folder: Folder,
    remote: Remote,
    lock: Lock,
    id_: str,
    name: str,
    names: dict[str, str],
    *,
    overwrites: bool,
    unreadable: set[Path],
) -> Pulled:
    noun, local = noun_of(name), folder.objects.get(name)
    path = local.path if local is not None else _path(folder.root, name)
    stored = remote.read(noun, id_)
    if stored is None:
        return Pulled(name, Result.gone, path, "it is being deleted on the server")
    document = as_file(noun, stored, local, names, name.rpartition("/")[2])
    if local is not None and is_same(noun, local.document, document):
        lock.seen[name] = Seen(id_, stored.version, digest(local.document))
        return Pulled(name, Result.same, path)
    kept = _why_kept(local, path, stored, lock.seen.get(name), unreadable)
    if kept is not None and not overwrites:
        return Pulled(name, kept[0], path, kept[1])
    note = _write(folder, local, path, document)
    lock.seen[name] = Seen(id_, stored.version, digest(document))
    return Pulled(name, Result.written, path, note)


def _path(root: Path, name: str) -> Path:
    """Return the file of an object, whatever its ending; a new one is YAML."""
    there = [root / f"{name}{ending}" for ending in READERS if (root / f"{name}{ending}").exists()]
    return there[0] if there else root / f"{name}.yaml"


def _why_kept(
    local: Object | None, path: Path, stored: Stored, seen: Seen | None, unreadable: set[Path]
) -> tuple[Result, str] | None:
    """Say why a file is not to be overwritten; ``None``: it is as it was pulled, or not there."""
    if path in unreadable or (local is None and path.exists()):
        return Result.conflict, "the file here cannot be read; mend it, or --force"
    if local is None or (seen is not None and seen.digest == digest(local.document)):
        return None
    if seen is not None and seen.version == stored.version:
        return Result.edited, "edited here, and not on the server since; push it"
    return Result.conflict, "edited here and on the server; see `headrace destination diff`, then --force one of them"


def _write(folder: Folder, local: Object | None, path: Path, document: Document) -> str:
    """Write an object in the format of its file, its templates into the files they had; say what is lost by it."""
    written: Any = document
    for where, file in (local.files if local is not None else {}).items():
        place = path_of(document, where)
        if isinstance(text := at(document, place), str):
            write_text(folder.root, file, text)
            written = put(written, place[:-1], _pointing(at(written, place[:-1]), os.path.relpath(file, path.parent)))
    is_json = path.suffix == ".json"
    write_text(folder.root, path, write_json(written) if is_json else write_yaml(written))
    had_comments = local is not None and not is_json and _COMMENT.search(local.text)
    return "its comments are lost" if had_comments else ""


def _pointing(template: Document, name: str) -> Document:
    """Return a template whose text lies in a file."""
    return {("file" if key == "value" else key): name if key == "value" else item for key, item in template.items()}
