"""
The outbox: changes and the lanes they leave by. Accepting, claiming and settling, each inside the caller's transaction.

A change is the unit of the ledger, a lane the unit of delivery. A lane has at most one message under way; a newer state
takes the place of one that waits, without moving how long it has waited; a change is delivered once every lane it
touched has acknowledged at least its sequence number.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from headrace.model.change import NO_AUDIENCE, Changes
from headrace.model.message import Bucket, Entry, Group, Settled
from headrace.model.outcome import Delivered, Parked, Retry
from headrace.model.profile import encode
from headrace.store import ledger, splitting, withheld
from headrace.store.database import Transaction
from headrace.store.splitting import Family, Part
from headrace.store.transaction import storable

# -- accept -------------------------------------------------------------------------------------------------------

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


def accept(tx: Transaction, tenant: int, batch: Sequence[Changes], now: int, stand_back: int = 0) -> int:
    """
    Put changes into the outbox and the ledger, and return how many were accepted.

    A change that touches no lane has nothing to say to the partner and is withheld; one that came too late is
    superseded, and so is one that still waits and is now overtaken by a newer one of the same audience. Changes that
    ``stand_back`` for so many milliseconds are overtaken by those that come within them.
    """
    tally, reasons = ledger.Tally(), withheld.Reasons()
    for accepted in batch:
        dataflow = accepted.dataflow
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
            for audience in _supersede(tx, tenant, accepted):
                tally[dataflow, audience, "superseded"] += 1
    going = [accepted for accepted in batch if accepted.lanes]
    tx.many(_INSERT_CHANGE, _change_rows(tenant, going))
    tx.many(_UPSERT_LANE, _lane_rows(tenant, going, now, now + stand_back))
    ledger.post(tx, tenant, tally)
    withheld.post(tx, tenant, reasons)
    return sum(len(accepted.changed) + len(accepted.late) + len(accepted.withheld) for accepted in batch)


_KNOWN_LANES = """
    SELECT audience, part FROM lanes WHERE tenant = :tenant AND dataflow = :dataflow AND profile = :profile
"""


def known_lanes(tx: Transaction, tenant: int, dataflow: int, profile: int) -> list[tuple[int, str]]:
    """Return the lanes, by audience and part, through which the partner was told of a person or is about to be."""
    whose = {"tenant": tenant, "dataflow": dataflow, "profile": profile}
    return tx.run(_KNOWN_LANES, whose).fetchall()


_UNDER_WAY = """
    SELECT DISTINCT profile FROM changes
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile BETWEEN :first AND :last AND audience = :audience
"""
_SHOWN = """
    SELECT profile, shown FROM lanes
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile BETWEEN :first AND :last AND shown IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Told:
    """Whom a partner knows to be in an audience, and whose change of the two is about to be told."""

    shown: frozenset[int]
    waiting: frozenset[int]


def told(tx: Transaction, tenant: int, dataflow: int, audience: int, first: int, last: int) -> Told:
    """Return who, of the people between two numbers, the partner has been told to be in an audience, or is about to."""
    which = {"tenant": tenant, "dataflow": dataflow, "audience": audience, "first": first, "last": last}
    waiting = frozenset(profile for (profile,) in tx.run(_UNDER_WAY, which))
    name = str(audience)
    rows = tx.run(_SHOWN, which)
    return Told(frozenset(profile for profile, shown in rows if name in orjson.loads(shown)["audiences"]), waiting)


_SHOWN_LANES = """
    SELECT audience, part, profile, shown FROM lanes
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile BETWEEN :first AND :last AND shown IS NOT NULL
"""
_SHOW = """
    UPDATE lanes SET shown = :shown
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile = :profile AND audience = :audience AND part = :part
"""


def forget_shown(tx: Transaction, tenant: int, dataflow: int, audience: int, first: int, last: int) -> int:
    """
    Forget that the partner knows people between two numbers to be in an audience: it has none of that name any more.

    Returns how many were forgotten.
    """
    whose = {"tenant": tenant, "dataflow": dataflow}
    forgotten = []
    for lane, part, profile, text in tx.run(_SHOWN_LANES, {**whose, "first": first, "last": last}):
        shown = orjson.loads(text)
        if shown["audiences"].pop(str(audience), None) is not None:
            left = orjson.dumps(shown) if shown["audiences"] else None
            forgotten.append({**whose, "profile": profile, "audience": lane, "part": part, "shown": left})
    tx.many(_SHOW, forgotten)
    tx.many(_FORGET_PARKED_LANE, [{name: value for name, value in row.items() if name != "shown"} for row in forgotten])
    return len(forgotten)


_ALL_UNDER_WAY = """
    SELECT DISTINCT profile, audience FROM changes
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile BETWEEN :first AND :last AND audience <> 0
"""
_PARKED_BETWEEN = """
    SELECT DISTINCT profile, audience FROM parked
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile BETWEEN :first AND :last
"""


def shown(tx: Transaction, tenant: int, dataflow: int, first: int, last: int) -> set[tuple[int, int]]:
    """Return what the partner knows of the people between two numbers: (person, audience) of each membership."""
    which = {"tenant": tenant, "dataflow": dataflow, "first": first, "last": last}
    return {
        (profile, int(audience))
        for profile, shown in tx.run(_SHOWN, which)
        for audience in orjson.loads(shown)["audiences"]
    }


def under_way(tx: Transaction, tenant: int, dataflow: int, first: int, last: int) -> set[tuple[int, int]]:
    """Return the people between two numbers of whom the partner is about to be told, each with the audience."""
    which = {"tenant": tenant, "dataflow": dataflow, "first": first, "last": last}
    return {(profile, audience) for profile, audience in tx.run(_ALL_UNDER_WAY, which)}


def laid_aside(tx: Transaction, tenant: int, dataflow: int, first: int, last: int) -> set[tuple[int, int]]:
    """Return the people between two numbers of whom something is parked, each with the audience."""
    which = {"tenant": tenant, "dataflow": dataflow, "first": first, "last": last}
    return {(profile, audience) for profile, audience in tx.run(_PARKED_BETWEEN, which)}


def _supersede(tx: Transaction, tenant: int, accepted: Changes) -> list[int]:
    """Take away the changes that wait and that this one overtakes; return their audiences."""
    whose = {"tenant": tenant, "dataflow": accepted.dataflow, "profile": accepted.profile}
    waiting = [(audience, seq) for audience, seq in tx.run(_OPEN_CHANGES, whose) if audience in accepted.changed]
    if not waiting:
        return []
    under_way: int = tx.run(_CLAIMED_UP_TO, whose).fetchone()[0]
    overtaken = [(audience, seq) for audience, seq in waiting if seq > under_way]
    tx.many(_DELETE_CHANGE, ({**whose, "audience": audience, "seq": seq} for audience, seq in overtaken))
    return [audience for audience, _ in overtaken]


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


# -- claim --------------------------------------------------------------------------------------------------------

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
_DELETE_GROUP = "DELETE FROM groups WHERE tenant = :tenant AND claim_group = :claim_group"
_ENTRIES = """
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
    """

    tenant: int
    dataflow: int
    epoch: int
    most_groups: int
    most_entries: int
    lease: int
    numbers: Iterator[int]


def claim(tx: Transaction, asked: Claim, now: int, after_bucket: int = -1) -> list[Group]:
    """
    Claim groups to be sent: those whose retry is due first, then waiting entries, one bucket after the other.

    Buckets take turns from ``after_bucket`` on, so that an audience with a million entries does not keep the others
    waiting. The attempt is counted here, before any work, so that an entry that kills its worker is noticed.
    """
    groups = _claim_again(tx, asked, now)
    waiting = _waiting_buckets(tx, asked, after_bucket) if len(groups) < asked.most_groups else []
    while waiting and len(groups) < asked.most_groups:
        bucket = waiting.pop(0)
        group = _claim_bucket(tx, asked, bucket, now)
        groups.append(group)
        if len(group.entries) == asked.most_entries:
            waiting.append(bucket)
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
    claimed = tx.run(_CLAIM_LANES, {**row, "most": asked.most_entries}).rowcount
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
        tx.run(_RELEASE_MOVED, {**row, "bucket": bucket, "now": now, "may_know": _may_know(bucket, tried)})
        if tx.run(_RECLAIM_LANES, row).rowcount == 0:
            tx.run(_DELETE_GROUP, row)
            continue
        again = {**row, "epoch": asked.epoch, "lease_until": now + asked.lease}
        (attempt,) = tx.run(_RECLAIM_GROUP, again).fetchone()
        groups.append(_load(tx, asked, number, attempt, bucket, now))
    return groups


def _may_know(bucket: int, tried: int) -> bytes | None:
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
        for profile, audience, part, seq, document, shown in tx.run(_ENTRIES, row)
    )
    return Group(
        asked.tenant, asked.dataflow, number, asked.epoch, attempt, Bucket.decode(bucket), entries, now + asked.lease
    )


# -- settle -------------------------------------------------------------------------------------------------------

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
_TAKE_PARKED_CHANGES = """
    DELETE FROM changes
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile = :profile AND seq <= :seq
        AND (:audience = 0 OR audience = 0 OR audience = :audience)
    RETURNING audience, seq
"""
_INSERT_PARKED = """
    INSERT INTO parked (tenant, dataflow, parked, profile, audience, seq, parked_at, attempts, code, reason)
    VALUES (:tenant, :dataflow,
        (SELECT coalesce(max(parked), 0) + 1 FROM parked WHERE tenant = :tenant AND dataflow = :dataflow),
        :profile, :audience, :seq, :now, :attempts, :code, :reason)
"""
_FREE_PARKED_LANE = """
    UPDATE lanes SET claim_group = NULL, claimed_seq = NULL,
        due = CASE WHEN desired_seq > claimed_seq THEN waiting_since END
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile = :profile AND audience = :audience AND part = :part
        AND claim_group = :claim_group
"""
_FORGET_PARKED_LANE = """
    DELETE FROM lanes
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile = :profile AND audience = :audience AND part = :part
        AND claim_group IS NULL AND due IS NULL AND shown IS NULL
"""
_WAIT_FOR_RETRY = """
    UPDATE groups SET lease_until = NULL, due = :due, reason = :reason, attempt = attempt - :uncounted
    WHERE tenant = :tenant AND claim_group = :claim_group
"""


_RENEW_LEASE = """
    UPDATE groups SET lease_until = :lease_until
    WHERE tenant = :tenant AND claim_group = :claim_group AND epoch = :epoch AND attempt = :attempt
        AND lease_until IS NOT NULL
"""


def renew(tx: Transaction, group: Group, lease_until: int) -> bool:
    """Prolong the lease of a claimed group; ``False`` when the claim is no longer ours."""
    whose = {"tenant": group.tenant, "claim_group": group.number, "epoch": group.epoch, "attempt": group.attempt}
    return tx.run(_RENEW_LEASE, {**whose, "lease_until": lease_until}).rowcount > 0


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
    tally = ledger.Tally()
    delivered = [item for item in settled if isinstance(item.outcome, Delivered)]
    if delivered:
        _acknowledge(tx, group, delivered, tally)
    for item in settled:
        if isinstance(item.outcome, Parked):
            _park(tx, group, item, item.outcome, now, tally)
    splitting.part(tx, group, family, parts, now)
    retried = [item.outcome for item in settled if isinstance(item.outcome, Retry)]
    if retried:
        due = retry_at if retry_at is not None else now
        uncounted = 0 if all(retry.counts for retry in retried) else 1
        reason = storable(retried[0].reason)
        tx.run(_WAIT_FOR_RETRY, {**whose, "due": due, "reason": reason, "uncounted": uncounted})
    else:
        tx.run(_DELETE_GROUP, whose)
    given_up = _give_up(tx, group, splitting.go_on(tx, group, family, settled, now), now, tally)
    ledger.post(tx, group.tenant, tally)
    return Recorded(given_up)


def _give_up(
    tx: Transaction, group: Group, waiting: Sequence[tuple[int, Parked]], now: int, tally: ledger.Tally
) -> tuple[Settled, ...]:
    """Park the parts of a message that nobody needs to send: the partner refuses everything."""
    found: list[Settled] = []
    for number, outcome in waiting:
        part = replace(group, number=number, attempt=1)
        row = {"tenant": group.tenant, "claim_group": number}
        for profile, audience, name, seq, document, shown in tx.run(_ENTRIES, row).fetchall():
            item = Settled(Entry(profile, audience, name, seq, document or NOBODY, (), shown), outcome)
            _park(tx, part, item, outcome, now, tally)
            found.append(item)
        tx.run(_DELETE_GROUP, row)
    return tuple(found)


def _acknowledge(tx: Transaction, group: Group, delivered: Sequence[Settled], tally: ledger.Tally) -> None:
    """Move lanes on, and take the changes that are done: the newest of a person and audience was delivered."""
    whose = {"tenant": group.tenant, "claim_group": group.number}
    tx.many(_ACKNOWLEDGE, ({**whose, **_lane(group, item.entry), "shown": item.shown} for item in delivered))
    newest: set[tuple[int, int]] = set()
    for profile, audience, _ in sorted(tx.run(_TAKE_SETTLED_CHANGES, whose), key=lambda row: -row[2]):
        outcome = "superseded" if (profile, audience) in newest else "delivered"
        newest.add((profile, audience))
        tally[group.dataflow, audience, outcome] += 1
    tx.run(_FORGET_LANES, whose)
    tx.run(_FREE_LANES, whose)
    tally[group.dataflow, NO_AUDIENCE, "messages"] += len({item.message for item in delivered})


def _park(tx: Transaction, group: Group, item: Settled, outcome: Parked, now: int, tally: ledger.Tally) -> None:
    """Lay aside the changes of one entry: the newest of each audience with its reason, older ones as superseded."""
    lane = _lane(group, item.entry)
    newest: dict[int, int] = {}
    for audience, seq in sorted(tx.run(_TAKE_PARKED_CHANGES, {**lane, "seq": item.entry.seq}), key=lambda row: row[1]):
        if audience in newest:
            tally[group.dataflow, audience, "superseded"] += 1
        newest[audience] = seq
    reason = {"now": now, "attempts": group.attempt, "code": outcome.code, "reason": storable(outcome.reason)}
    tx.many(_INSERT_PARKED, ({**lane, **reason, "audience": audience, "seq": seq} for audience, seq in newest.items()))
    for audience in newest:
        tally[group.dataflow, audience, "parked"] += 1
    tx.run(_FREE_PARKED_LANE, {**lane, "claim_group": group.number})
    tx.run(_FORGET_PARKED_LANE, lane)


_MOVE_LANE = """
    UPDATE lanes SET bucket = :bucket, claim_group = NULL, claimed_seq = NULL, due = :now, waiting_since = :now,
        shown = coalesce(shown, :may_know)
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile = :profile AND audience = :audience AND part = :part
        AND claim_group = :claim_group
"""
_NEWER = """
    SELECT p.document FROM lanes l JOIN profiles p ON p.tenant = l.tenant + 0 AND p.profile = l.profile
    WHERE l.tenant = :tenant AND l.claim_group = :claim_group AND l.desired_seq > l.claimed_seq
"""


def newer(tx: Transaction, group: Group) -> list[bytes]:
    """Return the documents of those people of a claimed group who have changed since it was claimed."""
    return [document for (document,) in tx.run(_NEWER, {"tenant": group.tenant, "claim_group": group.number})]


def move(tx: Transaction, group: Group, entry: Entry, bucket: int, now: int) -> None:
    """Give an entry that was claimed with a group back, to wait in another bucket."""
    row = {**_lane(group, entry), "claim_group": group.number, "bucket": bucket, "now": now}
    tx.run(_MOVE_LANE, {**row, "may_know": _may_know(bucket, group.attempt - 1)})


def withhold_entries(tx: Transaction, group: Group, entries: Sequence[tuple[Entry, str]]) -> None:
    """Withhold entries that were claimed and never sent, each for a reason: the newest change of each audience."""
    tally, reasons = ledger.Tally(), withheld.Reasons()
    for entry, reason in entries:
        lane = _lane(group, entry)
        newest: set[int] = set()
        for audience, _ in sorted(tx.run(_TAKE_PARKED_CHANGES, {**lane, "seq": entry.seq}), key=lambda row: -row[1]):
            tally[group.dataflow, audience, "superseded" if audience in newest else "withheld"] += 1
            reasons[group.dataflow, reason] += audience not in newest
            newest.add(audience)
        tx.run(_FREE_PARKED_LANE, {**lane, "claim_group": group.number})
        tx.run(_FORGET_PARKED_LANE, lane)
    ledger.post(tx, group.tenant, tally)
    withheld.post(tx, group.tenant, reasons)


def drop_group(tx: Transaction, group: Group) -> None:
    """Forget a claimed group of which no entry is left."""
    tx.run(_DELETE_GROUP, {"tenant": group.tenant, "claim_group": group.number})


def _lane(group: Group, entry: Entry) -> dict[str, Any]:
    return {
        "tenant": group.tenant,
        "dataflow": group.dataflow,
        "profile": entry.profile,
        "audience": entry.audience,
        "part": entry.part,
    }


# -- what waits ---------------------------------------------------------------------------------------------------

_WAITING_LANES = """
    SELECT 1 FROM lanes WHERE tenant = :tenant AND dataflow = :dataflow AND due IS NOT NULL LIMIT 1 OFFSET :others
"""
_ANY_OF_AUDIENCE = """
    SELECT 1 FROM changes WHERE tenant = :tenant AND dataflow = :dataflow AND audience = :audience LIMIT 1
"""
_EXPIRE_LEASES = "UPDATE groups SET lease_until = NULL, due = :now WHERE lease_until IS NOT NULL AND epoch < :epoch"
_NEXT_DUE = """
    SELECT min(moment) FROM (
        SELECT min(due) AS moment FROM groups WHERE tenant = :tenant AND dataflow = :dataflow
        UNION ALL
        SELECT min(lease_until) FROM groups WHERE tenant = :tenant AND dataflow = :dataflow AND due IS NULL) AS moments
"""
_WITHHOLD = """
    DELETE FROM changes WHERE tenant = :tenant AND dataflow = :dataflow RETURNING audience
"""
_WITHHOLD_AUDIENCE = """
    DELETE FROM changes WHERE tenant = :tenant AND dataflow = :dataflow AND audience = :audience
"""
_FORGET_AUDIENCE = """
    DELETE FROM lanes WHERE tenant = :tenant AND dataflow = :dataflow AND audience = :audience
        AND claim_group IS NULL AND shown IS NULL
"""
_REST_AUDIENCE = """
    UPDATE lanes SET due = NULL, waiting_since = NULL, desired_seq = coalesce(claimed_seq, acked_seq, desired_seq)
    WHERE tenant = :tenant AND dataflow = :dataflow AND audience = :audience
"""
_UNDER_WAY_OF_AUDIENCE = """
    SELECT l.profile, l.audience, l.part, l.shown FROM lanes l
    WHERE l.tenant = :tenant AND l.dataflow = :dataflow AND l.claim_group IS NOT NULL
        AND (l.audience = :audience OR l.audience = 0)
        AND EXISTS (
            SELECT 1 FROM changes c
            WHERE c.tenant = l.tenant AND c.dataflow = l.dataflow AND c.profile = l.profile
                AND c.audience = :audience AND c.seq <= l.claimed_seq)
"""
_WITHHOLD_LANELESS = """
    DELETE FROM changes AS c WHERE c.tenant = :tenant AND c.dataflow = :dataflow AND c.audience = 0
        AND NOT EXISTS (
            SELECT 1 FROM lanes o
            WHERE o.tenant = c.tenant AND o.dataflow = c.dataflow AND o.profile = c.profile
                AND (o.due IS NOT NULL OR o.claim_group IS NOT NULL)
                AND o.desired_seq >= c.seq AND coalesce(o.acked_seq, 0) < c.seq)
"""


def expire_leases(tx: Transaction, epoch: int, now: int) -> int:
    """Give back every claim of processes that are known to be gone; return how many there were."""
    return tx.run(_EXPIRE_LEASES, {"epoch": epoch, "now": now}).rowcount


def next_due(tx: Transaction, tenant: int, dataflow: int) -> int | None:
    """Return when a claimed group of a dataflow is next due: its retry, or the end of its lease."""
    row: tuple[int | None] = tx.run(_NEXT_DUE, {"tenant": tenant, "dataflow": dataflow}).fetchone()
    return row[0]


def is_waiting(tx: Transaction, tenant: int, dataflow: int, lanes: int) -> bool:
    """Say whether so many lanes of a dataflow, one at the least, wait to be claimed."""
    which = {"tenant": tenant, "dataflow": dataflow, "others": lanes - 1}
    return tx.run(_WAITING_LANES, which).fetchone() is not None


def is_any_of(tx: Transaction, tenant: int, dataflow: int, audience: int) -> bool:
    """Say whether a change of an audience is not settled yet."""
    which = {"tenant": tenant, "dataflow": dataflow, "audience": audience}
    return tx.run(_ANY_OF_AUDIENCE, which).fetchone() is not None


def withhold(tx: Transaction, tenant: int, dataflow: int) -> int:
    """Empty the outbox of a dataflow that is deleted; what waited is withheld. Returns how many changes that were."""
    whose = {"tenant": tenant, "dataflow": dataflow}
    gone = Counter(audience for (audience,) in tx.run(_WITHHOLD, whose))
    for table in ("lanes", "groups"):
        tx.run(f"DELETE FROM {table} WHERE tenant = :tenant AND dataflow = :dataflow", whose)  # noqa: S608
    ledger.post(tx, tenant, ledger.Tally({(dataflow, audience, "withheld"): n for audience, n in gone.items()}))
    return gone.total()


def withhold_audience(tx: Transaction, tenant: int, dataflow: int, audience: int) -> int:
    """
    Withhold what waits of an audience that a dataflow sends no longer. Returns how many changes that were.

    So are changes of attributes and identities that had only the lanes of this audience left to leave by. Lanes stay
    that a message is under way in, and those that know what the partner was shown: it may be mapped again.
    """
    which = {"tenant": tenant, "dataflow": dataflow, "audience": audience}
    _believe_under_way(tx, which)
    gone = tx.run(_WITHHOLD_AUDIENCE, which).rowcount
    tx.run(_FORGET_AUDIENCE, which)
    tx.run(_REST_AUDIENCE, which)
    laneless = tx.run(_WITHHOLD_LANELESS, {"tenant": tenant, "dataflow": dataflow}).rowcount
    counts = {(dataflow, audience, "withheld"): gone, (dataflow, NO_AUDIENCE, "withheld"): laneless}
    ledger.post(tx, tenant, ledger.Tally(counts))
    return gone + laneless


def _believe_under_way(tx: Transaction, which: dict[str, Any]) -> None:
    """Believe that what is under way of an audience arrived: its outcome will say nothing of the audience any more."""
    believed = []
    for profile, lane, part, text in tx.run(_UNDER_WAY_OF_AUDIENCE, which).fetchall():
        shown = orjson.loads(text) if text else {"audiences": {}, "identities": {}}
        shown["audiences"].setdefault(str(which["audience"]), "")
        row = {"tenant": which["tenant"], "dataflow": which["dataflow"], "profile": profile, "audience": lane}
        believed.append({**row, "part": part, "shown": orjson.dumps(shown)})
    tx.many(_SHOW, believed)
