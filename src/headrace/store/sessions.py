"""Sessions of users: kept as the hash of a secret that only the browser has."""

from dataclasses import asdict, dataclass

from sqlalchemy import delete, insert, or_, select, update

from headrace.store.database import Transaction
from headrace.store.tables import sessions


@dataclass(frozen=True, slots=True)
class Session:
    """A session: whose it is, when it was last used, and when it ends whatever happens."""

    session_hash: str
    user: int
    created_at: int
    seen_at: int
    expires_at: int


def add(tx: Transaction, session: Session) -> None:
    """Keep a new session."""
    tx.core.execute(insert(sessions).values(asdict(session)))


def find(tx: Transaction, session_hash: str) -> Session | None:
    """Return a session by the hash of its secret."""
    row = tx.core.execute(select(sessions).where(sessions.c.session_hash == session_hash)).mappings().one_or_none()
    return None if row is None else Session(**row)


def note_use(tx: Transaction, session_hash: str, now: int, unless_since: int) -> None:
    """Write down that a session is in use, if that was not written since a moment."""
    is_due = (sessions.c.session_hash == session_hash) & (sessions.c.seen_at < unless_since)
    tx.core.execute(update(sessions).where(is_due).values(seen_at=now))


def end(tx: Transaction, session_hash: str) -> None:
    """End a session."""
    tx.core.execute(delete(sessions).where(sessions.c.session_hash == session_hash))


def end_all_of(tx: Transaction, user: int, but: str | None = None) -> int:
    """End every session of a user but one, and return how many there were."""
    theirs = sessions.c.user == user
    return tx.core.execute(
        delete(sessions).where(theirs if but is None else theirs & (sessions.c.session_hash != but))
    ).rowcount


def forget_ended(tx: Transaction, now: int, idle_since: int) -> None:
    """Delete sessions that have expired, or were not used since a moment."""
    tx.core.execute(delete(sessions).where(or_(sessions.c.expires_at <= now, sessions.c.seen_at <= idle_since)))
