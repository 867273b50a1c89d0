"""Alerts: who wants to be told, what is in force, and what it is found out by."""

from sqlalchemy import Column, ForeignKey, PrimaryKeyConstraint, Table, Text

from headrace.store.tables.base import Whole, declared, metadata

alert_subscriptions = declared("alert_subscriptions")

#: What is wrong, or was: one row for each thing that an alert is about (``about``: the id of a dataflow, an account or
#: a process) and for each threshold. ``episode`` counts how often it began; the row decides who raises it and who
#: recovers it. ``told_at``: when subscriptions were last told of it.
alerts = Table(
    "alerts",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False),
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
)

#: For each dataflow, the hour that is counted: what was settled and withheld when it began, and how many in a thousand
#: of those that the hour before it settled were withheld.
alert_hours = Table(
    "alert_hours",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("began_at", Whole, nullable=False),
    Column("settled", Whole, nullable=False),
    Column("withheld", Whole, nullable=False),
    Column("per_mille", Whole, nullable=False),
    PrimaryKeyConstraint("tenant", "dataflow"),
)

#: Processes that watch, and up to which moment the runs of dataflows are told of (under the name ``runs``).
alert_watchers = Table(
    "alert_watchers",
    metadata,
    Column("watcher", Text, primary_key=True),
    Column("began_at", Whole, nullable=False),
    Column("seen_at", Whole, nullable=False),
)
