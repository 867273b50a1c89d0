"""Values of customer data that one connection of an organization has and no other may, as fingerprints."""

from collections.abc import Mapping

from sqlalchemy import delete, insert, select

from headrace.store.access import Tenant
from headrace.store.database import Transaction
from headrace.store.tables import unique_values


def holder(
    tx: Transaction, organization: int, destination: str, field: str, fingerprint: str
) -> tuple[int, str] | None:
    """Return who has a value: the number of the sandbox, and the target connection."""
    is_it = {"organization": organization, "destination": destination, "field": field, "fingerprint": fingerprint}
    row = tx.core.execute(select(unique_values.c.tenant, unique_values.c.target).filter_by(**is_it)).one_or_none()
    return None if row is None else (row.tenant, row.target)


def keep(tx: Transaction, tenant: Tenant, destination: str, target: str, values: Mapping[str, str]) -> None:
    """Note the values of a target connection, by field, in the place of those that it had."""
    free(tx, tenant.tenant, target)
    for field, fingerprint in values.items():
        tx.core.execute(
            insert(unique_values).values(
                organization=tenant.organization_number,
                destination=destination,
                field=field,
                fingerprint=fingerprint,
                tenant=tenant.tenant,
                target=target,
            )
        )


def free(tx: Transaction, tenant: int, target: str) -> None:
    """Give the values of a target connection back."""
    tx.core.execute(delete(unique_values).where(unique_values.c.tenant == tenant, unique_values.c.target == target))
