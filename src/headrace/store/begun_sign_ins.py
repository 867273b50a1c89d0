"""Sign-ins that were begun in a browser and are not back yet. Each is found by the hash of its ``state``, and once."""

from dataclasses import asdict, dataclass

from sqlalchemy import delete, insert

from headrace.store import keys
from headrace.store.database import Transaction
from headrace.store.tables import begun_sign_ins


@dataclass(frozen=True, slots=True)
class BegunSignIn:
    """A sign-in on its way: for which account, by whom, in which browser if in one. ``sealed``: what proves it."""

    state_hash: str
    tenant: int
    account: str
    actor: str
    browser_hash: str | None
    sealed: dict[str, str]
    begun_at: int
    expires_at: int


def add(tx: Transaction, begun: BegunSignIn) -> None:
    """
    Keep a sign-in that begins, and forget those whose time is over.

    Raises:
        Conflict: the key that sealed it is gone.
    """
    keys.must_be_there(tx, begun.sealed.values())
    tx.core.execute(delete(begun_sign_ins).where(begun_sign_ins.c.expires_at <= begun.begun_at))
    tx.core.execute(insert(begun_sign_ins).values(asdict(begun)))


def take(tx: Transaction, state_hash: str, now: int) -> BegunSignIn | None:
    """Return a sign-in that is back in time, and forget it: its ``state`` counts once."""
    gone = delete(begun_sign_ins).where(begun_sign_ins.c.state_hash == state_hash).returning(begun_sign_ins)
    row = tx.core.execute(gone).mappings().one_or_none()
    begun = None if row is None else BegunSignIn(**row)
    return begun if begun is not None and begun.expires_at > now else None


def forget_all_of(tx: Transaction, tenant: int, account: str) -> None:
    """Forget what was begun for an account."""
    its = (begun_sign_ins.c.tenant == tenant) & (begun_sign_ins.c.account == account)
    tx.core.execute(delete(begun_sign_ins).where(its))
