"""What was last exported of an audience, so that the next file goes on from there."""

from sqlalchemy import Column, LargeBinary, PrimaryKeyConstraint, Table, Text

from headrace.store.tables.base import Whole, metadata

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
