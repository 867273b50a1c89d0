"""What all tables are made of."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)

metadata = MetaData()

#: 64 bits everywhere; SQLite numbers rows by themselves only under this very name.
Whole = BigInteger().with_variant(Integer, "sqlite")


def declared(name: str) -> Table:
    """Make the table of one noun that people declare: the document as it was sent, its version, its dates."""
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
