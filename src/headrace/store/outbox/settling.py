"""Settling: what became of the entries of a claimed group."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from headrace.model.change import NO_AUDIENCE
from headrace.model.message import Entry, Group, Settled
from headrace.model.outcome import Delivered, Parked, Retry
from headrace.store import splitting
from headrace.store.books import Books
from headrace.store.database import Transaction
from headrace.store.outbox import noting
from headrace.store.outbox.claiming import ENTRIES, NOBODY
from headrace.store.outbox.lanes import DELETE_GROUP, FORGET_LANE, FREE_LANE, TAKE_CHANGES, lane_of
from headrace.store.splitting import Family, Part
from headrace.store.transaction import storable

_GROUP_IS_OURS = """
    SELECT attempt, split_of, refusals FROM groups
    WHERE tenant = :tenant AND claim_group = :claim_group AND epoch = :epoch
        AND lease_until IS NOT NULL
"""
_ACKNOWLEDGE = """
    UPDATE lanes SET acked_seq = claimed_seq, shown = :shown
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile = :profile AND audience = :audience AND part = :part
        AND claim_group = :claim_group
"""
_TAKE_SETTLED_CHANGES = """
    DELETE FROM changes WHERE (tenant, dataflow, profile, audience, seq) IN (
        SELECT c.tenant, c.dataflow, c.profile, c.audience, c.seq
        FROM lanes l JOIN changes c
            ON c.tenant = l.tenant AND c.dataflow = l.dataflow AND c.profile = l.profile AND c.seq <= l.claimed_seq
        WHERE l.tenant = :tenant AND l.claim_group = :claim_group AND l.acked_seq = l.claimed_seq
            AND (l.audience = 0 OR c.audience = 0 OR c.audience = l.audience)
            AND NOT EXISTS (
                SELECT 1 FROM lanes o
                WHERE o.tenant = c.tenant AND o.dataflow = c.dataflow AND o.profile = c.profile
                    AND (o.audience = 0 OR c.audience = 0 OR o.audience = c.audience)
                    AND (o.due IS NOT NULL OR o.claim_group IS NOT NULL)
                    AND o.desired_seq >= c.seq AND coalesce(o.acked_seq, 0) < c.seq))
    RETURNING profile, audience, seq
"""
_FORGET_LANES = """
    DELETE FROM lanes WHERE tenant = :tenant AND claim_group = :claim_group
        AND acked_seq = claimed_seq AND desired_seq = claimed_seq AND shown IS NULL
"""
_FREE_LANES = """
    UPDATE lanes SET claim_group = NULL, claimed_seq = NULL,
        due = CASE WHEN desired_seq > claimed_seq THEN waiting_since END
    WHERE tenant = :tenant AND claim_group = :claim_group AND acked_seq = claimed_seq
"""
_INSERT_PARKED = """
    INSERT INTO parked (tenant, dataflow, parked, profile, audience, seq, parked_at, attempts, code, reason)
    VALUES (:tenant, :dataflow,
        (SELECT coalesce(max(parked), 0) + 1 FROM parked WHERE tenant = :tenant AND dataflow = :dataflow),
        :profile, :audience, :seq, :now, :attempts, :code, :reason)
"""
_WAIT_FOR_RETRY = """
    UPDATE groups SET lease_until = NULL, due = :due, reason = :reason, attempt = attempt - :uncounted
    WHERE tenant = :tenant AND claim_group = :claim_group
"""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was recorded of a group. ``given_up``: entries parked because the partner refuses all they came with."""

    given_up: tuple[Settled, ...] = ()


def settle(
    tx: Transaction,
    group: Group,
    settled: Sequence[Settled],
    now: int,
    retry_at: int | None,
    parts: Sequence[Part] = (),
) -> Recorded | None:
    """
    Record what became of the entries of a claimed group. Every entry has an outcome; those to retry wait as a group,
    and those of a message that is split as the groups that ``parts`` names.

    Returns ``None`` and changes nothing when the claim is no longer ours: a lease ran out and another took over.
    """
    whose = {"tenant": group.tenant, "claim_group": group.number}
    row = tx.run(_GROUP_IS_OURS, {**whose, "epoch": group.epoch}).fetchone()
    if row is None or row[0] != group.attempt:
        return None
    family = Family(group.number if row[1] is None else row[1], row[1] is not None, row[2])
    if family.is_given_up:
        settled, parts = [splitting.given_up(item) for item in settled], ()
    books = Books(tx)
    delivered = [item for item in settled if isinstance(item.outcome, Delivered)]
    if delivered:
        _acknowledge(tx, group, delivered, books)
    for item in settled:
        if isinstance(item.outcome, Parked):
            _park(tx, group, item, item.outcome, now, books)
    splitting.part(tx, group, family, parts, now)
    retried = [item.outcome for item in settled if isinstance(item.outcome, Retry)]
    if retried:
        due = retry_at if retry_at is not None else now
        uncounted = 0 if all(retry.counts for retry in retried) else 1
        reason = storable(retried[0].reason)
        tx.run(_WAIT_FOR_RETRY, {**whose, "due": due, "reason": reason, "uncounted": uncounted})
    else:
        tx.run(DELETE_GROUP, whose)
    given_up = _give_up(tx, group, splitting.go_on(tx, group, family, settled, now), now, books)
    noting.attempted(books, group, settled)
    books.close(tx, group.tenant, now)
    return Recorded(given_up)


def _give_up(
    tx: Transaction, group: Group, waiting: Sequence[tuple[int, Parked]], now: int, books: Books
) -> tuple[Settled, ...]:
    """Park the parts of a message that nobody needs to send: the partner refuses everything."""
    found: list[Settled] = []
    for number, outcome in waiting:
        part = replace(group, number=number, attempt=1)
        row = {"tenant": group.tenant, "claim_group": number}
        for profile, audience, name, seq, document, shown in tx.run(ENTRIES, row).fetchall():
            item = Settled(Entry(profile, audience, name, seq, document or NOBODY, (), shown), outcome)
            _park(tx, part, item, outcome, now, books)
            found.append(item)
        tx.run(DELETE_GROUP, row)
    return tuple(found)


def _acknowledge(tx: Transaction, group: Group, delivered: Sequence[Settled], books: Books) -> None:
    """Move lanes on, and take the changes that are done: the newest of a person and audience was delivered."""
    whose = {"tenant": group.tenant, "claim_group": group.number}
    tx.many(_ACKNOWLEDGE, ({**whose, **lane_of(group, item.entry), "shown": item.shown} for item in delivered))
    tally = books.tally
    newest: set[tuple[int, int]] = set()
    for profile, audience, seq in sorted(tx.run(_TAKE_SETTLED_CHANGES, whose), key=lambda row: -row[2]):
        if (profile, audience) in newest:
            tally[group.dataflow, audience, "superseded"] += 1
            noting.superseded(books, group, profile, audience, seq)
        else:
            newest.add((profile, audience))
            tally[group.dataflow, audience, "delivered"] += 1
    tx.run(_FORGET_LANES, whose)
    tx.run(_FREE_LANES, whose)
    tally[group.dataflow, NO_AUDIENCE, "messages"] += len({item.message for item in delivered})
    tally[group.dataflow, NO_AUDIENCE, "entries"] += len(delivered)


def _park(tx: Transaction, group: Group, item: Settled, outcome: Parked, now: int, books: Books) -> None:
    """Lay aside the changes of one entry: the newest of each audience with its reason, older ones as superseded."""
    lane = lane_of(group, item.entry)
    newest: dict[int, int] = {}
    for audience, seq in sorted(tx.run(TAKE_CHANGES, {**lane, "seq": item.entry.seq}), key=lambda row: row[1]):
        if audience in newest:
            books.tally[group.dataflow, audience, "superseded"] += 1
            noting.superseded(books, group, item.entry.profile, audience, newest[audience])
        newest[audience] = seq
    reason = {"now": now, "attempts": group.attempt, "code": outcome.code, "reason": storable(outcome.reason)}
    tx.many(_INSERT_PARKED, ({**lane, **reason, "audience": audience, "seq": seq} for audience, seq in newest.items()))
    for audience in newest:
        books.tally[group.dataflow, audience, "parked"] += 1
    books.parked[group.dataflow, outcome.code] += len(newest)
    noting.parked(books, group, item, outcome, newest)
    tx.run(FREE_LANE, {**lane, "claim_group": group.number})
    tx.run(FORGET_LANE, lane)
