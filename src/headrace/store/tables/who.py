"""Who: organizations, sandboxes, their API clients and users."""

from sqlalchemy import (
    JSON,
    Column,
    ForeignKey,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from headrace.store.tables.base import Whole, metadata

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
