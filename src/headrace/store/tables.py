"""
The tables. ``tenant``, one small integer for an organization's sandbox, comes first in every key.

Text names stay at the door: people, audiences and dataflows are integers inside, because an index of integers is what
makes a change cheap. Moments are milliseconds since 1970.
"""

from sqlalchemy import (
    JSON,
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

metadata = MetaData()

# -- who: organizations, sandboxes, their API clients -----------------------------------------------------------------

organizations = Table(
    "organizations",
    metadata,
    Column("organization", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
)

#: ``sequence`` numbers the states of people; ``configuration`` is another after every change of what is declared.
tenants = Table(
    "tenants",
    metadata,
    Column("tenant", Integer, primary_key=True),
    Column("organization", Integer, ForeignKey("organizations.organization"), nullable=False),
    Column("sandbox", Text, nullable=False),
    Column("sandbox_id", Text, nullable=False),
    Column("sequence", Integer, nullable=False, server_default="0"),
    Column("configuration", Integer, nullable=False, server_default="0"),
    UniqueConstraint("organization", "sandbox"),
)

api_clients = Table(
    "api_clients",
    metadata,
    Column("organization", Integer, ForeignKey("organizations.organization"), nullable=False),
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
    Column("expires_at", Integer, nullable=False),
)

data_keys = Table(
    "data_keys",
    metadata,
    Column("organization", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    PrimaryKeyConstraint("organization", "key_id"),
)

# -- what people declare ------------------------------------------------------------------------------------------


def _declared(name: str) -> Table:
    """Make the table of one noun that people declare: the document as it was sent, its version, its dates."""
    return Table(
        name,
        metadata,
        Column("tenant", Integer, ForeignKey("tenants.tenant"), nullable=False),
        Column("id", Text, nullable=False),
        Column("version", Integer, nullable=False),
        Column("document", JSON, nullable=False),
        Column("created_at", Integer, nullable=False),
        Column("modified_at", Integer, nullable=False),
        PrimaryKeyConstraint("tenant", "id"),
    )


destination_servers = _declared("destination_servers")
destinations = _declared("destinations")
accounts = _declared("accounts")
source_connections = _declared("source_connections")
target_connections = _declared("target_connections")

#: ``state``: enabled, disabled by the operator, or held because everything it sent was refused.
dataflows = Table(
    "dataflows",
    metadata,
    Column("tenant", Integer, ForeignKey("tenants.tenant"), nullable=False),
    Column("dataflow", Integer, nullable=False),
    Column("id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("document", JSON, nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("modified_at", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=True),
    Column("deleted_at", Integer, nullable=True),
    PrimaryKeyConstraint("tenant", "dataflow"),
    UniqueConstraint("tenant", "id"),
)

#: Audiences of a tenant and the number each has inside.
audiences = Table(
    "audiences",
    metadata,
    Column("tenant", Integer, nullable=False),
    Column("audience", Integer, nullable=False),
    Column("namespace", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("name", Text, nullable=True),
    Column("created_at", Integer, nullable=False),
    Column("modified_at", Integer, nullable=False),
    PrimaryKeyConstraint("tenant", "audience"),
    UniqueConstraint("tenant", "namespace", "id"),
)

#: Which audiences a dataflow sends, since when, and how far the sending of those who were members already has come.
dataflow_audiences = Table(
    "dataflow_audiences",
    metadata,
    Column("tenant", Integer, nullable=False),
    Column("dataflow", Integer, nullable=False),
    Column("audience", Integer, nullable=False),
    Column("mapped_at", Integer, nullable=False),
    Column("modified_at", Integer, nullable=False),
    Column("backfill_from", Integer, nullable=True),
    Column("backfill_to", Integer, nullable=True),
    PrimaryKeyConstraint("tenant", "dataflow", "audience"),
    sqlite_with_rowid=False,
)

# -- people and what must be told of them ---------------------------------------------------------------------------

#: One document a person, memberships inside; the first byte is the form of the rest.
profiles = Table(
    "profiles",
    metadata,
    Column("tenant", Integer, nullable=False),
    Column("profile", Integer, nullable=False),
    Column("key", Text, nullable=False),
    Column("document", LargeBinary, nullable=False),
    PrimaryKeyConstraint("tenant", "profile"),
    UniqueConstraint("tenant", "key"),
)

#: Changes that are not settled yet: the unit of the ledger.
changes = Table(
    "changes",
    metadata,
    Column("tenant", Integer, nullable=False),
    Column("dataflow", Integer, nullable=False),
    Column("profile", Integer, nullable=False),
    Column("audience", Integer, nullable=False),
    Column("seq", Integer, nullable=False),
    PrimaryKeyConstraint("tenant", "dataflow", "profile", "audience", "seq"),
    sqlite_with_rowid=False,
)

#: Lanes: what is sent in order. A lane waits (``due``), or is claimed (``claim_group``), or rests.
lanes = Table(
    "lanes",
    metadata,
    Column("tenant", Integer, nullable=False),
    Column("dataflow", Integer, nullable=False),
    Column("profile", Integer, nullable=False),
    Column("audience", Integer, nullable=False),
    Column("part", Text, nullable=False),
    Column("bucket", Integer, nullable=False),
    Column("desired_seq", Integer, nullable=False),
    Column("claimed_seq", Integer, nullable=True),
    Column("claim_group", Integer, nullable=True),
    Column("acked_seq", Integer, nullable=True),
    Column("waiting_since", Integer, nullable=True),
    Column("due", Integer, nullable=True),
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

#: Claimed entries that travel together: under way while ``lease_until`` is set, waiting for a retry until ``due``.
groups = Table(
    "groups",
    metadata,
    Column("tenant", Integer, nullable=False),
    Column("claim_group", Integer, nullable=False),
    Column("dataflow", Integer, nullable=False),
    Column("bucket", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("lease_until", Integer, nullable=True),
    Column("due", Integer, nullable=True),
    Column("reason", Text, nullable=True),
    PrimaryKeyConstraint("tenant", "claim_group"),
)
Index("groups_of_dataflow", groups.c.tenant, groups.c.dataflow, groups.c.due)

#: Changes laid aside with the reason.
parked = Table(
    "parked",
    metadata,
    Column("tenant", Integer, nullable=False),
    Column("dataflow", Integer, nullable=False),
    Column("parked", Integer, nullable=False),
    Column("profile", Integer, nullable=False),
    Column("audience", Integer, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("parked_at", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("code", Text, nullable=False),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("tenant", "dataflow", "parked"),
    sqlite_with_rowid=False,
)

# -- the ledger and the audit --------------------------------------------------------------------------------------


def _ledger_columns() -> list[Column[int]]:
    names = ("accepted", "delivered", "superseded", "withheld", "parked", "messages")
    return [Column(name, Integer, nullable=False, server_default="0") for name in names]


#: What each transaction added, one row for each dataflow and audience it touched; folded into ``ledger`` later, because
#: one row that every writer raises would make them wait for each other.
ledger_deltas = Table(
    "ledger_deltas",
    metadata,
    Column("delta", Integer, primary_key=True, autoincrement=True),
    Column("tenant", Integer, nullable=False),
    Column("dataflow", Integer, nullable=False),
    Column("audience", Integer, nullable=False),
    *_ledger_columns(),
)

ledger = Table(
    "ledger",
    metadata,
    Column("tenant", Integer, nullable=False),
    Column("dataflow", Integer, nullable=False),
    Column("audience", Integer, nullable=False),
    *_ledger_columns(),
    PrimaryKeyConstraint("tenant", "dataflow", "audience"),
    sqlite_with_rowid=False,
)

#: Who changed what; written in the transaction of the change, never altered.
audit = Table(
    "audit",
    metadata,
    Column("tenant", Integer, nullable=False),
    Column("entry", Integer, nullable=False),
    Column("at", Integer, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("noun", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("version", Integer, nullable=True),
    PrimaryKeyConstraint("tenant", "entry"),
)

#: One row for each start of a process that claims: its number fences the claims of those before it.
epochs = Table(
    "epochs",
    metadata,
    Column("epoch", Integer, primary_key=True),
    Column("started_at", Integer, nullable=False),
)
