"""Withholding: what waits, or was claimed, and is not to be sent after all."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from headrace.model.message import Entry, Group
from headrace.store import withheld
from headrace.store.books import Books
from headrace.store.database import Transaction
from headrace.store.dialect import Rows
from headrace.store.outbox import noting
from headrace.store.outbox.claiming import NOBODY, may_know
from headrace.store.outbox.lanes import FORGET_LANE, FREE_LANE, TAKE_CHANGES, drop_group, lane_of
from headrace.store.outbox.showing import SHOW

# It has waited for its turn already: wherever it goes now, it is the first.
_MOVE_LANE = """
    UPDATE lanes SET bucket = :bucket, claim_group = NULL, claimed_seq = NULL, due = 0, waiting_since = :now,
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
    row = {**lane_of(group, entry), "claim_group": group.number, "bucket": bucket, "now": now}
    tx.run(_MOVE_LANE, {**row, "may_know": may_know(bucket, group.attempt - 1)})


def withhold_entries(tx: Transaction, group: Group, entries: Sequence[tuple[Entry, str]], now: int) -> None:
    """Withhold entries that were claimed and never sent, each for a reason: the newest change of each audience."""
    books = Books(tx)
    for entry, reason in entries:
        lane = lane_of(group, entry)
        newest: set[int] = set()
        for audience, seq in sorted(tx.run(TAKE_CHANGES, {**lane, "seq": entry.seq}), key=lambda row: -row[1]):
            if audience in newest:
                books.tally[group.dataflow, audience, "superseded"] += 1
                noting.superseded(books, group.dataflow, entry.profile, audience, seq)
            else:
                noting.withheld(books, group.dataflow, entry.profile, audience, seq, reason)
            newest.add(audience)
        tx.run(FREE_LANE, {**lane, "claim_group": group.number})
        tx.run(FORGET_LANE, lane)
    books.close(tx, group.tenant, now)


def withhold_nobody(tx: Transaction, group: Group, now: int) -> Group:
    """
    Withhold the entries of a group that was just claimed of which nothing is known any more, and return the others.

    Such a person was erased, and what the partner knew of them has been taken back meanwhile.
    """
    gone = [entry for entry in group.entries if entry.document is NOBODY and entry.shown is None]
    if not gone:
        return group
    withhold_entries(tx, group, [(entry, withheld.ERASED) for entry in gone], now)
    kept = tuple(entry for entry in group.entries if entry not in gone)
    if not kept:
        drop_group(tx, group)
    return replace(group, entries=kept)


_WITHHOLD = """
    DELETE FROM changes WHERE tenant = :tenant AND dataflow = :dataflow RETURNING profile, audience, seq
"""
_WITHHOLD_AUDIENCE = """
    DELETE FROM changes WHERE tenant = :tenant AND dataflow = :dataflow AND audience = :audience
    RETURNING profile, audience, seq
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
    RETURNING profile, audience, seq
"""


def withhold(tx: Transaction, tenant: int, dataflow: int, now: int) -> int:
    """Empty the outbox of a dataflow that is deleted; what waited is withheld. Returns how many changes that were."""
    whose = {"tenant": tenant, "dataflow": dataflow}
    books = Books(tx)
    gone = _withheld(books, dataflow, tx.run(_WITHHOLD, whose), withheld.DELETED)
    for table in ("lanes", "groups"):
        tx.run(f"DELETE FROM {table} WHERE tenant = :tenant AND dataflow = :dataflow", whose)  # noqa: S608
    books.close(tx, tenant, now)
    return gone


def _withheld(books: Books, dataflow: int, changes: Rows, reason: str) -> int:
    """Enter changes that were taken away as withheld, and return how many they are."""
    count = 0
    for profile, audience, seq in changes:
        noting.withheld(books, dataflow, profile, audience, seq, reason)
        count += 1
    return count


def withhold_audience(tx: Transaction, tenant: int, dataflow: int, audience: int, now: int) -> int:
    """
    Withhold what waits of an audience that a dataflow sends no longer. Returns how many changes that were.

    So are changes of attributes and identities that had only the lanes of this audience left to leave by. Lanes stay
    that a message is under way in, and those that know what the partner was shown: it may be mapped again.
    """
    which = {"tenant": tenant, "dataflow": dataflow, "audience": audience}
    _believe_under_way(tx, which)
    books = Books(tx)
    gone = _withheld(books, dataflow, tx.run(_WITHHOLD_AUDIENCE, which), withheld.UNMAPPED)
    tx.run(_FORGET_AUDIENCE, which)
    tx.run(_REST_AUDIENCE, which)
    whose = {"tenant": tenant, "dataflow": dataflow}
    laneless = _withheld(books, dataflow, tx.run(_WITHHOLD_LANELESS, whose), withheld.UNMAPPED)
    books.close(tx, tenant, now)
    return gone + laneless


def _believe_under_way(tx: Transaction, which: dict[str, Any]) -> None:
    """Believe that what is under way of an audience arrived: its outcome will say nothing of the audience any more."""
    believed = []
    for profile, lane, part, text in tx.run(_UNDER_WAY_OF_AUDIENCE, which).fetchall():
        shown = orjson.loads(text) if text else {"audiences": {}, "identities": {}}
        shown["audiences"].setdefault(str(which["audience"]), "")
        row = {"tenant": which["tenant"], "dataflow": which["dataflow"], "profile": profile, "audience": lane}
        believed.append({**row, "part": part, "shown": orjson.dumps(shown)})
    tx.many(SHOW, believed)
