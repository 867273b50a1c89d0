"""
Keeping house beside delivery: audiences begin and end, the ledger is folded, and what is older than it is kept is
forgotten, a little at a time.
"""

import asyncio
from dataclasses import dataclass

from headrace.clock import Clock
from headrace.crashpoints import crashpoint
from headrace.events import Announce, WorkerFailed, told
from headrace.services.pacing import forget_pacing
from headrace.services.presence import Presence
from headrace.services.turning import turn
from headrace.store import history, hours, ledger, parked_messages, reasons
from headrace.store.database import Store

#: Rows that are forgotten in one turn of the writer, and turns in a row: the rest waits for the next round.
AT_ONCE = 500
TURNS = 40


@dataclass(frozen=True, slots=True)
class Kept:
    """For how many days hours of the ledger are kept, and what became of whom."""

    hours: int
    history: int


async def keep_house(
    store: Store, clock: Clock, announce: Announce, presence: Presence, every: float, kept: Kept
) -> None:
    """Until cancelled: let audiences begin and end whose dates have come, fold the ledger, forget what is old."""
    while True:
        try:
            if presence.is_first:
                await turn(store, clock.now())
                await fold(store)
                await forget(store, clock.now(), kept)
                await store.write(lambda tx: forget_pacing(tx, clock.now()))
                await store.write(lambda tx: parked_messages.forget_old(tx, clock.now() - parked_messages.KEPT))
        except Exception as error:  # A fault of ours must not end the house-keeping of everybody else.
            announce(WorkerFailed(step="keep_house", error=told(error)))
        await asyncio.sleep(every)


async def fold(store: Store) -> None:
    """Fold what transactions appended to the ledger and to the reasons."""
    while await store.write(ledger.fold):
        pass
    await store.write(reasons.WITHHELD.fold)
    crashpoint("after_fold")
    await store.write(reasons.PARKED.fold)


async def forget(store: Store, now: int, kept: Kept) -> None:
    """Forget hours and days that are older than they are kept, as far as one round comes."""
    hour, day = now // hours.HOUR - 24 * kept.hours, now // history.DAY - kept.history
    # Of what is not kept at all, nothing is, nor what is left of before that.
    before = day + 1 if kept.history == 0 else day
    is_old = await store.read(lambda tx: (hours.is_any_before(tx, hour), history.is_any_before(tx, before)))
    if is_old[0]:
        await store.write(lambda tx: hours.forget(tx, hour, AT_ONCE))
        crashpoint("after_hours_forgotten")
    for _ in range(TURNS * is_old[1]):
        is_more = await store.write(lambda tx: history.forget(tx, before, AT_ONCE))
        crashpoint("after_history_forgotten")
        if not is_more:
            return
