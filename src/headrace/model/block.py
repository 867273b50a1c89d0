"""
A block of configuration: one class that documents the JSON, checks it, and is what the engine reads.

A field says what is right for it alone. What binds several fields is a *rule*: a method that yields the problems that
it sees. ``reading.examine`` reads a document into blocks, as far as it can be read, and lets every rule speak that
finds the fields it looks at.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Strict
from pydantic.alias_generators import to_camel

from headrace.model.problem import Problem

#: What the server adds to every stored object; sent back by clients that read, change and replace.
SERVER_SET = frozenset({"instanceId", "createdDate", "lastModifiedDate", "qos"})

#: ``true`` or ``false``, and no text or number that looks like it.
Flag = Annotated[bool, Strict()]
#: A whole number, and no text or fraction that looks like it.
Whole = Annotated[int, Strict()]


def _as_whole(value: object) -> object:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19 else value


#: A whole number; published configurations write some of them as digits in quotes.
Count = Annotated[int, Strict(), BeforeValidator(_as_whole)]


class Block(BaseModel):
    """A frozen block: ``snake_case`` here, ``camelCase`` on the wire."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=False)

    #: Keys that are accepted and count for nothing: the original sets them by itself, or once knew them.
    ignored: ClassVar[frozenset[str]] = frozenset()
    #: Names that fields had in older forms of the original, each with the one it has now.
    old_names: ClassVar[Mapping[str, str]] = {}
    #: Fields that older forms of the original had and this one has not, each with what to do instead.
    retired: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def secrets_in(cls, document: Mapping[str, object]) -> Iterator[str]:
        """Yield the names of fields that are secrets in this document because of what else it says."""
        yield from ()


Rule = Callable[[Any], Iterator[Problem]]
R = TypeVar("R", bound=Rule)


def rule(check: R) -> R:
    """
    Mark a method of a block as a rule: it yields what is wrong, with pointers that begin at the block.

    It may look at every field below its block. Where one could not be read it stops there, without a word: that field
    has a problem of its own.
    """
    check.__dict__["is_rule"] = True
    return check


@cache
def rules_of(block: type[Block]) -> tuple[Rule, ...]:
    """Return the rules of a block, those it inherits first, in the order in which they are written."""
    found = {
        name: member for kind in reversed(block.__mro__) for name, member in vars(kind).items() if _is_rule(member)
    }
    return tuple(found.values())


def wire_names(block: type[Block]) -> dict[str, str]:
    """Return the fields of a block by the names they have in JSON."""
    return {field.alias or name: name for name, field in block.model_fields.items()}


def read_of(block: Block | None, name: str) -> Any:
    """Return a field of a block as far as it could be read, else ``None``: for rules that go on to the next block."""
    return None if block is None else block.__dict__.get(name)


def repeated(blocks: Iterable[Block], name: str = "name") -> Iterator[tuple[int, Any]]:
    """Yield the places of blocks whose name is that of one before them, and the name."""
    seen: set[Any] = set()
    for place, block in enumerate(blocks):
        said = read_of(block, name)
        if said in seen:
            yield place, said
        elif said is not None:
            seen.add(said)


Holding = Literal["one", "list", "map"]


@cache
def inner_block(block: type[Block], name: str) -> tuple[type[Block], Holding] | None:
    """Return the block that a field holds, and whether it holds one, a list or a map of them."""
    return _held(block.model_fields[name].annotation)


def pointer(path: tuple[int | str, ...]) -> str:
    """
    Write a path as a JSON pointer (RFC 6901).

    >>> pointer(("httpTemplate", "headers", 0, "a/b"))
    '/httpTemplate/headers/0/a~1b'
    """
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def steps(text: str) -> list[str]:
    """
    Read the steps of a JSON pointer.

    >>> steps("/a~1b/0")
    ['a/b', '0']
    """
    return [step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:]]


def _is_rule(member: object) -> bool:
    return callable(member) and getattr(member, "is_rule", False)


def _held(annotation: Any) -> tuple[type[Block], Holding] | None:
    if isinstance(annotation, type) and issubclass(annotation, Block):
        return annotation, "one"
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return next((held for argument in arguments if (held := _held(argument))), None)
    inner = _held(arguments[-1 if origin is dict else 0]) if origin in (tuple, dict) else None
    return None if inner is None else (inner[0], "map" if origin is dict else "list")
