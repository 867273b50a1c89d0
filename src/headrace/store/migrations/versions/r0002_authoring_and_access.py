"""
Users and their sessions, clients with a life of their own, every version of what is declared, requests to publish,
consents, and an audit for each organization whose entries are chained.
"""

import hashlib
import json

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
    or_,
    select,
)

revision = "0002"
down_revision = "0001"

metadata = MetaData()
Whole = BigInteger().with_variant(Integer, "sqlite")
Document = JSON(none_as_null=True)

# Known by name only: what the new tables point to.
organizations = Table("organizations", metadata, Column("organization", Whole, primary_key=True))
tenants = Table(
    "tenants", metadata, Column("tenant", Whole, primary_key=True), Column("organization", Whole, nullable=False)
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
sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("failures", Whole, nullable=False),
    Column("last_at", Whole, nullable=False),
    Column("locked_until", Whole, nullable=False),
)


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


audience_templates = _declared("audience_templates")
credentials = _declared("credentials")
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
    Column("document", Document, nullable=True),
    PrimaryKeyConstraint("tenant", "noun", "id", "version"),
)
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
NEW = (
    users,
    user_roles,
    sessions,
    sign_in_failures,
    audience_templates,
    credentials,
    versions,
    publish_requests,
    consents,
)

#: What an API client has from now on, beside who it is, its secret and its permissions.
CLIENT_COLUMNS = (
    ("name", Text()),
    ("tenants", Document),
    ("created_at", Whole),
    ("created_by", Text()),
    ("expires_at", Whole),
    ("last_used_at", Whole),
    ("revoked_at", Whole),
)

_AUDIT_BEFORE = ("tenant", "entry", "at", "actor", "action", "noun", "id", "version")
#: The tables of each noun that is declared so far.
_DECLARED = {
    "destination-server": "destination_servers",
    "destination": "destinations",
    "account": "accounts",
    "source-connection": "source_connections",
    "target-connection": "target_connections",
}


def upgrade() -> None:
    """Make the new tables; give everything that is there its first version; chain the audit."""
    connection = op.get_bind()
    for table in NEW:
        table.create(connection)
    for name, kind in CLIENT_COLUMNS:
        op.add_column("api_clients", Column(name, kind, nullable=True))
    for noun, table_name in _DECLARED.items():
        table = _table(table_name, "tenant", "id", "version", "modified_at", document=True)
        for row in connection.execute(table.select()).mappings().all():
            kept = {**row, "noun": noun, "action": "keep", "actor": "migration", "at": row["modified_at"]}
            connection.execute(versions.insert().values({column.name: kept[column.name] for column in versions.c}))
    _chain_audit()


def downgrade() -> None:
    """Take the new away; what only it could hold is gone, the rest stays."""
    _unchain_audit()
    for table in reversed(NEW):
        table.drop(op.get_bind())
    _forget_limited_clients()
    for name, _ in reversed(CLIENT_COLUMNS):
        op.drop_column("api_clients", name)


def _forget_limited_clients() -> None:
    """Take away the clients that could do more without their limits: revoked, expiring, or let into some sandboxes."""
    connection = op.get_bind()
    clients = Table(
        "api_clients",
        MetaData(),
        Column("client_id", Text),
        *(Column(name, kind) for name, kind in CLIENT_COLUMNS),
    )
    tokens = Table("access_tokens", MetaData(), Column("client_id", Text))
    is_limited = or_(*(clients.c[name].is_not(None) for name in ("tenants", "expires_at", "revoked_at")))
    limited = select(clients.c.client_id).where(is_limited)
    connection.execute(tokens.delete().where(tokens.c.client_id.in_(limited)))
    connection.execute(clients.delete().where(is_limited))


def _unchain_audit() -> None:
    """Number the entries of each sandbox again; those of no sandbox are gone."""
    connection = op.get_bind()
    after = _new_audit()
    rows = (
        connection.execute(after.select().where(after.c.tenant.is_not(None)).order_by(after.c.entry)).mappings().all()
    )
    op.drop_table("audit")
    before = _old_audit()
    before.create(connection)
    last: dict[int, int] = {}
    for row in rows:
        last[row["tenant"]] = entry = last.get(row["tenant"], 0) + 1
        connection.execute(before.insert().values({**{name: row[name] for name in _AUDIT_BEFORE}, "entry": entry}))


def _chain_audit() -> None:
    """Number the entries of each organization through, and cover each with a hash of it and of those before it."""
    connection = op.get_bind()
    before = _table("audit", *_AUDIT_BEFORE, texts=("actor", "action", "noun", "id"))
    rows = connection.execute(before.select().order_by(before.c.at, before.c.tenant, before.c.entry)).mappings().all()
    owner = {row.tenant: row.organization for row in connection.execute(tenants.select())}
    op.drop_table("audit")
    after = _new_audit()
    after.create(connection)
    last: dict[int, tuple[int, str]] = {}
    for row in rows:
        organization = owner[row["tenant"]]
        entry, previous = last.get(organization, (0, ""))
        kept = {**row, "organization": organization, "entry": entry + 1, "details": None}
        said = [kept[column.name] for column in after.c if column.name != "hash"]
        text = json.dumps(said, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        digest = hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()
        connection.execute(after.insert().values(**kept, hash=digest))
        last[organization] = (entry + 1, digest)


def _new_audit() -> Table:
    own = MetaData()
    Table("organizations", own, Column("organization", Whole, primary_key=True))
    return Table(
        "audit",
        own,
        Column("organization", Whole, ForeignKey("organizations.organization"), nullable=False),
        Column("entry", Whole, nullable=False),
        Column("tenant", Whole, nullable=True),
        Column("at", Whole, nullable=False),
        Column("actor", Text, nullable=False),
        Column("action", Text, nullable=False),
        Column("noun", Text, nullable=False),
        Column("id", Text, nullable=False),
        Column("version", Whole, nullable=True),
        Column("details", Document, nullable=True),
        Column("hash", Text, nullable=False),
        PrimaryKeyConstraint("organization", "entry"),
    )


def _old_audit() -> Table:
    return Table(
        "audit",
        MetaData(),
        Column("tenant", Whole, nullable=False),
        Column("entry", Whole, nullable=False),
        Column("at", Whole, nullable=False),
        Column("actor", Text, nullable=False),
        Column("action", Text, nullable=False),
        Column("noun", Text, nullable=False),
        Column("id", Text, nullable=False),
        Column("version", Whole, nullable=True),
        PrimaryKeyConstraint("tenant", "entry"),
    )


def _table(name: str, *numbers: str, texts: tuple[str, ...] = ("id",), document: bool = False) -> Table:
    """Name a table and those of its columns that are read here."""
    columns = [Column(column, Text if column in texts else Whole) for column in numbers]
    return Table(name, MetaData(), *columns, *([Column("document", JSON)] if document else []))
