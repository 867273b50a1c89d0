"""
A block of configuration: one class that validates the JSON, documents it, and is what the engine reads.

Reading finds every problem at once. Keys that the original sets by itself, or once knew, are accepted and ignored; any
other unknown key is refused with its path and the nearest right name, or only warned about when the caller is lenient.
"""

from collections.abc import Iterator, Mapping
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
        problems = [_problem(block, document, detail) for detail in failure.errors(include_url=False)]
    if strict or any(problem.code != "unknown-field" for problem in problems):
        unknown_as_error = problems if strict else [p for p in problems if p.code != "unknown-field"]
        raise ConfigurationError(unknown_as_error)
    warnings = [Problem(p.code, p.pointer, p.message, "warning") for p in problems]
    return block.model_validate(_without(document, {p.pointer for p in problems})), warnings


def pointer(path: tuple[int | str, ...]) -> str:
    """
    Write a path as a JSON pointer (RFC 6901).

    >>> pointer(("httpTemplate", "headers", 0, "a/b"))
    '/httpTemplate/headers/0/a~1b'
    """
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def _problem(block: type[Block], document: object, detail: ErrorDetails) -> Problem:
    path, kind = detail["loc"], detail["type"]
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
