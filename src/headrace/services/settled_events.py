"""What is announced of a group that was settled: what became of each of its messages, and of the group."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headrace.events import (
    ChangesParked,
    Event,
    GroupSettled,
    MessageDelivered,
    MessageRetried,
    MessageSplit,
)
from headrace.model.message import Group, Settled
from headrace.model.outcome import HELD_BACK, Delivered, Parked, Retry, Split
from headrace.services.settling import Written


@dataclass(frozen=True, slots=True)
class Times:
    """
    How long things took, in seconds: until a group is tried again, if it is, and since its oldest change came; the
    moment in milliseconds when it was claimed; how long it took to write down.
    """

    wait: float | None
    waited: float
    claimed_at: int
    seconds: float


def settled_events(written: Written, group: Group, settled: Sequence[Settled], times: Times) -> Iterator[Event]:
    """Yield what is announced of a group that was written down."""
    assert written.name is not None
    yield from _of_messages(written.name, [*settled, *written.recorded.given_up], times.wait, times.waited)
    yield GroupSettled(
        dataflow=written.name,
        outcomes={item.message: type(item.outcome).__name__.lower() for item in settled},
        attempt=group.attempt,
        entries=len(settled),
        claimed_at=times.claimed_at,
        seconds=times.seconds,
    )


def _of_messages(name: str, settled: Sequence[Settled], wait: float | None, waited: float) -> Iterator[Event]:
    """Say what happened to the messages of a group."""
    for (message, outcome), items in itertools.groupby(settled, key=lambda item: (item.message, item.outcome)):
        entries = list(items)
        if isinstance(outcome, Delivered):
            yield MessageDelivered(dataflow=name, entries=len(entries), message=message, waited_seconds=waited)
        elif isinstance(outcome, Retry) and outcome.code == HELD_BACK:
            continue  # It was not tried; how the account goes is told once for all.
        elif isinstance(outcome, Retry):
            yield MessageRetried(
                dataflow=name, entries=len(entries), message=message, reason=outcome.reason, seconds=wait or 0.0
            )
        elif isinstance(outcome, Split):
            yield MessageSplit(dataflow=name, entries=len(entries), message=message, reason=outcome.reason)
        elif isinstance(outcome, Parked):
            yield ChangesParked(dataflow=name, entries=len(entries), code=outcome.code, reason=outcome.reason)
