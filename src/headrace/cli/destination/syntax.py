"""
YAML and JSON as files of configuration are written in: read with the place of every value, written for people.

YAML is read as JSON would be: what stands bare is a text, unless it is ``true``, ``false``, ``null`` or a number as
JSON writes it. What readers of YAML disagree about (``no``, ``0123``, ``1e3``) is refused with the two ways to say it.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from headrace.model.block import pointer

Path = tuple[int | str, ...]

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][-+][0-9]+)?)?")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
#: What one reader of YAML takes for a text, and another for a number or a truth value.
_DISPUTED = re.compile(
    r"(?i:y|n|yes|no|on|off|true|false|null)"
    r"|[-+]?0[0-9_]+|[-+]?0[xob][0-9a-fA-F_]+|[-+]?[0-9][0-9_]*_[0-9_.]*|\+[0-9.]+"
    r"|[-+]?(?:\.[0-9]+|[0-9]+\.|[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+)|[-+]?\.(?i:inf)|\.(?i:nan)"
)
#: Breaks of lines, to YAML, that would come back as others unless they are written as escapes.
_ODD_BREAK = re.compile("[\r\x85\u2028\u2029]")
#: More values than any destination has; what unfolds to more by its aliases is no configuration.
MOST_VALUES = 100_000
_STR, _MAP, _SEQ = (f"tag:yaml.org,2002:{kind}" for kind in ("str", "map", "seq"))


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a text; lines and columns count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something in a text that cannot be read."""

    place: Place
    message: str
    code: str


@dataclass(frozen=True, slots=True)
class Written:
    """
    A document with the places of its values by their JSON pointers.

    ``blocks`` are the texts that stand in lines of their own (``|``): where their first character is.
    """

    value: Any = None
    places: dict[str, Place] = field(default_factory=dict)
    blocks: dict[str, Place] = field(default_factory=dict)
    mistakes: tuple[Mistake, ...] = ()

    def place(self, at: str) -> Place:
        """Return the place of a pointer, or of the nearest thing that holds it."""
        while at and at not in self.places:
            at = at.rpartition("/")[0]
        return self.places.get(at, Place(1, 1))


class _Loader(yaml.SafeLoader):
    """Resolves nothing by itself: bare words are read by our own table."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as the library declares it


def read_yaml(text: str) -> Written:
    """Read YAML: one document, no tags."""
    try:
        root = yaml.compose(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark is not None else Place(1, 1)
        return Written(mistakes=(Mistake(place, f"this is not YAML: {error.problem or error.context}", "not-yaml"),))
    except yaml.YAMLError as error:
        return Written(mistakes=(Mistake(Place(1, 1), f"this is not YAML: {error}".splitlines()[0], "not-yaml"),))
    return _Reader(text, is_yaml=True).read(root)


def read_json(text: str) -> Written:
    """Read JSON; places are found where its layout allows, which is everywhere but in odd corners."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        message = f"this is not JSON: {error.msg[:1].lower()}{error.msg[1:]}"
        return Written(mistakes=(Mistake(Place(error.lineno, error.colno), message, "not-json"),))
    try:
        placed = _Reader(text, is_yaml=False).read(yaml.compose(text.replace("\t", " "), _Loader))
    except yaml.YAMLError:
        return Written(value)
    return Written(value, placed.places, mistakes=placed.mistakes)


class _Reader:
    """Makes values of the nodes of one text."""

    def __init__(self, text: str, *, is_yaml: bool) -> None:
        self._lines = text.split("\n")
        self._is_yaml = is_yaml
        self._places: dict[str, Place] = {}
        self._blocks: dict[str, Place] = {}
        self._mistakes: list[Mistake] = []
        self._count = 0

    def read(self, root: yaml.Node | None) -> Written:
        value = self._value(root, (), ()) if root is not None else None
        return Written(value, self._places, self._blocks, tuple(self._mistakes))

    def _value(self, node: yaml.Node, path: Path, above: tuple[yaml.Node, ...]) -> Any:
        self._count += 1
        self._places.setdefault(pointer(path), _place(node))
        if node in above or self._count > MOST_VALUES:
            if self._count <= MOST_VALUES + 1:
                self._refuse(node, "an alias may not unfold without end: write it out", "not-yaml")
            return None
        if isinstance(node, yaml.MappingNode) and node.tag == _MAP:
            return dict(self._members(node, path, (*above, node)))
        if isinstance(node, yaml.SequenceNode) and node.tag == _SEQ:
            return [self._value(item, (*path, place), (*above, node)) for place, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and node.tag == _STR:
            return self._scalar(node, path)
        return self._refuse(node, f"the tag {node.tag!r} has no meaning here: leave it out", "not-yaml")

    def _members(self, node: yaml.MappingNode, path: Path, above: tuple[yaml.Node, ...]) -> Iterator[tuple[str, Any]]:
        seen: set[str] = set()
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._refuse(key, "a name is a text", "not-yaml")
                continue
            if key.value in seen:
                self._refuse(key, f"`{key.value}` stands here twice: keep one of them", "given-twice")
            seen.add(key.value)
            self._places[pointer((*path, key.value))] = _place(key)
            yield key.value, self._value(item, (*path, key.value), above)

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        text: str = node.value
        if node.style == "|":
            self._blocks[pointer(path)] = self._first_of_block(node)
        if node.style is not None or not self._is_yaml:
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _NUMBER.fullmatch(text):
            return json.loads(text)
        if _DISPUTED.fullmatch(text):
            either = f"write `'{text}'` if the text is meant, {_plain(text)}"
            return self._refuse(node, f"readers of YAML disagree about a bare `{text}`: {either}", "disputed-value")
        return text

    def _first_of_block(self, node: yaml.ScalarNode) -> Place:
        first = node.start_mark.line + 1
        indent = _indent(self._lines[first:]) - _indent(node.value.splitlines())
        return Place(first + 1, indent + 1)

    def _refuse(self, node: yaml.Node, message: str, code: str) -> None:
        self._mistakes.append(Mistake(_place(node), message, code))


def _indent(lines: list[str]) -> int:
    """Return by how many blanks the first line that is not empty stands in."""
    return next((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), 0)


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _plain(text: str) -> str:
    """Say how JSON writes what else a disputed word may mean."""
    if text.lower() in ("y", "yes", "on", "true"):
        return "`true` if not"
    if text.lower() in ("n", "no", "off", "false"):
        return "`false` if not"
    return "`null` if not" if text.lower() == "null" else "a plain number such as `42` if not"


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and quotes what ``read_yaml`` would not read as a text."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    is_bare = text not in _WORDS and not _NUMBER.fullmatch(text) and not _DISPUTED.fullmatch(text)
    style = '"' if _ODD_BREAK.search(text) else "|" if "\n" in text else None if is_bare else "'"
    return dumper.represent_scalar(_STR, text, style=style)


_Dumper.add_representer(str, _represent_text)
_Dumper.ignore_aliases = lambda *_: True  # type: ignore[method-assign]


def write_yaml(value: Any) -> str:
    """Write YAML in block style, members in the order they have; ``read_yaml`` reads the same value."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1 << 30)


def write_json(value: Any) -> str:
    """Write JSON for people."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
