"""Who asks, and for which sandbox."""

from dataclasses import dataclass

from headrace.services.grants import Grants
from headrace.store.access import Organization, Tenant


@dataclass(frozen=True, slots=True)
class Principal:
    """
    Somebody who signed in: ``actor`` is ``client:`` and its id, or ``user:`` and theirs.

    ``session`` is the hash under which a user's session is kept; clients have none.
    """

    actor: str
    organization: Organization
    grants: Grants
    session: str | None = None

    @property
    def is_host(self) -> bool:
        """Whether their organization is the one that runs this installation."""
        return self.organization.is_host


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who signed in, in one sandbox: ``actor`` is ``client:`` and its id, or ``user:`` and theirs."""

    actor: str
    tenant: Tenant
    permissions: frozenset[str]

    @property
    def number(self) -> int:
        """The number under which everything of this sandbox is kept."""
        return self.tenant.tenant

    @property
    def is_host(self) -> bool:
        """Whether their organization is the one that runs this installation."""
        return self.tenant.is_host
