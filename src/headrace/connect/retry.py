"""How long to wait before a message is sent again. Policies answer "how long"; whoever asked does the waiting."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from random import Random
from types import MappingProxyType

from headrace.model.http import Headers
from headrace.model.retrying import Retrying

#: About three days in all; what still fails then is parked, never dropped.
DEFAULT_STEPS = (
    timedelta(seconds=15),
    timedelta(seconds=30),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=18),
    timedelta(hours=22),
)

#: Answers that tend to pass: the partner ran out of time, is asked too much, or is not well.
PASSING = frozenset({408, 420, 429, *range(500, 600)})
#: Answers by which a partner says that it is asked too much.
PRESSURE = frozenset({420, 429, 503})

#: The longest a partner can make us wait with one answer.
LONGEST_ASKED = timedelta(hours=24)

_SECONDS = re.compile(r"[0-9]{1,400}(\.[0-9]{0,100})?([eE]\+?[0-9]{1,3})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """
    The answers after which a message is sent again, and a schedule of waits.

    Each wait is spread by ``jitter`` to both sides, so that what failed together does not return together.

    >>> RetryPolicy((timedelta(seconds=10),), jitter=0).wait(1, Random(), None)
    datetime.timedelta(seconds=10)
    """

    steps: tuple[timedelta, ...] = DEFAULT_STEPS
    jitter: float = 0.2
    statuses: frozenset[int] = PASSING

    def __post_init__(self) -> None:
        if not 0 <= self.jitter < 1:
            raise ValueError(f"the jitter of a retry policy is at least 0 and below 1, not {self.jitter}")
        if any(step < timedelta(0) for step in self.steps):
            raise ValueError("no step of a retry policy is negative")

    @property
    def span(self) -> timedelta:
        """How long the schedule is."""
        return sum(self.steps, timedelta())

    def wait(self, attempt: int, random: Random, retry_after: timedelta | None = None) -> timedelta | None:
        """
        Say how long to wait after ``attempt`` attempts have failed; the first is 1. None when the schedule is used up.

        What the partner asks for counts where it is longer than the step, and is never undercut by the jitter; it is
        capped at 24 hours and does not lengthen the schedule.
        """
        if attempt < 1:
            raise ValueError(f"attempts are counted from 1, not {attempt}")
        if attempt > len(self.steps):
            return None
        step = self.steps[attempt - 1] * random.uniform(1 - self.jitter, 1 + self.jitter)
        return step if retry_after is None else max(step, min(retry_after, LONGEST_ASKED))


#: The policies of the original, whose waits are not spread. How often the second tries is not said there: for a day.
ORIGINAL: Mapping[str, RetryPolicy] = MappingProxyType(
    {
        "best-effort": RetryPolicy(
            (timedelta(seconds=15), timedelta(seconds=30)),
            jitter=0,
            statuses=frozenset({403, 408, 409, 429, 500, 502, 503, 504}),
        ),
        "configurable": RetryPolicy(
            (timedelta(minutes=30),) * 48, jitter=0, statuses=frozenset({420, 429, *range(501, 600)})
        ),
    }
)


def policy_of(declared: Retrying, usual: RetryPolicy) -> RetryPolicy:
    """Return the policy that an author declares; ``usual`` is the one that the operator has set."""
    if declared.policy in ORIGINAL:
        return ORIGINAL[declared.policy]
    if declared.steps is None:
        return usual
    return replace(usual, steps=tuple(timedelta(seconds=step) for step in declared.steps))


def retry_after(headers: Headers, now: datetime) -> timedelta | None:
    """
    Read how long the partner asks us to wait, from ``Retry-After`` as seconds or as an HTTP date.

    Fractions of seconds are understood although the standard has none; garbage and negative numbers are no wish at all;
    a date that has passed is a wish for no wait; everything is capped at 24 hours. ``now`` is aware of its time zone.
    """
    wishes = (_read(value.strip(), now) for name, value in headers if name.lower() == "retry-after")
    return next((wish for wish in wishes if wish is not None), None)


def _read(text: str, now: datetime) -> timedelta | None:
    if _SECONDS.fullmatch(text):
        seconds = float(text)
        return (
            timedelta(seconds=min(seconds, LONGEST_ASKED.total_seconds())) if math.isfinite(seconds) else LONGEST_ASKED
        )
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(timedelta(0), min(moment - now, LONGEST_ASKED))
