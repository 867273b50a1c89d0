"""Letting clients in: the first start, access tokens, and who may do what."""

import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass

from headrace.clock import Clock
from headrace.errors import Forbidden, NotFound, Unauthorized
from headrace.services.caller import Caller
from headrace.store import access
from headrace.store.access import Client
from headrace.store.database import Store, Transaction

#: What routes may ask for. A client has a list of these.
PERMISSIONS = (
    "authoring:read",
    "authoring:write",
    "publishing:review",
    "activation:read",
    "activation:write",
    "profiles:write",
    "monitoring:read",
)

TOKEN_LIFE = 24 * 60 * 60
FIRST_ORGANIZATION = "demo@headrace"
FIRST_SANDBOX = "prod"


@dataclass(frozen=True, slots=True)
class FirstClient:
    """The client made at the very first start; its secret is shown this once."""

    organization: str
    sandbox: str
    client_id: str
    client_secret: str


def begin(tx: Transaction) -> FirstClient | None:
    """Make the first organization, sandbox and client in a store that is new; ``None`` in one that is not."""
    if not access.is_empty(tx):
        return None
    organization = access.add_organization(tx, FIRST_ORGANIZATION)
    access.add_tenant(tx, organization, FIRST_SANDBOX, str(uuid.uuid4()))
    client_id, secret = f"hr-{secrets.token_hex(8)}", f"hrs-{secrets.token_urlsafe(32)}"
    access.add_client(tx, organization, client_id, _hash(secret), list(PERMISSIONS))
    return FirstClient(FIRST_ORGANIZATION, FIRST_SANDBOX, client_id, secret)


async def issue_token(store: Store, clock: Clock, client_id: str, client_secret: str) -> str:
    """
    Hand out an access token for the credentials of a client, good for a day.

    Raises:
        Unauthorized: there is no such client, or that is not its secret; which of the two is not told.
    """
    client = await store.read(lambda tx: access.find_client(tx, client_id))
    known = client.secret_hash if client is not None else _hash("")
    if not hmac.compare_digest(_hash(client_secret), known) or client is None:
        raise Unauthorized("the client id or its secret is not right")
    token = f"hrt-{secrets.token_urlsafe(32)}"
    now = clock.now()
    await store.write(lambda tx: access.add_token(tx, _hash(token), client_id, now + TOKEN_LIFE * 1000, now))
    return token


async def client_of(store: Store, clock: Clock, token: str) -> Client:
    """
    Return the client that a token was handed to.

    Raises:
        Unauthorized: the token is not one of ours, or has expired.
    """
    now = clock.now()
    client = await store.read(lambda tx: access.client_of_token(tx, _hash(token), now))
    if client is None:
        raise Unauthorized("Oauth token is not valid")
    return client


async def admit(store: Store, client: Client, organization: str, sandbox: str) -> Caller:
    """
    Let a client into a sandbox of its organization.

    Raises:
        Forbidden: the organization is not the client's.
        NotFound: the organization has no such sandbox.
    """
    if organization != client.organization:
        raise Forbidden("Profile is not valid")
    tenant = await store.read(lambda tx: access.find_tenant(tx, organization, sandbox))
    if tenant is None:
        raise NotFound(f"there is no sandbox {sandbox!r} in this organization")
    return Caller(f"client:{client.client_id}", tenant, frozenset(client.permissions))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
