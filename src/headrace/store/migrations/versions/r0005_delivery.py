"""Delivery that several processes share, that is paced, and that can be looked into and mended."""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Integer, MetaData, Table, Text

from headrace.store import statistics

revision = "0005"
down_revision = "0004"

metadata = MetaData()
Whole = BigInteger().with_variant(Integer, "sqlite")

# Each part below lists the tables it makes, and says what it changes of those that are there.

# -- processes: those that are there ----------------------------------------------------------------------------------

workers = Table(
    "workers",
    metadata,
    Column("epoch", Whole, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("process", Whole, nullable=False),
    Column("delivers", Boolean, nullable=False),
    Column("executor", Text, nullable=True),
    Column("began_at", Whole, nullable=False),
    Column("seen_at", Whole, nullable=False),
)

#: In the order in which they are made.
NEW: tuple[Table, ...] = (workers,)


def upgrade() -> None:
    for table in NEW:
        table.create(op.get_bind())
    statistics.pin(op.get_bind())


def downgrade() -> None:
    for table in reversed(NEW):
        table.drop(op.get_bind())
