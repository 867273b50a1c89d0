"""Settling: what became of the entries of a claimed group."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from headrace.model.change import NO_AUDIENCE
from headrace.model.message import Entry, Group, Settled
from headrace.model.outcome import Delivered, Parked, Retry, Withheld
from headrace.store import splitting
from headrace.store.books import Books
from headrace.store.database import Transaction
from headrace.store.outbox import acknowledging, noting
from headrace.store.outbox.acknowledging import Taken
from headrace.store.outbox.claiming import ENTRIES, NOBODY
from headrace.store.outbox.lanes import DELETE_GROUP, FORGET_LANE, FREE_LANE, TAKE_CHANGES, lane_of
from headrace.store.outbox.showing import believe
from headrace.store.outbox.withholding import withhold_entries
from headrace.store.splitting import Family, Part
from headrace.store.transaction import storable

_GROUP_IS_OURS = """
    SELECT attempt, split_of, refusals, begun_at, may_know FROM groups
    WHERE tenant = :tenant AND claim_group = :claim_group AND epoch = :epoch
        AND lease_until IS NOT NULL
"""
_INSERT_PARKED = """
    INSERT INTO parked (tenant, dataflow, parked, profile, audience, seq, parked_at, attempts, code, reason,
        begun_at, message, status, version)
    VALUES (:tenant, :dataflow,
        (SELECT max(number) + 1 FROM (
            SELECT coalesce(max(parked), 0) AS number FROM parked WHERE tenant = :tenant AND dataflow = :dataflow
            UNION ALL
            SELECT coalesce(max(last), 0) FROM parked_numbers WHERE tenant = :tenant AND dataflow = :dataflow
        ) AS numbers),
        :profile, :audience, :seq, :now, :attempts, :code, :reason, :begun_at, :message, :status, :version)
"""
_WAIT_FOR_RETRY = """
    UPDATE groups SET lease_until = NULL, due = :due, reason = :reason, attempt = attempt - :uncounted,
        may_know = CASE WHEN :unknown = 1 THEN 1 ELSE may_know END
    WHERE tenant = :tenant AND claim_group = :claim_group
"""


@dataclass(frozen=True, slots=True)
class _Tried:
    """Since when a group was tried, whether an attempt may have arrived, and the version of what it is made of."""

    begun_at: int | None
    may_know: bool
    version: str | None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was recorded of a group. ``given_up``: entries parked because the partner refuses all they came with."""

    given_up: tuple[Settled, ...] = ()


@dataclass(frozen=True, slots=True)
class Conclusion:
    """
    What became of a claimed group: every entry has an outcome.

    Those to retry wait as a group until ``retry_at``, and those of a message that is split as the groups that ``parts``
    names. ``version`` is that of what its messages are made of.
    """

    group: Group
    settled: Sequence[Settled]
    retry_at: int | None = None
    parts: Sequence[Part] = ()
    version: str | None = None

    @property
    def is_delivered(self) -> bool:
        """Whether the partner has taken all of it."""
        return all(isinstance(item.outcome, Delivered) for item in self.settled)


def settle(tx: Transaction, concluded: Sequence[Conclusion], now: int) -> list[Recorded | None]:
    """
    Record what became of groups of one sandbox: of those that were delivered together, of the others one by one.

    Returns for each what was recorded; ``None``, and nothing is changed, when the claim is no longer ours: a lease ran
    out and another took over.
    """
    delivered = [Taken(one.group, one.settled) for one in concluded if one.is_delivered]
    held = acknowledging.ours(tx, [taken.group for taken in delivered])
    plain = [taken for taken in delivered if taken.group.number in held]
    if plain:
        books = Books(tx)
        acknowledging.acknowledge(tx, plain, books)
        acknowledging.end(tx, [taken.group for taken in plain])
        for taken in plain:
            noting.attempted(books, taken.group, taken.delivered)
        books.close(tx, plain[0].group.tenant, now)
    return [Recorded() if one.group.number in held else _settle_one(tx, one, now) for one in concluded]


def _settle_one(tx: Transaction, concluded: Conclusion, now: int) -> Recorded | None:
    group, settled, parts = concluded.group, concluded.settled, concluded.parts
    whose = {"tenant": group.tenant, "claim_group": group.number}
    row = tx.run(_GROUP_IS_OURS, {**whose, "epoch": group.epoch}).fetchone()
    if row is None or row[0] != group.attempt:
        return None
    tried = _Tried(row[3], bool(row[4]), concluded.version)
    family = Family(group.number if row[1] is None else row[1], row[1] is not None, row[2], *row[3:])
    if family.is_given_up:
        settled, parts = [splitting.given_up(item) for item in settled], ()
    books = Books(tx)
    delivered = [item for item in settled if isinstance(item.outcome, Delivered)]
    if delivered:
        acknowledging.acknowledge(tx, [Taken(group, delivered)], books)
    for item in settled:
        if isinstance(item.outcome, Parked):
            _park(tx, group, item, item.outcome, now, books, tried)
        elif isinstance(item.outcome, Withheld):
            withhold_entries(tx, group, [(item.entry, item.outcome.reason)], now)
    splitting.part(tx, group, family, parts, now)
    retried = [item.outcome for item in settled if isinstance(item.outcome, Retry)]
    if retried:
        _wait(tx, group, retried, now if concluded.retry_at is None else concluded.retry_at)
    else:
        tx.run(DELETE_GROUP, whose)
    given_up = _give_up(tx, group, splitting.go_on(tx, group, family, settled, now), now, books, tried)
    noting.attempted(books, group, settled)
    books.close(tx, group.tenant, now)
    return Recorded(given_up)


def _wait(tx: Transaction, group: Group, retried: Sequence[Retry], due: int) -> None:
    """Let a group wait for its retry; an attempt in whose way something else stood is not counted."""
    uncounted = 0 if any(retry.counts for retry in retried) else 1  # What counts may have arrived.
    unknown = int(any(retry.unknown for retry in retried))
    row = {"tenant": group.tenant, "claim_group": group.number, "due": due, "uncounted": uncounted, "unknown": unknown}
    tx.run(_WAIT_FOR_RETRY, {**row, "reason": storable(retried[0].reason)})


def _give_up(
    tx: Transaction, group: Group, waiting: Sequence[tuple[int, Parked]], now: int, books: Books, tried: _Tried
) -> tuple[Settled, ...]:
    """Park the parts of a message that nobody needs to send: the partner refuses everything."""
    found: list[Settled] = []
    for number, outcome in waiting:
        part = replace(group, number=number, attempt=1)
        row = {"tenant": group.tenant, "claim_group": number, "first": number, "last": number}
        for _, profile, audience, name, seq, document, shown in tx.run(ENTRIES, row).fetchall():
            item = Settled(Entry(profile, audience, name, seq, document or NOBODY, (), shown), outcome)
            _park(tx, part, item, outcome, now, books, tried)
            found.append(item)
        tx.run(DELETE_GROUP, row)
    return tuple(found)


def _park(tx: Transaction, group: Group, item: Settled, outcome: Parked, now: int, books: Books, tried: _Tried) -> None:
    """
    Lay aside the changes of one entry: the newest of each audience with its reason, older ones as superseded.

    Where an attempt may have arrived, the lane remembers what the partner may know: it can be taken back.
    """
    lane = lane_of(group, item.entry)
    newest: dict[int, int] = {}
    for audience, seq in sorted(tx.run(TAKE_CHANGES, {**lane, "seq": item.entry.seq}), key=lambda row: row[1]):
        if audience in newest:
            books.tally[group.dataflow, audience, "superseded"] += 1
            noting.superseded(books, group.dataflow, item.entry.profile, audience, newest[audience])
        newest[audience] = seq
    reason = {"now": now, "attempts": group.attempt, "code": outcome.code, "reason": storable(outcome.reason)}
    reason |= _sent(item, outcome, tried)
    tx.many(_INSERT_PARKED, ({**lane, **reason, "audience": audience, "seq": seq} for audience, seq in newest.items()))
    for audience in newest:
        books.tally[group.dataflow, audience, "parked"] += 1
    books.parked[group.dataflow, outcome.code] += len(newest)
    noting.parked(books, group, item, outcome, newest)
    if outcome.unknown or tried.may_know:
        _believe(tx, lane, item)
    tx.run(FREE_LANE, {**lane, "claim_group": group.number})
    tx.run(FORGET_LANE, lane)


def _sent(item: Settled, outcome: Parked, tried: _Tried) -> dict[str, Any]:
    """Return what is noted of how a parked change was sent."""
    exchange = outcome.exchange
    answer = exchange.answer if exchange is not None else None
    return {
        "begun_at": tried.begun_at,
        "message": item.message or None,
        "status": answer.status if answer is not None else None,
        "version": exchange.version if exchange is not None else tried.version,
    }


def _believe(tx: Transaction, lane: dict[str, Any], item: Settled) -> None:
    entry = item.entry
    audiences = (entry.audience,) if entry.audience else entry.changed
    named = {str(audience): "" for audience in audiences if audience != NO_AUDIENCE}
    may = item.shown or (orjson.dumps({"audiences": named}) if named and entry.shown is None else None)
    if may is not None:
        believe(tx, lane, may)
