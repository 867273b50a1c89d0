"""Organizations and sandboxes."""

import uuid
from dataclasses import replace

from headrace.clock import Clock
from headrace.errors import Conflict
from headrace.model.access import NewOrganization, NewSandbox
from headrace.model.reading import read
from headrace.model.roles import PERMISSIONS
from headrace.services import keys
from headrace.services.access import FirstClient
from headrace.services.administration import note
from headrace.services.caller import Principal
from headrace.services.grants import Grants
from headrace.store import access, audit, clients
from headrace.store.access import Organization, Tenant
from headrace.store.clients import Client
from headrace.store.database import Store, Transaction
from headrace.store.users import EVERYWHERE


async def listing(store: Store, principal: Principal) -> list[Organization]:
    """Return the organizations that somebody may know of: the host knows all, others themselves."""
    if not principal.is_host:
        return [principal.organization]
    return await store.read(access.all_organizations)


async def create(store: Store, clock: Clock, principal: Principal, document: object) -> FirstClient:
    """
    Make an organization with a sandbox, and a client that may do everything in it.

    Raises:
        Conflict: there is one of that name.
        Forbidden: who asks may not do everything themselves.
    """
    wanted, _ = read(NewOrganization, document)
    now, everything = clock.now(), frozenset(PERMISSIONS)
    first = FirstClient(wanted.name, wanted.sandbox, keys.new_client_id(), keys.new_client_secret())

    def work(tx: Transaction) -> FirstClient:
        principal.grants.must_cover(Grants({EVERYWHERE: everything}))
        if access.find_organization(tx, wanted.name) is not None:
            raise Conflict(f"there is an organization {wanted.name!r} already")
        number = access.add_organization(tx, wanted.name)
        access.add_tenant(tx, number, wanted.sandbox, str(uuid.uuid4()))
        secret_hash, permissions = keys.hash_of(first.client_secret), tuple(PERMISSIONS)
        client = Client(number, first.client_id, secret_hash, permissions, "the first client")
        clients.add(tx, replace(client, created_at=now, created_by=principal.actor))
        note(tx, principal, "create", "organization", wanted.name, now)
        actor, details = principal.actor, {"client": first.client_id, "sandbox": wanted.sandbox}
        audit.note_in_organization(tx, number, actor, "create", "organization", wanted.name, now, details=details)
        return first

    return await store.write(work)


async def sandboxes(store: Store, principal: Principal) -> list[Tenant]:
    """Return the sandboxes of one's organization, by name."""
    return await store.read(lambda tx: access.tenants_of(tx, principal.organization.number))


async def create_sandbox(store: Store, clock: Clock, principal: Principal, document: object) -> Tenant:
    """
    Make a sandbox.

    Raises:
        Conflict: the organization has one of that name.
    """
    wanted, _ = read(NewSandbox, document)
    organization, now, id_ = principal.organization, clock.now(), str(uuid.uuid4())

    def work(tx: Transaction) -> Tenant:
        if access.find_tenant(tx, organization.name, wanted.name) is not None:
            raise Conflict(f"there is a sandbox {wanted.name!r} already")
        number = access.add_tenant(tx, organization.number, wanted.name, id_)
        note(tx, principal, "create", "sandbox", wanted.name, now)
        return Tenant(number, organization.name, wanted.name, id_, organization.number, organization.is_host)

    return await store.write(work)
