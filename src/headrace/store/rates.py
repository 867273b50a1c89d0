"""What was taken of partners' limits, counted for each account, for all processes and over restarts."""

from collections.abc import Iterable, Mapping

import orjson

from headrace.store.database import Transaction

#: What a limit counts, and in which time.
Name = tuple[str, str]
Taken = list[tuple[int, int]]

# One statement reads and locks: of two processes that claim for an account, one waits until the other has committed.
_LOCK = """
    INSERT INTO rates (tenant, account, unit, per, taken, ends_at)
    VALUES (:tenant, :account, :unit, :per, '[]', 0)
    ON CONFLICT (tenant, account, unit, per) DO UPDATE SET ends_at = rates.ends_at RETURNING taken
"""
_KEEP = """
    UPDATE rates SET taken = :taken, ends_at = :ends_at
    WHERE tenant = :tenant AND account = :account AND unit = :unit AND per = :per
"""
#: The row by which processes take turns where a partner limits only how much it takes at a time.
AT_ONCE: Name = ("requests", "once")


def locked(tx: Transaction, tenant: int, account: str, names: Iterable[Name]) -> dict[Name, Taken]:
    """Return what was taken of an account's limits; until the end of the transaction nobody else takes of them."""
    found: dict[Name, Taken] = {}
    for unit, per in sorted(names):
        row = {"tenant": tenant, "account": account, "unit": unit, "per": per}
        (taken,) = tx.run(_LOCK, row).fetchone()
        found[unit, per] = [(number, count) for number, count in orjson.loads(taken)]
    return found


def keep(tx: Transaction, tenant: int, account: str, taken: Mapping[Name, tuple[Taken, int]]) -> None:
    """Write down what was taken of an account's limits, and until when that counts."""
    rows = (
        {
            "tenant": tenant,
            "account": account,
            "unit": unit,
            "per": per,
            "taken": orjson.dumps(parts).decode(),
            "ends_at": ends,
        }
        for (unit, per), (parts, ends) in taken.items()
    )
    tx.many(_KEEP, rows)


def forget(tx: Transaction, now: int) -> None:
    """Forget limits of which nothing that was taken counts any more."""
    tx.run("DELETE FROM rates WHERE ends_at < :now", {"now": now})
