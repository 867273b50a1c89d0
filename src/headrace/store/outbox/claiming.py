"""Claiming: entries that wait become groups, each with a lease; groups whose retry is due are claimed again."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import zip_longest

import orjson

from headrace.model.message import Bucket, Entry, Group, Patience
from headrace.model.profile import encode
from headrace.store.database import Transaction
from headrace.store.outbox.lanes import DELETE_GROUP
from headrace.store.outbox.numbers import Numbers
from headrace.store.outbox.ripening import is_ripe, next_ripe

_NEXT_BUCKET = """
    SELECT bucket FROM lanes WHERE tenant = :tenant AND dataflow = :dataflow AND due IS NOT NULL AND bucket > :bucket
    ORDER BY bucket LIMIT 1
"""
#: The document of somebody who was erased: they leave as the partner was shown them.
NOBODY = encode({})
# The oldest of a bucket, numbered in their order, make one group after the other: one statement for all of them.
_CLAIM_LANES = """
    UPDATE lanes SET
        claim_group = :first + w.place / :most, claimed_seq = desired_seq, due = NULL, waiting_since = NULL
    FROM (
        SELECT tenant, dataflow, profile, audience, part, row_number() OVER (ORDER BY due) - 1 AS place FROM (
            SELECT tenant, dataflow, profile, audience, part, due FROM lanes
            WHERE tenant = :tenant AND dataflow = :dataflow AND bucket = :bucket AND due IS NOT NULL
            ORDER BY due LIMIT :lanes) AS oldest) AS w
    WHERE lanes.tenant = w.tenant AND lanes.dataflow = w.dataflow AND lanes.profile = w.profile
        AND lanes.audience = w.audience AND lanes.part = w.part
"""
# How long the oldest of each group has waited by then: what will be claimed, numbered in the same order.
_WAITED = """
    SELECT place / :most, min(due) FROM (
        SELECT due, row_number() OVER (ORDER BY due) - 1 AS place FROM (
            SELECT due FROM lanes
            WHERE tenant = :tenant AND dataflow = :dataflow AND bucket = :bucket AND due IS NOT NULL
            ORDER BY due LIMIT :lanes) AS oldest) AS w
    GROUP BY place / :most ORDER BY 1
"""
_CLAIM_NEWEST_LANES, _NEWEST_WAITED = (
    sql.replace("ORDER BY due", "ORDER BY due DESC") for sql in (_CLAIM_LANES, _WAITED)
)
_INSERT_GROUP = """
    INSERT INTO groups (tenant, claim_group, dataflow, bucket, epoch, attempt, lease_until, begun_at, since)
    VALUES (:tenant, :claim_group, :dataflow, :bucket, :epoch, 1, :lease_until, :now, :since)
"""
# Each half stops at what it may claim, however many groups wait for a partner that is down.
_DUE_GROUPS = """
    SELECT claim_group, bucket, attempt, due FROM (
        SELECT claim_group, bucket, attempt, due FROM groups
        WHERE tenant = :tenant AND dataflow = :dataflow AND due <= :now ORDER BY due LIMIT :most) AS retried
    UNION ALL
    SELECT claim_group, bucket, attempt, due FROM (
        SELECT claim_group, bucket, attempt, due FROM groups
        WHERE tenant = :tenant AND dataflow = :dataflow AND due IS NULL AND lease_until <= :now LIMIT :most) AS expired
    LIMIT :most
"""
_PROLONG = "UPDATE groups SET lease_until = :lease_until WHERE tenant = :tenant AND claim_group = :claim_group"
_RELEASE_MOVED = """
    UPDATE lanes SET claim_group = NULL, claimed_seq = NULL, due = coalesce(waiting_since, :now),
        shown = coalesce(shown, :may_know)
    WHERE tenant = :tenant AND claim_group = :claim_group AND bucket <> :bucket
"""
_RECLAIM_LANES = """
    UPDATE lanes SET claimed_seq = desired_seq, waiting_since = NULL
    WHERE tenant = :tenant AND claim_group = :claim_group
"""
_RECLAIM_GROUP = """
    UPDATE groups SET epoch = :epoch, attempt = attempt + 1, lease_until = :lease_until, due = NULL,
        may_know = CASE WHEN due IS NULL THEN 1 ELSE may_know END
    WHERE tenant = :tenant AND claim_group = :claim_group RETURNING attempt, since
"""
ENTRIES = """
    SELECT l.claim_group, l.profile, l.audience, l.part, l.claimed_seq, p.document, l.shown
    FROM lanes l LEFT JOIN profiles p ON p.tenant = l.tenant AND p.profile = l.profile
    WHERE l.tenant = :tenant AND l.claim_group BETWEEN :first AND :last
    ORDER BY l.claim_group, l.profile, l.audience, l.part
"""
_CHANGED = """
    SELECT DISTINCT c.profile, l.audience, l.part, c.audience
    FROM lanes l JOIN changes c
        ON c.tenant = l.tenant AND c.dataflow = l.dataflow AND c.profile = l.profile AND c.seq <= l.claimed_seq
    WHERE l.tenant = :tenant AND l.claim_group BETWEEN :first AND :last
        AND (l.audience = 0 OR c.audience = 0 OR c.audience = l.audience)
"""


def _nothing(_number: int, _attempt: int) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Claim:
    """
    Who asks for how much: ``most_groups`` groups of at most ``most_entries`` entries of one dataflow.

    ``numbers`` gives each new group a number that was never used, so that a late answer cannot settle another's claim.
    With ``patience``, a bucket is left alone until enough wait in it, or its oldest entry has waited long enough. With
    ``tries``, what was never tried comes before retries, and the newest of it first: whether the partner is back must
    not hang on messages that it fails at. What ``is_under_way`` with who asks, given a number and an attempt, is kept
    for them although its lease ran out: clocks leap, and what is on its way must not be overtaken.
    """

    tenant: int
    dataflow: int
    epoch: int
    most_groups: int
    most_entries: int
    lease: int
    numbers: Numbers
    patience: Patience | None = None
    tries: bool = False
    is_under_way: Callable[[int, int], bool] = _nothing


def claim(tx: Transaction, asked: Claim, now: int, after_bucket: int = -1) -> list[Group]:
    """
    Claim groups to be sent: those whose retry is due first, then waiting entries, one bucket after the other.

    Buckets take turns from ``after_bucket`` on, so that an audience with a million entries does not keep the others
    waiting. The attempt is counted here, before any work, so that an entry that kills its worker is noticed.
    """
    groups = [] if asked.tries else _claim_again(tx, asked, now)
    left = asked.most_groups - len(groups)
    waiting = _waiting_buckets(tx, asked, after_bucket) if left > 0 else []
    shares: list[list[Group]] = []
    while waiting and left > 0:
        share = -(-left // len(waiting)) if asked.patience is None else 1
        bucket = waiting.pop(0)
        if asked.patience is not None and not is_ripe(tx, asked.tenant, asked.dataflow, bucket, asked.patience, now):
            continue
        claimed = _claim_bucket(tx, asked, bucket, share, now)
        shares.append(claimed)
        left -= len(claimed)
        if sum(len(group.entries) for group in claimed) == share * asked.most_entries:
            waiting.append(bucket)
    if asked.tries and not shares:
        groups = _claim_again(tx, asked, now)
    in_turn = [group for turn in zip_longest(*shares) for group in turn if group is not None]
    return [group for group in (*groups, *in_turn) if group.entries]


def _waiting_buckets(tx: Transaction, asked: Claim, after: int) -> list[int]:
    """List the buckets that have something waiting, in a round that begins after the given one."""
    found: list[int] = []
    whose = {"tenant": asked.tenant, "dataflow": asked.dataflow}
    while row := tx.run(_NEXT_BUCKET, {**whose, "bucket": found[-1] if found else -1}).fetchone():
        found.append(row[0])
    return [bucket for bucket in found if bucket > after] + [bucket for bucket in found if bucket <= after]


def _claim_bucket(tx: Transaction, asked: Claim, bucket: int, most_groups: int, now: int) -> list[Group]:
    """Claim the oldest entries of a bucket, or the newest for a try, as so many groups at the most."""
    first = asked.numbers.take(most_groups)
    row = {"tenant": asked.tenant, "dataflow": asked.dataflow, "bucket": bucket, "most": asked.most_entries}
    row |= {"first": first, "lanes": most_groups * asked.most_entries}
    waited, claim_lanes = (_NEWEST_WAITED, _CLAIM_NEWEST_LANES) if asked.tries else (_WAITED, _CLAIM_LANES)
    since = {first + int(place): due for place, due in tx.run(waited, row)}
    tx.run(claim_lanes, row)
    asked.numbers.give_back(first + len(since), first + most_groups)
    if not since:
        return []
    group = {**row, "epoch": asked.epoch, "lease_until": now + asked.lease, "now": now}
    tx.many(_INSERT_GROUP, [{**group, "claim_group": number, "since": due} for number, due in since.items()])
    return _load(tx, asked, since, 1, bucket, now)


def _claim_again(tx: Transaction, asked: Claim, now: int) -> list[Group]:
    """Claim groups whose retry is due or whose lease ran out, without the entries that have moved to another bucket."""
    whose = {"tenant": asked.tenant, "dataflow": asked.dataflow, "now": now, "most": asked.most_groups}
    groups: list[Group] = []
    until = now + asked.lease
    for number, bucket, tried, due in tx.run(_DUE_GROUPS, whose).fetchall():
        row = {"tenant": asked.tenant, "claim_group": number}
        if due is None and asked.is_under_way(number, tried):
            tx.run(_PROLONG, {**row, "lease_until": until})
            continue
        tx.run(_RELEASE_MOVED, {**row, "bucket": bucket, "now": now, "may_know": may_know(bucket, tried)})
        if tx.run(_RECLAIM_LANES, row).rowcount == 0:
            tx.run(DELETE_GROUP, row)
            continue
        attempt, since = tx.run(_RECLAIM_GROUP, {**row, "epoch": asked.epoch, "lease_until": until}).fetchone()
        groups += _load(tx, asked, {number: since or 0}, attempt, bucket, now)
    return groups


def may_know(bucket: int, tried: int) -> bytes | None:
    """
    Return what the partner may know of those whose entry goes over to another group after so many attempts.

    What became of the attempts is not known any more, so it is believed that one has arrived.
    """
    audience = Bucket.decode(bucket).audience
    return orjson.dumps({"audiences": {str(audience): ""}, "identities": {}}) if tried and audience else None


def _load(tx: Transaction, asked: Claim, since: dict[int, int], attempt: int, bucket: int, now: int) -> list[Group]:
    """Read what groups hold, given since when the oldest of each has waited; their numbers are in a row."""
    row = {"tenant": asked.tenant, "first": min(since), "last": max(since)}
    changed: dict[tuple[int, int, str], list[int]] = {}
    for profile, audience, part, change in tx.run(_CHANGED, row):
        changed.setdefault((profile, audience, part), []).append(change)
    entries: dict[int, list[Entry]] = {number: [] for number in since}
    for number, profile, audience, part, seq, document, shown in tx.run(ENTRIES, row):
        changes = sorted(changed.get((profile, audience, part), ()))
        entry = Entry(profile, audience, part, seq, document or NOBODY, tuple(changes), shown)
        entries[number].append(entry)
    shared, until = Bucket.decode(bucket), now + asked.lease
    return [
        Group(asked.tenant, asked.dataflow, number, asked.epoch, attempt, shared, tuple(held), until, since[number])
        for number, held in entries.items()
    ]


_RENEW_LEASE = """
    UPDATE groups SET lease_until = :lease_until
    WHERE tenant = :tenant AND claim_group = :claim_group AND epoch = :epoch AND attempt = :attempt
        AND lease_until IS NOT NULL
"""


def renew(tx: Transaction, group: Group, lease_until: int) -> bool:
    """Prolong the lease of a claimed group; ``False`` when the claim is no longer ours."""
    whose = {"tenant": group.tenant, "claim_group": group.number, "epoch": group.epoch, "attempt": group.attempt}
    return tx.run(_RENEW_LEASE, {**whose, "lease_until": lease_until}).rowcount > 0


_EXPIRE_LEASES = """
    UPDATE groups SET lease_until = NULL, due = :now, may_know = 1 WHERE lease_until IS NOT NULL AND epoch < :epoch
"""


def expire_leases(tx: Transaction, epoch: int, now: int) -> int:
    """Give back every claim of processes that are known to be gone; return how many there were."""
    return tx.run(_EXPIRE_LEASES, {"epoch": epoch, "now": now}).rowcount


_LEASED = """
    SELECT count(*) FROM groups
    WHERE tenant = :tenant AND dataflow = :dataflow AND due IS NULL AND lease_until > :now
"""


def leased(tx: Transaction, tenant: int, dataflow: int, now: int) -> int:
    """Return how many groups of a dataflow are claimed now, by whichever process."""
    row: tuple[int] = tx.run(_LEASED, {"tenant": tenant, "dataflow": dataflow, "now": now}).fetchone()
    return row[0]


_FREE_CLAIMS = """
    UPDATE groups SET lease_until = NULL, due = :now
    WHERE lease_until IS NOT NULL AND epoch NOT IN (SELECT epoch FROM workers)
    RETURNING tenant, dataflow
"""


def free_claims(tx: Transaction, now: int) -> None:
    """Give back every claim of processes that are not there any more."""
    for tenant, dataflow in set(tx.run(_FREE_CLAIMS, {"now": now}).fetchall()):
        tx.wake(tenant, dataflow)


_RELEASE = """
    UPDATE groups SET lease_until = NULL, due = :now, attempt = attempt - 1
    WHERE tenant = :tenant AND claim_group = :claim_group AND epoch = :epoch AND attempt = :attempt
        AND lease_until IS NOT NULL
"""


def release(tx: Transaction, groups: Iterable[Group], now: int) -> None:
    """Give back claims of which nothing was sent, as though they had not been made."""
    for group in groups:
        whose = {"tenant": group.tenant, "claim_group": group.number, "epoch": group.epoch, "attempt": group.attempt}
        tx.run(_RELEASE, {**whose, "now": now})
        tx.wake(group.tenant, group.dataflow)


_NEXT_DUE = """
    SELECT min(moment) FROM (
        SELECT min(due) AS moment FROM groups WHERE tenant = :tenant AND dataflow = :dataflow
        UNION ALL
        SELECT min(lease_until) FROM groups WHERE tenant = :tenant AND dataflow = :dataflow AND due IS NULL) AS moments
"""


def next_due(tx: Transaction, tenant: int, dataflow: int, patience: Patience | None = None) -> int | None:
    """
    Return when something of a dataflow is next due: a group's retry, or the end of its lease; with ``patience``, also
    the end of what the oldest waiting entry may wait.
    """
    row: tuple[int | None] = tx.run(_NEXT_DUE, {"tenant": tenant, "dataflow": dataflow}).fetchone()
    ripe = next_ripe(tx, tenant, dataflow, patience) if patience is not None else None
    return min((moment for moment in (row[0], ripe) if moment is not None), default=None)
