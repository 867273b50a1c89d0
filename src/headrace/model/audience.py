"""An audience: a set of people by a name, and from where it is known who is in it."""

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from headrace.model.block import SERVER_SET, Block, Count, Flag, rule
from headrace.model.cron import Cron, NotCron
from headrace.model.dataset import Column, CsvReading
from headrace.model.expiry import OWN
from headrace.model.problem import Problem

Kind = Literal["profiles", "sql", "upload", "external"]
#: The namespace of audiences whose members are uploaded.
UPLOADED = "CustomerAudienceUpload"


class MemberIdentity(Block):
    """A column that says who is a member, by an identity."""

    column: Column = Field(description="The column.")
    namespace: str = Field(min_length=1, max_length=256, description="The namespace of what it holds: `crmId`.")


class AudienceDefinition(Block):
    """A set of people by a name, and from where it is known who is in it."""

    ignored: ClassVar[frozenset[str]] = SERVER_SET | {
        "id",
        "etag",
        "createdAt",
        "modifiedAt",
        "size",
        "isDeclared",
        "datasets",
        "lastEvaluation",
    }

    name: str = Field(min_length=1, max_length=200, description="Its name.")
    description: str | None = Field(None, description="Who is in it.")
    audience_id: str | None = Field(
        None,
        min_length=1,
        max_length=256,
        description="Its id in people's `segmentMembership`; without one, it is given one. It never changes.",
    )
    namespace: str | None = Field(
        None,
        min_length=1,
        max_length=256,
        description="Its namespace in people's `segmentMembership`: `ups`, and for uploads `CustomerAudienceUpload`. "
        "It never changes.",
    )
    kind: Kind = Field(
        "profiles",
        description="From where it is known who is in it. `profiles`: people carry it. `sql`: a query over datasets. "
        "`upload`: files that are uploaded. `external`: some system says who comes and goes.",
    )
    query: str | None = Field(None, min_length=1, max_length=65_536, description="The query, one `SELECT`.")
    key: Column | None = Field(None, description="The column whose value people are kept under, as `profileId`.")
    identity: MemberIdentity | None = Field(None, description="The column that holds an identity, instead of `key`.")
    schedule: str | None = Field(
        None, min_length=1, max_length=200, description="When it is evaluated, as cron in UTC: `0 4 * * *`."
    )
    on_snapshot: Flag = Field(False, description="Whether it is evaluated when a dataset of it gets a new snapshot.")
    largest_removal: Count = Field(
        50,
        ge=0,
        le=100,
        description="The largest share of its members, in percent, that may leave at once; more wait for somebody to "
        "confirm it. 100 of them may always leave.",
    )
    days_valid: Count = Field(
        30, ge=1, le=3650, description="How many days after an upload its members stay, where nothing else is said."
    )

    csv: CsvReading = Field(default_factory=CsvReading, description="How CSV that is uploaded is read.")

    @property
    def space(self) -> str:
        """The namespace, whether it is written or not."""
        return self.namespace or (UPLOADED if self.kind == "upload" else OWN)

    @rule
    def _says_who_members_are(self) -> Iterator[Problem]:
        is_needed = self.kind in ("sql", "upload")
        said = [name for name in ("key", "identity") if getattr(self, name) is not None]
        if is_needed and not said:
            yield Problem("missing-field", "/key", "nothing says who members are: name a `key` or an `identity` column")
        elif is_needed and len(said) == 2:
            yield Problem("one-of-two", "/identity", "say `key` or `identity`, and not both")
        elif not is_needed and said:
            yield Problem("invalid", f"/{said[0]}", f"`{said[0]}` is not for {self.kind}: leave it out")

    @rule
    def _has_a_query_where_it_is_one(self) -> Iterator[Problem]:
        if self.kind == "sql" and self.query is None:
            yield Problem("missing-field", "/query", "`query` is missing: sql needs it")
        for name in ("query", "schedule"):
            if self.kind != "sql" and getattr(self, name) is not None:
                yield Problem("invalid", f"/{name}", f"`{name}` is not for {self.kind}: leave it out")
        if self.kind != "sql" and self.on_snapshot:
            yield Problem("invalid", "/onSnapshot", f"`onSnapshot` is not for {self.kind}: leave it out")

    @rule
    def _has_a_schedule_that_comes(self) -> Iterator[Problem]:
        try:
            if self.schedule is not None:
                Cron.parse(self.schedule)
        except NotCron as error:
            yield Problem("invalid", "/schedule", str(error))

    @rule
    def _is_named_as_ours_where_it_is_found_out_here(self) -> Iterator[Problem]:
        if self.kind == "sql" and self.namespace not in (None, OWN):
            yield Problem("not-allowed", "/namespace", f"the members of a query are found out here: it is of `{OWN}`")

    @rule
    def _is_named_outside_where_it_is_external(self) -> Iterator[Problem]:
        if self.kind == "external" and self.namespace in (None, OWN):
            yield Problem("missing-field", "/namespace", f"an external audience has a namespace other than `{OWN}`")
