"""
The audit: who changed what, written in the transaction of the change.

The entries of an organization are a chain: each one's hash covers its own words and the hash before it, so an entry
that was altered, taken out or put in between shows. Only the last ones can be cut off unseen; whoever needs to know
keeps the newest hash somewhere else.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select

from headrace.store.database import Transaction
from headrace.store.tables import audit, tenants


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change. ``tenant`` is the sandbox, if it was in one; ``details`` holds no secret."""

    organization: int
    entry: int
    tenant: int | None
    at: int
    actor: str
    action: str
    noun: str
    id: str
    version: int | None
    details: dict[str, Any] | None
    hash: str


_FIELDS = tuple(AuditEntry.__dataclass_fields__)


def note(
    tx: Transaction,
    tenant: int,
    actor: str,
    action: str,
    noun: str,
    id_: str,
    now: int,
    version: int | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    """Write down a change in a sandbox."""
    organization = tx.core.execute(select(tenants.c.organization).where(tenants.c.tenant == tenant)).scalar_one()
    _append(tx, organization, tenant, now, actor, action, noun, id_, version, details)


def note_in_organization(
    tx: Transaction,
    organization: int,
    actor: str,
    action: str,
    noun: str,
    id_: str,
    now: int,
    version: int | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    """Write down a change that is not of one sandbox: users, clients, sandboxes."""
    _append(tx, organization, None, now, actor, action, noun, id_, version, details)


def latest(
    tx: Transaction, organization: int, most: int, *, before: int = 1 << 62, tenant: int | None = None
) -> list[AuditEntry]:
    """Return entries below the number ``before``, newest first; with ``tenant``, those of one sandbox alone."""
    query = select(audit).where(audit.c.organization == organization, audit.c.entry < before)
    if tenant is not None:
        query = query.where(audit.c.tenant == tenant)
    return [AuditEntry(**row) for row in tx.core.execute(query.order_by(audit.c.entry.desc()).limit(most)).mappings()]


def first_break(tx: Transaction, organization: int) -> int | None:
    """Return the number of the first entry that is not as it was written, or is missing; ``None``: all are there."""
    previous, expected = "", 1
    rows = tx.core.execute(select(audit).where(audit.c.organization == organization).order_by(audit.c.entry))
    for row in rows.mappings():
        said = [row[name] for name in _FIELDS if name != "hash"]
        if row["entry"] != expected or row["hash"] != _hash(previous, said):
            return expected
        previous, expected = row["hash"], expected + 1
    return None


def _append(tx: Transaction, organization: int, *said: Any) -> None:
    query = select(audit.c.entry, audit.c.hash).where(audit.c.organization == organization)
    last = tx.core.execute(query.order_by(audit.c.entry.desc()).limit(1)).one_or_none()
    entry, previous = (last.entry, last.hash) if last is not None else (0, "")
    row = [organization, entry + 1, *said]
    tx.core.execute(insert(audit).values(dict(zip(_FIELDS, [*row, _hash(previous, row)], strict=True))))


def _hash(previous: str, said: list[Any]) -> str:
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()
