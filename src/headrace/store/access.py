"""Organizations, sandboxes, API clients and the access tokens handed to them. Secrets and tokens are kept as hashes."""

import secrets
from dataclasses import dataclass

from sqlalchemy import delete, insert, select

from headrace.store.database import Transaction
from headrace.store.tables import access_tokens, api_clients, organizations, tenants


@dataclass(frozen=True, slots=True)
class Tenant:
    """One sandbox of an organization: the number everything inside is kept under, and its names."""

    tenant: int
    organization: str
    sandbox: str
    sandbox_id: str


@dataclass(frozen=True, slots=True)
class Client:
    """An API client: whose it is, what it may do, and the hash of its secret."""

    client_id: str
    organization: str
    secret_hash: str
    permissions: tuple[str, ...]


def add_organization(tx: Transaction, name: str) -> int:
    """Keep a new organization and return its number."""
    result = tx.core.execute(insert(organizations).values(name=name).returning(organizations.c.organization))
    return int(result.scalar_one())


def add_tenant(tx: Transaction, organization: int, sandbox: str, sandbox_id: str) -> None:
    """Keep a new sandbox of an organization."""
    tx.core.execute(insert(tenants).values(organization=organization, sandbox=sandbox, sandbox_id=sandbox_id))


def add_client(tx: Transaction, organization: int, client_id: str, secret_hash: str, permissions: list[str]) -> None:
    """Keep a new API client of an organization."""
    row = {"organization": organization, "client_id": client_id, "secret_hash": secret_hash}
    tx.core.execute(insert(api_clients).values(**row, permissions=permissions))


def is_empty(tx: Transaction) -> bool:
    """Say whether nobody was ever let in: the very first start."""
    return tx.core.execute(select(organizations.c.organization).limit(1)).first() is None


def find_tenant(tx: Transaction, organization: str, sandbox: str) -> Tenant | None:
    """Return a sandbox by its names."""
    rows = [tenant for tenant in all_tenants(tx) if (tenant.organization, tenant.sandbox) == (organization, sandbox)]
    return rows[0] if rows else None


def configuration(tx: Transaction, tenant: int) -> int:
    """Return the number that is another after every change of what is declared in a sandbox."""
    number: int = tx.run("SELECT configuration FROM tenants WHERE tenant = :tenant", {"tenant": tenant}).fetchone()[0]
    return number


def raise_configuration(tx: Transaction, tenant: int) -> None:
    """
    Note that something declared has changed, so that whoever compiled it does so again.

    The number is drawn and not counted: one that was rolled back never comes again with another meaning.
    """
    number = secrets.randbits(62)
    tx.run("UPDATE tenants SET configuration = :number WHERE tenant = :tenant", {"tenant": tenant, "number": number})


def all_tenants(tx: Transaction) -> list[Tenant]:
    """Return every sandbox there is."""
    query = select(tenants.c.tenant, organizations.c.name, tenants.c.sandbox, tenants.c.sandbox_id)
    return [Tenant(*row) for row in tx.core.execute(query.join(organizations))]


def find_client(tx: Transaction, client_id: str) -> Client | None:
    """Return an API client by its id."""
    query = (
        select(api_clients.c.client_id, organizations.c.name, api_clients.c.secret_hash, api_clients.c.permissions)
        .join(organizations)
        .where(api_clients.c.client_id == client_id)
    )
    row = tx.core.execute(query).one_or_none()
    return None if row is None else Client(row[0], row[1], row[2], tuple(row[3]))


def add_token(tx: Transaction, token_hash: str, client_id: str, expires_at: int, now: int) -> None:
    """Keep a new access token, and forget those that have expired."""
    tx.core.execute(delete(access_tokens).where(access_tokens.c.expires_at <= now))
    row = {"token_hash": token_hash, "client_id": client_id, "expires_at": expires_at}
    tx.core.execute(insert(access_tokens).values(**row))


def client_of_token(tx: Transaction, token_hash: str, now: int) -> Client | None:
    """Return the client that a token was handed to and is still good for."""
    query = select(access_tokens.c.client_id).where(
        access_tokens.c.token_hash == token_hash, access_tokens.c.expires_at > now
    )
    client_id = tx.core.execute(query).scalar_one_or_none()
    return None if client_id is None else find_client(tx, client_id)


def first_organization(tx: Transaction) -> str:
    """Return the name of the organization that runs this installation: the one of the first start."""
    query = select(organizations.c.name).order_by(organizations.c.organization).limit(1)
    return str(tx.core.execute(query).scalar_one())
