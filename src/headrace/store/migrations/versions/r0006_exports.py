"""What was exported last, and since when people have the identities that they have."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, PrimaryKeyConstraint, Table, Text

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

NEW: tuple[Table, ...] = (exports, exported_members)


def upgrade() -> None:
    for table in NEW:
        table.create(op.get_bind())
    op.add_column("profiles", Column("identities_at", Whole, nullable=True))


def downgrade() -> None:
    op.drop_column("profiles", "identities_at")
    for table in reversed(NEW):
        table.drop(op.get_bind())
