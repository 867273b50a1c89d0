"""API clients and the access tokens handed to them. Secrets and tokens are kept as hashes."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import delete, insert, or_, select, update

from headrace.store.database import Transaction
from headrace.store.tables import access_tokens, api_clients


@dataclass(frozen=True, slots=True)
class Client:
    """
    An API client: whose it is, what it may do and where, and the hash of its secret.

    ``tenants`` are the sandboxes it may work in, ``None`` all of its organization's. Moments that are ``None`` have not
    come: it does not expire, was never used, is not revoked. ``created_at`` is ``None`` if that was never written down.
    """

    organization: int
    client_id: str
    secret_hash: str
    permissions: tuple[str, ...]
    name: str | None = None
    tenants: tuple[int, ...] | None = None
    created_at: int | None = None
    created_by: str | None = None
    expires_at: int | None = None
    last_used_at: int | None = None
    revoked_at: int | None = None

    def is_good(self, now: int) -> bool:
        """Say whether it may sign in: it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


_FIELDS = tuple(Client.__dataclass_fields__)


def add(tx: Transaction, client: Client) -> None:
    """Keep a new API client."""
    tx.core.execute(insert(api_clients).values(_row(client)))


def replaced(tx: Transaction, client: Client, **changes: Any) -> Client:
    """Change what is kept of an API client and return it as it is now."""
    changed = replace(client, **changes)
    row = _row(changed)
    values = {name: row[name] for name in changes}
    tx.core.execute(update(api_clients).where(api_clients.c.client_id == client.client_id).values(**values))
    return changed


def find(tx: Transaction, client_id: str) -> Client | None:
    """Return an API client of whatever organization by its id: for signing in."""
    row = tx.core.execute(select(api_clients).where(api_clients.c.client_id == client_id)).mappings().one_or_none()
    return None if row is None else _client(row)


def find_in(tx: Transaction, organization: int, client_id: str) -> Client | None:
    """Return an API client of an organization by its id."""
    client = find(tx, client_id)
    return client if client is not None and client.organization == organization else None


def all_of(tx: Transaction, organization: int) -> list[Client]:
    """Return the API clients of an organization, oldest first, also those that are revoked."""
    query = select(api_clients).where(api_clients.c.organization == organization)
    rows = tx.core.execute(query.order_by(api_clients.c.created_at, api_clients.c.client_id))
    return [_client(row) for row in rows.mappings()]


def note_use(tx: Transaction, client_id: str, now: int, unless_since: int) -> None:
    """Write down that a client is in use, if that was not written since a moment."""
    last = api_clients.c.last_used_at
    is_due = (api_clients.c.client_id == client_id) & or_(last.is_(None), last < unless_since)
    tx.core.execute(update(api_clients).where(is_due).values(last_used_at=now))


def add_token(tx: Transaction, token_hash: str, client_id: str, expires_at: int, now: int) -> None:
    """Keep a new access token, and forget those that have expired."""
    tx.core.execute(delete(access_tokens).where(access_tokens.c.expires_at <= now))
    row = {"token_hash": token_hash, "client_id": client_id, "expires_at": expires_at}
    tx.core.execute(insert(access_tokens).values(**row))


def of_token(tx: Transaction, token_hash: str, now: int) -> Client | None:
    """Return the client that a token was handed to and is still good for."""
    query = (
        select(api_clients)
        .join(access_tokens, access_tokens.c.client_id == api_clients.c.client_id)
        .where(access_tokens.c.token_hash == token_hash, access_tokens.c.expires_at > now)
    )
    row = tx.core.execute(query).mappings().one_or_none()
    return None if row is None else _client(row)


def forget_tokens(tx: Transaction, client_id: str) -> None:
    """End every access token of a client."""
    tx.core.execute(delete(access_tokens).where(access_tokens.c.client_id == client_id))


def _row(client: Client) -> dict[str, Any]:
    tenants = None if client.tenants is None else list(client.tenants)
    return {**asdict(client), "permissions": list(client.permissions), "tenants": tenants}


def _client(row: Any) -> Client:
    given = {name: row[name] for name in _FIELDS}
    tenants = None if row["tenants"] is None else tuple(row["tenants"])
    return Client(**{**given, "permissions": tuple(row["permissions"]), "tenants": tenants})
