"""Delivery that several processes share, that is paced, and that can be looked into and mended."""

from alembic import op
from sqlalchemy import BigInteger, Integer, MetaData, Table

from headrace.store import statistics

revision = "0005"
down_revision = "0004"

metadata = MetaData()
Whole = BigInteger().with_variant(Integer, "sqlite")

# Each part below lists the tables it makes, and says what it changes of those that are there.

#: In the order in which they are made.
NEW: tuple[Table, ...] = ()


def upgrade() -> None:
    for table in NEW:
        table.create(op.get_bind())
    statistics.pin(op.get_bind())


def downgrade() -> None:
    for table in reversed(NEW):
        table.drop(op.get_bind())
