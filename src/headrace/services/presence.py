"""
Presence: a process says that it is there, and notices which others are not there any more.

Every process has an epoch, whose number fences its claims, and a row that it touches every two seconds, by the
database's time. Who has been silent for ten, or whose process this machine knows to have ended, is gone: what it had
claimed, and the runs that it carried, are free at once, long before its leases end. So a process sends nothing from a
little before that on, until it was heard again. Of those that deliver, the one that began first does what one alone is
to do; two that take themselves for the first for a moment do no harm, for the rows decide.
"""

import asyncio
import os
import platform
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from headrace.clock import Clock
from headrace.crashpoints import crashpoint
from headrace.errors import OperationError
from headrace.events import Announce, ProcessGone, WorkerFailed
from headrace.store import epochs, executors, outbox, workers
from headrace.store.database import Store, Transaction
from headrace.store.workers import Worker

#: Seconds between two signs of life, after how many without one a process is gone, and how long before that it stops.
BEAT = 2.0
SILENCE = 10.0
MARGIN = 3.0

#: What time it is by the clock that all processes of a store share.
Moment = Callable[[Transaction], int]


def moment_of(store: Store, clock: Clock) -> Moment:
    """Return the clock that the processes of a store share: the database's, or this process's own, which is alone."""
    return executors.moment if store.is_shared else lambda _: clock.now()


class Presence:
    """
    This process, among those that have the store.

    ``kind`` is the command that it is, ``executor`` its name as one that carries runs; ``delivers`` says whether it may
    be the first of those that deliver. ``is_first``: it is. ``there_since`` is when others last began to know of it, by
    its own steady clock: what it had claimed before may be theirs by now.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        announce: Announce,
        *,
        kind: str = "serve",
        name: str = "",
        delivers: bool = True,
        executor: str | None = None,
    ) -> None:
        self.epoch = 0
        self.is_first = False
        self.there_since = float("inf")
        self.moment = moment_of(store, clock)
        self._store = store
        self._clock = clock
        self._announce = announce
        self._kind = kind
        self.name = name or f"{platform.node()}:{os.getpid()}"
        self._delivers = delivers
        self._executor = executor
        self._beaten_at = float("-inf")
        self._complaint = ""

    async def begin(self) -> None:
        """Begin an epoch, and free what processes had that have ended: where one alone has the store, all others."""

        def work(tx: Transaction) -> tuple[int, int | None]:
            now, epoch = self.moment(tx), epochs.begin(tx, self._clock.now())
            for other in workers.everyone(tx):
                if not self._store.is_shared or _has_ended(other):
                    workers.forget(tx, other, now)
            workers.enter(tx, self._row(epoch, now))
            outbox.free_claims(tx, now)
            crashpoint("before_epoch_commit")
            return epoch, workers.first_that_delivers(tx)

        began = self._clock.monotonic()
        self.epoch, first = await self._store.write(work)
        crashpoint("after_epoch")
        self.is_first = first == self.epoch
        self._beaten_at = self.there_since = began

    async def keep(self) -> None:
        """Until cancelled: say again and again that this process is there."""
        while True:
            await asyncio.sleep(BEAT)
            try:
                await self.beat()
                self._complaint = ""
            except Exception as error:  # Whoever is not heard sends nothing; that the store is gone passes.
                self._complain(f"{type(error).__name__}: {error}")

    async def beat(self) -> None:
        """
        Say that this process is there, and free what those had that are gone.

        Who was away itself judges nobody: what kept it, such as one that stopped in the middle of a transaction, has
        kept the others, too.
        """
        began = self._clock.monotonic()

        def work(tx: Transaction) -> tuple[bool, list[Worker], int | None]:
            now, there = self.moment(tx), {worker.epoch: worker for worker in workers.everyone(tx)}
            me = there.pop(self.epoch, None)
            if me is None:
                workers.enter(tx, self._row(self.epoch, now))
            else:
                workers.beat(tx, self.epoch, now)
            may_judge = me is not None and now - me.seen_at < SILENCE * 1000 / 2
            gone = [other for other in there.values() if may_judge and _is_gone(other, now)]
            for other in gone:
                workers.forget(tx, other, now)
            crashpoint("before_beat_commit")
            return me is not None, gone, workers.first_that_delivers(tx)

        was_there, gone, first = await self._store.write(work)
        if not was_there:
            self.there_since = self._clock.monotonic()
        self._beaten_at = max(began, self._beaten_at)
        self.is_first = first == self.epoch
        for other in gone:
            self._announce(ProcessGone(process=other.name, kind=other.kind))

    def is_heard(self) -> bool:
        """Say whether nobody can hold this process for gone, and cannot for as long as it takes to send something."""
        if not self._store.is_shared:
            return True
        return self._clock.monotonic() - self._beaten_at < SILENCE - MARGIN

    async def end(self) -> None:
        """Say that this process is not there any more: what it could not finish is free at once."""

        def work(tx: Transaction) -> None:
            now = self.moment(tx)
            workers.forget(tx, self._row(self.epoch, now), now)
            crashpoint("before_farewell_commit")

        with suppress(OperationError):
            await self._store.write(work)

    def _row(self, epoch: int, now: int) -> Worker:
        return Worker(
            epoch,
            self._kind,
            self.name,
            _here(),
            os.getpid(),
            self._delivers,
            self._executor,
            began_at=now,
            seen_at=now,
        )

    def _complain(self, error: str) -> None:
        if error != self._complaint:
            self._complaint = error
            self._announce(WorkerFailed(step="presence", error=error))


def _is_gone(other: Worker, now: int) -> bool:
    """Say whether a process is gone: it has been silent for too long, or is known to have ended."""
    return other.seen_at < now - int(SILENCE * 1000) or _has_ended(other)


def _has_ended(other: Worker) -> bool:
    """Say whether this machine knows that a process has ended."""
    return other.host == _here() != "" and not _is_running(other.process)


def _here() -> str:
    """Name where process numbers mean what they mean here: this start of this machine, and this container of it."""
    with suppress(OSError):
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}/{Path('/proc/self/ns/pid').readlink()}"
    return ""


def _is_running(process: int) -> bool:
    """Say whether there is a process of this number that has not ended; one that is stopped has not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    except (OSError, IndexError):
        return True
    return state not in "ZX"
