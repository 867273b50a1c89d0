"""The wrapped data keys of organizations. A backup holds them, but not the key that opens them."""

from sqlalchemy import func, insert, select

from headrace.store.database import Store, Transaction
from headrace.store.tables import data_keys


class StoredKeys:
    """The wrapped keys in the store, as a keyring asks for them: rarely, and from wherever it is."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def load(self, organization: str) -> list[tuple[str, bytes]]:
        return self._store.read_now(lambda tx: _load(tx, organization))

    def save(self, organization: str, key_id: str, wrapped: bytes) -> None:
        self._store.write_now(lambda tx: _save(tx, organization, key_id, wrapped))


def _load(tx: Transaction, organization: str) -> list[tuple[str, bytes]]:
    query = select(data_keys.c.key_id, data_keys.c.wrapped).where(data_keys.c.organization == organization)
    return [(key_id, wrapped) for key_id, wrapped in tx.core.execute(query.order_by(data_keys.c.position))]


def _save(tx: Transaction, organization: str, key_id: str, wrapped: bytes) -> None:
    is_its = data_keys.c.organization == organization
    last = tx.core.execute(select(func.coalesce(func.max(data_keys.c.position), 0)).where(is_its)).scalar_one()
    row = {"organization": organization, "key_id": key_id, "position": last + 1, "wrapped": wrapped}
    tx.core.execute(insert(data_keys).values(**row))
