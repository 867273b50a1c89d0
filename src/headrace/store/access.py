"""Organizations and their sandboxes."""

import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, insert, select

from headrace.store.database import Transaction
from headrace.store.tables import organizations, tenants


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization: its number, its name, and whether it is the first one, which runs the installation."""

    number: int
    name: str
    is_host: bool


@dataclass(frozen=True, slots=True)
class Tenant:
    """One sandbox of an organization: the number everything inside is kept under, and its names."""

    tenant: int
    organization: str
    sandbox: str
    sandbox_id: str
    organization_number: int
    is_host: bool


_first = select(func.min(organizations.alias("first").c.organization)).scalar_subquery()
_IS_HOST = (organizations.c.organization == _first).label("is_host")


def add_organization(tx: Transaction, name: str) -> int:
    """Keep a new organization and return its number."""
    result = tx.core.execute(insert(organizations).values(name=name).returning(organizations.c.organization))
    return int(result.scalar_one())


def add_tenant(tx: Transaction, organization: int, sandbox: str, sandbox_id: str) -> int:
    """Keep a new sandbox of an organization and return its number."""
    row = {"organization": organization, "sandbox": sandbox, "sandbox_id": sandbox_id}
    return int(tx.core.execute(insert(tenants).values(**row).returning(tenants.c.tenant)).scalar_one())


def is_empty(tx: Transaction) -> bool:
    """Say whether nobody was ever let in: the very first start."""
    return tx.core.execute(select(organizations.c.organization).limit(1)).first() is None


def find_organization(tx: Transaction, name: str) -> Organization | None:
    """Return an organization by its name."""
    row = tx.core.execute(_organizations().where(organizations.c.name == name)).one_or_none()
    return None if row is None else Organization(row[0], row[1], bool(row[2]))


def organization_of(tx: Transaction, number: int) -> Organization:
    """Return an organization that is known to be there by its number."""
    row = tx.core.execute(_organizations().where(organizations.c.organization == number)).one()
    return Organization(row[0], row[1], bool(row[2]))


def all_organizations(tx: Transaction) -> list[Organization]:
    """Return every organization, the first one first."""
    rows = tx.core.execute(_organizations().order_by(organizations.c.organization))
    return [Organization(row[0], row[1], bool(row[2])) for row in rows]


def find_tenant(tx: Transaction, organization: str, sandbox: str) -> Tenant | None:
    """Return a sandbox by its names."""
    wanted = (organizations.c.name == organization) & (tenants.c.sandbox == sandbox)
    row = tx.core.execute(_tenants().where(wanted)).one_or_none()
    return None if row is None else _tenant(row)


def all_tenants(tx: Transaction) -> list[Tenant]:
    """Return every sandbox there is."""
    return [_tenant(row) for row in tx.core.execute(_tenants())]


def tenant_of(tx: Transaction, number: int) -> Tenant:
    """Return a sandbox by its number."""
    return _tenant(tx.core.execute(_tenants().where(tenants.c.tenant == number)).one())


def tenants_of(tx: Transaction, organization: int) -> list[Tenant]:
    """Return the sandboxes of an organization, by name."""
    wanted = tenants.c.organization == organization
    return [_tenant(row) for row in tx.core.execute(_tenants().where(wanted).order_by(tenants.c.sandbox))]


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
    tx.wake(tenant)


def _organizations() -> Select[Any]:
    return select(organizations.c.organization, organizations.c.name, _IS_HOST)


def _tenants() -> Select[Any]:
    names = (tenants.c.tenant, organizations.c.name, tenants.c.sandbox, tenants.c.sandbox_id)
    query = select(*names, tenants.c.organization.label("organization_number"), _IS_HOST)
    return query.select_from(tenants).join(organizations)


def _tenant(row: Any) -> Tenant:
    return Tenant(row[0], row[1], row[2], row[3], row[4], bool(row[5]))
