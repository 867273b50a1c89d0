"""How fast accounts go: what was taken of partners' limits, and which accounts are left alone."""

from sqlalchemy import Boolean, Column, PrimaryKeyConstraint, Table, Text

from headrace.store.tables.base import Whole, metadata

#: What was taken of one limit of an account lately, for all processes: ``taken`` lists parts of its span with how much,
#: and counts until ``ends_at``.
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

#: Accounts whose partner wants to be left alone, or keeps failing (``is_down``): for operators to read.
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
