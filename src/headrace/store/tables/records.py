"""The ledger by all time and by hour, the history, the audit, and the epochs."""

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from headrace.store.tables.base import Whole, metadata


def _ledger_columns(*more: str) -> list[Column[int]]:
    names = ("accepted", "delivered", "superseded", "withheld", "parked", "messages", *more)
    return [Column(name, Whole, nullable=False, server_default="0") for name in names]


#: What each transaction added, one row for each dataflow and audience it touched; folded into ``ledger`` later, because
#: one row that every writer raises would make them wait for each other. ``hour`` counts hours since 1970 (0: of a form
#: that knew none), ``people`` the records that changed something (each in one of its audiences), ``entries`` what
#: delivered messages carried.
ledger_deltas = Table(
    "ledger_deltas",
    metadata,
    Column("delta", Whole, primary_key=True, autoincrement=True),
    Column("tenant", Whole, nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("audience", Whole, nullable=False),
    *_ledger_columns(),
    *(Column(name, Whole, nullable=False, server_default="0") for name in ("hour", "people", "entries")),
)

ledger = Table(
    "ledger",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("audience", Whole, nullable=False),
    *_ledger_columns(),
    PrimaryKeyConstraint("tenant", "dataflow", "audience"),
    sqlite_with_rowid=False,
)

#: The ledger by the hour in which something happened, kept for some days.
ledger_hours = Table(
    "ledger_hours",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("hour", Whole, nullable=False),
    Column("audience", Whole, nullable=False),
    *_ledger_columns("people", "entries"),
    PrimaryKeyConstraint("tenant", "dataflow", "hour", "audience"),
    sqlite_with_rowid=False,
)
Index("ledger_hours_by_hour", ledger_hours.c.hour, ledger_hours.c.tenant, ledger_hours.c.dataflow)

#: With which codes changes were parked, counted: what each transaction added, folded into one row a code later.
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

#: Why changes were parked or withheld (``outcome``) in an hour, kept as long as the hour.
hour_codes = Table(
    "hour_codes",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("hour", Whole, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("changes", Whole, nullable=False),
    PrimaryKeyConstraint("tenant", "dataflow", "hour", "outcome", "code"),
    sqlite_with_rowid=False,
)
Index("hour_codes_by_hour", hour_codes.c.hour)

#: What became of whom, one row for all changes that a transaction or a message did the same with: ``entries`` holds
#: their people, audiences and sequence numbers, ``lowest`` and ``highest`` are the first and the last person of them.
history = Table(
    "history",
    metadata,
    Column("number", Whole, primary_key=True, autoincrement=True),
    Column("tenant", Whole, nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("day", Whole, nullable=False),
    Column("lowest", Whole, nullable=False),
    Column("highest", Whole, nullable=False),
    Column("moment", Whole, nullable=False),
    Column("kind", Whole, nullable=False),
    Column("message", Text, nullable=True),
    Column("code", Text, nullable=True),
    Column("status", Whole, nullable=True),
    Column("attempt", Whole, nullable=True),
    Column("entries", LargeBinary, nullable=False),
)
Index("history_of_day", history.c.tenant, history.c.dataflow, history.c.day, history.c.lowest, history.c.highest)

#: Who changed what, in an organization; ``tenant`` is the sandbox, if it was in one. Written in the transaction of the
#: change, never altered: each entry's hash covers the one before it.
audit = Table(
    "audit",
    metadata,
    Column("organization", Whole, ForeignKey("organizations.organization"), nullable=False),
    Column("entry", Whole, nullable=False),
    Column("tenant", Whole, nullable=True),
    Column("at", Whole, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("noun", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("version", Whole, nullable=True),
    Column("details", JSON(none_as_null=True), nullable=True),
    Column("hash", Text, nullable=False),
    PrimaryKeyConstraint("organization", "entry"),
)

#: One row for each start of a process that claims: its number fences the claims of those before it.
epochs = Table(
    "epochs",
    metadata,
    Column("epoch", Whole, primary_key=True),
    Column("started_at", Whole, nullable=False),
)

#: The processes that are there, each by its epoch: ``seen_at`` is when it was last heard of, by the database's time.
#: ``executor`` is its name as one that carries runs.
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
