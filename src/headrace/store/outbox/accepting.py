"""Accepting: changes enter the outbox and the ledger, and touch the lanes they leave by."""

from collections.abc import Iterable, Sequence
from typing import Any

from headrace.model.change import Changes
from headrace.store import withheld
from headrace.store.books import Books
from headrace.store.database import Transaction
from headrace.store.outbox import noting

_UPSERT_LANE = """
    INSERT INTO lanes (tenant, dataflow, profile, audience, part, bucket, desired_seq, waiting_since, due)
    VALUES (:tenant, :dataflow, :profile, :audience, :part, :bucket, :seq, :now, :due)
    ON CONFLICT (tenant, dataflow, profile, audience, part) DO UPDATE SET
        bucket = excluded.bucket,
        desired_seq = excluded.desired_seq,
        waiting_since = coalesce(lanes.waiting_since, excluded.waiting_since),
        due = CASE WHEN lanes.claim_group IS NOT NULL THEN NULL
            WHEN lanes.due < excluded.due THEN lanes.due ELSE excluded.due END
"""
_INSERT_CHANGE = """
    INSERT INTO changes (tenant, dataflow, profile, audience, seq)
    VALUES (:tenant, :dataflow, :profile, :audience, :seq)
"""
_OPEN_CHANGES = """
    SELECT audience, seq FROM changes WHERE tenant = :tenant AND dataflow = :dataflow AND profile = :profile
"""
_CLAIMED_UP_TO = """
    SELECT coalesce(max(claimed_seq), 0) FROM lanes
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile = :profile AND claim_group IS NOT NULL
"""
_DELETE_CHANGE = """
    DELETE FROM changes WHERE tenant = :tenant AND dataflow = :dataflow AND profile = :profile
        AND audience = :audience AND seq = :seq
"""


def accept(
    tx: Transaction, tenant: int, batch: Sequence[Changes], now: int, stand_back: int = 0, *, again: bool = False
) -> int:
    """
    Put changes into the outbox and the ledger, and return how many were accepted.

    A change that touches no lane has nothing to say to the partner and is withheld; one that came too late is
    superseded, and so is one that still waits and is now overtaken by a newer one of the same audience. Changes that
    ``stand_back`` for so many milliseconds are overtaken by those that come within them. What is told
    ``again`` was received before.
    """
    books = Books(tx)
    tally, reasons = books.tally, books.withheld
    for accepted in batch:
        dataflow = accepted.dataflow
        moved = accepted.changed or accepted.late or accepted.withheld
        if moved and not again:
            tally[dataflow, moved[0], "people"] += 1
        for audience in accepted.late:
            tally[dataflow, audience, "accepted"] += 1
            tally[dataflow, audience, "superseded"] += 1
        for audience in accepted.changed:
            tally[dataflow, audience, "accepted"] += 1
            if not accepted.lanes:
                tally[dataflow, audience, "withheld"] += 1
                reasons[dataflow, withheld.NOTHING_TO_SAY] += 1
        for audience in accepted.withheld:
            tally[dataflow, audience, "accepted"] += 1
            tally[dataflow, audience, "withheld"] += 1
            reasons[dataflow, accepted.reason] += 1
        if accepted.lanes:
            for audience, seq in _supersede(tx, tenant, accepted):
                tally[dataflow, audience, "superseded"] += 1
                noting.overtaken(books, accepted, audience, seq)
    going = [accepted for accepted in batch if accepted.lanes]
    for dataflow in {accepted.dataflow for accepted in going}:
        tx.wake(tenant, dataflow)
    tx.many(_INSERT_CHANGE, _change_rows(tenant, going))
    tx.many(_UPSERT_LANE, _lane_rows(tenant, going, now, now + stand_back))
    noting.accepted(books, batch, again=again)
    books.close(tx, tenant, now)
    return sum(len(accepted.changed) + len(accepted.late) + len(accepted.withheld) for accepted in batch)


def _supersede(tx: Transaction, tenant: int, accepted: Changes) -> list[tuple[int, int]]:
    """Take away the changes that wait and that this one overtakes; return their audiences and sequence numbers."""
    whose = {"tenant": tenant, "dataflow": accepted.dataflow, "profile": accepted.profile}
    waiting = [(audience, seq) for audience, seq in tx.run(_OPEN_CHANGES, whose) if audience in accepted.changed]
    if not waiting:
        return []
    under_way: int = tx.run(_CLAIMED_UP_TO, whose).fetchone()[0]
    overtaken = [(audience, seq) for audience, seq in waiting if seq > under_way]
    tx.many(_DELETE_CHANGE, ({**whose, "audience": audience, "seq": seq} for audience, seq in overtaken))
    return overtaken


def _change_rows(tenant: int, batch: Iterable[Changes]) -> Iterable[dict[str, Any]]:
    for accepted in batch:
        for audience in accepted.changed:
            yield {
                "tenant": tenant,
                "dataflow": accepted.dataflow,
                "profile": accepted.profile,
                "audience": audience,
                "seq": accepted.seq,
            }


def _lane_rows(tenant: int, batch: Iterable[Changes], now: int, due: int) -> Iterable[dict[str, Any]]:
    for accepted in batch:
        for lane in accepted.lanes:
            yield {
                "tenant": tenant,
                "dataflow": accepted.dataflow,
                "profile": accepted.profile,
                "audience": lane.audience,
                "part": lane.part,
                "bucket": lane.bucket,
                "seq": accepted.seq,
                "now": now,
                "due": due,
            }
