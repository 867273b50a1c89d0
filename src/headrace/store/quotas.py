"""How much each sandbox may have, and has."""

from dataclasses import asdict, dataclass

from sqlalchemy import delete, insert, select

from headrace.store import profiles
from headrace.store.database import Transaction
from headrace.store.tables import quotas

#: What is accepted and not settled, by the ledger: its sums, and what was added since they were folded.
_SUM = "coalesce(sum(accepted - delivered - superseded - withheld - parked), 0)"
_WAITING = f"""
    SELECT CAST((SELECT {_SUM} FROM ledger WHERE tenant = :tenant)
        + (SELECT {_SUM} FROM ledger_deltas WHERE tenant = :tenant) AS BIGINT)
"""  # noqa: S608
_ERASED = "SELECT count(*) FROM erased_people WHERE tenant = :tenant"


@dataclass(frozen=True, slots=True)
class Quota:
    """
    The most a sandbox may have: changes that wait, people, requests to take profiles in a minute, bytes of files.

    ``None``: what the settings say. 0: as much as there is room for.
    """

    waiting: int | None = None
    people: int | None = None
    requests: int | None = None
    bytes: int | None = None


def of(tx: Transaction, tenant: int) -> Quota:
    """Return the quota of a sandbox."""
    columns = [quotas.c[name] for name in Quota.__dataclass_fields__]
    row = tx.core.execute(select(*columns).where(quotas.c.tenant == tenant)).one_or_none()
    return Quota() if row is None else Quota(*row)


def put(tx: Transaction, tenant: int, quota: Quota, now: int) -> None:
    """Keep a quota in the place of the one there was."""
    tx.core.execute(delete(quotas).where(quotas.c.tenant == tenant))
    tx.core.execute(insert(quotas).values(tenant=tenant, **asdict(quota), modified_at=now))


def waiting(tx: Transaction, tenant: int) -> int:
    """Return how many changes of a sandbox wait."""
    count: int = tx.run(_WAITING, {"tenant": tenant}).fetchone()[0]
    return count


def people(tx: Transaction, tenant: int) -> int:
    """Return how many people a sandbox has: the numbers that were given, without those of whom were erased."""
    erased: int = tx.run(_ERASED, {"tenant": tenant}).fetchone()[0]
    return profiles.last_number(tx, tenant) - erased
