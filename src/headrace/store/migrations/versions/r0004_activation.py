"""Where data comes from and what may be sent of it: namespaces, datasets, audiences, mapping sets, policies."""

from alembic import op
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
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

from headrace.store import statistics

revision = "0004"
down_revision = "0003"

metadata = MetaData()
Whole = BigInteger().with_variant(Integer, "sqlite")

# Known by name only: what the new tables point to.
tenants = Table("tenants", metadata, Column("tenant", Whole, primary_key=True))

# -- intake: namespaces, and requests that were taken -----------------------------------------------------------------

namespaces = Table(
    "namespaces",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False),
    Column("namespace", Whole, nullable=False),
    Column("code", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("id_type", Text, nullable=False),
    Column("description", Text, nullable=True),
    Column("is_declared", Boolean, nullable=False),
    Column("created_at", Whole, nullable=False),
    Column("modified_at", Whole, nullable=False),
    PrimaryKeyConstraint("tenant", "namespace"),
    UniqueConstraint("tenant", "code"),
)

namespace_orders = Table(
    "namespace_orders",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), primary_key=True, autoincrement=False),
    Column("codes", JSON, nullable=False),
)

taken_requests = Table(
    "taken_requests",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("key", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("parts", Whole, nullable=False),
    Column("accepted", Whole, nullable=False),
    Column("rejected", JSON(none_as_null=True), nullable=True),
    Column("taken_at", Whole, nullable=False),
    PrimaryKeyConstraint("tenant", "key"),
)
Index("taken_requests_by_age", taken_requests.c.tenant, taken_requests.c.taken_at)

INTAKE: tuple[Table, ...] = (namespaces, namespace_orders, taken_requests)

# -- datasets ---------------------------------------------------------------------------------------------------------

datasets = Table(
    "datasets",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False),
    Column("id", Text, nullable=False),
    Column("version", Whole, nullable=False),
    Column("document", JSON, nullable=False),
    Column("created_at", Whole, nullable=False),
    Column("modified_at", Whole, nullable=False),
    PrimaryKeyConstraint("tenant", "id"),
)
dataset_snapshots = Table(
    "dataset_snapshots",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False),
    Column("dataset", Text, nullable=False),
    Column("number", Whole, nullable=False),
    Column("version", Whole, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=True),
    Column("run", Text, nullable=False),
    Column("rows", Whole, nullable=True),
    Column("bad_rows", Whole, nullable=True),
    Column("bad", JSON, nullable=False),
    Column("bytes", Whole, nullable=True),
    Column("manifest", JSON(none_as_null=True), nullable=True),
    Column("columns", JSON, nullable=False),
    Column("asked_at", Whole, nullable=False),
    Column("taken_at", Whole, nullable=True),
    PrimaryKeyConstraint("tenant", "dataset", "number"),
)
DATASETS: tuple[Table, ...] = (datasets, dataset_snapshots)

# -- audiences: definitions and evaluations ---------------------------------------------------------------------------

AUDIENCES: tuple[Table, ...] = ()

# -- mapping sets -----------------------------------------------------------------------------------------------------


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


MAPPING_SETS: tuple[Table, ...] = (_declared("conversion_schemas"), _declared("mapping_sets"))

# -- activation -------------------------------------------------------------------------------------------------------

ACTIVATION: tuple[Table, ...] = ()

# -- governance: labels, policies, erasure ----------------------------------------------------------------------------

withheld_reasons = Table(
    "withheld_reasons",
    metadata,
    Column("delta", Whole, primary_key=True, autoincrement=True),
    Column("tenant", Whole, nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("reason", Text, nullable=False),
    Column("changes", Whole, nullable=False),
)
Index("withheld_reasons_of_dataflow", withheld_reasons.c.tenant, withheld_reasons.c.dataflow)

CONSENT: tuple[Table, ...] = (_declared("consent_policies"), withheld_reasons)

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

erased_people = Table(
    "erased_people",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("profile", Whole, nullable=False),
    Column("erasure", Text, nullable=False),
    PrimaryKeyConstraint("tenant", "profile"),
)

tombstones = Table(
    "tombstones",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("hash", Text, nullable=False),
    Column("erasure", Text, nullable=False),
    PrimaryKeyConstraint("tenant", "hash"),
)

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
    PrimaryKeyConstraint("tenant", "erasure", "profile", "dataflow"),
)

ERASURE: tuple[Table, ...] = (erasures, erased_people, tombstones, erasure_receipts)

GOVERNANCE: tuple[Table, ...] = (*CONSENT, *ERASURE)

#: In the order in which they are made.
NEW = (*INTAKE, *DATASETS, *AUDIENCES, *MAPPING_SETS, *ACTIVATION, *GOVERNANCE)


def upgrade() -> None:
    for table in NEW:
        table.create(op.get_bind())
    op.add_column("profiles", Column("sequence", Whole, nullable=True))
    op.create_index("profiles_by_sequence", "profiles", ["tenant", "sequence"])
    statistics.pin(op.get_bind())


def downgrade() -> None:
    op.drop_index("profiles_by_sequence", "profiles")
    op.drop_column("profiles", "sequence")
    for table in reversed(NEW):
        table.drop(op.get_bind())
