"""When files are due, and what was last exported, so that the next file goes on from there."""

from sqlalchemy import JSON, Column, Index, LargeBinary, PrimaryKeyConstraint, Table, Text

from headrace.store.tables.base import Whole, metadata

#: Up to which moment the slots of an audience's files are settled, and when the next comes (none: it hangs on
#: evaluations, or nothing will be due any more). Audience 0 stands for the datasets of a dataflow.
export_schedules = Table(
    "export_schedules",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("audience", Whole, nullable=False),
    Column("settled_until", Whole, nullable=False),
    Column("next_at", Whole, nullable=True),
    Column("missed", Whole, nullable=False),
    PrimaryKeyConstraint("tenant", "dataflow", "audience"),
    Index("export_schedules_due", "next_at"),
)

#: The last export of an audience that was published: the number of the newest state of a person that it knew of, the
#: moment that it was scheduled for, and its run.
exports = Table(
    "exports",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("audience", Whole, nullable=False),
    Column("cut", Whole, nullable=False),
    Column("slot", Whole, nullable=True),
    Column("run", Text, nullable=False),
    Column("published_at", Whole, nullable=False),
    PrimaryKeyConstraint("tenant", "dataflow", "audience"),
)

#: Whom the files of an audience have as members: of 65,536 people a block, a bit for each, compressed.
exported_members = Table(
    "exported_members",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("audience", Whole, nullable=False),
    Column("block", Whole, nullable=False),
    Column("members", LargeBinary, nullable=False),
    PrimaryKeyConstraint("tenant", "dataflow", "audience", "block"),
)

#: The same where files may have been seen that were never published: whom all of them have, and whom any of them has.
unpublished_members = Table(
    "unpublished_members",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("audience", Whole, nullable=False),
    Column("block", Whole, nullable=False),
    Column("surely", LargeBinary, nullable=False),
    Column("perhaps", LargeBinary, nullable=False),
    PrimaryKeyConstraint("tenant", "dataflow", "audience", "block"),
)

#: The snapshot of a dataset that was last exported.
exported_datasets = Table(
    "exported_datasets",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("dataset", Text, nullable=False),
    Column("snapshot", Whole, nullable=False),
    Column("run", Text, nullable=False),
    Column("published_at", Whole, nullable=False),
    PrimaryKeyConstraint("tenant", "dataflow", "dataset"),
)

#: The storage that the house itself has for a sandbox: its container, and the keys that sign, sealed.
landing_zones = Table(
    "landing_zones",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("container", Text, nullable=False, unique=True),
    Column("keys", JSON, nullable=False),
    Column("created_at", Whole, nullable=False),
    PrimaryKeyConstraint("tenant"),
)
