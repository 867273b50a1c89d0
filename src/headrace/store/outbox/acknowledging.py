"""Acknowledging: lanes move on by which the partner was told, and the changes are taken that are done with it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headrace.model.change import NO_AUDIENCE
from headrace.model.message import Group, Settled
from headrace.store.books import Books
from headrace.store.database import Transaction
from headrace.store.outbox import noting
from headrace.store.outbox.lanes import DELETE_GROUP, lane_of

#: Groups that one statement names; fewer are filled up, so that there are few statements to plan.
_AT_ONCE = (1, 8, 64)
MOST_TOGETHER = _AT_ONCE[-1]

_ACKNOWLEDGE = """
    UPDATE lanes SET acked_seq = claimed_seq, shown = :shown
    WHERE tenant = :tenant AND dataflow = :dataflow AND profile = :profile AND audience = :audience AND part = :part
        AND claim_group = :claim_group
"""


def _of_groups(sql: str) -> dict[int, str]:
    """Write a statement for so many groups."""
    return {count: sql.replace(":groups", ", ".join(f":g{place}" for place in range(count))) for count in _AT_ONCE}


_OURS = _of_groups("""
    SELECT claim_group, epoch, attempt FROM groups
    WHERE tenant = :tenant AND claim_group IN (:groups) AND lease_until IS NOT NULL AND split_of IS NULL
""")
_TAKE_SETTLED_CHANGES = _of_groups("""
    DELETE FROM changes WHERE (tenant, dataflow, profile, audience, seq) IN (
        SELECT c.tenant, c.dataflow, c.profile, c.audience, c.seq
        FROM lanes l JOIN changes c
            ON c.tenant = l.tenant AND c.dataflow = l.dataflow AND c.profile = l.profile AND c.seq <= l.claimed_seq
        WHERE l.tenant = :tenant AND l.claim_group IN (:groups) AND l.acked_seq = l.claimed_seq
            AND (l.audience = 0 OR c.audience = 0 OR c.audience = l.audience)
            AND NOT EXISTS (
                SELECT 1 FROM lanes o
                WHERE o.tenant = c.tenant AND o.dataflow = c.dataflow AND o.profile = c.profile
                    AND (o.audience = 0 OR c.audience = 0 OR o.audience = c.audience)
                    AND (o.due IS NOT NULL OR o.claim_group IS NOT NULL)
                    AND o.desired_seq >= c.seq AND coalesce(o.acked_seq, 0) < c.seq))
    RETURNING dataflow, profile, audience, seq
""")
_FORGET_LANES = _of_groups("""
    DELETE FROM lanes WHERE tenant = :tenant AND claim_group IN (:groups)
        AND acked_seq = claimed_seq AND desired_seq = claimed_seq AND shown IS NULL
""")
_FREE_LANES = _of_groups("""
    UPDATE lanes SET claim_group = NULL, claimed_seq = NULL,
        due = CASE WHEN desired_seq > claimed_seq THEN waiting_since END
    WHERE tenant = :tenant AND claim_group IN (:groups) AND acked_seq = claimed_seq
""")


@dataclass(frozen=True, slots=True)
class Taken:
    """What the partner has taken of a claimed group."""

    group: Group
    delivered: Sequence[Settled]


def ours(tx: Transaction, groups: Sequence[Group]) -> set[int]:
    """Return the numbers of those claims that are still ours, and no parts of a message that was split."""
    held: set[int] = set()
    for some in _together(groups):
        claims = {(group.number, group.epoch, group.attempt) for group in some}
        held.update(row[0] for row in tx.run(*_naming(_OURS, some)).fetchall() if tuple(row) in claims)
    return held


def acknowledge(tx: Transaction, taken: Sequence[Taken], books: Books) -> None:
    """
    Move on the lanes of groups of one sandbox, and take the changes that every lane has acknowledged.

    Of a person and an audience the newest counts as delivered, those before it as superseded.
    """
    tx.many(_ACKNOWLEDGE, _rows(taken))
    for some in _together([one.group for one in taken]):
        _count(tx.run(*_naming(_TAKE_SETTLED_CHANGES, some)).fetchall(), books)
        tx.run(*_naming(_FORGET_LANES, some))
        tx.run(*_naming(_FREE_LANES, some))
    for one in taken:
        books.tally[one.group.dataflow, NO_AUDIENCE, "messages"] += len({item.message for item in one.delivered})
        books.tally[one.group.dataflow, NO_AUDIENCE, "entries"] += len(one.delivered)


def end(tx: Transaction, groups: Sequence[Group]) -> None:
    """Forget groups of which nothing is left."""
    tx.many(DELETE_GROUP, [{"tenant": group.tenant, "claim_group": group.number} for group in groups])


def _rows(taken: Sequence[Taken]) -> Iterator[dict[str, object]]:
    for one in taken:
        for item in one.delivered:
            yield {**lane_of(one.group, item.entry), "claim_group": one.group.number, "shown": item.shown}


def _count(done: list[tuple[int, int, int, int]], books: Books) -> None:
    newest: set[tuple[int, int, int]] = set()
    for dataflow, profile, audience, seq in sorted(done, key=lambda row: -row[3]):
        if (dataflow, profile, audience) in newest:
            books.tally[dataflow, audience, "superseded"] += 1
            noting.superseded(books, dataflow, profile, audience, seq)
        else:
            newest.add((dataflow, profile, audience))
            books.tally[dataflow, audience, "delivered"] += 1


def _together(groups: Sequence[Group]) -> Iterator[Sequence[Group]]:
    return (groups[start : start + MOST_TOGETHER] for start in range(0, len(groups), MOST_TOGETHER))


def _naming(statements: dict[int, str], groups: Sequence[Group]) -> tuple[str, dict[str, int]]:
    """Return the statement for so many groups, and their numbers; the last one stands for those that there are not."""
    count = next(count for count in _AT_ONCE if count >= len(groups))
    named = {f"g{place}": groups[min(place, len(groups) - 1)].number for place in range(count)}
    return statements[count], {**named, "tenant": groups[0].tenant}
