"""Settling: what became of the entries of a claimed group."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from headrace.model.message import Entry, Group, Settled
from headrace.model.outcome import Delivered, Parked, Retry
from headrace.store import ledger, splitting
from headrace.store.database import Transaction
from headrace.store.outbox import acknowledging
from headrace.store.outbox.acknowledging import Taken
from headrace.store.outbox.claiming import ENTRIES, NOBODY
from headrace.store.outbox.lanes import DELETE_GROUP, FORGET_LANE, FREE_LANE, TAKE_CHANGES, lane_of
from headrace.store.splitting import Family, Part
from headrace.store.transaction import storable

_GROUP_IS_OURS = """
    SELECT attempt, split_of, refusals FROM groups
    WHERE tenant = :tenant AND claim_group = :claim_group AND epoch = :epoch
        AND lease_until IS NOT NULL
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


@dataclass(frozen=True, slots=True)
class Conclusion:
    """
    What became of a claimed group: every entry has an outcome.

    Those to retry wait as a group until ``retry_at``, and those of a message that is split as the groups that ``parts``
    names.
    """

    group: Group
    settled: Sequence[Settled]
    retry_at: int | None = None
    parts: Sequence[Part] = ()

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
        tally = ledger.Tally()
        acknowledging.acknowledge(tx, plain, tally)
        acknowledging.end(tx, [taken.group for taken in plain])
        ledger.post(tx, plain[0].group.tenant, tally)
    return [Recorded() if one.group.number in held else _settle_one(tx, one, now) for one in concluded]


def _settle_one(tx: Transaction, concluded: Conclusion, now: int) -> Recorded | None:
    group, settled, parts = concluded.group, concluded.settled, concluded.parts
    whose = {"tenant": group.tenant, "claim_group": group.number}
    row = tx.run(_GROUP_IS_OURS, {**whose, "epoch": group.epoch}).fetchone()
    if row is None or row[0] != group.attempt:
        return None
    family = Family(group.number if row[1] is None else row[1], row[1] is not None, row[2])
    if family.is_given_up:
        settled, parts = [splitting.given_up(item) for item in settled], ()
    tally = ledger.Tally()
    delivered = [item for item in settled if isinstance(item.outcome, Delivered)]
    if delivered:
        acknowledging.acknowledge(tx, [Taken(group, delivered)], tally)
    for item in settled:
        if isinstance(item.outcome, Parked):
            _park(tx, group, item, item.outcome, now, tally)
    splitting.part(tx, group, family, parts, now)
    retried = [item.outcome for item in settled if isinstance(item.outcome, Retry)]
    if retried:
        _wait(tx, group, retried, now if concluded.retry_at is None else concluded.retry_at)
    else:
        tx.run(DELETE_GROUP, whose)
    given_up = _give_up(tx, group, splitting.go_on(tx, group, family, settled, now), now, tally)
    ledger.post(tx, group.tenant, tally)
    return Recorded(given_up)


def _wait(tx: Transaction, group: Group, retried: Sequence[Retry], due: int) -> None:
    """Let a group wait for its retry; an attempt in whose way something else stood is not counted."""
    uncounted = 0 if all(retry.counts for retry in retried) else 1
    row = {"tenant": group.tenant, "claim_group": group.number, "due": due, "uncounted": uncounted}
    tx.run(_WAIT_FOR_RETRY, {**row, "reason": storable(retried[0].reason)})


def _give_up(
    tx: Transaction, group: Group, waiting: Sequence[tuple[int, Parked]], now: int, tally: ledger.Tally
) -> tuple[Settled, ...]:
    """Park the parts of a message that nobody needs to send: the partner refuses everything."""
    found: list[Settled] = []
    for number, outcome in waiting:
        part = replace(group, number=number, attempt=1)
        row = {"tenant": group.tenant, "claim_group": number, "first": number, "last": number}
        for _, profile, audience, name, seq, document, shown in tx.run(ENTRIES, row).fetchall():
            item = Settled(Entry(profile, audience, name, seq, document or NOBODY, (), shown), outcome)
            _park(tx, part, item, outcome, now, tally)
            found.append(item)
        tx.run(DELETE_GROUP, row)
    return tuple(found)


def _park(tx: Transaction, group: Group, item: Settled, outcome: Parked, now: int, tally: ledger.Tally) -> None:
    """Lay aside the changes of one entry: the newest of each audience with its reason, older ones as superseded."""
    lane = lane_of(group, item.entry)
    newest: dict[int, int] = {}
    for audience, seq in sorted(tx.run(TAKE_CHANGES, {**lane, "seq": item.entry.seq}), key=lambda row: row[1]):
        if audience in newest:
            tally[group.dataflow, audience, "superseded"] += 1
        newest[audience] = seq
    reason = {"now": now, "attempts": group.attempt, "code": outcome.code, "reason": storable(outcome.reason)}
    tx.many(_INSERT_PARKED, ({**lane, **reason, "audience": audience, "seq": seq} for audience, seq in newest.items()))
    for audience in newest:
        tally[group.dataflow, audience, "parked"] += 1
    tx.run(FREE_LANE, {**lane, "claim_group": group.number})
    tx.run(FORGET_LANE, lane)
