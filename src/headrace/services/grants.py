"""Grants: what somebody may do, sandbox by sandbox. Who has them can pass them on, and never more."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from headrace.errors import Forbidden
from headrace.model.roles import ROLES
from headrace.store.clients import Client
from headrace.store.users import EVERYWHERE, User

_NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Grants:
    """Permissions by the number of the sandbox; those under ``EVERYWHERE`` hold in all, also in ones still to come."""

    by_tenant: Mapping[int, frozenset[str]]

    @property
    def everywhere(self) -> frozenset[str]:
        """What may be done in every sandbox, and with what belongs to the organization as a whole."""
        return self.by_tenant.get(EVERYWHERE, _NOTHING)

    def at(self, tenant: int) -> frozenset[str]:
        """Return what may be done in a sandbox."""
        return self.everywhere | self.by_tenant.get(tenant, _NOTHING)

    def reaches(self, tenant: int) -> bool:
        """Say whether a sandbox is theirs to see, whatever they may do there."""
        return EVERYWHERE in self.by_tenant or tenant in self.by_tenant

    def covers(self, others: "Grants") -> bool:
        """Say whether nothing in other grants goes beyond these."""
        return all(
            self.reaches(tenant) and permissions <= self.at(tenant) for tenant, permissions in others.by_tenant.items()
        )

    def must_cover(self, others: "Grants") -> None:
        """
        Refuse others that go beyond these.

        Raises:
            Forbidden: naming what is lacking.
        """
        if self.covers(others):
            return
        beyond = {name for tenant, names in others.by_tenant.items() for name in names - self.at(tenant)}
        lacking = ", ".join(sorted(beyond)) or "that sandbox"
        raise Forbidden(f"nobody can give, or take over, what they do not have themselves; you lack {lacking}")


def of_client(client: Client) -> Grants:
    """Return the grants of an API client: the same permissions in each of its sandboxes."""
    tenants = (EVERYWHERE,) if client.tenants is None else client.tenants
    return Grants(dict.fromkeys(tenants, frozenset(client.permissions)))


def of_roles(roles: Iterable[tuple[int, str]]) -> Grants:
    """Return the grants that roles by sandbox amount to. A role that is no longer known gives nothing."""
    by_tenant: dict[int, frozenset[str]] = {}
    for tenant, role in roles:
        given = ROLES[role].permissions if role in ROLES else _NOTHING
        by_tenant[tenant] = by_tenant.get(tenant, _NOTHING) | given
    return Grants(by_tenant)


def of_user(user: User) -> Grants:
    """Return the grants of a user: nothing once they are disabled."""
    return Grants({}) if user.disabled_at is not None else of_roles(user.roles)
