"""Delivery that several processes share, that is paced, and that can be looked into and mended."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, MetaData, Table

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
    _date_groups()
    statistics.pin(op.get_bind())


def downgrade() -> None:
    _date_groups_back()
    for table in reversed(NEW):
        table.drop(op.get_bind())


# -- how long what is claimed has waited ------------------------------------------------------------------------------


def _date_groups() -> None:
    op.add_column("groups", Column("since", Whole, nullable=True))
    op.create_index("groups_by_age", "groups", ["tenant", "dataflow", "since"])


def _date_groups_back() -> None:
    op.drop_index("groups_by_age", "groups")
    op.drop_column("groups", "since")
