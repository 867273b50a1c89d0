"""Delivery that several processes share, that is paced, and that can be looked into and mended."""

from alembic import op
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

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

# -- parked changes: what is kept of their messages, and how they are found -------------------------------------------

parked_messages = Table(
    "parked_messages",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("kept", Whole, nullable=False),
    Column("message", Text, nullable=False),
    Column("parked_at", Whole, nullable=False),
    Column("content", LargeBinary, nullable=False),
    PrimaryKeyConstraint("tenant", "dataflow", "kept"),
    UniqueConstraint("tenant", "dataflow", "message"),
)
Index("parked_messages_by_age", parked_messages.c.parked_at)

parked_people = Table(
    "parked_people",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("kept", Whole, nullable=False),
    Column("profile", Whole, nullable=False),
    PrimaryKeyConstraint("tenant", "dataflow", "kept", "profile"),
    sqlite_with_rowid=False,
)
Index("parked_people_of_profile", parked_people.c.tenant, parked_people.c.profile)

parked_numbers = Table(
    "parked_numbers",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("last", Whole, nullable=False),
    PrimaryKeyConstraint("tenant", "dataflow"),
)

PARKED: tuple[Table, ...] = (parked_messages, parked_people, parked_numbers)


def _change_parked() -> None:
    for name in ("begun_at", "may_know"):
        op.add_column("groups", Column(name, Whole, nullable=True))
    for name, kind in (("begun_at", Whole), ("message", Text()), ("status", Whole), ("version", Text())):
        op.add_column("parked", Column(name, kind, nullable=True))
    op.create_index("parked_by_code", "parked", ["tenant", "dataflow", "code", "parked"])
    is_there = text("message IS NOT NULL")
    of_message = ["tenant", "dataflow", "message"]
    op.create_index("parked_of_message", "parked", of_message, sqlite_where=is_there, postgresql_where=is_there)


def _change_parked_back() -> None:
    op.drop_index("parked_of_message", "parked")
    op.drop_index("parked_by_code", "parked")
    for name in ("version", "status", "message", "begun_at"):
        op.drop_column("parked", name)
    for name in ("may_know", "begun_at"):
        op.drop_column("groups", name)


tenants = Table("tenants", metadata, Column("tenant", Whole, primary_key=True))


def _tenant() -> "Column[int]":
    return Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False)


# -- alerts: who wants to be told, what is in force, and what it is found out by.

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


# -- all of it --------------------------------------------------------------------------------------------------------

#: In the order in which they are made.
NEW: tuple[Table, ...] = (rates, slowed_accounts, *PARKED, *ALERTS)


def upgrade() -> None:
    for table in NEW:
        table.create(op.get_bind())
    _change_parked()
    _date_groups()
    statistics.pin(op.get_bind())


def downgrade() -> None:
    _date_groups_back()
    _change_parked_back()
    for table in reversed(NEW):
        table.drop(op.get_bind())


# -- how long what is claimed has waited ------------------------------------------------------------------------------


def _date_groups() -> None:
    op.add_column("groups", Column("since", Whole, nullable=True))
    op.create_index("groups_by_age", "groups", ["tenant", "dataflow", "since"])


def _date_groups_back() -> None:
    op.drop_index("groups_by_age", "groups")
    op.drop_column("groups", "since")
