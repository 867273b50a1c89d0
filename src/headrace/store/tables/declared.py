"""What people declare."""

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

from headrace.store.tables.base import Whole, declared, metadata

destination_servers = declared("destination_servers")
destinations = declared("destinations")
audience_templates = declared("audience_templates")
credentials = declared("credentials")
accounts = declared("accounts")
source_connections = declared("source_connections")
target_connections = declared("target_connections")

#: Every version that any of these ever had, kept for good: what was published points here. A deletion is a version too.
versions = Table(
    "versions",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False),
    Column("noun", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("version", Whole, nullable=False),
    Column("action", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", Whole, nullable=False),
    Column("document", JSON(none_as_null=True), nullable=True),
    PrimaryKeyConstraint("tenant", "noun", "id", "version"),
)

#: Requests to publish: which versions (``pinned``: noun, id, version of each), for whom, and what was decided.
publish_requests = Table(
    "publish_requests",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False),
    Column("config_id", Text, nullable=False),
    Column("destination", Text, nullable=False),
    Column("access", Text, nullable=False),
    Column("allowed_orgs", JSON, nullable=False),
    Column("pinned", JSON, nullable=False),
    Column("status", Text, nullable=False),
    Column("submitted_by", Text, nullable=False),
    Column("submitted_at", Whole, nullable=False),
    Column("decided_by", Text, nullable=True),
    Column("decided_at", Whole, nullable=True),
    Column("reason", Text, nullable=True),
    Column("published_at", Whole, nullable=True),
    Column("ended_at", Whole, nullable=True),
    PrimaryKeyConstraint("tenant", "config_id"),
    UniqueConstraint("config_id"),
)
Index("publish_requests_of_destination", publish_requests.c.destination, publish_requests.c.status)

#: What the operator of a target connection has agreed that a destination may be sent, and to which origins.
consents = Table(
    "consents",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False),
    Column("target", Text, nullable=False),
    Column("config_id", Text, nullable=True),
    Column("origins", JSON, nullable=False),
    Column("fields", JSON, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", Whole, nullable=False),
    PrimaryKeyConstraint("tenant", "target"),
)


conversion_schemas = declared("conversion_schemas")
mapping_sets = declared("mapping_sets")
