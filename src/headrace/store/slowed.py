"""Accounts that are left alone for a while, as operators see it."""

from dataclasses import dataclass

from headrace.store.database import Transaction
from headrace.store.transaction import storable

_KEEP = """
    INSERT INTO slowed_accounts (tenant, account, is_down, reason, since, until)
    VALUES (:tenant, :account, :is_down, :reason, :now, :until)
    ON CONFLICT (tenant, account) DO UPDATE SET
        since = CASE WHEN slowed_accounts.is_down = excluded.is_down THEN slowed_accounts.since ELSE excluded.since END,
        is_down = excluded.is_down, reason = excluded.reason, until = excluded.until
"""
_FORGET = "DELETE FROM slowed_accounts WHERE tenant = :tenant AND account = :account"
#: Milliseconds after its end for which a note still holds: the next is not written yet.
GAP = 60_000


@dataclass(frozen=True, slots=True)
class SlowedAccount:
    """Why nothing is sent for an account, since when, and until when nothing is tried."""

    account: str
    is_down: bool
    reason: str
    since: int
    until: int


def note(tx: Transaction, tenant: int, account: str, reason: str, now: int, until: int, *, is_down: bool) -> None:
    """Note that an account is left alone until a moment."""
    row = {"tenant": tenant, "account": account, "is_down": is_down, "reason": storable(reason)}
    tx.run(_KEEP, {**row, "now": now, "until": until})


def forget(tx: Transaction, tenant: int, account: str) -> None:
    """Note that an account goes again."""
    tx.run(_FORGET, {"tenant": tenant, "account": account})


def of(tx: Transaction, tenant: int, now: int) -> dict[str, SlowedAccount]:
    """Return the accounts of a sandbox that are left alone."""
    sql = """
        SELECT account, is_down, reason, since, until FROM slowed_accounts
        WHERE tenant = :tenant AND until > :now - :gap
    """
    rows = tx.run(sql, {"tenant": tenant, "now": now, "gap": GAP})
    return {row[0]: SlowedAccount(row[0], bool(row[1]), *row[2:]) for row in rows}


def forget_old(tx: Transaction, now: int) -> None:
    """Forget what nobody has noted again since: the process is gone, or there is nothing more to send."""
    tx.run("DELETE FROM slowed_accounts WHERE until < :now - :gap", {"now": now, "gap": GAP})
