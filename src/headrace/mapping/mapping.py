"""The mapping of one dataflow: which attributes and identities of a person the partner may see, and under what name."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from headrace.mapping.hashing import Transform, transform
from headrace.mapping.paths import Getter, getter
from headrace.model.profile import Profile, is_identity

Identities = dict[str, list[dict[str, str]]]
_PLAIN = (str, int, float)


@dataclass(frozen=True, slots=True)
class AttributeRow:
    """A source attribute and its name at the partner."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class IdentityRow:
    """A source of identities (namespace, or attribute's path), the target namespace, and how values are transformed."""

    source: str
    target: str
    is_attribute: bool = False
    transformation: str | None = None


@dataclass(frozen=True, slots=True)
class _CompiledIdentity:
    row: IdentityRow
    get: Getter
    transform: Transform


@dataclass(frozen=True)
class Mapping:
    """
    Rows compiled to functions. ``predefined``: attributes stand bare and absent ones are left out; else each stands
    under ``value`` and an absent one is the empty object. ``namespaces`` orders the target identities.
    """

    attribute_rows: tuple[AttributeRow, ...]
    identity_rows: tuple[IdentityRow, ...]
    predefined: bool = False
    namespaces: tuple[str, ...] = ()
    _attributes: tuple[tuple[str, Getter], ...] = field(init=False)
    _identities: tuple[_CompiledIdentity, ...] = field(init=False)
    _sources: tuple[Getter, ...] = field(init=False)

    def __post_init__(self) -> None:
        rows = sorted(self.identity_rows, key=lambda row: _place(self.namespaces, row.target))
        identities = tuple(_CompiledIdentity(row, _values(row), transform(row.transformation)) for row in rows)
        attributes = tuple((row.target, getter(row.source)) for row in self.attribute_rows)
        object.__setattr__(self, "_attributes", attributes)
        object.__setattr__(self, "_identities", identities)
        object.__setattr__(self, "_sources", (*(get for _, get in attributes), *(item.get for item in identities)))

    def attributes(self, profile: Profile) -> dict[str, Any]:
        """Return the target attributes of a profile, in mapping order."""
        if self.predefined:
            return {target: value for target, get in self._attributes if (value := get(profile)) is not None}
        return {target: {} if (value := get(profile)) is None else {"value": value} for target, get in self._attributes}

    def identities(self, profile: Profile) -> Identities:
        """Return the target identities; a namespace without any is absent, and no value stands twice in one."""
        found: Identities = {}
        for item in self._identities:
            for value in item.get(profile) or ():
                identity = {"id": item.transform(value)}
                known = found.setdefault(item.row.target, [])
                if identity not in known:
                    known.append(identity)
        return found

    def differs(self, before: Profile, after: Profile) -> bool:
        """Say whether anything that is mapped differs between two states of a profile."""
        return any(get(before) != get(after) for get in self._sources)


def _values(row: IdentityRow) -> Getter:
    """Return a function from a profile to the list of source values; an attribute must be a text or a number."""

    def plain(value: object) -> list[str] | None:
        return [text] if type(value) in _PLAIN and is_identity(text := str(value)) else None

    if row.is_attribute:
        get = getter(row.source)
        return lambda profile: plain(get(profile))
    namespace = row.source
    return lambda profile: list(_ids((profile.get("identityMap") or {}).get(namespace)))


def _ids(identities: Sequence[dict[str, Any]] | None) -> Iterator[str]:
    for identity in identities or ():
        yield identity["id"]


def _place(namespaces: Sequence[str], name: str) -> int:
    return namespaces.index(name) if name in namespaces else len(namespaces)
