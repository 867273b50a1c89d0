"""Finding what is secret in a document: by its block, and before anything is known of whether it is right."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, get_args

from headrace.model.block import Block, inner_block, pointer, wire_names
from headrace.model.kinds import SecretMark

Path = tuple[int | str, ...]


def secret_pointers(block: type[Block] | Block, document: object) -> list[str]:
    """
    Return the JSON pointers of every secret in a document of a block, in order.

    A secret is whatever stands in its field, of the right type or not; ``null`` and the empty text are none.
    """
    kind = block if isinstance(block, type) else type(block)
    waiting: list[tuple[type[Block], object, Path]] = [(kind, document, ())]
    found: list[Path] = []
    while waiting:
        owner, value, path = waiting.pop()
        if isinstance(value, Mapping):
            found += ((*path, name) for name in _secrets(owner, value) if value[name] not in (None, ""))
            waiting += _below(owner, value, path)
    return sorted(map(pointer, found))


def _secrets(owner: type[Block], document: Mapping[Any, object]) -> Iterator[Any]:
    names = marked(owner) | set(owner.secrets_in(document))
    return (name for name in document if owner.old_names.get(name, name) in names)


def _below(
    owner: type[Block], document: Mapping[Any, object], path: Path
) -> Iterator[tuple[type[Block], object, Path]]:
    fields = wire_names(owner)
    for name, value in document.items():
        field = fields.get(owner.old_names.get(name, name))
        held = inner_block(owner, field) if field is not None else None
        if held is not None:
            yield from ((held[0], item, (*path, name, *step)) for step, item in _items(value, held[1]))


def _items(value: object, holding: str) -> list[tuple[Path, object]]:
    if holding == "list" and isinstance(value, list | tuple):
        return [((place,), item) for place, item in enumerate(value)]
    if holding == "map" and isinstance(value, Mapping):
        return [((str(key),), item) for key, item in value.items()]
    return [((), value)]


@cache
def marked(block: type[Block]) -> frozenset[str]:
    """Return the names in JSON of the fields of a block that are secret in every document."""
    return frozenset(wire for wire, name in wire_names(block).items() if _is_marked(block, name))


def _is_marked(block: type[Block], name: str) -> bool:
    field = block.model_fields[name]
    parts = [*field.metadata, *(part for choice in get_args(field.annotation) for part in get_args(choice))]
    return any(isinstance(part, SecretMark) for part in parts)
