"""Audiences: definitions and evaluations."""

from sqlalchemy import (
    JSON,
    Column,
    ForeignKey,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from headrace.store.tables.base import Whole, declared, metadata

audience_definitions = declared("audience_definitions")

#: The datasets that the query of an audience reads.
audience_sources = Table(
    "audience_sources",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False),
    Column("audience", Whole, nullable=False),
    Column("dataset", Text, nullable=False),
    PrimaryKeyConstraint("tenant", "audience", "dataset"),
)

#: Each finding out of who is in an audience: ``part`` says whether a list replaces the one before it or is added to it;
#: ``done`` is how many of those who ``entered`` or ``left`` are taken in; ``snapshots`` are those that were read.
audience_evaluations = Table(
    "audience_evaluations",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False),
    Column("audience", Whole, nullable=False),
    Column("evaluation", Whole, nullable=False),
    Column("version", Whole, nullable=False),
    Column("run", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("part", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=True),
    Column("members_before", Whole, nullable=True),
    Column("members_after", Whole, nullable=True),
    Column("entered", Whole, nullable=True),
    Column("left", Whole, nullable=True),
    Column("done", Whole, nullable=False),
    Column("rejected", Whole, nullable=False),
    Column("rejects", JSON, nullable=False),
    Column("snapshots", JSON, nullable=False),
    Column("valid_until", Whole, nullable=True),
    Column("asked_at", Whole, nullable=False),
    Column("began_at", Whole, nullable=True),
    Column("ended_at", Whole, nullable=True),
    PrimaryKeyConstraint("tenant", "audience", "evaluation"),
)
