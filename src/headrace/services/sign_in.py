"""
Signing in with a password.

A try is counted as a failure before the password is looked at and forgotten when it was right, so that however many
come at once no more are looked at than back-off allows. Whether there is such a user makes no difference to what is
done: one write, one hash, one write.
"""

from typing import Any

from headrace.clock import Clock
from headrace.errors import Unauthorized
from headrace.services import backoff
from headrace.services.passwords import Passwords
from headrace.store import audit, failures, users
from headrace.store.database import Store, Transaction
from headrace.store.failures import Failures
from headrace.store.users import User


async def check(store: Store, clock: Clock, passwords: Passwords, email: str, password: str) -> User:
    """
    Return the user whose e-mail and password these are.

    Raises:
        Unauthorized: they are not, or the user is disabled; which is not told.
        TooManyTries: there were too many failures in a row.
    """
    now, subject = clock.now(), backoff.subject_of("user", email)

    def begin(tx: Transaction) -> tuple[User | None, Failures]:
        backoff.refuse_early(tx, subject, now)
        return users.find_by_email(tx, email), backoff.count_failure(tx, subject, now)

    user, counted = await store.write(begin)
    is_right = await passwords.verify(user.password_hash if user is not None else None, password)
    if user is None or not is_right or user.disabled_at is not None:
        await store.write(lambda tx: _fail(tx, counted, user, clock.now()))
        raise Unauthorized("the e-mail address or the password is not right")
    renewed = await _renewed(passwords, user, password)
    await store.write(lambda tx: _succeed(tx, subject, user, renewed))
    return user


def actor_of(user: User) -> str:
    """Return the name under which the audit knows a user."""
    return f"user:{user.id}"


async def _renewed(passwords: Passwords, user: User, password: str) -> str | None:
    assert user.password_hash is not None
    return await passwords.hash(password) if passwords.is_outdated(user.password_hash) else None


def _succeed(tx: Transaction, subject: str, user: User, renewed: str | None) -> None:
    failures.forget(tx, subject)
    if renewed is not None:
        users.set_password_hash(tx, user, renewed)


def _fail(tx: Transaction, counted: Failures, user: User | None, now: int) -> None:
    failures.touch(tx, counted.subject, now)
    waits = backoff.wait_after(counted.failures)
    if user is not None and waits:
        details: dict[str, Any] = {"failures": counted.failures, "seconds": waits // 1000}
        audit.note_in_organization(
            tx, user.organization, actor_of(user), "lock-out", "user", user.id, now, details=details
        )
