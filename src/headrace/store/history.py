"""
The history: what became of whose changes, and when.

One row holds all changes that one transaction, or one message, did the same with: their people, audiences and sequence
numbers are packed in it. What is asked about a person is found by the day and by who is in a row at the least.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from headrace.store.database import Transaction
from headrace.store.packing import is_in_first, pack, unpack

DAY: Final = 86_400_000
#: What may become of a change; the place in here is what is kept, so it never changes.
KINDS: Final = ("accepted", "superseded", "withheld", "sent", "retried", "split", "parked", "replayed")
#: What the partner was told of a membership; the place in here is kept as well.
STATES: Final = (None, "realized", "exited")
#: The most changes that one row holds.
_MOST: Final = 10_000

_INSERT = """
    INSERT INTO history
        (tenant, dataflow, day, lowest, highest, moment, kind, message, code, status, attempt, entries)
    VALUES (:tenant, :dataflow, :day, :lowest, :highest, :moment, :kind, :message, :code, :status, :attempt, :entries)
"""
_OF_PERSON = """
    SELECT number, moment, kind, message, code, status, attempt, entries FROM history
    WHERE tenant = :tenant AND dataflow = :dataflow AND day = :day AND lowest <= :profile AND highest >= :profile
"""
_DAYS = "SELECT max(day) FROM history WHERE tenant = :tenant AND dataflow = :dataflow AND day <= :upto"
_OLDEST = "SELECT number, day FROM history ORDER BY number LIMIT :most"
_FORGET = "DELETE FROM history WHERE number = :number"


class Fate(NamedTuple):
    """What became of some changes of a dataflow: the message and the attempt it came of, where there was one."""

    dataflow: int
    kind: str
    code: str | None = None
    message: str | None = None
    status: int | None = None
    attempt: int | None = None


#: One change: the person, the audience, its sequence number, and the place of what the partner was told in ``STATES``.
Traced = tuple[int, int, int, int]
#: What a transaction does with which changes.
Fates = dict[Fate, list[Traced]]


@dataclass(frozen=True, slots=True)
class Happened:
    """What became of one change of a person at a moment, as far as a sequence number, in the order of ``number``."""

    number: int
    moment: int
    fate: Fate
    audience: int
    seq: int
    told: str | None


def write(tx: Transaction, tenant: int, fates: Fates, now: int) -> None:
    """Remember what a transaction does: a row for each fate, however many changes have it."""
    tx.many(_INSERT, _rows(tenant, fates, now))


def _rows(tenant: int, fates: Fates, now: int) -> Iterator[dict[str, Any]]:
    for fate, traced in fates.items():
        for start in range(0, len(traced), _MOST):
            columns = [*zip(*traced[start : start + _MOST], strict=True)]
            yield {
                "tenant": tenant,
                "dataflow": fate.dataflow,
                "day": now // DAY,
                "lowest": min(columns[0]),
                "highest": max(columns[0]),
                "moment": now,
                "kind": KINDS.index(fate.kind),
                "message": fate.message,
                "code": fate.code,
                "status": fate.status,
                "attempt": fate.attempt,
                "entries": pack(columns),
            }


def last_day(tx: Transaction, tenant: int, dataflow: int, upto: int) -> int | None:
    """Return the last day, up to one, of which something of a dataflow is remembered."""
    day: int | None = tx.run(_DAYS, {"tenant": tenant, "dataflow": dataflow, "upto": upto}).fetchone()[0]
    return day


def of_person(tx: Transaction, tenant: int, dataflow: int, profile: int, day: int) -> list[Happened]:
    """Return what became of a person's changes on a day, in order."""
    asked = {"tenant": tenant, "dataflow": dataflow, "profile": profile, "day": day}
    found: list[Happened] = []
    for number, moment, kind, message, code, status, attempt, entries in tx.run(_OF_PERSON, asked):
        if is_in_first(entries, profile):
            fate = Fate(dataflow, KINDS[kind], code, message, status, attempt)
            found += _of_row(profile, number, moment, fate, entries)
    return sorted(found, key=lambda item: (item.moment, item.number, item.seq, item.audience))


def _of_row(profile: int, number: int, moment: int, fate: Fate, entries: bytes) -> Iterable[Happened]:
    for who, audience, seq, told in zip(*unpack(entries), strict=True):
        if who == profile:
            yield Happened(number, moment, fate, audience, seq, STATES[told])


def is_any_before(tx: Transaction, day: int) -> bool:
    """Say whether what is remembered longest is of a day before one."""
    row = tx.run(_OLDEST, {"most": 1}).fetchone()
    return row is not None and row[1] < day


def forget(tx: Transaction, before: int, most: int) -> bool:
    """Forget up to ``most`` rows of days before one, the oldest first; says whether there may be more."""
    rows = tx.run(_OLDEST, {"most": most}).fetchall()
    old = [{"number": number} for number, day in rows if day < before]
    tx.many(_FORGET, old)
    return bool(old) and len(rows) == most
