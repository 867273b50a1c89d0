"""
The first form of the store, written out: what ``store/tables.py`` was then. Never altered.
"""

from alembic import op
from sqlalchemy import (
    JSON,
    BigInteger,
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

revision = "0001"
down_revision = None

metadata = MetaData()

Whole = BigInteger().with_variant(Integer, "sqlite")

organizations = Table(
    "organizations",
    metadata,
    Column("organization", Whole, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
)

tenants = Table(
    "tenants",
    metadata,
    Column("tenant", Whole, primary_key=True),
    Column("organization", Whole, ForeignKey("organizations.organization"), nullable=False),
    Column("sandbox", Text, nullable=False),
    Column("sandbox_id", Text, nullable=False),
    Column("sequence", Whole, nullable=False, server_default="0"),
    Column("configuration", Whole, nullable=False, server_default="0"),
    UniqueConstraint("organization", "sandbox"),
)

api_clients = Table(
    "api_clients",
    metadata,
    Column("organization", Whole, ForeignKey("organizations.organization"), nullable=False),
    Column("client_id", Text, nullable=False),
    Column("secret_hash", Text, nullable=False),
    Column("permissions", JSON, nullable=False),
    PrimaryKeyConstraint("organization", "client_id"),
    UniqueConstraint("client_id"),
)

access_tokens = Table(
    "access_tokens",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("client_id", Text, ForeignKey("api_clients.client_id"), nullable=False),
    Column("expires_at", Whole, nullable=False),
)

data_keys = Table(
    "data_keys",
    metadata,
    Column("organization", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("position", Whole, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    PrimaryKeyConstraint("organization", "key_id"),
)


def _declared(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False),
        Column("id", Text, nullable=False),
        Column("version", Whole, nullable=False),
        Column("document", JSON, nullable=False),
        Column("created_at", Whole, nullable=False),
        Column("modified_at", Whole, nullable=False),
        PrimaryKeyConstraint("tenant", "id"),
    )


destination_servers = _declared("destination_servers")
destinations = _declared("destinations")
accounts = _declared("accounts")
source_connections = _declared("source_connections")
target_connections = _declared("target_connections")

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
    PrimaryKeyConstraint("tenant", "dataflow"),
    UniqueConstraint("tenant", "id"),
)

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
    PrimaryKeyConstraint("tenant", "audience"),
    UniqueConstraint("tenant", "namespace", "id"),
)

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
    PrimaryKeyConstraint("tenant", "dataflow", "audience"),
    sqlite_with_rowid=False,
)

profiles = Table(
    "profiles",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("profile", Whole, nullable=False),
    Column("key", Text, nullable=False),
    Column("document", LargeBinary, nullable=False),
    PrimaryKeyConstraint("tenant", "profile"),
    UniqueConstraint("tenant", "key"),
)

changes = Table(
    "changes",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("profile", Whole, nullable=False),
    Column("audience", Whole, nullable=False),
    Column("seq", Whole, nullable=False),
    PrimaryKeyConstraint("tenant", "dataflow", "profile", "audience", "seq"),
    sqlite_with_rowid=False,
)

lanes = Table(
    "lanes",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("profile", Whole, nullable=False),
    Column("audience", Whole, nullable=False),
    Column("part", Text, nullable=False),
    Column("bucket", Whole, nullable=False),
    Column("desired_seq", Whole, nullable=False),
    Column("claimed_seq", Whole, nullable=True),
    Column("claim_group", Whole, nullable=True),
    Column("acked_seq", Whole, nullable=True),
    Column("waiting_since", Whole, nullable=True),
    Column("due", Whole, nullable=True),
    Column("shown", LargeBinary, nullable=True),
    PrimaryKeyConstraint("tenant", "dataflow", "profile", "audience", "part"),
    sqlite_with_rowid=False,
)
Index(
    "lanes_due",
    lanes.c.tenant,
    lanes.c.dataflow,
    lanes.c.bucket,
    lanes.c.due,
    sqlite_where=text("due IS NOT NULL"),
    postgresql_where=text("due IS NOT NULL"),
)
Index(
    "lanes_claimed",
    lanes.c.tenant,
    lanes.c.claim_group,
    sqlite_where=text("claim_group IS NOT NULL"),
    postgresql_where=text("claim_group IS NOT NULL"),
)

groups = Table(
    "groups",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("claim_group", Whole, nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("bucket", Whole, nullable=False),
    Column("epoch", Whole, nullable=False),
    Column("attempt", Whole, nullable=False),
    Column("lease_until", Whole, nullable=True),
    Column("due", Whole, nullable=True),
    Column("reason", Text, nullable=True),
    PrimaryKeyConstraint("tenant", "claim_group"),
)
Index("groups_of_dataflow", groups.c.tenant, groups.c.dataflow, groups.c.due)

parked = Table(
    "parked",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("parked", Whole, nullable=False),
    Column("profile", Whole, nullable=False),
    Column("audience", Whole, nullable=False),
    Column("seq", Whole, nullable=False),
    Column("parked_at", Whole, nullable=False),
    Column("attempts", Whole, nullable=False),
    Column("code", Text, nullable=False),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("tenant", "dataflow", "parked"),
    sqlite_with_rowid=False,
)


def _ledger_columns() -> list[Column[int]]:
    names = ("accepted", "delivered", "superseded", "withheld", "parked", "messages")
    return [Column(name, Whole, nullable=False, server_default="0") for name in names]


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

audit = Table(
    "audit",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("entry", Whole, nullable=False),
    Column("at", Whole, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("noun", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("version", Whole, nullable=True),
    PrimaryKeyConstraint("tenant", "entry"),
)

epochs = Table(
    "epochs",
    metadata,
    Column("epoch", Whole, primary_key=True),
    Column("started_at", Whole, nullable=False),
)


def upgrade() -> None:
    """Make every table and index, and tell the planner how large they will be."""
    metadata.create_all(op.get_bind())
    statistics.pin(op.get_bind())


def downgrade() -> None:
    """Take everything away."""
    metadata.drop_all(op.get_bind())
