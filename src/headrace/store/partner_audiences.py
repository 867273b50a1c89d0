"""Audiences as the partner has them, and how the requests about each stand."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select, update

from headrace.store.database import Transaction
from headrace.store.tables import partner_audiences
from headrace.store.transaction import storable

#: In the place of an audience's number: the row is about a dataflow itself, whose id is its ``target``.
ITSELF = 0


@dataclass(frozen=True, slots=True)
class PartnerAudience:
    """
    One audience at one target connection's partner. ``state``: ``creating``, ``ready``, ``failed`` or ``deleting``.

    ``told`` is what the partner was last told of it; without it the partner has none that we know of. ``calling`` names
    a request that has left, or was about to, and whose outcome is not known.
    """

    tenant: int
    target: str
    audience: int
    alias: str | None
    state: str
    reason: str | None
    told: dict[str, Any] | None
    calling: str | None
    attempts: int
    since: int
    run: str | None


_COLUMNS = tuple(PartnerAudience.__dataclass_fields__)


def get(tx: Transaction, tenant: int, target: str, audience: int) -> PartnerAudience | None:
    """Return a row."""
    row = tx.core.execute(select(partner_audiences).where(_is(tenant, target, audience))).mappings().one_or_none()
    return None if row is None else PartnerAudience(**row)


def of_target(tx: Transaction, tenant: int, target: str) -> dict[int, PartnerAudience]:
    """Return the audiences of a target connection by number."""
    where = (partner_audiences.c.tenant == tenant) & (partner_audiences.c.target == target)
    rows = tx.core.execute(select(partner_audiences).where(where).order_by(partner_audiences.c.audience)).mappings()
    return {row["audience"]: PartnerAudience(**row) for row in rows}


def of_audience(tx: Transaction, tenant: int, audience: int) -> list[PartnerAudience]:
    """Return how an audience stands, one row for each target connection."""
    where = (partner_audiences.c.tenant == tenant) & (partner_audiences.c.audience == audience)
    rows = tx.core.execute(select(partner_audiences).where(where).order_by(partner_audiences.c.target)).mappings()
    return [PartnerAudience(**row) for row in rows]


def failed(tx: Transaction, tenant: int) -> list[PartnerAudience]:
    """Return what failed."""
    where = (partner_audiences.c.tenant == tenant) & (partner_audiences.c.state == "failed")
    rows = tx.core.execute(select(partner_audiences).where(where).order_by(partner_audiences.c.target)).mappings()
    return [PartnerAudience(**row) for row in rows]


def add(tx: Transaction, tenant: int, target: str, audience: int, state: str, now: int) -> PartnerAudience:
    """Note an audience of which the partner has not been told."""
    row = PartnerAudience(tenant, target, audience, None, state, None, None, None, 0, now, None)
    tx.core.execute(insert(partner_audiences).values({name: getattr(row, name) for name in _COLUMNS}))
    return row


def change(tx: Transaction, known: PartnerAudience, now: int, **values: Any) -> bool:
    """Change a row unless a request about it has begun since it was read. Says whether it was changed."""
    if values.get("reason") is not None:
        values["reason"] = storable(values["reason"])
    if "state" in values and values["state"] != known.state:
        values["since"] = now
    where = _is(known.tenant, known.target, known.audience) & (partner_audiences.c.attempts == known.attempts)
    return tx.core.execute(update(partner_audiences).where(where).values(**values)).rowcount > 0


def remove(tx: Transaction, known: PartnerAudience) -> bool:
    """Forget an audience unless a request about it has begun since it was read. Says whether it was forgotten."""
    where = _is(known.tenant, known.target, known.audience) & (partner_audiences.c.attempts == known.attempts)
    return tx.core.execute(delete(partner_audiences).where(where)).rowcount > 0


def abandon(tx: Transaction, known: PartnerAudience) -> None:
    """Forget an audience whether or not a request about it is under way."""
    tx.core.execute(delete(partner_audiences).where(_is(known.tenant, known.target, known.audience)))


def _is(tenant: int, target: str, audience: int) -> Any:
    return (
        (partner_audiences.c.tenant == tenant)
        & (partner_audiences.c.target == target)
        & (partner_audiences.c.audience == audience)
    )
