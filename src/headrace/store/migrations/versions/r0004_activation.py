"""Where data comes from and what may be sent of it: namespaces, datasets, audiences, mapping sets, policies."""

from alembic import op
from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Integer, MetaData, PrimaryKeyConstraint, Table, Text

revision = "0004"
down_revision = "0003"

metadata = MetaData()
Whole = BigInteger().with_variant(Integer, "sqlite")

# Known by name only: what the new tables point to.
tenants = Table("tenants", metadata, Column("tenant", Whole, primary_key=True))

# -- intake: namespaces, and requests that were taken -----------------------------------------------------------------

INTAKE: tuple[Table, ...] = ()

# -- datasets ---------------------------------------------------------------------------------------------------------

DATASETS: tuple[Table, ...] = ()

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

GOVERNANCE: tuple[Table, ...] = ()

#: In the order in which they are made.
NEW = (*INTAKE, *DATASETS, *AUDIENCES, *MAPPING_SETS, *ACTIVATION, *GOVERNANCE)


def upgrade() -> None:
    for table in NEW:
        table.create(op.get_bind())


def downgrade() -> None:
    for table in reversed(NEW):
        table.drop(op.get_bind())
