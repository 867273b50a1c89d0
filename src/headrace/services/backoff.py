"""Back-off: after some failures in a row, each further try to sign in has to wait, longer every time."""

import math

from headrace.errors import TooManyCalls, TooManyTries
from headrace.services.keys import hash_of
from headrace.store import failures
from headrace.store.database import Transaction
from headrace.store.failures import Failures

FREE_TRIES = 5
FIRST_WAIT = 30_000
LONGEST_WAIT = 15 * 60_000
#: When the last failure is as long ago as this, counting starts anew.
FORGOTTEN_AFTER = 24 * 60 * 60_000


def subject_of(kind: str, name: str) -> str:
    """Return the subject under which failures are counted: whoever signs in, whether or not there is such a one."""
    return hash_of(f"{kind}:{name.casefold()}")


def wait_after(count: int) -> int:
    """
    Return the milliseconds to wait after so many failures in a row.

    >>> [wait_after(count) // 1000 for count in (4, 5, 6, 7, 100)]
    [0, 30, 60, 120, 900]
    """
    return 0 if count < FREE_TRIES else min(FIRST_WAIT * 2 ** min(count - FREE_TRIES, 10), LONGEST_WAIT)


def refuse_early(
    tx: Transaction, subject: str, now: int, refusal: type[TooManyTries | TooManyCalls] = TooManyTries
) -> None:
    """
    Refuse a try that comes before its time. It is neither looked at nor counted.

    Raises:
        TooManyTries, TooManyCalls: the ``refusal``, with the seconds to wait.
    """
    known = failures.of(tx, subject)
    if known is not None and known.locked_until > now:
        raise refusal(math.ceil((known.locked_until - now) / 1000))


def count_failure(tx: Transaction, subject: str, now: int) -> Failures:
    """Count a failure and return what is known now."""
    known = failures.of(tx, subject)
    before = known.failures if known is not None and now - known.last_at < FORGOTTEN_AFTER else 0
    counted = Failures(subject, before + 1, now, now + wait_after(before + 1))
    failures.keep(tx, counted)
    return counted
