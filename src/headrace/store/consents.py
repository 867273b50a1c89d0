"""What operators have agreed to: where a destination may send, and what, and in which published version it is used."""

from dataclasses import asdict, dataclass

from sqlalchemy import delete, insert, select

from headrace.store.database import Transaction
from headrace.store.tables import consents


@dataclass(frozen=True, slots=True)
class Consent:
    """The consent of one target connection. ``config_id`` is the publish request in force there; ``None``: none is."""

    tenant: int
    target: str
    config_id: str | None
    origins: list[str]
    fields: list[str]
    actor: str
    at: int


def keep(tx: Transaction, consent: Consent) -> None:
    """Keep a consent, in the place of the one before it."""
    where = (consents.c.tenant == consent.tenant) & (consents.c.target == consent.target)
    tx.core.execute(delete(consents).where(where))
    tx.core.execute(insert(consents).values(**asdict(consent)))


def get(tx: Transaction, tenant: int, target: str) -> Consent | None:
    """Return the consent of a target connection."""
    query = select(consents).where(consents.c.tenant == tenant, consents.c.target == target)
    row = tx.core.execute(query).mappings().one_or_none()
    return None if row is None else Consent(**row)


def forget(tx: Transaction, tenant: int, target: str) -> None:
    """Forget the consent of a target connection that is deleted."""
    tx.core.execute(delete(consents).where(consents.c.tenant == tenant, consents.c.target == target))
