"""
Namespaces of identities that are not among the standard ones, and the order by which people are kept.

A namespace that comes with a profile is registered at first sight; no row is ever taken away.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace

import orjson
from sqlalchemy import func, insert, select, update

from headrace.model.namespace import BY_CODE, FIRST_CUSTOM, UNKNOWN_TYPE
from headrace.model.profile import NAMESPACE_ORDER, is_identity
from headrace.store.database import Transaction
from headrace.store.tables import namespace_orders, namespaces

#: A sandbox that has this many registers no more by itself: whoever sends identities as namespaces sends millions.
MOST_BY_THEMSELVES = 1000
_CODES = "SELECT code FROM namespaces WHERE tenant = :tenant"
_ORDER = "SELECT codes FROM namespace_orders WHERE tenant = :tenant"


@dataclass(frozen=True, slots=True)
class StoredNamespace:
    """A namespace of one sandbox. ``is_declared``: by a person, not by its first use."""

    namespace: int
    code: str
    name: str
    id_type: str
    description: str | None
    is_declared: bool
    created_at: int
    modified_at: int


def all_of(tx: Transaction, tenant: int) -> list[StoredNamespace]:
    """Return a sandbox's namespaces in the order in which they came."""
    rows = select(namespaces).where(namespaces.c.tenant == tenant).order_by(namespaces.c.namespace)
    return [_read(row) for row in tx.core.execute(rows).mappings()]


def get(tx: Transaction, tenant: int, namespace: int) -> StoredNamespace | None:
    """Return one of a sandbox's namespaces."""
    is_it = (namespaces.c.tenant == tenant) & (namespaces.c.namespace == namespace)
    row = tx.core.execute(select(namespaces).where(is_it)).mappings().one_or_none()
    return None if row is None else _read(row)


def find(tx: Transaction, tenant: int, code: str) -> StoredNamespace | None:
    """Return the namespace with a code."""
    is_it = (namespaces.c.tenant == tenant) & (namespaces.c.code == code)
    row = tx.core.execute(select(namespaces).where(is_it)).mappings().one_or_none()
    return None if row is None else _read(row)


def add(tx: Transaction, tenant: int, namespace: StoredNamespace) -> StoredNamespace:
    """Keep a new namespace, and return it with the number it was given."""
    highest = select(func.max(namespaces.c.namespace)).where(namespaces.c.tenant == tenant)
    last = tx.core.execute(highest).scalar_one()
    numbered = replace(namespace, namespace=FIRST_CUSTOM if last is None else last + 1)
    tx.core.execute(insert(namespaces).values(tenant=tenant, **asdict(numbered)))
    return numbered


def change(tx: Transaction, tenant: int, namespace: StoredNamespace) -> None:
    """Replace what is kept of a namespace."""
    is_it = (namespaces.c.tenant == tenant) & (namespaces.c.namespace == namespace.namespace)
    tx.core.execute(update(namespaces).where(is_it).values(**asdict(namespace)))


def register(tx: Transaction, tenant: int, codes: Iterable[str], now: int) -> None:
    """Keep the namespaces among these that are not known, up to as many as a sandbox registers by itself."""
    strange = sorted(set(codes) - BY_CODE.keys())
    if not strange:
        return
    known = {code for (code,) in tx.run(_CODES, {"tenant": tenant})}
    room = MOST_BY_THEMSELVES - len(known)
    for code in [code for code in strange if code not in known and is_identity(code)][: max(room, 0)]:
        add(tx, tenant, StoredNamespace(0, code, code, UNKNOWN_TYPE, None, False, now, now))


def order(tx: Transaction, tenant: int) -> tuple[str, ...]:
    """Return by which namespaces people are kept who name none as primary, the first that they have."""
    row = tx.run(_ORDER, {"tenant": tenant}).fetchone()
    if row is None:
        return NAMESPACE_ORDER
    return tuple(orjson.loads(row[0]) if isinstance(row[0], str) else row[0])


def set_order(tx: Transaction, tenant: int, codes: Sequence[str]) -> None:
    """Keep the order of a sandbox."""
    is_it = namespace_orders.c.tenant == tenant
    if not tx.core.execute(update(namespace_orders).where(is_it).values(codes=list(codes))).rowcount:
        tx.core.execute(insert(namespace_orders).values(tenant=tenant, codes=list(codes)))


def _read(row: object) -> StoredNamespace:
    return StoredNamespace(**{field: row[field] for field in StoredNamespace.__dataclass_fields__})  # type: ignore[index]
