"""The wrapped data keys of organizations. A backup holds them, but not the key that opens them."""

from collections.abc import Iterable

from sqlalchemy import delete, func, insert, select, update

from headrace.errors import Conflict
from headrace.store.database import Store, Transaction
from headrace.store.tables import data_keys


class StoredKeys:
    """The wrapped keys in the store, as a keyring asks for them: rarely, and from wherever it is."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def load(self, organization: str) -> list[tuple[str, bytes]]:
        return self._store.read_now(lambda tx: load(tx, organization))

    def save(self, organization: str, key_id: str, wrapped: bytes) -> None:
        self._store.write_now(lambda tx: save(tx, organization, key_id, wrapped))


def load(tx: Transaction, organization: str) -> list[tuple[str, bytes]]:
    """Return the keys of an organization, oldest first."""
    query = select(data_keys.c.key_id, data_keys.c.wrapped).where(data_keys.c.organization == organization)
    return [(key_id, wrapped) for key_id, wrapped in tx.core.execute(query.order_by(data_keys.c.position))]


def save(tx: Transaction, organization: str, key_id: str, wrapped: bytes) -> None:
    """Keep a key, which is the newest from now on."""
    is_its = data_keys.c.organization == organization
    last = tx.core.execute(select(func.coalesce(func.max(data_keys.c.position), 0)).where(is_its)).scalar_one()
    row = {"organization": organization, "key_id": key_id, "position": last + 1, "wrapped": wrapped}
    tx.core.execute(insert(data_keys).values(**row))


def must_be_there(tx: Transaction, texts: Iterable[object]) -> None:
    """
    Make sure that what was sealed before this transaction can still be opened: its key may have been removed meanwhile.

    Raises:
        Conflict: a key is gone.
    """
    needed = {key_id for text in texts if (key_id := key_in(text))}
    query = select(data_keys.c.key_id).where(data_keys.c.key_id.in_(needed))
    if needed and needed - set(tx.core.execute(query).scalars()):
        raise Conflict("the keys that seal secrets were rotated just now; send the request again")


def key_in(text: object) -> str:
    """Return the id of the key that a value was sealed with; nothing, if it is no sealed value."""
    return text.split(".", 2)[1] if isinstance(text, str) and text.startswith("v1.k") else ""


def every(tx: Transaction) -> list[tuple[str, str, bytes]]:
    """Return the keys of all organizations: whose, which, and wrapped."""
    query = select(data_keys.c.organization, data_keys.c.key_id, data_keys.c.wrapped)
    rows = tx.core.execute(query.order_by(data_keys.c.organization, data_keys.c.position))
    return [(organization, key_id, wrapped) for organization, key_id, wrapped in rows]


def rewrap(tx: Transaction, organization: str, key_id: str, before: bytes, after: bytes) -> bool:
    """Put a key that was wrapped anew in the place of the one that was read; ``False`` if that has changed."""
    is_it = (data_keys.c.organization == organization) & (data_keys.c.key_id == key_id)
    changed = tx.core.execute(update(data_keys).where(is_it, data_keys.c.wrapped == before).values(wrapped=after))
    return bool(changed.rowcount)


def remove(tx: Transaction, organization: str, key_ids: Iterable[str]) -> None:
    """Remove keys for good."""
    is_its = data_keys.c.organization == organization
    tx.core.execute(delete(data_keys).where(is_its, data_keys.c.key_id.in_([*key_ids])))
