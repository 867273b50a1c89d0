"""The audit as people read it."""

from dataclasses import dataclass

from headrace.errors import NotFound
from headrace.services.caller import Principal
from headrace.store import access, audit
from headrace.store.audit import AuditEntry
from headrace.store.database import Store, Transaction


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an audit is as it was written: the first entry that is not, and the newest one there is."""

    first_break: int | None
    newest: AuditEntry | None


async def entries(
    store: Store, principal: Principal, most: int, before: int, sandbox: str | None
) -> list[tuple[str | None, AuditEntry]]:
    """
    Return entries of one's organization, newest first, each with the name of its sandbox.

    Raises:
        NotFound: the organization has no such sandbox.
    """

    def work(tx: Transaction) -> list[tuple[str | None, AuditEntry]]:
        names = {tenant.tenant: tenant.sandbox for tenant in access.tenants_of(tx, principal.organization.number)}
        wanted = next((number for number, name in names.items() if name == sandbox), None)
        if sandbox is not None and wanted is None:
            raise NotFound(f"there is no sandbox {sandbox!r} in this organization")
        found = audit.latest(tx, principal.organization.number, most, before=before, tenant=wanted)
        return [(None if entry.tenant is None else names.get(entry.tenant), entry) for entry in found]

    return await store.read(work)


async def verify(store: Store, principal: Principal) -> Verdict:
    """Check every entry of one's organization against the one before it."""

    def work(tx: Transaction) -> Verdict:
        number = principal.organization.number
        newest = audit.latest(tx, number, 1)
        return Verdict(audit.first_break(tx, number), newest[0] if newest else None)

    return await store.read(work)


async def blocked(store: Store, tenant: int, actor: str, noun: str, id_: str, target: str, now: int) -> None:
    """Write down that a partner was called at a target that may not be reached, as it was asked for."""
    await store.write(lambda tx: audit.note(tx, tenant, actor, "blocked", noun, id_, now, details={"target": target}))
