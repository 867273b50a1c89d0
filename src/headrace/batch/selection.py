"""What an export selects: the columns of its files, the rows of its audiences, and what became of everybody."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from headrace.batch.select import Manner
from headrace.errors import HeadraceError
from headrace.mapping import AttributeRow, IdentityRow
from headrace.mapping.consent import Consents
from headrace.mapping.left_out import Reason

#: Blocks of people, as ``members`` packs them.
Blocks = Sequence[tuple[int, bytes]]
#: The types that a destination's schema gives its columns; what it says nothing of is text.
ColumnType = Literal["string", "integer", "number", "boolean", "date", "date-time", "object"]
#: Why somebody has no row who would have one.
Excluded = Literal["missing-field", "consent", "duplicate", "too-large"]


class Reading(Protocol):
    """How another process reads people: see the store's ``Reading``."""

    @property
    def module(self) -> str: ...

    @property
    def told(self) -> bytes: ...

    def failed(self, reason: str) -> HeadraceError: ...


class People(Protocol):
    """The people of a sandbox, as columns; see the store's ``Profiles``."""

    def reading(self, columns: Sequence[str]) -> Reading: ...


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the files: what it is called there, the row of the mapping that it comes of, and its type."""

    name: str
    row: AttributeRow | IdentityRow
    type: ColumnType = "string"


@dataclass(frozen=True, slots=True)
class DedupeKey:
    """What no two rows share: an identity's namespace, or the paths of one or two attributes."""

    namespace: str | None = None
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """
    What the files before had, at their cut: whom they surely have as members, and whom perhaps.

    ``perhaps`` is nothing where all that was shown was published: it is ``surely`` then.
    """

    cut: int = 0
    surely: Blocks = ()
    perhaps: Blocks | None = None


@dataclass(frozen=True, slots=True)
class AudienceWanted:
    """
    An audience whose files are written.

    ``enrichment`` names columns of its upload, by the names they have in files; ``uploaded`` are the files of its list
    of members, in Parquet, where those columns are.
    """

    number: int
    namespace: str
    id: str
    alias: str | None
    manner: Manner
    known: Known = Known()
    enrichment: Mapping[str, str] = field(default_factory=dict)
    uploaded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What an export selects. Several ``audiences`` are a group in one file: a row for each person and audience.

    ``mandatory`` names paths, or namespaces as `identityMap.<namespace>`, of which a row needs a value.
    """

    columns: tuple[Column, ...]
    audiences: tuple[AudienceWanted, ...]
    mandatory: tuple[str, ...] = ()
    key: DedupeKey | None = None
    consent: Consents = field(default_factory=Consents)

    @property
    def gathers(self) -> bool:
        """Whether a row hangs on others, so that all have to be there before the first is."""
        has_objects = any(column.type == "object" for column in self.columns)
        return self.key is not None or has_objects or any(audience.enrichment for audience in self.audiences)


@dataclass(frozen=True, slots=True)
class OfAudience:
    """
    What became of an audience: ``received`` would have a row, and ``rows`` have one (an identity key: one for each id).

    ``members`` are whom the partner has as members once these files are published.
    """

    number: int
    received: int
    rows: int
    excluded: Mapping[Excluded, int]
    members: Blocks


@dataclass(frozen=True, slots=True)
class LeftOutOf:
    """How many values of a column are left out of rows, for one reason; there is nothing in their place."""

    column: str
    reason: Reason | Literal["another-type"]
    values: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of everybody. ``cut`` is the number of the newest state that was looked at."""

    cut: int
    looked: int
    audiences: tuple[OfAudience, ...]
    left_out: tuple[LeftOutOf, ...] = ()

    def excluded(self) -> Iterator[tuple[Excluded, int]]:
        """Yield how many have no row for each reason."""
        for code in ("missing-field", "consent", "duplicate", "too-large"):
            count = sum(one.excluded.get(code, 0) for one in self.audiences)
            if count:
                yield code, count
