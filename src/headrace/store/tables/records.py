"""The ledger, the audit, and the epochs."""

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from headrace.store.tables.base import Whole, metadata


def _ledger_columns() -> list[Column[int]]:
    names = ("accepted", "delivered", "superseded", "withheld", "parked", "messages")
    return [Column(name, Whole, nullable=False, server_default="0") for name in names]


#: What each transaction added, one row for each dataflow and audience it touched; folded into ``ledger`` later, because
#: one row that every writer raises would make them wait for each other.
ledger_deltas = Table(
    "ledger_deltas",
    metadata,
    Column("delta", Whole, primary_key=True, autoincrement=True),
    Column("tenant", Whole, nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("audience", Whole, nullable=False),
    *_ledger_columns(),
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
