"""What is open of a person: changes that wait, the lanes they leave by, and what was laid aside."""

from dataclasses import dataclass

from headrace.store.database import Transaction

_KNOWN = "SELECT profile FROM profiles WHERE tenant = :tenant AND key = :key"
_OPEN = """
    SELECT audience, seq FROM changes WHERE tenant = :tenant AND dataflow = :dataflow AND profile = :profile
    ORDER BY audience, seq
"""
_LANES = """
    SELECT l.audience, l.desired_seq, l.claimed_seq, l.acked_seq, l.waiting_since, l.due,
        g.attempt, g.lease_until, g.due, g.reason
    FROM lanes l LEFT JOIN groups g ON g.tenant = l.tenant AND g.claim_group = l.claim_group
    WHERE l.tenant = :tenant AND l.dataflow = :dataflow AND l.profile = :profile
    ORDER BY l.audience, l.part
"""
# By the person's index: a dataflow may have very many that are parked.
_PARKED = """
    SELECT audience, seq, parked_at, attempts, code, reason FROM parked
    WHERE tenant = :tenant AND dataflow + 0 = :dataflow AND profile = :profile ORDER BY parked
"""


@dataclass(frozen=True, slots=True)
class Way:
    """A lane by which changes are to leave; ``retry_at`` and ``reason`` are of the group that it was claimed with."""

    audience: int
    desired_seq: int
    claimed_seq: int | None
    acked_seq: int | None
    waiting_since: int | None
    due: int | None
    attempt: int | None
    lease_until: int | None
    retry_at: int | None
    reason: str | None

    def carries(self, audience: int, seq: int) -> bool:
        """Say whether a change still has to leave by it."""
        is_of = 0 in (self.audience, audience) or self.audience == audience
        return is_of and self.desired_seq >= seq and (self.acked_seq or 0) < seq


@dataclass(frozen=True, slots=True)
class LaidAside:
    """A parked change of the person."""

    audience: int
    seq: int
    parked_at: int
    attempts: int
    code: str
    reason: str


def number_of(tx: Transaction, tenant: int, key: str) -> int | None:
    """Return the number of the person with a key."""
    row = tx.run(_KNOWN, {"tenant": tenant, "key": key}).fetchone()
    return None if row is None else int(row[0])


def open_changes(tx: Transaction, tenant: int, dataflow: int, profile: int) -> list[tuple[int, int]]:
    """Return the audience and the sequence number of each change that is not settled."""
    return [tuple(row) for row in tx.run(_OPEN, _whose(tenant, dataflow, profile))]


def ways(tx: Transaction, tenant: int, dataflow: int, profile: int) -> list[Way]:
    """Return the lanes of a person."""
    return [Way(*row) for row in tx.run(_LANES, _whose(tenant, dataflow, profile))]


def laid_aside(tx: Transaction, tenant: int, dataflow: int, profile: int) -> list[LaidAside]:
    """Return the parked changes of a person."""
    return [LaidAside(*row) for row in tx.run(_PARKED, _whose(tenant, dataflow, profile))]


def _whose(tenant: int, dataflow: int, profile: int) -> dict[str, int]:
    return {"tenant": tenant, "dataflow": dataflow, "profile": profile}
