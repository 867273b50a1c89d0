"""
What a message template is given: the shape of its context, as far as it is known before there is data.

Some members have fixed names (``segmentMembership``, ``status``), so a wrong name is a mistake. Others are keyed by
what people choose (attributes, namespaces, fields of the operator) and any key is right; such a table has a label,
under which it is remembered what keys a template asks for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto

Origin = tuple[str, str | None]
"""Label of a table and the key that was read; no key: the keys themselves, or any value."""


NEVER_EMPTY = "never empty"
"""The label of a list with at least one item: a namespace that a person has no identity in is absent."""


class Kind(Enum):
    """What a value is."""

    ANY = auto()
    NULL = auto()
    TEXT = auto()
    WORD = auto()
    """A text of letters, digits, dots, colons and dashes: no escaping changes it."""
    NUMBER = auto()
    BOOLEAN = auto()
    LIST = auto()
    RECORD = auto()
    TABLE = auto()


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape of one value."""

    kind: Kind
    members: Mapping[str, "Shape"] = field(default_factory=dict)
    """Of a record."""
    inner: "Shape | None" = None
    """Items of a list, values of a table."""
    label: str = ""
    origin: Origin | None = None
    texts: frozenset[str] | None = None
    """All that a text can be, where that is known."""

    def read(self, key: str) -> "Shape | None":
        """The member of this name; ``None`` if there is no such member."""
        if self.kind in (Kind.ANY, Kind.NULL):
            return replace(self, label="", texts=None) if self.label else ANY
        if self.kind is Kind.RECORD:
            return self.members.get(key)
        if self.kind is Kind.TABLE:
            return self.value_of(key)
        if self.kind is Kind.LIST and key.isdecimal():
            return self.inner
        if self.kind in (Kind.LIST, Kind.TEXT, Kind.WORD):
            length = "size" if self.kind is Kind.LIST else "length"
            return {"isEmpty": BOOLEAN, length: NUMBER}.get(key)
        return None

    def value_of(self, key: str | None) -> "Shape":
        """The value of a table under a key, or under any."""
        inner = self.inner or ANY
        return replace(inner, origin=(self.label, key)) if self.label else inner

    @property
    def names(self) -> list[str]:
        """The members that can be named."""
        return list(self.members)


ANY = Shape(Kind.ANY)
NULL = Shape(Kind.NULL)
TEXT = Shape(Kind.TEXT)
WORD = Shape(Kind.WORD)
NUMBER = Shape(Kind.NUMBER)
BOOLEAN = Shape(Kind.BOOLEAN)


def record(**members: Shape) -> Shape:
    """A map whose keys are known."""
    return Shape(Kind.RECORD, members)


def table(inner: Shape, label: str = "") -> Shape:
    """A map with any keys."""
    return Shape(Kind.TABLE, inner=inner, label=label)


def many(inner: Shape) -> Shape:
    """A list."""
    return Shape(Kind.LIST, inner=inner)


def entry_of(mapping: Shape) -> Shape:
    """What a loop over a map gives."""
    key = replace(TEXT, origin=(mapping.label, None)) if mapping.label else TEXT
    if mapping.kind is Kind.RECORD:
        return record(key=replace(WORD, texts=frozenset(mapping.members)), value=ANY)
    value = mapping.value_of(None)
    return record(key=key, value=replace(value, label=NEVER_EMPTY) if mapping.label == "identities" else value)


def join(one: Shape, other: Shape) -> Shape:
    """What is either of two."""
    if one == other or other.kind is Kind.NULL:
        return one
    if one.kind is Kind.NULL:
        return other
    if one.texts is not None and other.texts is not None:
        return Shape(Kind.TEXT, texts=one.texts | other.texts)
    if one.kind is not other.kind:
        return TEXT if {one.kind, other.kind} == {Kind.TEXT, Kind.WORD} else ANY
    if one.kind in (Kind.RECORD, Kind.TABLE, Kind.LIST):
        same = (one.members, one.inner, one.label) == (other.members, other.inner, other.label)
        return replace(one, origin=None) if same else ANY
    return Shape(one.kind)


def including(shape: Shape, value: object) -> Shape:
    """The shape with the members that some data has beyond it: what an author's own data holds is no mistake."""
    if shape.kind is Kind.RECORD and isinstance(value, dict):
        known = {name: including(inner, value.get(name)) for name, inner in shape.members.items()}
        return replace(shape, members={**dict.fromkeys(map(str, value), ANY), **known})
    if shape.inner is not None and isinstance(value, dict | list):
        inner = shape.inner
        for item in value.values() if isinstance(value, dict) else value:
            inner = including(inner, item)
        return replace(shape, inner=inner)
    return shape


LOOP = record(index=NUMBER, length=NUMBER, first=BOOLEAN, last=BOOLEAN, revindex=NUMBER)
MEMBERSHIP = record(status=replace(WORD, origin=("status", None)), lastQualificationTime=WORD)
AUDIENCES = table(MEMBERSHIP, "audiences")
ATTRIBUTE = Shape(Kind.ANY, label="attribute")
_TIMES = record(createdAt=NUMBER, updatedAt=NUMBER, mappingCreatedAt=NUMBER, mappingUpdatedAt=NUMBER)

PROFILE = record(
    segmentMembership=table(AUDIENCES, "namespaces"),
    identityMap=table(many(record(id=TEXT)), "identities"),
    attributes=table(ATTRIBUTE, "attributes"),
)
AGGREGATION_KEY = record(
    segmentId=TEXT,
    segmentNamespace=TEXT,
    segmentAlias=TEXT,
    segmentStatus=replace(WORD, origin=("status", None)),
    identityNamespaces=many(TEXT),
    destinationInstanceId=WORD,
)
CUSTOMER_DATA = table(ANY, "customerData")
DESTINATION = record(
    namespaceSegmentAliases=table(table(TEXT, "audiences"), "namespaces"),
    namespaceSegmentNames=table(table(TEXT, "audiences"), "namespaces"),
    namespaceSegmentTimestamps=table(table(_TIMES, "audiences"), "namespaces"),
    segmentAliases=table(TEXT, "audiences"),
    segmentNames=table(TEXT, "audiences"),
    segmentTimestamps=table(_TIMES, "audiences"),
    config=CUSTOMER_DATA,
    id=WORD,
    name=TEXT,
    sandboxName=TEXT,
    imsOrgId=TEXT,
    enrichmentAttributes=ANY,
)
MESSAGE_CONTEXT = record(
    input=record(profiles=many(PROFILE), profile=PROFILE, aggregationKey=AGGREGATION_KEY),
    destination=DESTINATION,
    customerData=CUSTOMER_DATA,
    authData=table(ANY, "authData"),
    message=record(id=WORD, attempt=NUMBER),
)
"""The roots of a message template and what is below them."""
