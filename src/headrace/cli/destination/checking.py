"""
Checking a folder without a server: each object as the server will check it, with the others of the folder beside it.

The names of files serve as ids, so that what the checks say is what the author wrote.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from headrace.cli.destination.findings import Finding
from headrace.cli.destination.folder import Folder, Object, line_of
from headrace.cli.destination.lock import NAME as LOCK
from headrace.cli.destination.nouns import NOUNS, Document, Reference, references
from headrace.cli.destination.secrets import secret_paths, variable_of, without_secrets
from headrace.cli.destination.syntax import Place
from headrace.cli.destination.values import at, path_of
from headrace.model.block import pointer
from headrace.model.problem import Problem
from headrace.model.reading import examine
from headrace.services.checks import EXAMINE

_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_IN_A_TEMPLATE = re.compile(r"(?P<name>[^\n]*?):(?P<line>\d+):(?P<column>\d+): (?P<message>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The objects of a folder, as the checks across objects ask for them: those that can be read as they should."""

    folder: Folder

    def get(self, noun: str, id_: str) -> Document | None:
        item = self.folder.objects.get(id_)
        return _checked(item) if item is not None and item.noun.name == noun and _is_whole(item) else None

    def all_of(self, noun: str) -> list[tuple[str, Document]]:
        return [(item.name, _checked(item)) for item in self.folder.of(NOUNS[noun]) if _is_whole(item)]


def check(folder: Folder) -> list[Finding]:
    """Find everything that is wrong in a folder, file by file and line by line."""
    found = list(folder.findings)
    for item in folder.objects.values():
        found += _problems(item, folder)
        found += _literal_secrets(item)
        found += _wrong_references(item, folder)
    if not folder.objects and not found and not (folder.root / LOCK).exists():
        message = "there is nothing here: `headrace destination new NAME` writes a folder to begin with"
        found.append(Finding(folder.root, Place(1, 1), "empty-folder", message))
    return sorted(set(found), key=lambda one: (str(one.file), one.place.line, one.place.column, one.message))


def finding_of(item: Object, problem: Problem) -> Finding:
    """Say where in its file, or in the file of its template, a problem of an object is."""
    file, place, text = item.path, item.written.place(_as_written(item, problem.pointer)), item.text
    message = problem.message
    told = _IN_A_TEMPLATE.match(message) if problem.pointer.endswith("/value") else None
    if told is not None and told["name"] == problem.pointer.removesuffix("/value")[1:]:
        inside = Place(int(told["line"]), int(told["column"]))
        message = told["message"]
        if (template := item.files.get(problem.pointer)) is not None:
            file, place, text = template, inside, str(at(item.document, path_of(item.document, problem.pointer)))
        elif (first := item.written.blocks.get(problem.pointer)) is not None:
            place = Place(first.line + inside.line - 1, first.column + inside.column - 1)
        else:
            message = f"line {inside.line}, column {inside.column} of the template: {message}"
    line = line_of(text, place.line)
    return Finding(file, place, problem.code, message, problem.severity, problem.pointer, line)


def _problems(item: Object, folder: Folder) -> Iterator[Finding]:
    """Check an object as a new one. What it points to and cannot be asked has findings of its own."""
    neighbours = Neighbours(folder)
    mute = {one.pointer for one in references(item.document) if neighbours.get(one.noun.name, one.value) is None}
    for problem in EXAMINE[item.noun.name](_checked(item), neighbours, None, True).problems:
        if problem.pointer not in mute:
            yield finding_of(item, problem)


def _is_whole(item: Object) -> bool:
    return examine(item.noun.block, _checked(item), strict=False).is_whole


def _checked(item: Object) -> Any:
    return without_secrets(item.noun, item.document)


def _literal_secrets(item: Object) -> Iterator[Finding]:
    for path in secret_paths(item.noun, item.document):
        value, name = at(item.document, path), path[-1]
        if variable_of(value) is None:
            what = "a secret stands in the file" if isinstance(value, str) else "this is not the name of a variable"
            message = f"{what}: write `{name}: {{env: NAME}}`, and set NAME where you push"
            at_place = pointer(path)
            place = item.written.place(at_place)
            # Without its line: who reads the log of a build need not read the secret.
            yield Finding(item.path, place, "secret-in-file", message, pointer=at_place)


def _wrong_references(item: Object, folder: Folder) -> Iterator[Finding]:
    for reference in references(item.document):
        there = folder.objects.get(reference.value)
        if _ID.fullmatch(reference.value):
            message = f"`{reference.value}` is an id of one server: only there can it be checked"
            found = item.finding("id-in-file", reference.pointer, message)
            yield replace(found, severity="warning")
        elif there is None or there.noun != reference.noun:
            yield item.finding("unknown-reference", reference.pointer, _no_such(reference, folder))


def _no_such(reference: Reference, folder: Folder) -> str:
    names = [item.name for item in folder.of(reference.noun)]
    wanted = f"{reference.noun.folder}/{reference.value.rpartition('/')[2]}"
    near = get_close_matches(wanted, names, n=1)
    others = f"write {wanted}.yaml, or take one of: {', '.join(names) or '(none)'}"
    there = f"did you mean `{near[0]}`?" if near else others
    return f"there is no {reference.noun.words} `{reference.value}` here; {there}"


def _as_written(item: Object, where: str) -> str:
    """Return the pointer of a place as the file has it: a template of another file stands there as `file`."""
    return where.removesuffix("/value") + "/file" if where in item.files else where
