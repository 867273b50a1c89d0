"""How sign-ins stand at partners, audiences as partners have them, unique values, and runs with their schedules."""

from alembic import op
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

revision = "0003"
down_revision = "0002"

metadata = MetaData()
Whole = BigInteger().with_variant(Integer, "sqlite")

# Known by name only: what the new tables point to.
organizations = Table("organizations", metadata, Column("organization", Whole, primary_key=True))
tenants = Table("tenants", metadata, Column("tenant", Whole, primary_key=True))

sign_in_states = Table(
    "sign_in_states",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False),
    Column("holder", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=True),
    Column("since", Whole, nullable=False),
    Column("issue", Whole, nullable=False),
    Column("generation", Whole, nullable=False),
    Column("sealed", JSON(none_as_null=True), nullable=True),
    Column("expires_at", Whole, nullable=True),
    Column("refreshing_by", Text, nullable=True),
    Column("refreshing_until", Whole, nullable=True),
    Column("refreshed", JSON, nullable=False),
    PrimaryKeyConstraint("tenant", "holder"),
)
begun_sign_ins = Table(
    "begun_sign_ins",
    metadata,
    Column("state_hash", Text, primary_key=True),
    Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False),
    Column("account", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("browser_hash", Text, nullable=True),
    Column("sealed", JSON, nullable=False),
    Column("begun_at", Whole, nullable=False),
    Column("expires_at", Whole, nullable=False),
)
unique_values = Table(
    "unique_values",
    metadata,
    Column("organization", Whole, ForeignKey("organizations.organization"), nullable=False),
    Column("destination", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("tenant", Whole, nullable=False),
    Column("target", Text, nullable=False),
    PrimaryKeyConstraint("organization", "destination", "field", "fingerprint"),
)
partner_audiences = Table(
    "partner_audiences",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False),
    Column("target", Text, nullable=False),
    Column("audience", Whole, nullable=False),
    Column("alias", Text, nullable=True),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=True),
    Column("told", JSON(none_as_null=True), nullable=True),
    Column("calling", Text, nullable=True),
    Column("attempts", Whole, nullable=False),
    Column("since", Whole, nullable=False),
    Column("run", Text, nullable=True),
    PrimaryKeyConstraint("tenant", "target", "audience"),
)
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
executors = Table(
    "executors",
    metadata,
    Column("executor", Text, primary_key=True),
    Column("began_at", Whole, nullable=False),
    Column("seen_at", Whole, nullable=False),
)
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

#: In the order in which they are made.
NEW = (sign_in_states, begun_sign_ins, unique_values, partner_audiences, runs, executors, schedules)


def upgrade() -> None:
    for table in NEW:
        table.create(op.get_bind())


def downgrade() -> None:
    for table in reversed(NEW):
        table.drop(op.get_bind())
