"""Who failed to sign in how often in a row. The subject is kept as a hash: people type passwords into wrong fields."""

from dataclasses import asdict, dataclass

from sqlalchemy import delete, func, insert, select, update

from headrace.store.database import Transaction
from headrace.store.tables import sign_in_failures

#: Subjects that are kept at the most; beyond, those that failed longest ago are forgotten.
MOST = 10_000


@dataclass(frozen=True, slots=True)
class Failures:
    """How often a subject failed in a row, when last, and until when nothing more is tried."""

    subject: str
    failures: int
    last_at: int
    locked_until: int


def of(tx: Transaction, subject: str) -> Failures | None:
    """Return the failures of a subject."""
    query = select(sign_in_failures).where(sign_in_failures.c.subject == subject)
    row = tx.core.execute(query).mappings().one_or_none()
    return None if row is None else Failures(**row)


def keep(tx: Transaction, failures: Failures) -> None:
    """Keep the failures of a subject; a new one takes the place of the oldest when there are too many."""
    mine = sign_in_failures.c.subject == failures.subject
    if tx.core.execute(update(sign_in_failures).where(mine).values(asdict(failures))).rowcount:
        return
    count = tx.core.execute(select(func.count()).select_from(sign_in_failures)).scalar_one()
    if count >= MOST:
        _forget_oldest(tx)
    tx.core.execute(insert(sign_in_failures).values(asdict(failures)))


def touch(tx: Transaction, subject: str, now: int) -> None:
    """Write down when a failure that is counted already was seen to be one. Others may have been counted since."""
    mine = sign_in_failures.c.subject == subject
    tx.core.execute(update(sign_in_failures).where(mine).values(last_at=now))


def forget(tx: Transaction, subject: str) -> None:
    """Forget the failures of a subject that succeeded."""
    tx.core.execute(delete(sign_in_failures).where(sign_in_failures.c.subject == subject))


def _forget_oldest(tx: Transaction) -> None:
    """Forget a tenth, so that it is not done for each new one; those that are locked longest stay longest."""
    column = sign_in_failures.c
    oldest = select(column.subject).order_by(column.locked_until, column.last_at).limit(MOST // 10)
    tx.core.execute(delete(sign_in_failures).where(column.subject.in_(oldest)))
