"""
How accounts, and credentials that operators share, are signed in at their partners: a state, and what the partner gave.

``generation`` rises with every token and whenever there is none any more, so that it names a token for good. Whoever
asks the partner for the next one has a claim on the row until a moment; a process that dies loses it then.

What a partner has still to be told of a holder that was revoked or deleted is set aside in a row of its own, under an
id that no holder has: the holder may have other tokens by then, or be gone.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sqlalchemy import delete, insert, select, update

from headrace.store import keys
from headrace.store.database import Transaction
from headrace.store.tables import sign_in_states
from headrace.store.transaction import storable

SIGNED_IN = "signed-in"
NOT_SIGNED_IN = "not-signed-in"
SIGN_IN_NEEDED = "sign-in-needed"
REFUSED = "refused"
REVOKED = "revoked"
#: Of what is set aside.
SET_ASIDE = "set-aside"

#: How many renewals are remembered.
_REMEMBERED = 10


@dataclass(frozen=True, slots=True)
class SignInState:
    """
    One row. ``refreshed`` are the moments of the last renewals, the newest last.

    ``issue`` rises when the credentials are replaced or taken away, so that whoever holds the old ones can tell.
    """

    tenant: int
    holder: str
    state: str
    reason: str | None
    since: int
    issue: int = 0
    generation: int = 0
    sealed: dict[str, str] | None = None
    expires_at: int | None = None
    refreshing_by: str | None = None
    refreshing_until: int | None = None
    refreshed: list[int] = field(default_factory=list)


def get(tx: Transaction, tenant: int, holder: str) -> SignInState | None:
    """Return how a holder is signed in; ``None``: nothing has happened with it yet."""
    row = tx.core.execute(select(sign_in_states).where(_is_it(tenant, holder))).mappings().one_or_none()
    return None if row is None else SignInState(**row)


def stopped(tx: Transaction) -> list[SignInState]:
    """Return the holders of all sandboxes that partners do not let in until somebody mends it."""
    query = select(sign_in_states).where(sign_in_states.c.state.in_((SIGN_IN_NEEDED, REFUSED)))
    return [SignInState(**row) for row in tx.core.execute(query).mappings()]


def change(tx: Transaction, tenant: int, holder: str, state: str, reason: str | None, now: int) -> SignInState:
    """Put a holder in another state; what the partner gave stays."""
    known = _known(tx, tenant, holder, now)
    values: dict[str, Any] = {"state": state, "reason": storable(reason) if reason is not None else None, "since": now}
    _set(tx, tenant, holder, values)
    return replace(known, **values)


def explain(tx: Transaction, tenant: int, holder: str, reason: str, now: int) -> None:
    """Keep what is to be said of a holder; its state stays."""
    _known(tx, tenant, holder, now)
    _set(tx, tenant, holder, {"reason": storable(reason)})


def forget(tx: Transaction, tenant: int, holder: str, state: str, reason: str | None, now: int) -> SignInState:
    """Forget what the partner gave, for good: nobody who had it may use it again, or renew it."""
    known = change(tx, tenant, holder, state, reason, now)
    nothing: dict[str, Any] = {
        "sealed": None,
        "expires_at": None,
        "refreshing_by": None,
        "refreshing_until": None,
        "refreshed": [],
    }
    values: dict[str, Any] = {"issue": known.issue + 1, "generation": known.generation + 1, **nothing}
    _set(tx, tenant, holder, values)
    return replace(known, **values)


def claim(tx: Transaction, tenant: int, holder: str, by: str, now: int, until: int, generation: int) -> bool:
    """Claim to renew the token of a generation; ``False``: it is another by now, or somebody else is at it."""
    _known(tx, tenant, holder, now)
    columns = sign_in_states.c
    is_free = columns.refreshing_by.is_(None) | (columns.refreshing_until <= now) | (columns.refreshing_by == by)
    wanted = _is_it(tenant, holder) & (columns.generation == generation) & is_free
    taken = update(sign_in_states).where(wanted).values(refreshing_by=by, refreshing_until=until)
    return tx.core.execute(taken).rowcount > 0


def keep(
    tx: Transaction,
    tenant: int,
    holder: str,
    by: str,
    generation: int,
    sealed: Mapping[str, str],
    expires_at: int | None,
    now: int,
) -> bool:
    """
    Keep a new token in the place of the one of ``generation``, and give the claim back.

    ``False``, and nothing is kept: the credentials were revoked or replaced meanwhile, or the claim ran out and another
    has a newer token.

    Raises:
        Conflict: the key that sealed it is gone.
    """
    keys.must_be_there(tx, sealed.values())
    known = get(tx, tenant, holder)
    if known is None or known.generation != generation or known.refreshing_by != by:
        return False
    refreshed = [*known.refreshed, now][-_REMEMBERED:]
    _set(tx, tenant, holder, {**_given(sealed, expires_at), "generation": generation + 1, "refreshed": refreshed})
    if known.state == NOT_SIGNED_IN:
        change(tx, tenant, holder, SIGNED_IN, None, now)
    return True


def sign_in(
    tx: Transaction, tenant: int, holder: str, sealed: Mapping[str, str], expires_at: int | None, now: int
) -> SignInState:
    """
    Keep the token of whoever signed in anew: what was given before counts no longer.

    Raises:
        Conflict: the key that sealed it is gone.
    """
    keys.must_be_there(tx, sealed.values())
    known = forget(tx, tenant, holder, SIGNED_IN, None, now)
    values = _given(sealed, expires_at)
    _set(tx, tenant, holder, values)
    return replace(known, **values)


def give_back(tx: Transaction, tenant: int, holder: str, by: str) -> None:
    """Give a claim back without a new token."""
    its = _is_it(tenant, holder) & (sign_in_states.c.refreshing_by == by)
    tx.core.execute(update(sign_in_states).where(its).values(refreshing_by=None, refreshing_until=None))


def refused_since(tx: Transaction, moment: int) -> list[SignInState]:
    """Return the holders that a partner has been refusing since a moment or longer."""
    columns = sign_in_states.c
    query = select(sign_in_states).where(columns.state == REFUSED, columns.since <= moment)
    return [SignInState(**row) for row in tx.core.execute(query).mappings()]


def remove(tx: Transaction, tenant: int, holder: str) -> None:
    """Forget a holder that is deleted."""
    tx.core.execute(delete(sign_in_states).where(_is_it(tenant, holder)))


def set_aside(tx: Transaction, tenant: int, id_: str, sealed: Mapping[str, str], now: int) -> None:
    """
    Set something sealed aside, under an id of its own.

    Raises:
        Conflict: the key that sealed it is gone.
    """
    keys.must_be_there(tx, sealed.values())
    row = SignInState(tenant, id_, SET_ASIDE, None, now, sealed=dict(sealed))
    tx.core.execute(insert(sign_in_states).values(asdict(row)))


def forget_aside(tx: Transaction, tenant: int, id_: str) -> bool:
    """Forget for good what was set aside; says whether it was still there."""
    where = _is_it(tenant, id_) & (sign_in_states.c.state == SET_ASIDE)
    return tx.core.execute(delete(sign_in_states).where(where)).rowcount > 0


def _given(sealed: Mapping[str, str] | None, expires_at: int | None) -> dict[str, Any]:
    kept = dict(sealed) if sealed is not None else None
    return {"sealed": kept, "expires_at": expires_at, "refreshing_by": None, "refreshing_until": None}


def _known(tx: Transaction, tenant: int, holder: str, now: int) -> SignInState:
    """Return the row, made if need be."""
    known = get(tx, tenant, holder)
    if known is None:
        known = SignInState(tenant, holder, NOT_SIGNED_IN, None, now)
        tx.core.execute(insert(sign_in_states).values(asdict(known)))
    return known


def _set(tx: Transaction, tenant: int, holder: str, values: dict[str, Any]) -> None:
    tx.core.execute(update(sign_in_states).where(_is_it(tenant, holder)).values(**values))


def _is_it(tenant: int, holder: str) -> Any:
    return (sign_in_states.c.tenant == tenant) & (sign_in_states.c.holder == holder)
