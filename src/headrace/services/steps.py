"""What the work of a run is handed: its steps, and how it makes sure that the run is still this process's."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from headrace.clock import Clock
from headrace.orchestrate.port import Json, RunLost, Steps
from headrace.store import runs
from headrace.store.database import Store, StoreUnavailable, Transaction
from headrace.store.runs import Run

T = TypeVar("T")

#: Seconds between two notes of how far a run has come, and before a store that could not be reached is asked again.
NOTED_EVERY = 1.0
ASKED_AGAIN = 1.0


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask the store for as long as it is unavailable: that is no failure of the run."""
    while True:
        try:
            return await ask()
        except StoreUnavailable:
            await asyncio.sleep(ASKED_AGAIN)


class HeldSteps:
    """
    The steps of a run that this process has under way.

    A process that was thought dead may wake up in the middle of a run that another one has taken over. Before each step
    the row is asked whether the run is still this process's; that leaves the step itself, between the question and its
    end. A step that writes to the store puts ``hold`` into its transaction and cannot be too late; a step that acts
    elsewhere must be idempotent, or look first.
    """

    def __init__(self, steps: Steps, run: Run, executor: str, store: Store, clock: Clock) -> None:
        self._steps = steps
        self._run = run
        self._executor = executor
        self._store = store
        self._clock = clock
        self._progress = dict(run.progress)
        self._noted_at = -NOTED_EVERY

    @property
    def run(self) -> str:
        """The run's id."""
        return self._run.run

    @property
    def progress(self) -> dict[str, Any]:
        """How far the run has come, with what was not written yet."""
        return self._progress

    async def step(self, name: str, work: Callable[[], Awaitable[Json]]) -> Json:
        """
        Do a step, or return what it returned when it was done before.

        Raises:
            RunLost: the run is not this process's any more.
        """

        async def held() -> Json:
            if not await self.still_ours():
                raise RunLost
            return await work()

        return await self._steps.step(name, held)

    async def still_ours(self) -> bool:
        """Say whether the run is still this process's: a long step asks between its parts."""
        run = await patiently(lambda: self._store.read(lambda tx: runs.get(tx, self.run)))
        return run is not None and run.state == "running" and run.executor == self._executor

    def hold(self, tx: Transaction) -> None:
        """
        Keep the run this process's until the transaction is committed: what it writes, no other process writes too.

        Raises:
            RunLost: the run is not this process's any more.
        """
        if not runs.hold(tx, self.run, self._executor):
            raise RunLost

    def note_in(self, tx: Transaction, **progress: Any) -> None:
        """
        Note how far the run has come with what the transaction writes: both are kept, or neither is.

        Raises:
            RunLost: the run is not this process's any more.
        """
        self._progress.update(progress)
        if not runs.note(tx, self.run, self._executor, dict(self._progress)):
            raise RunLost

    async def note(self, **progress: Any) -> None:
        """Note how far the run has come, for people to look at; written once a second at the most."""
        self._progress.update(progress)
        if self._clock.monotonic() - self._noted_at >= NOTED_EVERY:
            self._noted_at = self._clock.monotonic()
            noted = dict(self._progress)
            await self._store.write(lambda tx: runs.note(tx, self.run, self._executor, noted))
