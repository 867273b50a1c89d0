"""The mapping of one dataflow: which attributes and identities of a person the partner may see, and under what name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from headrace.mapping.audience_view import reads_audience
from headrace.mapping.calculated import Calculation, CalculationError, calculation
from headrace.mapping.hashing import Transform, is_of_phones, transform
from headrace.mapping.left_out import LeftOut, Withheld
from headrace.mapping.paths import Getter, getter, parse
from headrace.model.profile import Profile, is_identity

Identities = dict[str, list[dict[str, str]]]
#: A value of a person, or the reason why there is none.
Sources = Callable[[Profile], Sequence[str | Withheld]]
_PLAIN = (str, int, float)
_NONE: dict[str, Any] = {}
_IN_QUESTION = frozenset({dict, list, Withheld})


@dataclass(frozen=True, slots=True)
class AttributeRow:
    """
    A source attribute, or a calculated field, and its name at the partner.

    ``is_structured``: the partner takes a list or an object there.
    """

    source: str
    target: str
    is_calculated: bool = False
    is_structured: bool = False


@dataclass(frozen=True, slots=True)
class IdentityRow:
    """
    A source of identities (namespace, attribute's path, or calculated field), and the target namespace.

    ``transformation`` is what becomes of the values; ``region`` is where telephone numbers without ``+`` are dialled.
    """

    source: str
    target: str
    is_attribute: bool = False
    transformation: str | None = None
    is_calculated: bool = False
    region: str | None = None

    @property
    def namespace(self) -> str:
        """The namespace that the values are of, if they are of one."""
        return "" if self.is_attribute or self.is_calculated else self.source

    @property
    def hashes_phones(self) -> bool:
        """Whether its values are hashed as telephone numbers."""
        return self.transformation is not None and is_of_phones(self.namespace, self.target)


#: A target, where its value comes from, and whether the partner takes a list or an object there.
_Attribute = tuple[str, Getter, bool]
#: A target namespace, where its values come from, and what becomes of them, if anything does.
_Identity = tuple[str, Sources, Transform | None]


@dataclass(frozen=True)
class Mapping:
    """
    Rows compiled to functions. ``predefined``: attributes stand bare and absent ones are left out; else each stands
    under ``value`` and an absent one is the empty object. ``namespaces`` orders the target identities.

    ``reads_audience``: what attributes are depends on the audience that a message is about, too.
    """

    attribute_rows: tuple[AttributeRow, ...]
    identity_rows: tuple[IdentityRow, ...]
    predefined: bool = False
    namespaces: tuple[str, ...] = ()
    reads_audience: bool = field(init=False)
    _attributes: tuple[_Attribute, ...] = field(init=False)
    _identities: tuple[_Identity, ...] = field(init=False)
    _sources: tuple[Getter, ...] = field(init=False)
    _plain: int = field(init=False)
    _calculations: tuple[Calculation, ...] = field(init=False)

    def __post_init__(self) -> None:
        rows = sorted(self.identity_rows, key=lambda row: _place(self.namespaces, row.target))
        calculated = [row.source for row in self.attribute_rows if row.is_calculated]
        calculated += [row.source for row in rows if row.is_calculated]
        calculations = tuple(map(calculation, calculated))
        paths = [parse(row.source) for row in self.attribute_rows if not row.is_calculated]
        paths += [path for item in calculations for path in item.reads]
        plain = [getter(row.source) for row in self.attribute_rows if not row.is_calculated]
        object.__setattr__(self, "_plain", len(plain))
        plain += [_values(row) for row in rows if not row.is_calculated]
        object.__setattr__(self, "reads_audience", reads_audience(paths))
        object.__setattr__(self, "_attributes", tuple(map(_attribute, self.attribute_rows)))
        object.__setattr__(self, "_identities", tuple(map(_identity, rows)))
        object.__setattr__(self, "_sources", tuple(plain))
        object.__setattr__(self, "_calculations", calculations)

    def attributes(self, profile: Profile, left_out: list[LeftOut] | None = None) -> dict[str, Any]:
        """Return the target attributes of a profile, in mapping order; what cannot be sent is noted as left out."""
        mapped: dict[str, Any] = {}
        bare = self.predefined
        for target, get, is_structured in self._attributes:
            value = get(profile)
            if type(value) in _IN_QUESTION and not (is_structured and type(value) is not Withheld):
                _note(value, target, left_out)
                value = None
            if not bare:
                mapped[target] = {} if value is None else {"value": value}
            elif value is not None:
                mapped[target] = value
        return mapped

    def identities(self, profile: Profile, left_out: list[LeftOut] | None = None) -> Identities:
        """Return the target identities; a namespace without any is absent, and no value stands twice in one."""
        found: Identities = {}
        for target, get, change in self._identities:
            for value in get(profile):
                mapped = change(value) if change is not None and isinstance(value, str) else value
                if not isinstance(mapped, str):
                    _note(mapped, target, left_out)
                    continue
                identity = {"id": mapped}
                known = found.setdefault(target, [])
                if identity not in known:
                    known.append(identity)
        return found

    def differs(self, before: Profile, after: Profile) -> bool:
        """Say whether anything that is mapped differs between two states of a profile."""
        if any(get(before) != get(after) for get in self._sources):
            return True
        return any(_gives_another(item, before, after) for item in self._calculations)

    def is_written(self, written: Profile) -> bool:
        """Say whether a record says anything of a mapped attribute, be it what is known."""
        if any(get(written) is not None for get in self._sources[: self._plain]):
            return True
        return any(value is not None for item in self._calculations for value in item.read(written))


def _attribute(row: AttributeRow) -> _Attribute:
    get = _calculated(row.source) if row.is_calculated else getter(row.source)
    return row.target, get, row.is_structured


def _identity(row: IdentityRow) -> _Identity:
    change = transform(row.transformation, source=row.namespace, target=row.target, region=row.region)
    return row.target, _values(row), change


def _calculated(text: str) -> Getter:
    """Return a calculated field as a function; where it fails on a person, there is no value."""
    compute = calculation(text).value

    def get(profile: Profile) -> Any:
        try:
            return compute(profile)
        except CalculationError:
            return Withheld("calculation-failed")

    return get


def _values(row: IdentityRow) -> Sources:
    """Return a function from a profile to the list of source values; an attribute must be a text or a number."""

    def plain(value: object) -> list[str | Withheld]:
        if type(value) in _PLAIN and is_identity(text := str(value)):
            return [text]
        if type(value) is Withheld:
            return [value]
        return [] if value is None or value == "" else [Withheld("no-identity")]

    if row.is_attribute or row.is_calculated:
        get = _calculated(row.source) if row.is_calculated else getter(row.source)
        return lambda profile: plain(get(profile))
    namespace = row.source
    return lambda profile: [item["id"] for item in (profile.get("identityMap") or _NONE).get(namespace) or ()]


def _gives_another(item: Calculation, before: Profile, after: Profile) -> bool:
    if item.read(before) == item.read(after):
        return False
    get = _calculated(item.text)
    return reads_audience(item.reads) or bool(get(before) != get(after))


def _note(value: Any, target: str, left_out: list[LeftOut] | None) -> None:
    """Note the reason why a value does not go: its own, or that it is a list or an object."""
    if left_out is not None:
        left_out.append(LeftOut(target, value.reason if type(value) is Withheld else "list-or-object"))


def _place(namespaces: Sequence[str], name: str) -> int:
    return namespaces.index(name) if name in namespaces else len(namespaces)
