"""Erasures: who is to be erased, the tombstones that keep them out, and what became of telling partners."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from headrace.store.database import Transaction
from headrace.store.tables import erased_people, erasure_receipts, erasures, tombstones
from headrace.store.transaction import storable

_HAS_TOMBSTONES = "SELECT 1 FROM tombstones WHERE tenant = :tenant LIMIT 1"
_AT_ONCE = 128
_PLACES = ", ".join(f":h{place}" for place in range(_AT_ONCE))
_BURIED = f"SELECT hash FROM tombstones WHERE tenant = :tenant AND hash IN ({_PLACES})"  # noqa: S608
_BURY = """
    INSERT INTO tombstones (tenant, hash, erasure) VALUES (:tenant, :hash, :erasure)
    ON CONFLICT (tenant, hash) DO UPDATE SET erasure = excluded.erasure
"""


@dataclass(frozen=True, slots=True)
class Erasure:
    """
    One erasure. ``state``: ``asked``, ``telling`` once the person is removed here, ``done`` once partners are told.

    ``subject`` is who is meant, by ``namespace`` and ``id``, until they are removed.
    """

    tenant: int
    erasure: str
    state: str
    subject: dict[str, Any] | None
    actor: str
    asked_at: int
    removed_at: int | None = None
    ended_at: int | None = None
    lifted_at: int | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """
    What became of telling one dataflow's partner of one erased person.

    ``state``: ``told``, ``unknown`` (it was never told of them), ``telling``, ``failed`` (and is tried again) or
    ``cannot-be-told``. ``left_in`` are audiences that it may still have them in, and can be told of no more.
    """

    profile: int
    dataflow: int
    state: str
    reason: str | None
    at: int
    left_in: tuple[str, ...] = ()


OPEN = ("telling", "failed")


def add(tx: Transaction, erasure: Erasure) -> None:
    """Keep an erasure that was asked for."""
    values = {name: getattr(erasure, name) for name in Erasure.__dataclass_fields__}
    tx.core.execute(insert(erasures).values(**values))


def get(tx: Transaction, tenant: int, erasure: str) -> Erasure | None:
    """Return an erasure."""
    if "\0" in erasure:
        return None
    row = tx.core.execute(select(erasures).where(_is_it(tenant, erasure))).mappings().one_or_none()
    return None if row is None else Erasure(**row)


def latest(tx: Transaction, tenant: int, most: int) -> list[Erasure]:
    """Return the erasures of a sandbox, newest first."""
    query = select(erasures).where(erasures.c.tenant == tenant)
    rows = tx.core.execute(query.order_by(erasures.c.asked_at.desc(), erasures.c.erasure).limit(most)).mappings()
    return [Erasure(**row) for row in rows]


def change(tx: Transaction, tenant: int, erasure: str, **values: Any) -> None:
    """Note what became of an erasure."""
    tx.core.execute(update(erasures).where(_is_it(tenant, erasure)).values(**values))


# -- tombstones -------------------------------------------------------------------------------------------------------


def has_tombstones(tx: Transaction, tenant: int) -> bool:
    """Say whether anybody of a sandbox is kept out."""
    return tx.run(_HAS_TOMBSTONES, {"tenant": tenant}).fetchone() is not None


def tombstones_of(tx: Transaction, tenant: int) -> frozenset[str]:
    """Return all tombstones of a sandbox."""
    return frozenset(tx.core.execute(select(tombstones.c.hash).where(tombstones.c.tenant == tenant)).scalars())


def tombstones_with_erasures(tx: Transaction, tenant: int) -> list[tuple[str, str]]:
    """Return all tombstones of a sandbox, each with its erasure."""
    query = select(tombstones.c.hash, tombstones.c.erasure).where(tombstones.c.tenant == tenant)
    return [(row[0], row[1]) for row in tx.core.execute(query)]


def buried_by(tx: Transaction, tenant: int, hashes: Iterable[str]) -> str | None:
    """Return the erasure that keeps out whoever has one of some identities; ``None``: nobody is."""
    for hash_ in hashes:
        where = (tombstones.c.tenant == tenant) & (tombstones.c.hash == hash_)
        if (found := tx.core.execute(select(tombstones.c.erasure).where(where)).scalar_one_or_none()) is not None:
            return str(found)
    return None


def is_removing(tx: Transaction, tenant: int) -> bool:
    """Say whether people of a sandbox are to be removed who are not removed yet."""
    where = (erasures.c.tenant == tenant) & (erasures.c.state == "asked")
    return tx.core.execute(select(erasures.c.erasure).where(where).limit(1)).first() is not None


def buried(tx: Transaction, tenant: int, hashes: Iterable[str]) -> set[str]:
    """Return those of some hashes that tombstones have."""
    found: set[str] = set()
    wanted = iter(dict.fromkeys(hashes))
    while some := list(islice(wanted, _AT_ONCE)):
        filled = some + [some[-1]] * (_AT_ONCE - len(some))
        asked = {f"h{place}": value for place, value in enumerate(filled)}
        found |= {value for (value,) in tx.run(_BURIED, {**asked, "tenant": tenant})}
    return found


def bury(tx: Transaction, tenant: int, erasure: str, hashes: Iterable[str]) -> None:
    """Keep out whoever has one of some identities."""
    tx.many(_BURY, ({"tenant": tenant, "hash": value, "erasure": erasure} for value in sorted(set(hashes))))


def lift(tx: Transaction, tenant: int, erasure: str) -> int:
    """Take the tombstones of an erasure away; returns how many there were."""
    where = (tombstones.c.tenant == tenant) & (tombstones.c.erasure == erasure)
    return tx.core.execute(delete(tombstones).where(where)).rowcount


# -- people and receipts ----------------------------------------------------------------------------------------------


def note_person(tx: Transaction, tenant: int, erasure: str, profile: int) -> None:
    """Note that a person of a number was erased."""
    tx.core.execute(insert(erased_people).values(tenant=tenant, profile=profile, erasure=erasure))


def people(tx: Transaction, tenant: int, erasure: str) -> int:
    """Count the people that an erasure has removed."""
    where = (erased_people.c.tenant == tenant) & (erased_people.c.erasure == erasure)
    return int(tx.core.execute(select(func.count()).select_from(erased_people).where(where)).scalar_one())


def put_receipt(tx: Transaction, tenant: int, erasure: str, receipt: Receipt) -> None:
    """Note what became of telling one partner of one person, in the place of what was noted before."""
    is_it = _is_receipt(tenant, erasure) & (erasure_receipts.c.profile == receipt.profile)
    where = is_it & (erasure_receipts.c.dataflow == receipt.dataflow)
    values = {name: getattr(receipt, name) for name in Receipt.__dataclass_fields__}
    values["reason"] = None if receipt.reason is None else storable(receipt.reason)
    values["left_in"] = [*receipt.left_in] or None
    if not tx.core.execute(update(erasure_receipts).where(where).values(**values)).rowcount:
        tx.core.execute(insert(erasure_receipts).values(tenant=tenant, erasure=erasure, **values))


def receipts(tx: Transaction, tenant: int, erasure: str) -> list[Receipt]:
    """Return the receipts of an erasure."""
    columns = [erasure_receipts.c[name] for name in Receipt.__dataclass_fields__]
    query = select(*columns).where(_is_receipt(tenant, erasure))
    rows = tx.core.execute(query.order_by(erasure_receipts.c.dataflow, erasure_receipts.c.profile))
    return [Receipt(**{**row, "left_in": tuple(row["left_in"] or ())}) for row in rows.mappings()]


def _is_it(tenant: int, erasure: str) -> Any:
    return (erasures.c.tenant == tenant) & (erasures.c.erasure == erasure)


def _is_receipt(tenant: int, erasure: str) -> Any:
    return (erasure_receipts.c.tenant == tenant) & (erasure_receipts.c.erasure == erasure)
