"""What is kept of the partner: its audiences, and ways of signing in that are under way."""

from sqlalchemy import (
    JSON,
    Column,
    ForeignKey,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from headrace.store.tables.base import Whole, metadata

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
