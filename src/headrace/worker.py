"""The worker: the loops that wait. The only place where anything sleeps."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from random import Random

from headrace.clock import Clock
from headrace.connect.retry import RetryPolicy
from headrace.errors import OperationError
from headrace.events import Announce, WorkerFailed, told
from headrace.services import backfills
from headrace.services.backfilling import Backfiller
from headrace.services.delivery import StoredOutbox
from headrace.services.keeping import Kept, keep_house
from headrace.services.live import LiveDataflows
from headrace.services.presence import Presence
from headrace.services.replaying import Replayer
from headrace.store.database import Store
from headrace.streaming import pipeline
from headrace.streaming.breaker import FIRST_INTERVAL
from headrace.streaming.slots import Slots

#: What a lease has over the deadline of a request: rendering before it, settling after it.
LEASE_MARGIN = 30.0
#: How long what is under way may take when the process is asked to stop.
GRACE = 30.0
HOUSEKEEPING = 2.0
#: How often to look whether there is a backfill or a replay to do, and whether one that waits for the outbox may go on.
BACKFILLING = 1.0
HELD_UP = 0.2


class Worker:
    """Delivers what the outbox holds, until it is stopped."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        live: LiveDataflows,
        announce: Announce,
        *,
        policy: RetryPolicy,
        deadline: float,
        requests_per_account: int,
        probe_after: float = FIRST_INTERVAL,
        presence: Presence,
        kept: Kept,
        jitter: Random | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._live = live
        self._announce = announce
        self._policy = policy
        self._deadline = deadline
        self._requests_per_account = requests_per_account
        self._presence = presence
        self._kept = kept
        self._jitter = jitter or Random()  # noqa: S311 - it spreads retries, it guards nothing
        self._outbox: StoredOutbox | None = None
        self._probe_after = probe_after
        self._slots = self._new_slots()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin."""
        self._outbox = await StoredOutbox.open(
            self._store,
            self._clock,
            self._live,
            self._announce,
            self._policy,
            self._jitter,
            lease=self._deadline + LEASE_MARGIN,
            deadline=self._deadline,
            presence=self._presence,
        )
        backfiller = Backfiller(self._store, self._clock, self._live, self._outbox, self._announce)
        replayer = Replayer(self._store, self._clock, self._live, self._outbox, self._announce)
        await self._store.write(lambda tx: backfills.adopt(tx, self._clock.now()))
        self._tasks = [
            asyncio.create_task(self._deliver(self._outbox)),
            asyncio.create_task(
                keep_house(self._store, self._clock, self._announce, self._presence, HOUSEKEEPING, self._kept)
            ),
            asyncio.create_task(self._carry("backfill", backfiller)),
            asyncio.create_task(self._carry("replay", replayer)),
        ]

    async def stop(self) -> None:
        """Claim nothing more, give what is under way its time, give back what was never sent, and end."""
        if self._outbox is None:
            return
        self._outbox.close()
        delivering, *others = self._tasks
        for task in others:
            task.cancel()
        await asyncio.wait([delivering], timeout=GRACE)
        delivering.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(OperationError):  # What cannot be given back now is free once this process is gone.
            await self._outbox.release()

    def close(self) -> None:
        """Claim nothing more; what is under way goes on."""
        if self._outbox is not None:
            self._outbox.close()

    def wake(self, tenant: int, dataflows: Iterable[int]) -> None:
        """Say that dataflows of a sandbox may have something waiting."""
        if self._outbox is not None:
            self._outbox.wake(tenant, dataflows)

    def under_way(self) -> dict[str, int]:
        """Return how many requests of each account are under way at this moment."""
        return self._slots.under_way()

    def _new_slots(self) -> Slots:
        return Slots(self._requests_per_account, self._clock.monotonic, self._probe_after)

    async def _deliver(self, outbox: StoredOutbox) -> None:
        while True:
            try:
                self._slots = self._new_slots()
                return await pipeline.run(outbox, self._slots)
            except Exception as error:  # What was claimed comes back when its lease ends; the rest must go on.
                self._announce(WorkerFailed(step="deliver", error=told(error)))
                await asyncio.sleep(1)

    async def _carry(self, name: str, stepping: Backfiller | Replayer) -> None:
        """Until cancelled: send whom audiences have already, or what was parked, beside what happens."""
        while True:
            try:
                while self._presence.is_first and await stepping.step():
                    pass
                pause = HELD_UP if stepping.is_held_up else BACKFILLING
            except Exception as error:  # Whatever it was, the run is still in the store.
                self._announce(WorkerFailed(step=name, error=told(error)))
                pause = BACKFILLING
            await asyncio.sleep(pause)
