"""What goes between the run of an export and the process that makes rows of people: plain data, as MessagePack."""

from typing import Any

import msgspec
import pyarrow as pa

from headrace.batch.cells import ARROW
from headrace.batch.selection import AudienceWanted, Column, ColumnType, DedupeKey, Excluded, Wanted
from headrace.mapping import AttributeRow, IdentityRow
from headrace.mapping.consent import Consents, NamedPolicy
from headrace.model.consent import ConsentPolicy

#: How a namespace is named among paths.
IDENTITY = "identityMap."
#: What stands before the columns where rows are gathered: whose they are, and what deduplication goes by.
OWN = (
    ("profile", pa.int64()),
    ("audience", pa.int32()),
    ("place", pa.int32()),
    ("qualified_at", pa.int64()),
    ("identities_at", pa.int64()),
    ("has_left", pa.bool_()),
    ("is_silent", pa.bool_()),
)
#: What people are kept under: where columns of an upload are wanted.
PERSON = ("person", pa.large_string())


class ColumnAsked(msgspec.Struct, frozen=True):
    """A column, with the kind of its row apart."""

    type: ColumnType
    attribute: AttributeRow | None = None
    identity: IdentityRow | None = None

    @classmethod
    def of(cls, column: Column) -> "ColumnAsked":
        """Return a column as it is asked for."""
        if isinstance(column.row, AttributeRow):
            return cls(column.type, attribute=column.row)
        return cls(column.type, identity=column.row)

    @classmethod
    def beside(cls, source: str) -> "ColumnAsked":
        """Return what is no column of the files, and is looked at: a path, or `identityMap.<namespace>`."""
        if source.startswith(IDENTITY):
            namespace = source.removeprefix(IDENTITY)
            return cls("string", identity=IdentityRow(namespace, namespace))
        return cls("string", attribute=AttributeRow(source, source))

    def is_of(self, source: str) -> bool:
        """Say whether ``mandatory`` or a key calls it so."""
        if self.identity is not None:
            return source in (f"{IDENTITY}{self.identity.source}", f"{IDENTITY}{self.identity.target}")
        return self.attribute is not None and self.attribute.source == source


class Asked(msgspec.Struct, frozen=True):
    """
    What rows are to be made of, and which of them.

    Columns are told by their places: those of the files, and then what is looked at beside them. ``keys`` are what
    deduplication goes by; ``many`` is the identity of which a row stands for one. ``gathers``: rows are told with whose
    they are; ``tells_person``: also with what people are kept under.
    """

    columns: tuple[ColumnAsked, ...]
    audiences: tuple[AudienceWanted, ...]
    mandatory: tuple[int, ...] = ()
    keys: tuple[int, ...] = ()
    many: int | None = None
    policies: tuple[tuple[str, bytes], ...] = ()
    gathers: bool = True
    tells_person: bool = False

    @classmethod
    def of(cls, wanted: Wanted) -> "Asked":
        """Return what a process is asked for that makes the rows of an export."""
        columns = [ColumnAsked.of(column) for column in wanted.columns]
        keys = tuple(_place(columns, source) for source in _sources(wanted.key))
        mandatory = tuple(_place(columns, source) for source in wanted.mandatory)
        return cls(
            tuple(columns),
            wanted.audiences,
            mandatory,
            keys,
            keys[0] if wanted.key is not None and wanted.key.namespace else None,
            tuple((item.id, item.policy.model_dump_json(by_alias=True).encode()) for item in wanted.consent.policies),
            wanted.gathers,
            any(audience.enrichment for audience in wanted.audiences),
        )

    @property
    def asks_members(self) -> bool:
        """
        Whether members matter who have no row: with their key, nobody may be told to have left.

        They are told as silent rows, in which there is nothing but the key.
        """
        return bool(self.keys) and any(audience.manner.tells_who_left for audience in self.audiences)

    def of_keys(self) -> "Asked":
        """Return what is asked of silent rows; their columns are the parts of the key."""
        columns = tuple(self.columns[place] for place in self.keys)
        return Asked(columns, self.audiences, many=None if self.many is None else 0, policies=self.policies)

    @property
    def consents(self) -> Consents:
        """The policies, compiled."""
        return Consents(NamedPolicy(id_, ConsentPolicy.model_validate_json(said)) for id_, said in self.policies)

    @property
    def stored(self) -> tuple[str, ...]:
        """The columns of people that are read."""
        return ("profile", "sequence", "identities_at", "document", *(("key",) if self.tells_person else ()))

    @property
    def own(self) -> tuple[tuple[str, pa.DataType], ...]:
        """What stands before the columns."""
        return (*(OWN if self.gathers else ()), *((PERSON,) if self.tells_person else ()))

    @property
    def schema(self) -> pa.Schema:
        """What the process writes; ``c0`` and so on are the columns."""
        return pa.schema([*self.own, *((f"c{place}", ARROW[one.type]) for place, one in enumerate(self.columns))])


class AudienceCounted(msgspec.Struct):
    """What became of an audience, before deduplication; ``rows`` are more than people where they have several each."""

    received: int
    rows: int
    excluded: dict[Excluded, int]
    members: list[tuple[int, bytes]]


class Counted(msgspec.Struct):
    """What the process says at its end; how many values of which column were left out, and why."""

    cut: int
    looked: int
    audiences: list[AudienceCounted]
    left_out: list[tuple[int, Any, int]]


def _sources(key: DedupeKey | None) -> tuple[str, ...]:
    if key is None:
        return ()
    return (f"{IDENTITY}{key.namespace}",) if key.namespace else key.paths


def _place(columns: list[ColumnAsked], source: str) -> int:
    """Return which column is meant; one that there is not is looked at beside them."""
    for place, column in enumerate(columns):
        if column.is_of(source):
            return place
    columns.append(ColumnAsked.beside(source))
    return len(columns) - 1
