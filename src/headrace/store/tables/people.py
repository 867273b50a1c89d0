"""People and what must be told of them."""

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from headrace.store.tables.base import Whole, metadata

#: One document a person, memberships inside; the first byte is the form of the rest. ``sequence`` is the number of the
#: state, by which a scan finds who has changed since; none: they have not changed since there were such numbers.
#: ``expires_at``: when a membership ends by itself, or is to be forgotten; 0: nobody has looked yet; none: never.
profiles = Table(
    "profiles",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("profile", Whole, nullable=False),
    Column("key", Text, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("sequence", Whole, nullable=True),
    Column("expires_at", Whole, nullable=True, server_default="0"),
    Column("identities_at", Whole, nullable=True),
    PrimaryKeyConstraint("tenant", "profile"),
    UniqueConstraint("tenant", "key"),
)
Index("profiles_by_sequence", profiles.c.tenant, profiles.c.sequence)
Index(
    "profiles_by_expiry",
    profiles.c.tenant,
    profiles.c.expires_at,
    sqlite_where=text("expires_at IS NOT NULL"),
    postgresql_where=text("expires_at IS NOT NULL"),
)

#: Changes that are not settled yet: the unit of the ledger.
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

#: Lanes: what is sent in order. A lane waits (``due``), or is claimed (``claim_group``), or rests.
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

#: Claimed entries that travel together: under way while ``lease_until`` is set, waiting for a retry until ``due``.
#: ``split_of`` is the group that parts of a refused message stem from; ``refusals``, how many entries of that were
#: refused alone while the partner took none of it (null: it took some). ``begun_at``: when it was first claimed.
#: ``may_know``: an attempt of which nobody knows what became; none: there was none. ``since``: the oldest ``due`` of
#: its lanes.
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
    Column("split_of", Whole, nullable=True),
    Column("refusals", Whole, nullable=True),
    Column("begun_at", Whole, nullable=True),
    Column("may_know", Whole, nullable=True),
    Column("since", Whole, nullable=True),
    PrimaryKeyConstraint("tenant", "claim_group"),
)
Index("groups_by_age", groups.c.tenant, groups.c.dataflow, groups.c.since)
Index("groups_of_dataflow", groups.c.tenant, groups.c.dataflow, groups.c.due)
Index(
    "groups_split",
    groups.c.tenant,
    groups.c.split_of,
    sqlite_where=text("split_of IS NOT NULL"),
    postgresql_where=text("split_of IS NOT NULL"),
)

#: Changes laid aside with the reason. ``begun_at``: when they were first tried. ``message``: in which they were sent,
#: if they were; ``status``: what was answered; ``version``: of what messages were made of.
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
    Column("begun_at", Whole, nullable=True),
    Column("message", Text, nullable=True),
    Column("status", Whole, nullable=True),
    Column("version", Text, nullable=True),
    PrimaryKeyConstraint("tenant", "dataflow", "parked"),
    sqlite_with_rowid=False,
)
Index("parked_of_profile", parked.c.tenant, parked.c.profile)
Index("parked_by_code", parked.c.tenant, parked.c.dataflow, parked.c.code, parked.c.parked)
Index(
    "parked_of_message",
    parked.c.tenant,
    parked.c.dataflow,
    parked.c.message,
    sqlite_where=text("message IS NOT NULL"),
    postgresql_where=text("message IS NOT NULL"),
)


#: Namespaces of identities that are not among the standard ones. ``is_declared``: by a person, not by its first use.
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

#: By which namespace a person is kept who names none as primary, where a sandbox has an order of its own.
namespace_orders = Table(
    "namespace_orders",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), primary_key=True, autoincrement=False),
    Column("codes", JSON, nullable=False),
)

#: Requests that came with an idempotency key, for a day: how many of their parts are kept, and, once all are,
#: what was answered.
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
