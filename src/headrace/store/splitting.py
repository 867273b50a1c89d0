"""
Parts of a message that a partner refused: groups of their own, which know what they stem from.

Until the partner has taken something of a message, its parts go one after the other, the smallest first. So one that
refuses everything is found out after a few requests, however many entries the message had.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from headrace.model.message import Entry, Group, Settled
from headrace.model.outcome import Delivered, Parked, Split
from headrace.store.database import Transaction
from headrace.store.transaction import storable

#: Entries of one message refused alone, with nothing of it taken, after which the rest of it is parked unsent.
REFUSALS_TO_GIVE_UP = 10
#: Milliseconds after which a part goes although nothing is known of those before it.
LONGEST_HELD = 300_000
#: The code of what is parked unsent.
REFUSES_ALL = "partner-refuses-everything"
#: The code of what was retried too often: no refusal.
EXHAUSTED = "retries-exhausted"

_MOVE_TO_PART = """
    UPDATE lanes SET claim_group = :part
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile = :profile AND audience = :audience AND part = :lane
        AND claim_group = :claim_group
"""
_INSERT_PART = """
    INSERT INTO groups
        (tenant, claim_group, dataflow, bucket, epoch, attempt, lease_until, due, reason, split_of, refusals,
        begun_at, may_know, since)
    VALUES (:tenant, :part, :dataflow, :bucket, :epoch, 1, NULL, :due, :reason, :split_of, :refusals,
        :begun_at, :may_know, :since)
"""
# A part that was never claimed has the attempt of the message that was refused, and no lease.
_HELD = """
    SELECT claim_group FROM groups
    WHERE tenant = :tenant AND split_of = :split_of AND attempt = 1 AND lease_until IS NULL
    ORDER BY claim_group DESC
"""
_COUNT = "UPDATE groups SET refusals = :refusals WHERE tenant = :tenant AND split_of = :split_of"
_RELEASE = "UPDATE groups SET due = :now WHERE tenant = :tenant AND claim_group = :claim_group AND due > :now"


@dataclass(frozen=True, slots=True)
class Part:
    """Entries of a refused message that are sent as a group of their own, under a number that was never used."""

    number: int
    entries: tuple[Entry, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Family:
    """
    The parts of one message: ``refusals`` counts entries refused alone; ``None`` once the partner took something.

    They inherit since when it was tried, and whether an attempt may have arrived.
    """

    number: int
    is_split: bool
    refusals: int | None
    begun_at: int | None = None
    may_know: int | None = None

    @property
    def is_given_up(self) -> bool:
        return self.refusals is not None and self.refusals >= REFUSALS_TO_GIVE_UP


def given_up(item: Settled) -> Settled:
    """Park what would be split, of a message that was given up while this part of it was under way."""
    outcome = item.outcome
    return replace(item, outcome=_refuses_all(outcome.reason)) if isinstance(outcome, Split) else item


def part(tx: Transaction, group: Group, family: Family, parts: Sequence[Part], now: int) -> None:
    """Make groups of the parts of a claimed group. The first goes at once; the others too once something was taken."""
    refusals = family.refusals if family.is_split else 0
    whose = {"tenant": group.tenant, "dataflow": group.dataflow}
    kin = {"split_of": family.number, "refusals": refusals, "begun_at": family.begun_at, "may_know": family.may_know}
    kin["since"] = group.since or None
    for place, item in enumerate(parts):
        due = now if place == 0 or refusals is None else now + LONGEST_HELD
        row = {**whose, **kin, "part": item.number, "bucket": group.bucket.encode(), "epoch": group.epoch, "due": due}
        tx.run(_INSERT_PART, {**row, "reason": storable(item.reason)})
        lanes = [{"profile": one.profile, "audience": one.audience, "lane": one.part} for one in item.entries]
        tx.many(_MOVE_TO_PART, ({**whose, **lane, "part": item.number, "claim_group": group.number} for lane in lanes))


def go_on(
    tx: Transaction, group: Group, family: Family, settled: Sequence[Settled], now: int
) -> list[tuple[int, Parked]]:
    """
    Let the other parts of a message go that may now; return those that are to be parked, with why.

    All may once something was taken; else the one that was split off last, when a part has come to its end or waits.
    """
    is_split = any(isinstance(item.outcome, Split) for item in settled)
    if not family.is_split and not is_split:
        return []
    kin = {"tenant": group.tenant, "split_of": family.number}
    held: list[int] = [number for (number,) in tx.run(_HELD, kin)]
    if family.refusals is None and family.is_split:
        return []
    if any(isinstance(item.outcome, Delivered) for item in settled):
        tx.run(_COUNT, {**kin, "refusals": None})
        _release(tx, group, held, now)
        return []
    refused = _refused_alone(settled)
    if refused is not None:
        family = replace(family, refusals=(family.refusals or 0) + 1)
        tx.run(_COUNT, {**kin, "refusals": family.refusals})
        if family.is_given_up:
            return [(number, _refuses_all(refused.reason)) for number in held]
    if not is_split:
        _release(tx, group, held[:1], now)
    return []


def _release(tx: Transaction, group: Group, numbers: Sequence[int], now: int) -> None:
    tx.many(_RELEASE, ({"tenant": group.tenant, "claim_group": number, "now": now} for number in numbers))


def _refused_alone(settled: Sequence[Settled]) -> Parked | None:
    """Return how the partner refused a part of one entry; ``None`` where it was something else."""
    outcome = settled[0].outcome if len(settled) == 1 and settled[0].message else None
    return outcome if isinstance(outcome, Parked) and outcome.code != EXHAUSTED else None


def _refuses_all(reason: str) -> Parked:
    said = f"of what was sent together the partner refused {REFUSALS_TO_GIVE_UP} alone and took none"
    return Parked(REFUSES_ALL, f"{said}, so the rest was not sent; the last time {reason}")
