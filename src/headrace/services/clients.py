"""API clients: made, changed, given another secret, revoked. A secret is shown once, when it is made."""

from typing import Any

from headrace.clock import Clock
from headrace.errors import Conflict, NotFound
from headrace.model.access import ClientSettings
from headrace.model.problem import ConfigurationError, Problem
from headrace.model.reading import read
from headrace.model.roles import ROLES
from headrace.services import keys
from headrace.services.administration import keeping_an_admin, note, numbers_of
from headrace.services.caller import Principal
from headrace.services.grants import of_client
from headrace.store import clients
from headrace.store.clients import Client
from headrace.store.database import Store, Transaction


async def listing(store: Store, principal: Principal) -> list[Client]:
    """Return the clients of one's organization, oldest first, also those that are revoked."""
    return await store.read(lambda tx: clients.all_of(tx, principal.organization.number))


async def get(store: Store, principal: Principal, id_: str) -> Client:
    """
    Return a client.

    Raises:
        NotFound: it is not in this organization.
    """
    return await store.read(lambda tx: _existing(tx, principal, id_))


async def create(store: Store, clock: Clock, principal: Principal, document: object) -> tuple[Client, str]:
    """
    Make a client and return it with its secret.

    Raises:
        ConfigurationError: the settings are not right.
        Forbidden: it would get more than who asks has.
    """
    settings, _ = read(ClientSettings, document)
    now, secret = clock.now(), keys.new_client_secret()

    def work(tx: Transaction) -> Client:
        given = _settings(tx, principal, settings, now)
        number, hashed = principal.organization.number, keys.hash_of(secret)
        client = Client(number, keys.new_client_id(), hashed, **given, created_at=now, created_by=principal.actor)
        principal.grants.must_cover(of_client(client))
        clients.add(tx, client)
        note(tx, principal, "create", "client", client.client_id, now, **_told(settings, given))
        return client

    return await store.write(work), secret


async def replace(store: Store, clock: Clock, principal: Principal, id_: str, document: object) -> Client:
    """
    Put other settings in the place of a client's; they count at once, also for its tokens.

    Raises:
        NotFound: it is not in this organization.
        Conflict: it is revoked, or was the last that may administer.
        Forbidden: it has, or would get, more than who asks has.
    """
    settings, _ = read(ClientSettings, document)
    now = clock.now()

    def work(tx: Transaction) -> Client:
        client = _changeable(tx, principal, id_)
        given = _settings(tx, principal, settings, now)
        with keeping_an_admin(tx, principal, now):
            changed = clients.replaced(tx, client, **given)
        principal.grants.must_cover(of_client(changed))
        note(tx, principal, "replace", "client", id_, now, **_told(settings, given))
        return changed

    return await store.write(work)


async def rotate(store: Store, clock: Clock, principal: Principal, id_: str) -> tuple[Client, str]:
    """
    Give a client another secret; the old one and the tokens handed out for it end at once.

    Raises:
        NotFound: it is not in this organization.
        Conflict: it is revoked.
        Forbidden: it has more than who asks has.
    """
    now, secret = clock.now(), keys.new_client_secret()

    def work(tx: Transaction) -> Client:
        client = _changeable(tx, principal, id_)
        clients.forget_tokens(tx, id_)
        note(tx, principal, "rotate", "client", id_, now)
        return clients.replaced(tx, client, secret_hash=keys.hash_of(secret))

    return await store.write(work), secret


async def revoke(store: Store, clock: Clock, principal: Principal, id_: str) -> None:
    """
    End a client and its tokens, for good. It stays in the list.

    Raises:
        NotFound: it is not in this organization.
        Conflict: it was the last that may administer.
    """
    now = clock.now()

    def work(tx: Transaction) -> None:
        client = _existing(tx, principal, id_)
        if client.revoked_at is not None:
            return
        with keeping_an_admin(tx, principal, now):
            clients.replaced(tx, client, revoked_at=now)
        clients.forget_tokens(tx, id_)
        note(tx, principal, "revoke", "client", id_, now)

    await store.write(work)


def _existing(tx: Transaction, principal: Principal, id_: str) -> Client:
    client = clients.find_in(tx, principal.organization.number, id_)
    if client is None:
        raise NotFound(f"there is no client {id_!r} here")
    return client


def _changeable(tx: Transaction, principal: Principal, id_: str) -> Client:
    client = _existing(tx, principal, id_)
    if client.revoked_at is not None:
        raise Conflict("this client is revoked; make a new one")
    principal.grants.must_cover(of_client(client))
    return client


def _settings(tx: Transaction, principal: Principal, settings: ClientSettings, now: int) -> dict[str, Any]:
    named = [(f"/sandboxes/{place}", name) for place, name in enumerate(settings.sandboxes or ())]
    tenants = None if settings.sandboxes is None else tuple(numbers_of(tx, principal, named))
    expires_at = None if settings.expires_at is None else int(settings.expires_at.timestamp() * 1000)
    if expires_at is not None and expires_at <= now:
        raise ConfigurationError([Problem("invalid", "/expiresAt", "`expiresAt` is in the past")])
    asked = ROLES[settings.role].permissions if settings.role is not None else settings.permissions or ()
    return {
        "name": settings.name,
        "permissions": tuple(sorted(set(asked))),
        "tenants": tenants,
        "expires_at": expires_at,
    }


def _told(settings: ClientSettings, given: dict[str, Any]) -> dict[str, Any]:
    """Return what the audit tells of a client's settings."""
    sandboxes = None if settings.sandboxes is None else list(settings.sandboxes)
    return {"permissions": list(given["permissions"]), "sandboxes": sandboxes, "expiresAt": given["expires_at"]}
