"""What an answer means, and what follows from it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from headrace.connect.auth import SignInNeeded, TokenRefused
from headrace.connect.retry import PRESSURE, RetryPolicy, retry_after
from headrace.connect.transport import Garbled, NotSent, Unanswered, Unsendable
from headrace.errors import EgressError, HeadraceError, OperationError
from headrace.model.http import Response
from headrace.model.message import Settled
from headrace.model.outcome import Delivered, Outcome, Parked, Retry

#: The answer of an address that is gone for good.
GONE = 410
_USUAL = RetryPolicy()

#: How long, in seconds, an attempt waits in whose way the account stood; by then it is mended, or nothing is claimed.
UNCOUNTED_WAIT = 1.0


def classify(response: Response, now: int, policy: RetryPolicy = _USUAL) -> Outcome:
    """
    Say what the partner's answer means for everything that was sent.

    A 2xx is delivered. A status that the policy takes to pass is retried: after the time the partner asks for in
    ``Retry-After``, else after the policy's own. With 410 there is nobody any more, so nothing more is sent until a
    person has looked. Any other answer is final, for the same bytes would only get it again.
    """
    status = response.status
    code, reason = f"status-{status}", f"the partner answered {status}"
    if 200 <= status < 300:
        return Delivered(status)
    if status in policy.statuses:
        asked = retry_after(response.headers, datetime.fromtimestamp(now / 1000, UTC))
        return Retry(code, reason, asked.total_seconds() if asked else None, pressure=status in PRESSURE)
    if status == GONE:
        return Retry(code, f"{reason} (gone)", counts=False, holds=True)
    return Parked(code, reason)


def class_of(status: int) -> str:
    """
    Return the class of an answer, as it is counted. 429 is one of its own.

    >>> class_of(204), class_of(429), class_of(404)
    ('2xx', '429', '4xx')
    """
    return "429" if status == 429 else f"{status // 100}xx"


def explain(error: HeadraceError) -> Outcome:
    """
    Say what it means that no answer came.

    What certainly did not arrive, and what may have, are both sent again; the latter is counted as unknown. A request
    that cannot be written as HTTP is final. A target that the operator does not allow waits: it may yet be allowed. An
    account that is not signed in, or cannot be opened, waits until it is mended.
    """
    if isinstance(error, Unsendable):
        return Parked(error.code, error.message)
    if isinstance(error, SignInNeeded):
        return Retry(error.code, error.message, counts=False)
    if isinstance(error, TokenRefused):
        return Retry(error.code, error.message, error.after)
    if isinstance(error, NotSent | EgressError | OperationError):
        return Retry(error.code, error.message)
    if isinstance(error, Unanswered | Garbled):
        return Retry(error.code, error.message, unknown=True)
    return Parked(error.code, error.message)


def conclude(
    settled: Sequence[Settled], attempt: int, policy: RetryPolicy, random: Random
) -> tuple[list[Settled], float | None]:
    """
    Decide when what is to be retried goes again, in seconds; entries whose schedule is used up are parked instead.

    The entries of a group go together, so the longest wait that any of them asks for counts. An attempt in which the
    account stood in the way uses up nothing of the schedule.
    """
    retries = [item.outcome for item in settled if isinstance(item.outcome, Retry)]
    if not retries:
        return list(settled), None
    asked = max((retry.after for retry in retries if retry.after is not None), default=None)
    if not all(retry.counts for retry in retries):
        return list(settled), UNCOUNTED_WAIT if asked is None else asked
    wait = policy.wait(attempt, random, _delta(asked))
    if wait is not None:
        return list(settled), wait.total_seconds()
    return [_given_up(item, attempt) for item in settled], None


def with_probes(settled: Sequence[Settled], waited: timedelta, policy: RetryPolicy) -> Sequence[Settled]:
    """
    Count the attempts of probes, too, once their entries have waited for as long as the schedule is.

    So that nothing waits for ever, whoever goes to see whether the partner is back.
    """
    return [_counted(item) for item in settled] if waited > policy.span else settled


def _counted(item: Settled) -> Settled:
    outcome = item.outcome
    if not isinstance(outcome, Retry) or not outcome.is_probe:
        return item
    return replace(item, outcome=replace(outcome, counts=True))


def _given_up(item: Settled, attempt: int) -> Settled:
    if not isinstance(item.outcome, Retry):
        return item
    reason = f"given up after {attempt} attempts; the last time {item.outcome.reason}"
    last = item.outcome
    return replace(item, outcome=Parked("retries-exhausted", reason, last.unknown, last.exchange))


def _delta(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
