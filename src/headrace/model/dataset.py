"""A dataset: people who lie in files or in a database, by a name, and how their rows become profiles."""

import codecs
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from headrace.model.block import SERVER_SET, Block, Flag, read_of, repeated, rule
from headrace.model.problem import Problem

Format = Literal["parquet", "csv", "ndjson", "arrow", "delta", "iceberg", "sql"]
ColumnType = Literal["text", "whole", "number", "boolean", "date", "moment"]
#: Formats that are files by themselves, and those of them that are lines of text.
FILES = frozenset({"parquet", "csv", "ndjson", "arrow"})
LINES = frozenset({"csv", "ndjson"})
#: Formats that are reached through a source that the operator declared.
OF_A_SOURCE = frozenset({"iceberg", "sql"})
#: What a profile has at its top that is no attribute.
RESERVED = frozenset({"identityMap", "segmentMembership", "profileId"})

Column = Annotated[str, Field(min_length=1, max_length=256)]


def _known_encoding(name: str) -> str:
    try:
        if codecs.lookup(name)._is_text_encoding:
            return name
    except (LookupError, ValueError):
        pass
    raise ValueError(f"{name!r} is no encoding of texts; write utf-8, latin-1 or cp1252")


class CsvReading(Block):
    """How a CSV file is read."""

    delimiter: str = Field(",", min_length=1, max_length=1, description="What stands between two values.")
    quote: str = Field('"', min_length=1, max_length=1, description="What stands around a value that holds others.")
    header: Flag = Field(True, description="Whether the first line names the columns; else `columns` does.")
    columns: tuple[Column, ...] = Field((), description="The columns' names, where no line says them.")
    encoding: Annotated[str, AfterValidator(_known_encoding)] = Field("utf-8", description="The encoding of the text.")
    null_texts: tuple[str, ...] = Field(("",), description="Values that mean that there is none.")

    @rule
    def _names_its_columns(self) -> Iterator[Problem]:
        if self.header == bool(self.columns):
            yield Problem("one-of-two", "/columns", "say `columns` where `header` is false, and only there")

    @rule
    def _tells_its_signs_apart(self) -> Iterator[Problem]:
        if self.delimiter == self.quote or {self.delimiter, self.quote} & {"\r", "\n"}:
            yield Problem("invalid", "/delimiter", "`delimiter` and `quote` are two characters, and no ends of lines")


class IdentityColumn(Block):
    """A column that says who somebody is."""

    column: Column = Field(description="The column.")
    namespace: str = Field(min_length=1, max_length=256, description="The namespace of what it holds: `Email`.")
    primary: Flag = Field(False, description="Whether people are kept under it.")


class AttributeColumn(Block):
    """A column that becomes an attribute."""

    column: Column = Field(description="The column.")
    path: str = Field(min_length=1, description="Where it goes in the profile: `person.name.firstName`.")


class Dataset(Block):
    """A named place where people lie, in one form."""

    ignored: ClassVar[frozenset[str]] = SERVER_SET | {"id", "etag", "createdAt", "modifiedAt", "snapshot"}

    name: str = Field(min_length=1, max_length=200, description="Its name.")
    description: str | None = Field(None, description="What it holds.")
    format: Format = Field(description="How the data is written.")
    location: str | None = Field(
        None,
        min_length=1,
        max_length=4096,
        description="Where the files lie: a file, a directory, or a directory and a pattern, `/srv/people/day-*.csv`; "
        "or the same of a bucket, `s3://lake/people/day-*.csv`.",
    )
    source: str | None = Field(
        None, min_length=1, description="The catalog or database, by the name that the operator of Headrace gave it."
    )
    table: str | None = Field(None, min_length=1, description="The table in the catalog: `crm.people`.")
    query: str | None = Field(None, min_length=1, max_length=65_536, description="The query, one `SELECT`.")
    shape: Literal["profiles", "table"] = Field(
        "table", description="`profiles`: each row is a profile as `POST /ingest/profiles` takes it; `table`: columns."
    )
    key: Column | None = Field(None, description="The column whose value people are kept under, as `profileId`.")
    identities: tuple[IdentityColumn, ...] = Field((), description="The columns that hold identities.")
    attributes: tuple[AttributeColumn, ...] = Field((), description="The columns that become attributes.")
    timestamp: Column | None = Field(
        None,
        description="The column with the moment of each row, where rows are events: exports have those of the last 365 "
        "days.",
    )
    types: dict[Column, ColumnType] = Field(
        default_factory=dict, description="What columns of text files hold; those of CSV are `text` without it."
    )
    csv: CsvReading = Field(default_factory=CsvReading, description="How CSV is read.")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that become something in a profile, each once."""
        named = (self.key, *(one.column for one in self.identities), *(one.column for one in self.attributes))
        return tuple(dict.fromkeys(name for name in named if name is not None))

    @rule
    def _says_where_it_lies(self) -> Iterator[Problem]:
        wanted = "source" if self.format in OF_A_SOURCE else "location"
        other = "location" if wanted == "source" else "source"
        if getattr(self, wanted) is None:
            yield Problem("missing-field", f"/{wanted}", f"`{wanted}` is missing: {self.format} needs it")
        if getattr(self, other) is not None:
            yield Problem("invalid", f"/{other}", f"`{other}` is not for {self.format}: leave it out")

    @rule
    def _lies_where_its_format_can(self) -> Iterator[Problem]:
        if self.format == "delta" and (read_of(self, "location") or "").startswith("s3://"):
            yield Problem("not-allowed", "/location", "tables in Delta are read from directories: mount the bucket")

    @rule
    def _says_what_it_takes_of_a_source(self) -> Iterator[Problem]:
        for name, wanted in (("table", "iceberg"), ("query", "sql")):
            is_there = getattr(self, name) is not None
            if is_there != (self.format == wanted):
                verb = "is not for" if is_there else "is missing: it is needed for"
                code = "invalid" if is_there else "missing-field"
                yield Problem(code, f"/{name}", f"`{name}` {verb} {self.format}")

    @rule
    def _says_who_people_are(self) -> Iterator[Problem]:
        if self.shape == "table" and self.key is None and not self.identities:
            yield Problem("missing-field", "/key", "nothing says who people are: name a `key` column or `identities`")

    @rule
    def _has_columns_only_in_a_table(self) -> Iterator[Problem]:
        if self.shape == "profiles" and (self.columns or self.timestamp is not None):
            message = "`key`, `identities`, `attributes` and `timestamp` are for the shape `table`"
            yield Problem("invalid", "/shape", message)
        if self.shape == "profiles" and self.format == "csv":
            yield Problem("not-allowed", "/shape", "CSV has columns and no documents: its shape is `table`")

    @rule
    def _puts_attributes_apart(self) -> Iterator[Problem]:
        taken: dict[tuple[str, ...], str] = {}
        for place, attribute in enumerate(self.attributes):
            path, where = read_of(attribute, "path"), f"/attributes/{place}/path"
            if path is None:
                continue
            steps = tuple(path.split("."))
            if not all(steps) or "[" in path or steps[0] in RESERVED:
                yield Problem("invalid-path", where, f"`{path[:80]}` is no attribute: write it as `person.city`")
            elif other := next((taken[known] for known in taken if _meet(known, steps)), None):
                yield Problem("mapped-twice", where, f"`{path[:80]}` and `{other[:80]}` cannot both be there")
            taken[steps] = path

    @rule
    def _names_an_identity_column_once(self) -> Iterator[Problem]:
        for place, column in repeated(self.identities, "column"):
            yield Problem("named-twice", f"/identities/{place}/column", f"`{column[:80]}` is named twice")
        if sum(bool(read_of(one, "primary")) for one in self.identities) > 1:
            yield Problem("named-twice", "/identities", "people are kept under one identity: make one `primary`")


def _meet(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Say whether a path is the other or leads to it."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]
