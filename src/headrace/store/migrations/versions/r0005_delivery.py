"""Delivery that several processes share, that is paced, and that can be looked into and mended."""

from alembic import op
from sqlalchemy import BigInteger, Column, ForeignKey, Integer, MetaData, PrimaryKeyConstraint, Table

from headrace.store import statistics

revision = "0005"
down_revision = "0004"

metadata = MetaData()
Whole = BigInteger().with_variant(Integer, "sqlite")
tenants = Table("tenants", metadata, Column("tenant", Whole, primary_key=True))

# Each part below lists the tables it makes, and says what it changes of those that are there.

# Keeping: what a restore leaves to be done, and how much a sandbox may have.
restored_dataflows = Table(
    "restored_dataflows",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("taken_at", Whole, nullable=False),
    Column("restored_at", Whole, nullable=False),
    Column("sequence", Whole, nullable=False),
    PrimaryKeyConstraint("tenant", "dataflow"),
)
quotas = Table(
    "quotas",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), primary_key=True, autoincrement=False),
    Column("waiting", Whole, nullable=True),
    Column("people", Whole, nullable=True),
    Column("requests", Whole, nullable=True),
    Column("bytes", Whole, nullable=True),
    Column("modified_at", Whole, nullable=False),
)
KEEPING: tuple[Table, ...] = (restored_dataflows, quotas)

#: In the order in which they are made.
NEW: tuple[Table, ...] = (*KEEPING,)


def upgrade() -> None:
    for table in NEW:
        table.create(op.get_bind())
    statistics.pin(op.get_bind())


def downgrade() -> None:
    for table in reversed(NEW):
        table.drop(op.get_bind())
