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
tenants = Table("tenants", metadata, Column("tenant", Whole, primary_key=True))

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

# -- the ledger by hour, and the history --------------------------------------------------------------------------

ledger_hours = Table(
    "ledger_hours",
    metadata,
    *(Column(name, Whole, nullable=False) for name in ("tenant", "dataflow", "hour", "audience")),
    *(
        Column(name, Whole, nullable=False, server_default="0")
        for name in ("accepted", "delivered", "superseded", "withheld", "parked", "messages", "people", "entries")
    ),
    PrimaryKeyConstraint("tenant", "dataflow", "hour", "audience"),
    sqlite_with_rowid=False,
)
Index("ledger_hours_by_hour", ledger_hours.c.hour, ledger_hours.c.tenant, ledger_hours.c.dataflow)

parked_codes = Table(
    "parked_codes",
    metadata,
    Column("delta", Whole, primary_key=True, autoincrement=True),
    Column("tenant", Whole, nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("code", Text, nullable=False),
    Column("changes", Whole, nullable=False),
    Column("hour", Whole, nullable=False, server_default="0"),
)
Index("parked_codes_of_dataflow", parked_codes.c.tenant, parked_codes.c.dataflow)

hour_codes = Table(
    "hour_codes",
    metadata,
    *(Column(name, Whole, nullable=False) for name in ("tenant", "dataflow", "hour")),
    Column("outcome", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("changes", Whole, nullable=False),
    PrimaryKeyConstraint("tenant", "dataflow", "hour", "outcome", "code"),
    sqlite_with_rowid=False,
)
Index("hour_codes_by_hour", hour_codes.c.hour)

history = Table(
    "history",
    metadata,
    Column("number", Whole, primary_key=True, autoincrement=True),
    *(
        Column(name, Whole, nullable=False)
        for name in ("tenant", "dataflow", "day", "lowest", "highest", "moment", "kind")
    ),
    Column("message", Text, nullable=True),
    Column("code", Text, nullable=True),
    Column("status", Whole, nullable=True),
    Column("attempt", Whole, nullable=True),
    Column("entries", LargeBinary, nullable=False),
)
Index("history_of_day", *(history.c[name] for name in ("tenant", "dataflow", "day", "lowest", "highest")))

LEDGER: tuple[Table, ...] = (ledger_hours, parked_codes, hour_codes, history)
_OF_DELTAS = ("hour", "people", "entries")


def _give_hours() -> None:
    for name in _OF_DELTAS:
        op.add_column("ledger_deltas", Column(name, Whole, nullable=False, server_default="0"))
    op.add_column("withheld_reasons", Column("hour", Whole, nullable=False, server_default="0"))


def _take_hours() -> None:
    op.drop_column("withheld_reasons", "hour")
    for name in reversed(_OF_DELTAS):
        op.drop_column("ledger_deltas", name)


# -- keeping: what a restore leaves to be done, and how much a sandbox may have.
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

# -- all of it --------------------------------------------------------------------------------------------------------

#: In the order in which they are made.
NEW: tuple[Table, ...] = (workers, rates, slowed_accounts, *PARKED, *ALERTS, *LEDGER, *KEEPING)


def upgrade() -> None:
    for table in NEW:
        table.create(op.get_bind())
    _change_parked()
    _date_groups()
    _give_hours()
    op.add_column("erasure_receipts", Column("left_in", JSON, nullable=True))
    statistics.pin(op.get_bind())


def downgrade() -> None:
    op.drop_column("erasure_receipts", "left_in")
    _take_hours()
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
