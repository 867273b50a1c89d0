"""Runs, schedules, and what is activated."""

from sqlalchemy import (
    JSON,
    Column,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from headrace.store.tables.base import Whole, metadata

#: Work that goes on until it is done, whoever dies: the row is the truth, and is written with what asks for the work.
#: ``subject``: ids only. ``executor`` has it under way. A schedule asks for each of its moments once.
runs = Table(
    "runs",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False),
    Column("run", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", JSON, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=True),
    Column("progress", JSON, nullable=False),
    Column("actor", Text, nullable=False),
    Column("executor", Text, nullable=True),
    Column("asked_at", Whole, nullable=False),
    Column("due_at", Whole, nullable=False),
    Column("began_at", Whole, nullable=True),
    Column("ended_at", Whole, nullable=True),
    Column("retry_of", Text, nullable=True),
    Column("schedule", Text, nullable=True),
    Column("moment", Whole, nullable=True),
    PrimaryKeyConstraint("tenant", "run"),
    UniqueConstraint("run"),
    UniqueConstraint("tenant", "schedule", "moment"),
)
Index("runs_by_state", runs.c.state, runs.c.due_at)

#: Processes that carry runs, and when each was last heard of.
executors = Table(
    "executors",
    metadata,
    Column("executor", Text, primary_key=True),
    Column("began_at", Whole, nullable=False),
    Column("seen_at", Whole, nullable=False),
)

#: What is run again and again: ``asked_until`` is the moment up to which its runs have been asked for, ``next_at`` the
#: next one.
schedules = Table(
    "schedules",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False),
    Column("schedule", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", JSON, nullable=False),
    Column("cron", Text, nullable=False),
    Column("asked_until", Whole, nullable=False),
    Column("next_at", Whole, nullable=False),
    Column("paused_at", Whole, nullable=True),
    Column("actor", Text, nullable=False),
    Column("created_at", Whole, nullable=False),
    PrimaryKeyConstraint("tenant", "schedule"),
)
Index("schedules_by_moment", schedules.c.next_at)

#: ``state``: enabled, disabled by the operator, or held because everything it sent was refused. ``window_at``: when the
#: dates of an audience next begin or end.
dataflows = Table(
    "dataflows",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("id", Text, nullable=False),
    Column("version", Whole, nullable=False),
    Column("document", JSON, nullable=False),
    Column("created_at", Whole, nullable=False),
    Column("modified_at", Whole, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=True),
    Column("deleted_at", Whole, nullable=True),
    Column("window_at", Whole, nullable=True),
    PrimaryKeyConstraint("tenant", "dataflow"),
    UniqueConstraint("tenant", "id"),
)

#: Audiences of a tenant and the number each has inside, declared or only carried by people; ``size``: its members now.
audiences = Table(
    "audiences",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("audience", Whole, nullable=False),
    Column("namespace", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("name", Text, nullable=True),
    Column("created_at", Whole, nullable=False),
    Column("modified_at", Whole, nullable=False),
    Column("size", Whole, nullable=False, server_default="0"),
    PrimaryKeyConstraint("tenant", "audience"),
    UniqueConstraint("tenant", "namespace", "id"),
)

#: Which audiences a dataflow sends, and since when; ``ended_at``: nothing more of it is told; ``leaving``: how the
#: audience was chosen, while those whom the partner knows of it are told to have left. How far backfills have come
#: stands in their runs; an older form kept it here (``backfill_from``, ``backfill_to``).
dataflow_audiences = Table(
    "dataflow_audiences",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("audience", Whole, nullable=False),
    Column("mapped_at", Whole, nullable=False),
    Column("modified_at", Whole, nullable=False),
    Column("backfill_from", Whole, nullable=True),
    Column("backfill_to", Whole, nullable=True),
    Column("ended_at", Whole, nullable=True),
    Column("leaving", JSON(none_as_null=True), nullable=True),
    PrimaryKeyConstraint("tenant", "dataflow", "audience"),
    sqlite_with_rowid=False,
)
