"""
What is kept of messages of which something was parked: once for each, the newest of a dataflow, for a time.

It holds personal data. A message goes with the last of its parked changes, and with the first person in it who is
erased; of erased people nothing is kept again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from headrace.store.database import Transaction

#: Messages of one dataflow, and milliseconds, for which they are kept.
MOST = 10_000
KEPT = 30 * 24 * 60 * 60 * 1000

_INSERT = """
    INSERT INTO parked_messages (tenant, dataflow, kept, message, parked_at, content)
    VALUES (:tenant, :dataflow,
        (SELECT coalesce(max(kept), 0) + 1 FROM parked_messages WHERE tenant = :tenant AND dataflow = :dataflow),
        :message, :now, :content)
    ON CONFLICT (tenant, dataflow, message) DO NOTHING RETURNING kept
"""
_INSERT_PERSON = """
    INSERT INTO parked_people (tenant, dataflow, kept, profile) VALUES (:tenant, :dataflow, :kept, :profile)
"""
_ERASED = "SELECT profile FROM erased_people WHERE tenant = :tenant AND profile BETWEEN :first AND :last"
_GET = """
    SELECT content FROM parked_messages WHERE tenant = :tenant AND dataflow = :dataflow AND message = :message
"""
_TRIM = "DELETE FROM parked_messages WHERE tenant = :tenant AND dataflow = :dataflow AND kept <= :last"
_TRIM_PEOPLE = "DELETE FROM parked_people WHERE tenant = :tenant AND dataflow = :dataflow AND kept <= :last"
_OLD = "SELECT tenant, dataflow, max(kept) FROM parked_messages WHERE parked_at < :before GROUP BY tenant, dataflow"
_OF_PERSON = "SELECT dataflow, kept FROM parked_people WHERE tenant = :tenant AND profile = :profile"
_FORGET = "DELETE FROM parked_messages WHERE tenant = :tenant AND dataflow = :dataflow AND kept = :kept"
_FORGET_PEOPLE = "DELETE FROM parked_people WHERE tenant = :tenant AND dataflow = :dataflow AND kept = :kept"
_UNNEEDED = """
    DELETE FROM parked_messages
    WHERE tenant = :tenant AND dataflow = :dataflow AND message = :message AND NOT EXISTS (
        SELECT 1 FROM parked k WHERE k.tenant = :tenant AND k.dataflow = :dataflow AND k.message = :message)
    RETURNING kept
"""


@dataclass(frozen=True, slots=True)
class KeptMessage:
    """A message by its id, the people in it, and what is kept of it."""

    message: str
    people: tuple[int, ...]
    content: bytes


def keep(tx: Transaction, tenant: int, dataflow: int, messages: Iterable[KeptMessage], now: int) -> None:
    """Keep messages of which something was just parked, but none with anybody in it who was erased."""
    where = {"tenant": tenant, "dataflow": dataflow}
    for item in messages:
        if _is_of_erased(tx, tenant, item.people):
            continue
        row = tx.run(_INSERT, {**where, "message": item.message, "now": now, "content": item.content}).fetchone()
        if row is None:
            continue
        tx.many(_INSERT_PERSON, ({**where, "kept": row[0], "profile": profile} for profile in item.people))
        _forget_up_to(tx, tenant, dataflow, row[0] - MOST)


def get(tx: Transaction, tenant: int, dataflow: int, message: str) -> bytes | None:
    """Return what is kept of a message; ``None``: nothing, or nothing any more."""
    row = tx.run(_GET, {"tenant": tenant, "dataflow": dataflow, "message": message}).fetchone()
    return None if row is None else bytes(row[0])


def forget_person(tx: Transaction, tenant: int, profile: int) -> None:
    """Forget every message that a person is in, whoever else is."""
    found = tx.run(_OF_PERSON, {"tenant": tenant, "profile": profile}).fetchall()
    _forget(tx, [{"tenant": tenant, "dataflow": dataflow, "kept": kept} for dataflow, kept in found])


def forget_unneeded(tx: Transaction, tenant: int, dataflow: int, messages: Iterable[str]) -> None:
    """Forget those of some messages of which nothing is parked any more."""
    where = {"tenant": tenant, "dataflow": dataflow}
    for message in messages:
        row = tx.run(_UNNEEDED, {**where, "message": message}).fetchone()
        if row is not None:
            tx.run(_FORGET_PEOPLE, {**where, "kept": row[0]})


def forget_dataflow(tx: Transaction, tenant: int, dataflow: int) -> None:
    """Forget the messages of a dataflow that is deleted: nobody can look at them any more."""
    _forget_up_to(tx, tenant, dataflow, 1 << 62)


def forget_old(tx: Transaction, before: int) -> None:
    """Forget what was kept before a moment; the changes stay parked."""
    for tenant, dataflow, last in tx.run(_OLD, {"before": before}).fetchall():
        _forget_up_to(tx, tenant, dataflow, last)


def _is_of_erased(tx: Transaction, tenant: int, people: Sequence[int]) -> bool:
    erased = tx.run(_ERASED, {"tenant": tenant, "first": min(people), "last": max(people)})
    return not {profile for (profile,) in erased}.isdisjoint(people)


def _forget_up_to(tx: Transaction, tenant: int, dataflow: int, last: int) -> None:
    where = {"tenant": tenant, "dataflow": dataflow, "last": last}
    tx.run(_TRIM, where)
    tx.run(_TRIM_PEOPLE, where)


def _forget(tx: Transaction, rows: Sequence[dict[str, int]]) -> None:
    tx.many(_FORGET, rows)
    tx.many(_FORGET_PEOPLE, rows)
