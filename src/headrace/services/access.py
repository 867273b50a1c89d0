"""Letting in: the first start, access tokens of API clients, and into which sandbox."""

import uuid
from contextlib import suppress
from dataclasses import dataclass

from headrace.clock import Clock
from headrace.errors import NotFound, Unauthorized
from headrace.model.roles import PERMISSIONS
from headrace.services import backoff, grants, keys
from headrace.services.caller import Caller, Principal
from headrace.store import access, audit, clients, failures
from headrace.store.clients import Client
from headrace.store.database import Store, StoreUnavailable, Transaction

TOKEN_LIFE = 24 * 60 * 60
FIRST_ORGANIZATION = "demo@headrace"
FIRST_SANDBOX = "prod"

#: How precisely it is known when somebody was last here.
USE_IS_NOTED_EVERY = 60_000

#: All there were while only the first start made clients.
_ONCE_EVERYTHING = {
    "authoring:read",
    "authoring:write",
    "activation:read",
    "activation:write",
    "profiles:write",
    "monitoring:read",
}


@dataclass(frozen=True, slots=True)
class FirstClient:
    """The client made at the very first start; its secret is shown this once."""

    organization: str
    sandbox: str
    client_id: str
    client_secret: str


def begin(tx: Transaction, now: int) -> FirstClient | None:
    """Make the first organization, sandbox and client in a store that is new; ``None`` in one that is not."""
    if not access.is_empty(tx):
        _complete_first_client(tx, now)
        return None
    organization = access.add_organization(tx, FIRST_ORGANIZATION)
    access.add_tenant(tx, organization, FIRST_SANDBOX, str(uuid.uuid4()))
    client_id, secret = keys.new_client_id(), keys.new_client_secret()
    permissions = tuple(PERMISSIONS)
    clients.add(
        tx,
        Client(organization, client_id, keys.hash_of(secret), permissions, "the first client", created_at=now),
    )
    return FirstClient(FIRST_ORGANIZATION, FIRST_SANDBOX, client_id, secret)


async def issue_token(store: Store, clock: Clock, client_id: str, client_secret: str) -> str:
    """
    Hand out an access token for the credentials of a client, good for a day.

    Raises:
        Unauthorized: there is no such client, or that is not its secret, or it has ended; which is not told.
        TooManyTries: there were too many failures in a row.
    """
    token, given, now = keys.new_token(), keys.hash_of(client_secret), clock.now()
    subject = backoff.subject_of("client", client_id)

    def work(tx: Transaction) -> bool:
        backoff.refuse_early(tx, subject, now)
        client = clients.find(tx, client_id)
        is_right = keys.is_same(given, client.secret_hash if client is not None else keys.hash_of(""))
        if client is None or not is_right or not client.is_good(now):
            _count_failure(tx, subject, client, now)
            return False
        failures.forget(tx, subject)
        clients.add_token(tx, keys.hash_of(token), client_id, now + TOKEN_LIFE * 1000, now)
        return True

    if not await store.write(work):
        raise Unauthorized("the client id or its secret is not right")
    return token


async def principal_of_token(store: Store, clock: Clock, token: str) -> Principal:
    """
    Return the client that a token was handed to. Nothing is remembered: whatever changed counts at once.

    Raises:
        Unauthorized: the token is not one of ours, or it or its client has ended.
    """
    now, token_hash = clock.now(), keys.hash_of(token)

    def work(tx: Transaction) -> tuple[Client, Principal]:
        client = clients.of_token(tx, token_hash, now)
        if client is None or not client.is_good(now):
            raise Unauthorized("Oauth token is not valid")
        organization = access.organization_of(tx, client.organization)
        return client, Principal(f"client:{client.client_id}", organization, grants.of_client(client))

    client, principal = await store.read(work)
    unless_since = now - USE_IS_NOTED_EVERY
    if client.last_used_at is None or client.last_used_at < unless_since:
        with suppress(StoreUnavailable):
            await store.write(lambda tx: clients.note_use(tx, client.client_id, now, unless_since))
    return principal


async def admit(store: Store, principal: Principal, sandbox: str) -> Caller:
    """
    Let somebody into a sandbox of their organization.

    Raises:
        NotFound: the organization has no such sandbox, or it is not theirs to see.
    """
    tenant = await store.read(lambda tx: access.find_tenant(tx, principal.organization.name, sandbox))
    if tenant is None or not principal.grants.reaches(tenant.tenant):
        raise NotFound(f"there is no sandbox {sandbox!r} in this organization")
    return Caller(principal.actor, tenant, principal.grants.at(tenant.tenant))


def _count_failure(tx: Transaction, subject: str, client: Client | None, now: int) -> None:
    counted = backoff.count_failure(tx, subject, now)
    if client is not None and counted.locked_until > now:
        details = {"failures": counted.failures, "seconds": (counted.locked_until - now) // 1000}
        actor, id_ = f"client:{client.client_id}", client.client_id
        audit.note_in_organization(tx, client.organization, actor, "lock-out", "client", id_, now, details=details)


def _complete_first_client(tx: Transaction, now: int) -> None:
    """Give the client of an older first start what has become of the everything that it had."""
    for organization in access.all_organizations(tx):
        for client in clients.all_of(tx, organization.number):
            if client.created_at is None and set(client.permissions) == _ONCE_EVERYTHING:
                clients.replaced(tx, client, permissions=tuple(PERMISSIONS), created_at=now)
                details = {"permissions": list(PERMISSIONS)}
                id_, number = client.client_id, organization.number
                audit.note_in_organization(tx, number, "headrace", "replace", "client", id_, now, details=details)
