"""Requests that came with an idempotency key: what of them is kept, and what was answered."""

from dataclasses import dataclass
from typing import Any

import orjson

from headrace.store.database import Transaction

_FIND = "SELECT fingerprint, parts, accepted, rejected FROM taken_requests WHERE tenant = :tenant AND key = :key"
_FORGET = "DELETE FROM taken_requests WHERE tenant = :tenant AND taken_at < :before"
_NOTE = """
    INSERT INTO taken_requests (tenant, key, fingerprint, parts, accepted, rejected, taken_at)
    VALUES (:tenant, :key, :fingerprint, :parts, :accepted, :rejected, :now)
    ON CONFLICT (tenant, key) DO UPDATE SET
        parts = excluded.parts, accepted = excluded.accepted, rejected = excluded.rejected
"""


@dataclass(frozen=True, slots=True)
class TakenRequest:
    """
    How far a request was taken: the first ``parts`` of it, with so many records.

    ``rejected`` are the records that were not, once all parts are kept; ``None`` before.
    """

    fingerprint: str
    parts: int
    accepted: int
    rejected: list[dict[str, Any]] | None


def find(tx: Transaction, tenant: int, key: str) -> TakenRequest | None:
    """Return the request that came with a key."""
    row = tx.run(_FIND, {"tenant": tenant, "key": key}).fetchone()
    if row is None:
        return None
    fingerprint, parts, accepted, rejected = row
    is_text = isinstance(rejected, str)  # SQLite keeps JSON as text, and its driver leaves it so.
    return TakenRequest(fingerprint, parts, accepted, orjson.loads(rejected) if is_text else rejected)


def note(tx: Transaction, tenant: int, key: str, request: TakenRequest, now: int) -> None:
    """Keep how far a request was taken."""
    rejected = None if request.rejected is None else orjson.dumps(request.rejected).decode()
    row = {"tenant": tenant, "key": key, "fingerprint": request.fingerprint, "rejected": rejected, "now": now}
    tx.run(_NOTE, {**row, "parts": request.parts, "accepted": request.accepted})


def forget(tx: Transaction, tenant: int, before: int) -> None:
    """Forget the requests that came before a moment."""
    tx.run(_FORGET, {"tenant": tenant, "before": before})
