"""Delivery that several processes share, that is paced, and that can be looked into and mended."""

from alembic import op
from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Integer, MetaData, PrimaryKeyConstraint, Table, Text

from headrace.store import statistics

revision = "0005"
down_revision = "0004"

metadata = MetaData()
Whole = BigInteger().with_variant(Integer, "sqlite")

# Each part below lists the tables it makes, and says what it changes of those that are there.

tenants = Table("tenants", metadata, Column("tenant", Whole, primary_key=True))


def _tenant() -> "Column[int]":
    return Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False)


# Alerts: who wants to be told, what is in force, and what it is found out by.

ALERTS = (
    Table(
        "alert_subscriptions",
        metadata,
        _tenant(),
        Column("id", Text, nullable=False),
        Column("version", Whole, nullable=False),
        Column("document", JSON, nullable=False),
        Column("created_at", Whole, nullable=False),
        Column("modified_at", Whole, nullable=False),
        PrimaryKeyConstraint("tenant", "id"),
    ),
    Table(
        "alerts",
        metadata,
        _tenant(),
        Column("alert", Text, nullable=False),
        Column("about", Text, nullable=False),
        Column("threshold", Text, nullable=False),
        Column("episode", Whole, nullable=False),
        Column("state", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("raised_at", Whole, nullable=False),
        Column("told_at", Whole, nullable=False),
        Column("recovered_at", Whole, nullable=True),
        PrimaryKeyConstraint("tenant", "alert", "about", "threshold"),
    ),
    Table(
        "alert_hours",
        metadata,
        _tenant(),
        Column("dataflow", Whole, nullable=False),
        Column("began_at", Whole, nullable=False),
        Column("settled", Whole, nullable=False),
        Column("withheld", Whole, nullable=False),
        Column("per_mille", Whole, nullable=False),
        PrimaryKeyConstraint("tenant", "dataflow"),
    ),
    Table(
        "alert_watchers",
        metadata,
        Column("watcher", Text, primary_key=True),
        Column("began_at", Whole, nullable=False),
        Column("seen_at", Whole, nullable=False),
    ),
)

#: In the order in which they are made.
NEW: tuple[Table, ...] = (*ALERTS,)


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
