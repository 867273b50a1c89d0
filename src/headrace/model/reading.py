"""
Reading a document into blocks: as far as it can be read, with every problem at once.

What is wrong in one place hides nothing in another: a field that cannot be read is left out of its block, and the rules
that look at it are not asked; all others are.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any, Generic, TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from headrace.model.block import Block, inner_block, pointer, rules_of, steps, wire_names
from headrace.model.codes import CODES
from headrace.model.problem import ConfigurationError, Problem
from headrace.model.wording import LONGEST_SHOWN, shown, what_it_is

B = TypeVar("B", bound=Block)
_UNREAD = object()
#: Steps into a document beyond which no block is read.
DEEPEST = 60
Path = tuple[int | str, ...]
#: What is an error, and leaves every field of a block to be read.
_HARMLESS = ("unknown-field", "retired-field", "two-names")


@dataclass(frozen=True, slots=True)
class Examined(Generic[B]):
    """
    What a document says, and what is wrong with it.

    ``block`` lacks the fields that could not be read: looking at one raises ``AttributeError``. It is whole where
    ``is_whole`` says so, whatever the rules have found.
    """

    block: B
    problems: list[Problem]
    is_whole: bool
    is_strict: bool = True

    def ask(self, problems: Iterator[Problem]) -> None:
        """Add what a rule from elsewhere yields, as far as it gets with what could be read."""
        self.problems.extend(_weighed(_as_far_as_read(problems, self.is_whole), self.is_strict))

    @property
    def errors(self) -> list[Problem]:
        return [problem for problem in self.problems if problem.is_error]

    @property
    def warnings(self) -> list[Problem]:
        return [problem for problem in self.problems if not problem.is_error]


def examine(block: type[B], document: object, *, strict: bool = True) -> Examined[B]:
    """Read a document into a block as far as it goes. With ``strict`` false, what is forgiven is a warning."""
    reader = _Reader()
    result = reader.block(block, document, ())
    is_whole = not any(problem.is_error and problem.code not in _HARMLESS for problem in reader.problems)
    judged = [reader.as_written(problem) for problem in reader.judged(is_whole)]
    return Examined(result, list(_weighed([*reader.problems, *judged], strict)), is_whole, strict)


def read(block: type[B], document: object, *, strict: bool = True) -> tuple[B, list[Problem]]:
    """
    Read a block from JSON and return it with the warnings.

    Raises:
        ConfigurationError: there are errors; it carries the warnings too.
    """
    examined = examine(block, document, strict=strict)
    if examined.errors:
        raise ConfigurationError(examined.problems)
    return examined.block, examined.problems


class _Reader:
    """Reads blocks of one document and collects what is wrong with their fields."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._blocks: list[tuple[Block, Path]] = []
        #: The names that fields have in the document where that is an old one, by their pointers under the new one.
        self._written: dict[str, str] = {}

    def block(self, kind: type[B], value: object, path: Path) -> B:
        made = _without_fields(kind)
        if not isinstance(value, Mapping):
            self._find("invalid", path, f"{_name_of(path)} must be a JSON object")
            return made
        if len(path) > DEEPEST:
            self._find("invalid", path, f"{_name_of(path)} stands too deep inside of others; use fewer levels")
            return made
        self._blocks.append((made, path))
        names = wire_names(kind)
        given = self._by_new_names(kind, value, path)
        for key in given.keys() - names.keys() - kind.ignored:
            self._find_unknown(kind, str(key), path)
        fields = {name: self._field(kind, name, given, wire, path) for wire, name in names.items()}
        made.__dict__.update({name: item for name, item in fields.items() if item is not _UNREAD})
        made.__pydantic_fields_set__.update(names[key] for key in given.keys() & names.keys())
        return made

    def judged(self, is_whole: bool) -> Iterator[Problem]:
        """Ask the rules of every block that was read, those of an item too whose list is wrong."""
        for block, path in self._blocks:
            for check in rules_of(type(block)):
                for problem in _as_far_as_read(check(block), is_whole):
                    yield replace(problem, pointer=pointer(path) + problem.pointer)

    def as_written(self, problem: Problem) -> Problem:
        """Point to where the document has a field that a rule calls by its new name."""
        if not self._written:
            return problem
        path: Path = ()
        for step in steps(problem.pointer):
            path = (*path, self._written.get(pointer((*path, step)), step))
        return replace(problem, pointer=pointer(path))

    def _by_new_names(self, kind: type[Block], value: Mapping[str, object], path: Path) -> dict[str, object]:
        given = {key: item for key, item in value.items() if key not in kind.old_names}
        for old, new in kind.old_names.items():
            if old not in value:
                continue
            self._find("old-name", (*path, old), f"`{old}` is called `{new}` now")
            if new not in given:
                given[new] = value[old]
                self._written[pointer((*path, new))] = old
            elif given[new] != value[old]:
                self._find("two-names", (*path, old), f"`{old}` and `{new}` are one field, and say different things")
        return given

    def _field(self, kind: type[Block], name: str, given: dict[str, object], wire: str, path: Path) -> Any:
        field = kind.model_fields[name]
        if wire not in given:
            if not field.is_required():
                return field.get_default(call_default_factory=True)
            self._find("missing-field", (*path, wire), f"`{wire}` is missing; add it")
            return _UNREAD
        where = (*path, self._written.get(pointer((*path, wire)), wire))
        held = inner_block(kind, name)
        if held is None or given[wire] is None:
            return self._value(_adapter(kind, name), given[wire], where)
        inner, holding = held
        if holding == "one":
            return self.block(inner, given[wire], where)
        return self._many(kind, name, given[wire], where)

    def _many(self, kind: type[Block], name: str, value: object, path: Path) -> Any:
        """Read a list or a map of blocks: its own form, and each of its items, whatever is wrong with the form."""
        held = inner_block(kind, name)
        assert held is not None
        inner, holding = held
        items = self._value(_outer(kind, name), value, path)
        read: Any = _UNREAD
        if holding == "map" and isinstance(value, Mapping):
            read = {str(key): self.block(inner, item, (*path, str(key))) for key, item in value.items()}
        elif holding == "list" and isinstance(value, list | tuple):
            read = tuple(self.block(inner, item, (*path, place)) for place, item in enumerate(value))
        return _UNREAD if items is _UNREAD else read

    def _value(self, adapter: TypeAdapter[Any], value: object, path: Path) -> Any:
        try:
            return adapter.validate_python(value)
        except ValidationError as failure:
            self.problems += _each_once(_problem(detail, value, path) for detail in failure.errors(include_url=False))
            return _UNREAD

    def _find(self, code: str, path: Path, message: str) -> None:
        self.problems.append(Problem(code, pointer(path), message))

    def _find_unknown(self, kind: type[Block], key: str, path: Path) -> None:
        if key in kind.retired:
            self._find("retired-field", (*path, key), f"`{key}` is no more: {kind.retired[key]}")
        else:
            self._find("unknown-field", (*path, key), _unknown(key, kind))


@cache
def _adapter(kind: type[Block], name: str) -> TypeAdapter[Any]:
    """Return what reads a field that holds no blocks."""
    field = kind.model_fields[name]
    annotation: Any = field.annotation
    return TypeAdapter(Annotated[annotation, *field.metadata] if field.metadata else annotation)


@cache
def _outer(kind: type[Block], name: str) -> TypeAdapter[Any]:
    """Return what checks the form of a list or a map of blocks, whatever is in it."""
    field = kind.model_fields[name]
    held = inner_block(kind, name)
    outer: Any = dict[str, Any] if held is not None and held[1] == "map" else tuple[Any, ...]
    return TypeAdapter(Annotated[outer, *field.metadata] if field.metadata else outer)


def _as_far_as_read(problems: Iterator[Problem], is_whole: bool) -> Iterator[Problem]:
    try:
        yield from problems
    except AttributeError:
        if is_whole:
            raise


def _weighed(problems: Iterable[Problem], strict: bool) -> Iterator[Problem]:
    """Make warnings of the errors that are forgiven where nobody is strict."""
    for problem in problems:
        is_forgiven = not strict and problem.is_error and CODES[problem.code].forgiven
        yield replace(problem, severity="warning") if is_forgiven else problem


def _problem(detail: ErrorDetails, value: object, path: Path) -> Problem:
    inside = _inside(value, detail["loc"])
    where, name = pointer((*path, *inside)), _name_of((*path, *inside))
    if detail["type"] == "literal_error":
        return Problem("not-allowed", where, f"{shown(detail['input'])} is not allowed here; use {_expected(detail)}")
    code = detail["type"] if detail["type"] in CODES else "invalid"
    return Problem(code, where, f"{name} {what_it_is(detail)}")


def _expected(detail: ErrorDetails) -> str:
    return str(detail["ctx"]["expected"])


def _inside(value: Any, path: Path) -> Path:
    """Return as much of a path as is in the value; what follows only names the alternatives it was tried as."""
    for place, step in enumerate(path):
        is_there = isinstance(step, int) if isinstance(value, list) else isinstance(value, Mapping) and step in value
        if not is_there:
            return path[:place]
        value = value[step]
    return path


def _each_once(problems: Iterable[Problem]) -> list[Problem]:
    """Make one problem of those that say of one value that it is none of several alternatives."""
    found: dict[str, Problem] = {}
    for problem in problems:
        known = found.setdefault(problem.pointer, problem)
        if known is not problem:
            both = f"{known.message}, or {problem.message.split(' ', 1)[-1]}"
            found[problem.pointer] = replace(known, message=both)
    return list(found.values())


def _without_fields(kind: type[B]) -> B:
    """Make a block of which nothing could be read."""
    made = cast(B, kind.model_construct(_fields_set=set()))
    made.__dict__.clear()
    return made


def _name_of(path: Path) -> str:
    """Return what a person calls a place: the nearest name on the way to it."""
    name = next((str(step) for step in reversed(path) if not isinstance(step, int)), None)
    return "the document" if name is None else f"`{name}`"


def _unknown(name: str, owner: type[Block]) -> str:
    known = sorted(wire_names(owner))
    lowered = {wire.lower(): wire for wire in known}
    called = f"`{name[:LONGEST_SHOWN]}` is not a field here"
    near = get_close_matches(name[:LONGEST_SHOWN].lower(), lowered, n=1)
    return f"{called}; did you mean `{lowered[near[0]]}`?" if near else f"{called}; these are: {', '.join(known)}"
