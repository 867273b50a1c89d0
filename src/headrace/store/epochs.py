"""Epochs: each start of a process that claims has a number of its own, and fences off those before it."""

from sqlalchemy import insert

from headrace.store.database import Transaction
from headrace.store.tables import epochs


def begin(tx: Transaction, now: int) -> int:
    """Begin an epoch and return its number."""
    return int(tx.core.execute(insert(epochs).values(started_at=now).returning(epochs.c.epoch)).scalar_one())
