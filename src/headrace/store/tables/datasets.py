"""Datasets."""

from sqlalchemy import (
    JSON,
    Column,
    ForeignKey,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from headrace.store.tables.base import Whole, declared, metadata

datasets = declared("datasets")

#: What lay there when somebody looked: ``version`` is that of the dataset then, ``manifest`` the files and columns as
#: they were, ``bad`` the first of the rows that are none. ``run`` is the one that looks.
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
