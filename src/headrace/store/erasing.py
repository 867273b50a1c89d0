"""What erasing a person does to the outbox, and to what was said of requests and runs; in the caller's transaction."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import delete, select, update

from headrace.store import parked
from headrace.store.books import Books
from headrace.store.database import Transaction
from headrace.store.dialect import Rows
from headrace.store.outbox import noting
from headrace.store.tables import audience_evaluations, dataset_snapshots, runs, taken_requests
from headrace.store.withheld import ERASED

#: What stands in the place of words that may say something of an erased person.
REMOVED = "removed: it may have named somebody who was erased"

_LANES = """
    SELECT l.audience, l.part, l.bucket, l.desired_seq, l.claimed_seq, l.claim_group, l.due, l.shown, g.reason
    FROM lanes l LEFT JOIN groups g ON g.tenant = l.tenant AND g.claim_group = l.claim_group
    WHERE l.tenant = :tenant AND l.dataflow = :dataflow AND l.profile = :profile
    ORDER BY l.audience, l.part
"""
_SHOW = """
    UPDATE lanes SET shown = :shown
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile = :profile AND audience = :audience AND part = :part
"""
_DROP_LANE = """
    DELETE FROM lanes
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile = :profile AND audience = :audience AND part = :part
"""
_TAKE_WAITING = """
    DELETE FROM changes WHERE tenant = :tenant AND dataflow = :dataflow AND profile = :profile AND seq > :under_way
    RETURNING audience, seq
"""
_TAKE_LANELESS = """
    DELETE FROM changes AS c WHERE c.tenant = :tenant AND c.dataflow = :dataflow AND c.profile = :profile
        AND NOT EXISTS (
            SELECT 1 FROM lanes o
            WHERE o.tenant = c.tenant AND o.dataflow = c.dataflow AND o.profile = c.profile
                AND (o.audience = 0 OR c.audience = 0 OR o.audience = c.audience)
                AND (o.due IS NOT NULL OR o.claim_group IS NOT NULL)
                AND o.desired_seq >= c.seq AND coalesce(o.acked_seq, 0) < c.seq)
    RETURNING audience, seq
"""
_TAKE_PARKED = """
    DELETE FROM parked WHERE tenant = :tenant AND dataflow = :dataflow AND profile = :profile
    RETURNING audience, seq, code, reason, parked
"""


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane of a person: whether it waits or is claimed, what the partner was shown, why its group waits."""

    audience: int
    part: str
    bucket: int
    desired_seq: int
    claimed_seq: int | None
    claim_group: int | None
    due: int | None
    shown: bytes | None
    reason: str | None

    @property
    def is_under_way(self) -> bool:
        """Whether a message with it is under way, or waits for a retry."""
        return self.claim_group is not None

    @property
    def rests(self) -> bool:
        """Whether nothing of it is to be sent."""
        return self.claim_group is None and self.due is None


def lanes_of(tx: Transaction, tenant: int, dataflow: int, profile: int) -> list[Lane]:
    """Return the lanes of a person in a dataflow."""
    rows = tx.run(_LANES, {"tenant": tenant, "dataflow": dataflow, "profile": profile})
    return [Lane(*row) for row in rows]


def show(tx: Transaction, tenant: int, dataflow: int, profile: int, lane: Lane, shown: bytes) -> None:
    """Note what the partner may have been shown by a message that is under way."""
    tx.run(_SHOW, {**_place(tenant, dataflow, profile, lane), "shown": shown})


def drop_lane(tx: Transaction, tenant: int, dataflow: int, profile: int, lane: Lane) -> None:
    """Remove a lane by which nothing has been told, or nothing can be taken back."""
    tx.run(_DROP_LANE, _place(tenant, dataflow, profile, lane))


def withhold_waiting(tx: Transaction, tenant: int, dataflow: int, profile: int, under_way: int, now: int) -> None:
    """Withhold what waits to be told of a person; what is under way, up to a sequence number, is settled as it ends."""
    whose = {"tenant": tenant, "dataflow": dataflow, "profile": profile}
    _withhold(tx, whose, tx.run(_TAKE_WAITING, {**whose, "under_way": under_way}), now)


def withhold_laneless(tx: Transaction, tenant: int, dataflow: int, profile: int, now: int) -> None:
    """Withhold what no lane of a person is left to tell, since lanes were dropped."""
    whose = {"tenant": tenant, "dataflow": dataflow, "profile": profile}
    _withhold(tx, whose, tx.run(_TAKE_LANELESS, whose), now)


def _withhold(tx: Transaction, whose: dict[str, int], changes: Rows, now: int) -> None:
    books = Books(tx)
    for audience, seq in changes:
        noting.withheld(books, whose["dataflow"], whose["profile"], audience, seq, ERASED)
    books.close(tx, whose["tenant"], now)


def take_parked(tx: Transaction, tenant: int, dataflow: int, profile: int, now: int) -> list[tuple[str, str]]:
    """Withhold what was laid aside of a person; return the codes and the reasons for which it was."""
    books = Books(tx)
    taken: list[tuple[str, str]] = []
    last = 0
    rows = tx.run(_TAKE_PARKED, {"tenant": tenant, "dataflow": dataflow, "profile": profile})
    for audience, seq, code, reason, number in rows:
        last = max(last, number)
        books.tally[dataflow, audience, "parked"] -= 1
        noting.withheld(books, dataflow, profile, audience, seq, ERASED)
        taken.append((code, reason))
    if last:
        parked.note_taken(tx, tenant, dataflow, last)
    books.close(tx, tenant, now)
    return taken


def _place(tenant: int, dataflow: int, profile: int, lane: Lane) -> dict[str, Any]:
    whose = {"tenant": tenant, "dataflow": dataflow, "profile": profile}
    return {**whose, "audience": lane.audience, "part": lane.part}


# -- words ------------------------------------------------------------------------------------------------------------


def scrub(tx: Transaction, tenant: int, texts: Iterable[str]) -> None:
    """Take words that hold one of some texts out of what was said of requests, runs, snapshots and evaluations."""
    wanted = tuple(texts)

    def is_told(text: object) -> bool:
        return isinstance(text, str) and any(item in text for item in wanted)

    _scrub_requests(tx, tenant, is_told)
    _scrub_runs(tx, tenant, is_told)
    _scrub_snapshots(tx, tenant, is_told)
    _scrub_evaluations(tx, tenant, is_told)


def _scrub_requests(tx: Transaction, tenant: int, is_told: Callable[[object], bool]) -> None:
    """Replace the words of rejections; a request whose very key tells is forgotten."""
    table = taken_requests
    query = select(table.c.key, table.c.rejected).where(table.c.tenant == tenant)
    for key, rejected in tx.core.execute(query).all():
        where = (table.c.tenant == tenant) & (table.c.key == key)
        cleaned = _cleaned(rejected or [], is_told)
        if is_told(key):
            tx.core.execute(delete(table).where(where))
        elif cleaned != (rejected or []):
            tx.core.execute(update(table).where(where).values(rejected=cleaned))


def _scrub_runs(tx: Transaction, tenant: int, is_told: Callable[[object], bool]) -> None:
    query = select(runs.c.run, runs.c.progress, runs.c.reason).where(runs.c.tenant == tenant)
    for run, progress, reason in tx.core.execute(query).all():
        cleaned = {**progress, "rejects": _cleaned(progress["rejects"], is_told)} if "rejects" in progress else progress
        said = REMOVED if is_told(reason) else reason
        if cleaned != progress or said != reason:
            tx.core.execute(update(runs).where(runs.c.run == run).values(progress=cleaned, reason=said))


def _scrub_snapshots(tx: Transaction, tenant: int, is_told: Callable[[object], bool]) -> None:
    table = dataset_snapshots
    query = select(table.c.dataset, table.c.number, table.c.bad).where(table.c.tenant == tenant)
    for dataset, number, bad in tx.core.execute(query).all():
        cleaned = _cleaned(bad, is_told)
        if cleaned != bad:
            where = (table.c.tenant == tenant) & (table.c.dataset == dataset) & (table.c.number == number)
            tx.core.execute(update(table).where(where).values(bad=cleaned))


def _scrub_evaluations(tx: Transaction, tenant: int, is_told: Callable[[object], bool]) -> None:
    table = audience_evaluations
    query = select(table.c.audience, table.c.evaluation, table.c.rejects, table.c.reason)
    for audience, evaluation, rejects, reason in tx.core.execute(query.where(table.c.tenant == tenant)).all():
        cleaned, said = _cleaned(rejects, is_told), REMOVED if is_told(reason) else reason
        if cleaned != rejects or said != reason:
            where = (table.c.tenant == tenant) & (table.c.audience == audience) & (table.c.evaluation == evaluation)
            tx.core.execute(update(table).where(where).values(rejects=cleaned, reason=said))


def _cleaned(items: Any, is_told: Callable[[object], bool]) -> Any:
    """Return rejections of which the words that tell are replaced."""
    known = orjson.loads(items) if isinstance(items, str | bytes) else items
    return [{**item, "reason": REMOVED} if is_told(item.get("reason")) else item for item in known]
