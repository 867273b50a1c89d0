"""Governance: labels, policies, erasure."""

from sqlalchemy import (
    JSON,
    Column,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from headrace.store.tables.base import Whole, declared, metadata

usage_labels = declared("usage_labels")
marketing_actions = declared("marketing_actions")
policies = declared("policies")

#: The labels that data carries. ``kind`` says on what they were put: ``field``, ``dataset`` or ``namespace``.
put_labels = Table(
    "put_labels",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("modified_at", Whole, nullable=False),
    PrimaryKeyConstraint("tenant", "kind", "name"),
)

#: The core policies that a sandbox enforces; without a row, none.
enabled_policies = Table(
    "enabled_policies",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), primary_key=True, autoincrement=False),
    Column("policies", JSON, nullable=False),
    Column("modified_at", Whole, nullable=False),
)
consent_policies = declared("consent_policies")

#: Why changes were withheld, counted: what each transaction added, folded into one row a reason later.
withheld_reasons = Table(
    "withheld_reasons",
    metadata,
    Column("delta", Whole, primary_key=True, autoincrement=True),
    Column("tenant", Whole, nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("reason", Text, nullable=False),
    Column("changes", Whole, nullable=False),
    Column("hour", Whole, nullable=False, server_default="0"),
)
Index("withheld_reasons_of_dataflow", withheld_reasons.c.tenant, withheld_reasons.c.dataflow)

#: Erasures: ``subject`` is who is meant, until they are removed from here.
erasures = Table(
    "erasures",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("erasure", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("subject", JSON(none_as_null=True), nullable=True),
    Column("actor", Text, nullable=False),
    Column("asked_at", Whole, nullable=False),
    Column("removed_at", Whole, nullable=True),
    Column("ended_at", Whole, nullable=True),
    Column("lifted_at", Whole, nullable=True),
    PrimaryKeyConstraint("tenant", "erasure"),
)

#: The numbers that erased people had: they are never given again, for partners may still be told by them.
erased_people = Table(
    "erased_people",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("profile", Whole, nullable=False),
    Column("erasure", Text, nullable=False),
    PrimaryKeyConstraint("tenant", "profile"),
)

#: Identities of erased people, as keyed hashes: records that have one are not taken.
tombstones = Table(
    "tombstones",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("hash", Text, nullable=False),
    Column("erasure", Text, nullable=False),
    PrimaryKeyConstraint("tenant", "hash"),
)

#: What became of telling each dataflow's partner of an erased person; person 0: nobody was known. ``left_in``: the
#: audiences that it may still have them in, and that nothing can be told of, by name.
erasure_receipts = Table(
    "erasure_receipts",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("erasure", Text, nullable=False),
    Column("profile", Whole, nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=True),
    Column("at", Whole, nullable=False),
    Column("left_in", JSON(none_as_null=True), nullable=True),
    PrimaryKeyConstraint("tenant", "erasure", "profile", "dataflow"),
)
