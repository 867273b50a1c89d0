"""
A block of configuration: one class that validates the JSON, documents it, and is what the engine reads.

Reading finds every problem at once. Keys that the original sets by itself, or once knew, are accepted and ignored; any
other unknown key is refused with its path and the nearest right name, or only warned about when the caller is lenient.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, ClassVar, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from headrace.model.problem import ConfigurationError, Problem

#: What the server adds to every stored object; sent back by clients that read, change and replace.
SERVER_SET = frozenset({"instanceId", "createdDate", "lastModifiedDate", "qos"})


class Block(BaseModel):
    """A frozen block: ``snake_case`` here, ``camelCase`` on the wire, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=False)

    ignored: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _forget_ignored(cls, value: object) -> object:
        if not cls.ignored or not isinstance(value, Mapping):
            return value
        return {key: item for key, item in value.items() if key not in cls.ignored}


B = TypeVar("B", bound=Block)


def read(block: type[B], document: object, *, strict: bool = True) -> tuple[B, list[Problem]]:
    """
    Read a block from JSON and return it with the warnings.

    With ``strict`` false, unknown keys are warnings: they are left out of the block.

    Raises:
        ConfigurationError: with every error found.
    """
    try:
        return block.model_validate(document), []
    except ValidationError as failure:
        details = [detail for detail in failure.errors(include_url=False) if not _is_echo(detail)]
        problems = _each_once(_problem(block, document, detail) for detail in details)
    unknown = [problem for problem in problems if problem.code == "unknown-field"]
    if strict or not unknown:
        raise ConfigurationError(problems)
    # Rules between fields are only looked at once every field is right, so the second look may find something new.
    result, others = read(block, _without(document, {problem.pointer for problem in unknown}), strict=False)
    return result, [replace(problem, severity="warning") for problem in unknown] + others


def pointer(path: tuple[int | str, ...]) -> str:
    """
    Write a path as a JSON pointer (RFC 6901).

    >>> pointer(("httpTemplate", "headers", 0, "a/b"))
    '/httpTemplate/headers/0/a~1b'
    """
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def _problem(block: type[Block], document: object, detail: ErrorDetails) -> Problem:
    kind = detail["type"]
    path = detail["loc"] if kind == "missing" else _inside(document, detail["loc"])
    where = pointer(path)
    name = str(path[-1]) if path else "the document"
    if kind == "missing":
        return Problem("missing-field", where, f"`{name}` is missing")
    if kind == "extra_forbidden":
        return Problem("unknown-field", where, _unknown(name, _block_at(block, path[:-1])))
    if kind in ("literal_error", "enum"):
        return Problem("not-allowed", where, _not_one_of(detail, document))
    if kind in ("value_error", "assertion_error"):
        return Problem("invalid", where, detail["msg"].split(", ", 1)[-1])
    return Problem("invalid", where, f"`{name}`: {detail['msg'][:1].lower()}{detail['msg'][1:]}")


def _is_echo(detail: ErrorDetails) -> bool:
    """Say whether a list is only called too short because the items it has are wrong, each of which is told."""
    return detail["type"] == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"]


def _inside(document: Any, path: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Return as much of a path as is in the document; what follows only names the alternatives a value was tried as."""
    for place, step in enumerate(path):
        is_there = isinstance(step, int) if isinstance(document, list) else isinstance(document, Mapping)
        if not is_there or (isinstance(document, Mapping) and step not in document):
            return path[:place]
        document = document[step]
    return path


def _each_once(problems: Iterable[Problem]) -> list[Problem]:
    """Make one problem of those that say of one value that it is none of several alternatives."""
    found: dict[tuple[str, str], Problem] = {}
    for problem in problems:
        known = found.setdefault((problem.code, problem.pointer), problem)
        if known is not problem:
            both = f"{known.message}, or {problem.message.split(': ', 1)[-1]}"
            found[problem.code, problem.pointer] = replace(known, message=both)
    return list(found.values())


def _unknown(name: str, owner: type[Block] | None) -> str:
    if owner is None:
        return f"`{name}` is not a field here"
    known = sorted(alias for alias in _aliases(owner))
    lowered = {alias.lower(): alias for alias in known}
    near = get_close_matches(name.lower(), lowered, n=1)
    if near:
        return f"`{name}` is not a field here; did you mean `{lowered[near[0]]}`?"
    return f"`{name}` is not a field here; these are: {', '.join(known)}"


def _not_one_of(detail: ErrorDetails, document: object) -> str:
    allowed = str(detail.get("ctx", {}).get("expected", ""))
    return f"{detail['input']!r} is not allowed here; use {allowed}"


def _aliases(block: type[Block]) -> Iterator[str]:
    for name, field in block.model_fields.items():
        yield field.alias or name


def _block_at(block: type[Block], path: tuple[int | str, ...]) -> type[Block] | None:
    """Find the class of the block at a path of wire names, list positions and map keys."""
    if not path:
        return block
    for name, field in block.model_fields.items():
        if (field.alias or name) == path[0]:
            inner = list(_blocks_in(field.annotation))
            rest = path[1:]
            while inner and rest and rest[0] not in set(_aliases(inner[0])):
                rest = rest[1:]  # A list position or a map key: it names an item, not a field.
            return _block_at(inner[0], rest) if inner else None
    return None


def _blocks_in(annotation: Any) -> Iterator[type[Block]]:
    if isinstance(annotation, type) and issubclass(annotation, Block):
        yield annotation
    for argument in get_args(annotation):
        yield from _blocks_in(argument)


def _without(document: object, pointers: set[str], at: str = "") -> object:
    if isinstance(document, Mapping):
        kept = {key: (item, f"{at}{pointer((key,))}") for key, item in document.items()}
        return {key: _without(item, pointers, where) for key, (item, where) in kept.items() if where not in pointers}
    if isinstance(document, list):
        return [_without(item, pointers, f"{at}/{position}") for position, item in enumerate(document)]
    return document
