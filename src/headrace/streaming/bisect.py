"""Bisection: a message that the partner refuses for something in it is sent in halves, until that stands alone."""

import itertools
from collections.abc import Sequence

from headrace.model.message import Entry, Settled
from headrace.model.outcome import Outcome, Parked, Split

#: Answers that speak of what is in a message: it is malformed, too large, or not to be understood.
OF_CONTENT = frozenset({400, 413, 422})


def bisected(outcome: Outcome, status: int, entries: int) -> Outcome:
    """Say that a message of several entries is split which the partner refuses for something in it."""
    if isinstance(outcome, Parked) and status in OF_CONTENT and entries > 1:
        return Split(outcome.code, outcome.reason)
    return outcome


def halves(settled: Sequence[Settled]) -> list[tuple[tuple[Entry, ...], str]]:
    """
    Return the halves of each message that is split, in the order of their entries, each with the reason.

    The first half of an odd number is the smaller one.
    """
    split = [item for item in settled if isinstance(item.outcome, Split)]
    found: list[tuple[tuple[Entry, ...], str]] = []
    for _, items in itertools.groupby(split, key=lambda item: item.message):
        together = list(items)
        reason = together[0].outcome.reason if isinstance(together[0].outcome, Split) else ""
        entries = tuple(item.entry for item in together)
        middle = len(entries) // 2
        found += [(half, reason) for half in (entries[:middle], entries[middle:]) if half]
    return found
