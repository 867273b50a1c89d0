"""Where data comes from and what may be sent of it: namespaces, datasets, audiences, mapping sets, policies."""

from collections import Counter

import orjson
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
    text,
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

audience_definitions = Table(
    "audience_definitions",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False),
    Column("id", Text, nullable=False),
    Column("version", Whole, nullable=False),
    Column("document", JSON, nullable=False),
    Column("created_at", Whole, nullable=False),
    Column("modified_at", Whole, nullable=False),
    PrimaryKeyConstraint("tenant", "id"),
)
audience_sources = Table(
    "audience_sources",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False),
    Column("audience", Whole, nullable=False),
    Column("dataset", Text, nullable=False),
    PrimaryKeyConstraint("tenant", "audience", "dataset"),
)
audience_evaluations = Table(
    "audience_evaluations",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False),
    Column("audience", Whole, nullable=False),
    Column("evaluation", Whole, nullable=False),
    Column("version", Whole, nullable=False),
    Column("run", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("part", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=True),
    Column("members_before", Whole, nullable=True),
    Column("members_after", Whole, nullable=True),
    Column("entered", Whole, nullable=True),
    Column("left", Whole, nullable=True),
    Column("done", Whole, nullable=False),
    Column("rejected", Whole, nullable=False),
    Column("rejects", JSON, nullable=False),
    Column("snapshots", JSON, nullable=False),
    Column("valid_until", Whole, nullable=True),
    Column("asked_at", Whole, nullable=False),
    Column("began_at", Whole, nullable=True),
    Column("ended_at", Whole, nullable=True),
    PrimaryKeyConstraint("tenant", "audience", "evaluation"),
)
AUDIENCES: tuple[Table, ...] = (audience_definitions, audience_sources, audience_evaluations)

_SIZES = """
    UPDATE audiences SET size = :size WHERE tenant = :tenant AND namespace = :namespace AND id = :id
"""


def _count_members() -> None:
    """Count the members of the audiences that there are, once; from now on whoever enters or leaves is counted."""
    bind, members = op.get_bind(), Counter[tuple[int, str, str]]()
    every = text("SELECT tenant, document FROM profiles").execution_options(stream_results=True)
    for tenant, document in bind.execute(every):
        memberships = orjson.loads(memoryview(document)[1:]).get("segmentMembership") or {}
        members.update(
            (tenant, namespace, id_)
            for namespace, audiences in memberships.items()
            for id_, membership in audiences.items()
            if membership["status"] == "realized"
        )
    for (tenant, namespace, id_), size in members.items():
        bind.execute(text(_SIZES), {"size": size, "tenant": tenant, "namespace": namespace, "id": id_})


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


def _change_activation() -> None:
    op.add_column("dataflow_audiences", Column("ended_at", Whole, nullable=True))
    op.add_column("dataflow_audiences", Column("leaving", JSON(none_as_null=True), nullable=True))
    op.add_column("dataflows", Column("window_at", Whole, nullable=True))
    op.add_column("groups", Column("split_of", Whole, nullable=True))
    op.add_column("groups", Column("refusals", Whole, nullable=True))
    is_split = text("split_of IS NOT NULL")
    op.create_index("groups_split", "groups", ["tenant", "split_of"], sqlite_where=is_split, postgresql_where=is_split)


def _change_activation_back() -> None:
    op.drop_index("groups_split", "groups")
    op.drop_column("groups", "refusals")
    op.drop_column("groups", "split_of")
    op.drop_column("dataflows", "window_at")
    op.drop_column("dataflow_audiences", "leaving")
    op.drop_column("dataflow_audiences", "ended_at")


# -- governance: labels, policies, erasure ----------------------------------------------------------------------------

put_labels = Table(
    "put_labels",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("modified_at", Whole, nullable=False),
    PrimaryKeyConstraint("tenant", "kind", "name"),
)
enabled_policies = Table(
    "enabled_policies",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), primary_key=True, autoincrement=False),
    Column("policies", JSON, nullable=False),
    Column("modified_at", Whole, nullable=False),
)
POLICIES = (*map(_declared, ("usage_labels", "marketing_actions", "policies")), put_labels, enabled_policies)

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

GOVERNANCE: tuple[Table, ...] = (*POLICIES, *CONSENT, *ERASURE)

#: In the order in which they are made.
NEW = (*INTAKE, *DATASETS, *AUDIENCES, *MAPPING_SETS, *ACTIVATION, *GOVERNANCE)


def upgrade() -> None:
    for table in NEW:
        table.create(op.get_bind())
    op.add_column("profiles", Column("sequence", Whole, nullable=True))
    op.create_index("profiles_by_sequence", "profiles", ["tenant", "sequence"])
    _change_activation()
    op.add_column("profiles", Column("expires_at", Whole, nullable=True, server_default="0"))
    is_there = text("expires_at IS NOT NULL")
    op.create_index(
        "profiles_by_expiry", "profiles", ["tenant", "expires_at"], sqlite_where=is_there, postgresql_where=is_there
    )
    op.create_index("parked_of_profile", "parked", ["tenant", "profile"])
    op.add_column("audiences", Column("size", Whole, nullable=False, server_default="0"))
    _count_members()
    statistics.pin(op.get_bind())


def downgrade() -> None:
    _change_activation_back()
    op.drop_column("audiences", "size")
    op.drop_index("parked_of_profile", "parked")
    op.drop_index("profiles_by_expiry", "profiles")
    op.drop_column("profiles", "expires_at")
    op.drop_index("profiles_by_sequence", "profiles")
    op.drop_column("profiles", "sequence")
    for table in reversed(NEW):
        table.drop(op.get_bind())
