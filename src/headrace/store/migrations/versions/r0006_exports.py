"""When files are due, what was exported last, since when people have their identities, and the landing zone."""

from alembic import op
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)

revision = "0006"
down_revision = "0005"

metadata = MetaData()
Whole = BigInteger().with_variant(Integer, "sqlite")

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

landing_zones = Table(
    "landing_zones",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("container", Text, nullable=False, unique=True),
    Column("keys", JSON, nullable=False),
    Column("created_at", Whole, nullable=False),
    PrimaryKeyConstraint("tenant"),
)

NEW: tuple[Table, ...] = (
    exports,
    exported_members,
    export_schedules,
    unpublished_members,
    exported_datasets,
    landing_zones,
)


def upgrade() -> None:
    for table in NEW:
        table.create(op.get_bind())
    op.add_column("profiles", Column("identities_at", Whole, nullable=True))


def downgrade() -> None:
    op.drop_column("profiles", "identities_at")
    for table in reversed(NEW):
        table.drop(op.get_bind())
