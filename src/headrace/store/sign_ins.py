"""Forgetting how accounts were signed in, when their credentials are replaced or they are deleted."""

from sqlalchemy import delete

from headrace.store.database import Transaction
from headrace.store.tables import begun_sign_ins, sign_in_states


def forget(tx: Transaction, tenant: int, account: str) -> None:
    """Forget what the partner gave to an account, and the sign-ins that were begun in a browser for it."""
    tx.core.execute(delete(sign_in_states).where(sign_in_states.c.tenant == tenant, sign_in_states.c.holder == account))
    tx.core.execute(
        delete(begun_sign_ins).where(begun_sign_ins.c.tenant == tenant, begun_sign_ins.c.account == account)
    )
