"""
The tables. ``tenant``, one small integer for an organization's sandbox, comes first in every key.

Text names stay at the door: people, audiences and dataflows are integers inside, because an index of integers is what
makes a change cheap. Moments are milliseconds since 1970.

*Control* tables hold what people declare and who they are: small, and altered by revisions after a copy. *Data* tables
(``DATA``) grow with people and changes: revisions only add to them, and the copy leaves them out.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
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

#: 64 bits everywhere; SQLite numbers rows by themselves only under this very name.
Whole = BigInteger().with_variant(Integer, "sqlite")

# -- who: organizations, sandboxes, their API clients -----------------------------------------------------------------

organizations = Table(
    "organizations",
    metadata,
    Column("organization", Whole, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
)

#: ``sequence`` numbers the states of people; ``configuration`` is another after every change of what is declared.
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

#: ``tenants``: the sandboxes it may work in, ``None`` for all of its organization's.
api_clients = Table(
    "api_clients",
    metadata,
    Column("organization", Whole, ForeignKey("organizations.organization"), nullable=False),
    Column("client_id", Text, nullable=False),
    Column("secret_hash", Text, nullable=False),
    Column("permissions", JSON, nullable=False),
    Column("name", Text, nullable=True),
    Column("tenants", JSON(none_as_null=True), nullable=True),
    Column("created_at", Whole, nullable=True),
    Column("created_by", Text, nullable=True),
    Column("expires_at", Whole, nullable=True),
    Column("last_used_at", Whole, nullable=True),
    Column("revoked_at", Whole, nullable=True),
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

users = Table(
    "users",
    metadata,
    Column("user", Whole, primary_key=True),
    Column("organization", Whole, ForeignKey("organizations.organization"), nullable=False),
    Column("id", Text, nullable=False, unique=True),
    Column("email", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("password_hash", Text, nullable=True),
    Column("version", Whole, nullable=False),
    Column("created_at", Whole, nullable=False),
    Column("modified_at", Whole, nullable=False),
    Column("disabled_at", Whole, nullable=True),
)

#: ``tenant`` 0: in every sandbox of the organization.
user_roles = Table(
    "user_roles",
    metadata,
    Column("user", Whole, ForeignKey("users.user"), nullable=False),
    Column("tenant", Whole, nullable=False),
    Column("role", Text, nullable=False),
    PrimaryKeyConstraint("user", "tenant", "role"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("session_hash", Text, primary_key=True),
    Column("user", Whole, ForeignKey("users.user"), nullable=False),
    Column("created_at", Whole, nullable=False),
    Column("seen_at", Whole, nullable=False),
    Column("expires_at", Whole, nullable=False),
)

#: Who signed in with a wrong secret, how often in a row, and until when nothing more is tried.
sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("failures", Whole, nullable=False),
    Column("last_at", Whole, nullable=False),
    Column("locked_until", Whole, nullable=False),
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

# -- what people declare ------------------------------------------------------------------------------------------


def _declared(name: str) -> Table:
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


destination_servers = _declared("destination_servers")
destinations = _declared("destinations")
audience_templates = _declared("audience_templates")
credentials = _declared("credentials")
accounts = _declared("accounts")
source_connections = _declared("source_connections")
target_connections = _declared("target_connections")

#: Every version that any of these ever had, kept for good: what was published points here. A deletion is a version too.
versions = Table(
    "versions",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False),
    Column("noun", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("version", Whole, nullable=False),
    Column("action", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", Whole, nullable=False),
    Column("document", JSON(none_as_null=True), nullable=True),
    PrimaryKeyConstraint("tenant", "noun", "id", "version"),
)

#: Requests to publish: which versions (``pinned``: noun, id, version of each), for whom, and what was decided.
publish_requests = Table(
    "publish_requests",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False),
    Column("config_id", Text, nullable=False),
    Column("destination", Text, nullable=False),
    Column("access", Text, nullable=False),
    Column("allowed_orgs", JSON, nullable=False),
    Column("pinned", JSON, nullable=False),
    Column("status", Text, nullable=False),
    Column("submitted_by", Text, nullable=False),
    Column("submitted_at", Whole, nullable=False),
    Column("decided_by", Text, nullable=True),
    Column("decided_at", Whole, nullable=True),
    Column("reason", Text, nullable=True),
    Column("published_at", Whole, nullable=True),
    Column("ended_at", Whole, nullable=True),
    PrimaryKeyConstraint("tenant", "config_id"),
    UniqueConstraint("config_id"),
)
Index("publish_requests_of_destination", publish_requests.c.destination, publish_requests.c.status)

#: What the operator of a target connection has agreed that a destination may be sent, and to which origins.
consents = Table(
    "consents",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False),
    Column("target", Text, nullable=False),
    Column("config_id", Text, nullable=True),
    Column("origins", JSON, nullable=False),
    Column("fields", JSON, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", Whole, nullable=False),
    PrimaryKeyConstraint("tenant", "target"),
)

# -- at the partner -----------------------------------------------------------------------------------------------

#: How the sign-in of an account, or of credentials that operators share, stands at the partner (``holder`` is the id of
#: either). ``issue`` rises when its credentials are replaced or taken away. ``sealed``: what the partner gave, an
#: access token above all. ``refreshing_by`` is whoever asks for the next one, until ``refreshing_until``;
#: ``refreshed``: when that was done lately, for the breaker.
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

#: Sign-ins that were begun in a browser and are not back yet: each ``state`` that was sent along, hashed, counts once.
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

#: Values of customer data that only one connection to a destination may have, as fingerprints.
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

#: Audiences as the partner has them, one for each target connection: what it calls them, what it was last told of them
#: (``told``; nothing: it has none), and how a request about one stands. ``calling`` is the request whose outcome nobody
#: knows yet; it is written, and ``attempts`` raised, before it leaves. ``run`` is the newest run, the only one to act.
#: Audience 0 is a dataflow itself, whose id is then ``target``.
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

# -- runs ---------------------------------------------------------------------------------------------------------

#: Work that goes on until it is done, whoever dies: the row is the truth, and is written with what asks for the work.
#: ``subject``: ids only. ``executor`` has it under way. A schedule asks for each of its moments once.
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

#: Processes that carry runs, and when each was last heard of.
executors = Table(
    "executors",
    metadata,
    Column("executor", Text, primary_key=True),
    Column("began_at", Whole, nullable=False),
    Column("seen_at", Whole, nullable=False),
)

#: What is run again and again: ``asked_until`` is the moment up to which its runs have been asked for, ``next_at`` the
#: next one.
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

#: ``state``: enabled, disabled by the operator, or held because everything it sent was refused. ``window_at``: when the
#: dates of an audience next begin or end.
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
    Column("window_at", Whole, nullable=True),
    PrimaryKeyConstraint("tenant", "dataflow"),
    UniqueConstraint("tenant", "id"),
)

#: Audiences of a tenant and the number each has inside, declared or only carried by people; ``size``: its members now.
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
    Column("size", Whole, nullable=False, server_default="0"),
    PrimaryKeyConstraint("tenant", "audience"),
    UniqueConstraint("tenant", "namespace", "id"),
)

#: Which audiences a dataflow sends, and since when; ``ended_at``: nothing more of it is told; ``leaving``: how the
#: audience was chosen, while those whom the partner knows of it are told to have left. How far backfills have come
#: stands in their runs; an older form kept it here (``backfill_from``, ``backfill_to``).
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
    Column("ended_at", Whole, nullable=True),
    Column("leaving", JSON(none_as_null=True), nullable=True),
    PrimaryKeyConstraint("tenant", "dataflow", "audience"),
    sqlite_with_rowid=False,
)

# -- people and what must be told of them ---------------------------------------------------------------------------

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
#: refused alone while the partner took none of it (null: it took some).
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
    PrimaryKeyConstraint("tenant", "claim_group"),
)
Index("groups_of_dataflow", groups.c.tenant, groups.c.dataflow, groups.c.due)
Index(
    "groups_split",
    groups.c.tenant,
    groups.c.split_of,
    sqlite_where=text("split_of IS NOT NULL"),
    postgresql_where=text("split_of IS NOT NULL"),
)

#: Changes laid aside with the reason.
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
Index("parked_of_profile", parked.c.tenant, parked.c.profile)

# -- intake: namespaces, and requests that were taken -----------------------------------------------------------------

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

# -- datasets ---------------------------------------------------------------------------------------------------------

datasets = _declared("datasets")

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

# -- audiences: definitions and evaluations ---------------------------------------------------------------------------

audience_definitions = _declared("audience_definitions")

#: The datasets that the query of an audience reads.
audience_sources = Table(
    "audience_sources",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), nullable=False),
    Column("audience", Whole, nullable=False),
    Column("dataset", Text, nullable=False),
    PrimaryKeyConstraint("tenant", "audience", "dataset"),
)

#: Each finding out of who is in an audience: ``part`` says whether a list replaces the one before it or is added to it;
#: ``done`` is how many of those who ``entered`` or ``left`` are taken in; ``snapshots`` are those that were read.
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
# -- mapping sets -----------------------------------------------------------------------------------------------------

conversion_schemas = _declared("conversion_schemas")
mapping_sets = _declared("mapping_sets")

# -- activation -------------------------------------------------------------------------------------------------------

# -- governance: labels, policies, erasure ----------------------------------------------------------------------------

usage_labels = _declared("usage_labels")
marketing_actions = _declared("marketing_actions")
policies = _declared("policies")

#: The labels that data carries. ``kind`` says on what they were put: ``field``, ``dataset`` or ``namespace``.
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

#: The core policies that a sandbox enforces; without a row, none.
enabled_policies = Table(
    "enabled_policies",
    metadata,
    Column("tenant", Whole, ForeignKey("tenants.tenant"), primary_key=True, autoincrement=False),
    Column("policies", JSON, nullable=False),
    Column("modified_at", Whole, nullable=False),
)
consent_policies = _declared("consent_policies")

#: Why changes were withheld, counted: what each transaction added, folded into one row a reason later.
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

#: Erasures: ``subject`` is who is meant, until they are removed from here.
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

#: The numbers that erased people had: they are never given again, for partners may still be told by them.
erased_people = Table(
    "erased_people",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("profile", Whole, nullable=False),
    Column("erasure", Text, nullable=False),
    PrimaryKeyConstraint("tenant", "profile"),
)

#: Identities of erased people, as keyed hashes: records that have one are not taken.
tombstones = Table(
    "tombstones",
    metadata,
    Column("tenant", Whole, nullable=False),
    Column("hash", Text, nullable=False),
    Column("erasure", Text, nullable=False),
    PrimaryKeyConstraint("tenant", "hash"),
)

#: What became of telling each dataflow's partner of an erased person; person 0: nobody was known.
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

# -- the ledger and the audit --------------------------------------------------------------------------------------


def _ledger_columns() -> list[Column[int]]:
    names = ("accepted", "delivered", "superseded", "withheld", "parked", "messages")
    return [Column(name, Whole, nullable=False, server_default="0") for name in names]


#: What each transaction added, one row for each dataflow and audience it touched; folded into ``ledger`` later, because
#: one row that every writer raises would make them wait for each other.
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

#: Who changed what, in an organization; ``tenant`` is the sandbox, if it was in one. Written in the transaction of the
#: change, never altered: each entry's hash covers the one before it.
audit = Table(
    "audit",
    metadata,
    Column("organization", Whole, ForeignKey("organizations.organization"), nullable=False),
    Column("entry", Whole, nullable=False),
    Column("tenant", Whole, nullable=True),
    Column("at", Whole, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("noun", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("version", Whole, nullable=True),
    Column("details", JSON(none_as_null=True), nullable=True),
    Column("hash", Text, nullable=False),
    PrimaryKeyConstraint("organization", "entry"),
)

#: One row for each start of a process that claims: its number fences the claims of those before it.
epochs = Table(
    "epochs",
    metadata,
    Column("epoch", Whole, primary_key=True),
    Column("started_at", Whole, nullable=False),
)

#: The tables that grow with people and changes.
DATA = frozenset(
    {
        "audiences",
        "dataflow_audiences",
        "profiles",
        "changes",
        "lanes",
        "groups",
        "parked",
        "ledger_deltas",
        "ledger",
        "taken_requests",
        "withheld_reasons",
        "erasures",
        "erased_people",
        "tombstones",
        "erasure_receipts",
    }
)
