"""Parked changes: laid aside with the reason, waiting to be mended and replayed."""

from dataclasses import dataclass

from headrace.store.database import Transaction

_LATEST = """
    SELECT k.parked, p.key, k.audience, k.seq, k.parked_at, k.attempts, k.code, k.reason
    FROM parked k JOIN profiles p ON p.tenant = k.tenant AND p.profile = k.profile
    WHERE k.tenant = :tenant AND k.dataflow = :dataflow AND k.parked < :before
    ORDER BY k.parked DESC LIMIT :most
"""


@dataclass(frozen=True, slots=True)
class ParkedChange:
    """One change that was laid aside. ``number`` rises with time inside its dataflow."""

    number: int
    profile: str
    audience: int
    seq: int
    parked_at: int
    attempts: int
    code: str
    reason: str


def latest(tx: Transaction, tenant: int, dataflow: int, most: int, before: int = 1 << 62) -> list[ParkedChange]:
    """Return parked changes of a dataflow, newest first, from below the number ``before``."""
    whose = {"tenant": tenant, "dataflow": dataflow, "most": most, "before": before}
    return [ParkedChange(*row) for row in tx.run(_LATEST, whose)]
