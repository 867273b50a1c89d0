"""Delivery that several processes share, that is paced, and that can be looked into and mended."""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Integer, MetaData, PrimaryKeyConstraint, Table, Text

from headrace.store import statistics

revision = "0005"
down_revision = "0004"

metadata = MetaData()
Whole = BigInteger().with_variant(Integer, "sqlite")

# Each part below lists the tables it makes, and says what it changes of those that are there.

# -- pacing: what was taken of partners' limits, and accounts that are left alone -------------------------------------

rates = Table(
    "rates",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("account", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("per", Text, nullable=False),
    Column("taken", Text, nullable=False),
    Column("ends_at", Whole, nullable=False),
    PrimaryKeyConstraint("tenant", "account", "unit", "per"),
)

slowed_accounts = Table(
    "slowed_accounts",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("account", Text, nullable=False),
    Column("is_down", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", Whole, nullable=False),
    Column("until", Whole, nullable=False),
    PrimaryKeyConstraint("tenant", "account"),
)

# -- all of it --------------------------------------------------------------------------------------------------------

#: In the order in which they are made.
NEW: tuple[Table, ...] = (rates, slowed_accounts)


def upgrade() -> None:
    for table in NEW:
        table.create(op.get_bind())
    statistics.pin(op.get_bind())


def downgrade() -> None:
    for table in reversed(NEW):
        table.drop(op.get_bind())
