"""
Parked changes: laid aside with the reason, waiting to be mended and replayed, or discarded.

Whoever takes them away again posts what becomes of them in the same transaction: a replay takes a change from parked
back to pending, so that ``accepted`` stays as it is; one that is discarded is withheld.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, select

from headrace.errors import Conflict
from headrace.model.change import Changes
from headrace.store import outbox, parked_messages
from headrace.store.books import Books
from headrace.store.database import Transaction
from headrace.store.outbox import noting
from headrace.store.tables import parked, profiles

#: The reason in the ledger.
DISCARDED = "discarded"

_TAKE = "DELETE FROM parked WHERE tenant = :tenant AND dataflow = :dataflow AND parked = :number"
_NOTE_TAKEN = """
    INSERT INTO parked_numbers (tenant, dataflow, last) VALUES (:tenant, :dataflow, :last)
    ON CONFLICT (tenant, dataflow) DO UPDATE SET
        last = CASE WHEN excluded.last > parked_numbers.last THEN excluded.last ELSE parked_numbers.last END
"""
_OPEN = """
    SELECT audience, max(seq) FROM changes
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile = :profile GROUP BY audience
"""
_LANES = """
    SELECT audience, part, acked_seq, shown FROM lanes
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile = :profile
"""


@dataclass(frozen=True, slots=True)
class ParkedChange:
    """
    One change that was laid aside. ``number`` rises with time inside its dataflow, and is never given twice.

    ``begun_at``: when it was first tried; ``message``: in which it was sent, ``status``: what was answered to that;
    ``version``: of what its message was made of. Each is ``None`` where there is nothing to say.
    """

    number: int
    profile: str
    audience: int
    seq: int
    parked_at: int
    attempts: int
    code: str
    reason: str
    begun_at: int | None = None
    message: str | None = None
    status: int | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which parked changes are meant: all that meet every condition. ``since`` is within, ``until`` is not."""

    numbers: tuple[int, ...] | None = None
    code: str | None = None
    audience: int | None = None
    profile: int | None = None
    message: str | None = None
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class OfCode:
    """How many changes are parked with a code, since when and until when; ``last`` is the newest one's number."""

    code: str
    changes: int
    since: int
    until: int
    of_version: int
    last: int


@dataclass(frozen=True, slots=True)
class Laid:
    """A parked change as whoever takes it away needs it; ``document``: ``None`` where there is no such person."""

    number: int
    profile: int
    audience: int
    seq: int
    message: str | None
    document: bytes | None


@dataclass(frozen=True, slots=True)
class KnownLane:
    """A lane of a person: the newest state that was acknowledged, and what the partner knows by it."""

    audience: int
    part: str
    acked: int
    shown: bytes | None


_SHOWN = (
    parked.c.parked,
    profiles.c.key,
    *(parked.c[name] for name in ("audience", "seq", "parked_at", "attempts", "code", "reason")),
    *(parked.c[name] for name in ("begun_at", "message", "status", "version")),
)
_IS_OF = (profiles.c.tenant == parked.c.tenant) & (profiles.c.profile == parked.c.profile)

# -- looking ----------------------------------------------------------------------------------------------------------


def latest(
    tx: Transaction, tenant: int, dataflow: int, most: int, before: int = 1 << 62, chosen: Chosen = Chosen()
) -> list[ParkedChange]:
    """Return parked changes of a dataflow, newest first, from below the number ``before``."""
    where = _where(tenant, dataflow, chosen) & (parked.c.parked < before)
    query = select(*_SHOWN).join(profiles, _IS_OF).where(where).order_by(parked.c.parked.desc()).limit(most)
    return [ParkedChange(*row) for row in tx.core.execute(query)]


def get(tx: Transaction, tenant: int, dataflow: int, number: int) -> ParkedChange | None:
    """Return one parked change."""
    return next(iter(latest(tx, tenant, dataflow, 1, chosen=Chosen(numbers=(number,)))), None)


def by_code(tx: Transaction, tenant: int, dataflow: int, chosen: Chosen, version: str | None) -> list[OfCode]:
    """Count parked changes by code, most first, and how many of them were made of what is in force."""
    columns = (func.min(parked.c.parked_at), func.max(parked.c.parked_at), _of_version(version))
    query = select(parked.c.code, func.count(), *columns, func.max(parked.c.parked))
    grouped = query.where(_where(tenant, dataflow, chosen)).group_by(parked.c.code)
    return [OfCode(*row) for row in tx.core.execute(grouped.order_by(func.count().desc(), parked.c.code))]


def count(tx: Transaction, tenant: int, dataflow: int, chosen: Chosen, version: str | None) -> tuple[int, int, int]:
    """Return how many changes are meant, how many were made of what is in force, and the highest number."""
    query = select(func.count(), _of_version(version), func.coalesce(func.max(parked.c.parked), 0))
    row = tx.core.execute(query.where(_where(tenant, dataflow, chosen))).one()
    return int(row[0]), int(row[1]), int(row[2])


def next_of(
    tx: Transaction, tenant: int, dataflow: int, chosen: Chosen, after: int, upto: int, most: int
) -> list[Laid]:
    """Return the next parked changes between two numbers, the longest parked first."""
    where = _where(tenant, dataflow, chosen) & (parked.c.parked > after) & (parked.c.parked <= upto)
    columns = tuple(parked.c[name] for name in ("parked", "profile", "audience", "seq", "message"))
    query: Select[Any] = select(*columns, profiles.c.document).outerjoin(profiles, _IS_OF).where(where)
    return [Laid(*row) for row in tx.core.execute(query.order_by(parked.c.parked).limit(most))]


def open_of(tx: Transaction, tenant: int, dataflow: int, profile: int) -> dict[int, int]:
    """Return the newest change of a person that is not settled, by audience."""
    rows = tx.run(_OPEN, {"tenant": tenant, "dataflow": dataflow, "profile": profile})
    return dict(rows.fetchall())


def lanes_of(tx: Transaction, tenant: int, dataflow: int, profile: int) -> list[KnownLane]:
    """Return the lanes that there are of a person."""
    rows = tx.run(_LANES, {"tenant": tenant, "dataflow": dataflow, "profile": profile})
    return [KnownLane(audience, part, acked or 0, shown) for audience, part, acked, shown in rows]


# -- taking away ------------------------------------------------------------------------------------------------------


def requeue(
    tx: Transaction,
    tenant: int,
    dataflow: int,
    taken: Sequence[Laid],
    made: Sequence[Changes],
    now: int,
    stand_back: int,
) -> None:
    """
    Put parked changes back into the outbox, as what was made of them: one change for each, of the same audience.

    Raises:
        Conflict: some of them are not parked any more.
    """
    books = Books(tx)
    for item in taken:
        books.tally[dataflow, item.audience, "parked"] -= 1
        books.tally[dataflow, item.audience, "accepted"] -= 1  # They are accepted once more below, and were already.
    _take(tx, tenant, dataflow, taken)
    accepted = outbox.accept(tx, tenant, made, now, stand_back, again=True)
    assert accepted == len(taken), "every parked change that is taken becomes one change"
    books.close(tx, tenant, now)


def discard(tx: Transaction, tenant: int, dataflow: int, taken: Sequence[Laid], now: int) -> None:
    """Withhold parked changes for good. Raises as ``requeue``."""
    books = Books(tx)
    for item in taken:
        books.tally[dataflow, item.audience, "parked"] -= 1
        noting.withheld(books, dataflow, item.profile, item.audience, item.seq, DISCARDED)
    _take(tx, tenant, dataflow, taken)
    books.close(tx, tenant, now)


def note_taken(tx: Transaction, tenant: int, dataflow: int, last: int) -> None:
    """Note that a parked change was taken away, so that its number is not given again."""
    tx.run(_NOTE_TAKEN, {"tenant": tenant, "dataflow": dataflow, "last": last})


def _take(tx: Transaction, tenant: int, dataflow: int, taken: Sequence[Laid]) -> None:
    if not taken:
        return
    rows = [{"tenant": tenant, "dataflow": dataflow, "number": item.number} for item in taken]
    if tx.many(_TAKE, rows).rowcount != len(taken):
        raise Conflict("some of these parked changes were taken away by somebody else meanwhile")
    note_taken(tx, tenant, dataflow, max(item.number for item in taken))
    messages = sorted({item.message for item in taken if item.message is not None})
    parked_messages.forget_unneeded(tx, tenant, dataflow, messages)


def _where(tenant: int, dataflow: int, chosen: Chosen) -> ColumnElement[bool]:
    conditions = [parked.c.tenant == tenant, parked.c.dataflow == dataflow]
    named = ((name, getattr(chosen, name)) for name in ("code", "audience", "profile", "message"))
    conditions += [parked.c[name] == value for name, value in named if value is not None]
    if chosen.numbers is not None:
        conditions.append(parked.c.parked.in_(chosen.numbers))
    if chosen.since is not None:
        conditions.append(parked.c.parked_at >= chosen.since)
    if chosen.until is not None:
        conditions.append(parked.c.parked_at < chosen.until)
    return and_(*conditions)


def _of_version(version: str | None) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((parked.c.version == version, 1), else_=0)), 0)
