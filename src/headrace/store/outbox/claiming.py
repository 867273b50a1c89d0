"""Claiming: entries that wait become groups, each with a lease; groups whose retry is due are claimed again."""

from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from headrace.model.message import Bucket, Entry, Group
from headrace.model.profile import encode
from headrace.store.database import Transaction
from headrace.store.outbox.lanes import DELETE_GROUP

_NEXT_BUCKET = """
    SELECT bucket FROM lanes WHERE tenant = :tenant AND dataflow = :dataflow AND due IS NOT NULL AND bucket > :bucket
    ORDER BY bucket LIMIT 1
"""
#: The document of somebody who was erased: they leave as the partner was shown them.
NOBODY = encode({})
_CLAIM_LANES = """
    UPDATE lanes SET claim_group = :claim_group, claimed_seq = desired_seq, due = NULL, waiting_since = NULL
    WHERE (tenant, dataflow, profile, audience, part) IN (
        SELECT tenant, dataflow, profile, audience, part FROM lanes
        WHERE tenant = :tenant AND dataflow = :dataflow AND bucket = :bucket AND due IS NOT NULL
        ORDER BY due LIMIT :most)
"""
_CLAIM_NEWEST_LANES = _CLAIM_LANES.replace("ORDER BY due", "ORDER BY due DESC")
_INSERT_GROUP = """
    INSERT INTO groups (tenant, claim_group, dataflow, bucket, epoch, attempt, lease_until)
    VALUES (:tenant, :claim_group, :dataflow, :bucket, :epoch, 1, :lease_until)
"""
# Each half stops at what it may claim, however many groups wait for a partner that is down.
_DUE_GROUPS = """
    SELECT claim_group, bucket, attempt FROM (
        SELECT claim_group, bucket, attempt FROM groups
        WHERE tenant = :tenant AND dataflow = :dataflow AND due <= :now ORDER BY due LIMIT :most) AS retried
    UNION ALL
    SELECT claim_group, bucket, attempt FROM (
        SELECT claim_group, bucket, attempt FROM groups
        WHERE tenant = :tenant AND dataflow = :dataflow AND due IS NULL AND lease_until <= :now LIMIT :most) AS expired
    LIMIT :most
"""
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
    UPDATE groups SET epoch = :epoch, attempt = attempt + 1, lease_until = :lease_until, due = NULL
    WHERE tenant = :tenant AND claim_group = :claim_group RETURNING attempt
"""
ENTRIES = """
    SELECT l.profile, l.audience, l.part, l.claimed_seq, p.document, l.shown
    FROM lanes l LEFT JOIN profiles p ON p.tenant = l.tenant AND p.profile = l.profile
    WHERE l.tenant = :tenant AND l.claim_group = :claim_group
    ORDER BY l.dataflow, l.profile, l.audience, l.part
"""
_CHANGED = """
    SELECT DISTINCT c.profile, l.audience, l.part, c.audience
    FROM lanes l JOIN changes c
        ON c.tenant = l.tenant AND c.dataflow = l.dataflow AND c.profile = l.profile AND c.seq <= l.claimed_seq
    WHERE l.tenant = :tenant AND l.claim_group = :claim_group
        AND (l.audience = 0 OR c.audience = 0 OR c.audience = l.audience)
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """
    Who asks for how much: ``most_groups`` groups of at most ``most_entries`` entries of one dataflow.

    ``numbers`` gives each new group a number that was never used, so that a late answer cannot settle another's claim.
    With ``tries``, what was never tried comes before retries, and the newest of it first: whether the partner is back
    must not hang on messages that it fails at.
    """

    tenant: int
    dataflow: int
    epoch: int
    most_groups: int
    most_entries: int
    lease: int
    numbers: Iterator[int]
    tries: bool = False


def claim(tx: Transaction, asked: Claim, now: int, after_bucket: int = -1) -> list[Group]:
    """
    Claim groups to be sent: those whose retry is due first, then waiting entries, one bucket after the other.

    Buckets take turns from ``after_bucket`` on, so that an audience with a million entries does not keep the others
    waiting. The attempt is counted here, before any work, so that an entry that kills its worker is noticed.
    """
    groups = [] if asked.tries else _claim_again(tx, asked, now)
    waiting = _waiting_buckets(tx, asked, after_bucket) if len(groups) < asked.most_groups else []
    while waiting and len(groups) < asked.most_groups:
        bucket = waiting.pop(0)
        group = _claim_bucket(tx, asked, bucket, now)
        groups.append(group)
        if len(group.entries) == asked.most_entries:
            waiting.append(bucket)
    if asked.tries and not groups:
        groups = _claim_again(tx, asked, now)
    return [group for group in groups if group.entries]


def _waiting_buckets(tx: Transaction, asked: Claim, after: int) -> list[int]:
    """List the buckets that have something waiting, in a round that begins after the given one."""
    found: list[int] = []
    whose = {"tenant": asked.tenant, "dataflow": asked.dataflow}
    while row := tx.run(_NEXT_BUCKET, {**whose, "bucket": found[-1] if found else -1}).fetchone():
        found.append(row[0])
    return [bucket for bucket in found if bucket > after] + [bucket for bucket in found if bucket <= after]


def _claim_bucket(tx: Transaction, asked: Claim, bucket: int, now: int) -> Group:
    number = next(asked.numbers)
    row = {"tenant": asked.tenant, "dataflow": asked.dataflow, "claim_group": number, "bucket": bucket}
    claimed = tx.run(_CLAIM_NEWEST_LANES if asked.tries else _CLAIM_LANES, {**row, "most": asked.most_entries}).rowcount
    if not claimed:
        return Group(asked.tenant, asked.dataflow, number, asked.epoch, 1, Bucket.decode(bucket), ())
    tx.run(_INSERT_GROUP, {**row, "epoch": asked.epoch, "lease_until": now + asked.lease})
    return _load(tx, asked, number, 1, bucket, now)


def _claim_again(tx: Transaction, asked: Claim, now: int) -> list[Group]:
    """Claim groups whose retry is due or whose lease ran out, without the entries that have moved to another bucket."""
    whose = {"tenant": asked.tenant, "dataflow": asked.dataflow, "now": now, "most": asked.most_groups}
    groups: list[Group] = []
    for number, bucket, tried in tx.run(_DUE_GROUPS, whose).fetchall():
        row = {"tenant": asked.tenant, "claim_group": number}
        tx.run(_RELEASE_MOVED, {**row, "bucket": bucket, "now": now, "may_know": may_know(bucket, tried)})
        if tx.run(_RECLAIM_LANES, row).rowcount == 0:
            tx.run(DELETE_GROUP, row)
            continue
        again = {**row, "epoch": asked.epoch, "lease_until": now + asked.lease}
        (attempt,) = tx.run(_RECLAIM_GROUP, again).fetchone()
        groups.append(_load(tx, asked, number, attempt, bucket, now))
    return groups


def may_know(bucket: int, tried: int) -> bytes | None:
    """
    Return what the partner may know of those whose entry goes over to another group after so many attempts.

    What became of the attempts is not known any more, so it is believed that one has arrived.
    """
    audience = Bucket.decode(bucket).audience
    return orjson.dumps({"audiences": {str(audience): ""}, "identities": {}}) if tried and audience else None


def _load(tx: Transaction, asked: Claim, number: int, attempt: int, bucket: int, now: int) -> Group:
    row = {"tenant": asked.tenant, "claim_group": number}
    changed: dict[tuple[int, int, str], list[int]] = {}
    for profile, audience, part, change in tx.run(_CHANGED, row):
        changed.setdefault((profile, audience, part), []).append(change)
    entries = tuple(
        Entry(
            profile,
            audience,
            part,
            seq,
            document or NOBODY,
            tuple(sorted(changed.get((profile, audience, part), ()))),
            shown,
        )
        for profile, audience, part, seq, document, shown in tx.run(ENTRIES, row)
    )
    return Group(
        asked.tenant, asked.dataflow, number, asked.epoch, attempt, Bucket.decode(bucket), entries, now + asked.lease
    )


_RENEW_LEASE = """
    UPDATE groups SET lease_until = :lease_until
    WHERE tenant = :tenant AND claim_group = :claim_group AND epoch = :epoch AND attempt = :attempt
        AND lease_until IS NOT NULL
"""


def renew(tx: Transaction, group: Group, lease_until: int) -> bool:
    """Prolong the lease of a claimed group; ``False`` when the claim is no longer ours."""
    whose = {"tenant": group.tenant, "claim_group": group.number, "epoch": group.epoch, "attempt": group.attempt}
    return tx.run(_RENEW_LEASE, {**whose, "lease_until": lease_until}).rowcount > 0


_EXPIRE_LEASES = "UPDATE groups SET lease_until = NULL, due = :now WHERE lease_until IS NOT NULL AND epoch < :epoch"


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


_NEXT_DUE = """
    SELECT min(moment) FROM (
        SELECT min(due) AS moment FROM groups WHERE tenant = :tenant AND dataflow = :dataflow
        UNION ALL
        SELECT min(lease_until) FROM groups WHERE tenant = :tenant AND dataflow = :dataflow AND due IS NULL) AS moments
"""


def next_due(tx: Transaction, tenant: int, dataflow: int) -> int | None:
    """Return when a claimed group of a dataflow is next due: its retry, or the end of its lease."""
    row: tuple[int | None] = tx.run(_NEXT_DUE, {"tenant": tenant, "dataflow": dataflow}).fetchone()
    return row[0]
