"""Who asks, and for which sandbox."""

from dataclasses import dataclass

from headrace.store.access import Tenant


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
