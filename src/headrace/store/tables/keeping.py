"""What keeps a store within bounds, and what is known of one that was restored."""

from sqlalchemy import Column, ForeignKey, PrimaryKeyConstraint, Table

from headrace.store.tables.base import Whole, metadata

#: Dataflows of a store that was restored, until they are enabled: from a backup of when, when that was done, and the
#: number of the last state of a person then.
restored_dataflows = Table(
    "restored_dataflows",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False),
    Column("dataflow", Whole, nullable=False),
    Column("taken_at", Whole, nullable=False),
    Column("restored_at", Whole, nullable=False),
    Column("sequence", Whole, nullable=False),
    PrimaryKeyConstraint("tenant", "dataflow"),
)

#: How much a sandbox may have, where that is not what the settings say; null: what they say.
quotas = Table(
    "quotas",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), primary_key=True, autoincrement=False),
    Column("waiting", Whole, nullable=True),
    Column("people", Whole, nullable=True),
    Column("requests", Whole, nullable=True),
    Column("bytes", Whole, nullable=True),
    Column("modified_at", Whole, nullable=False),
)
