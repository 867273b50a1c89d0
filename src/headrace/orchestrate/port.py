"""
What durable runs need from whoever carries them, and what the work of a run is handed.

The truth about a run is its row in the store. An orchestrator remembers only how far its work has come, so that a step
that was done is not done again; it may forget everything, and the worst is that idempotent steps are repeated.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

#: A value that JSON can carry: all that is remembered of a step.
Json = Any


class Steps(Protocol):
    """What the work of a run is handed."""

    @property
    def run(self) -> str:
        """The run's id."""
        ...

    async def step(self, name: str, work: Callable[[], Awaitable[Json]]) -> Json:
        """
        Do a step, or return what it returned when it was done before.

        A step that raises ends the run's work with that error, unless the work catches it. Whoever dies while a step
        is under way has it done again: a step must be idempotent, or look first. Steps have the same names in the same
        order each time, whatever the data.
        """
        ...


Work = Callable[[Steps], Awaitable[None]]


class Orchestrator(Protocol):
    """Carries the work of runs in this process, and takes it over from processes that died."""

    def register(self, kind: str, work: Work) -> None:
        """Say what is done for runs of a kind; before ``start``. The work is handed the run's id and nothing else."""
        ...

    async def start(self) -> None:
        """Begin to carry."""
        ...

    async def begin(self, kind: str, run: str) -> None:
        """Begin the work of a run; nothing happens where it has begun already, here or in another process."""
        ...

    async def take_over(self, executor: str) -> None:
        """Go on with the work that a process left which is known to be dead."""
        ...

    async def cancel(self, run: str) -> None:
        """Do no further step of a run."""
        ...

    async def stop(self) -> None:
        """Carry nothing more; what is under way goes on where it was, after the next start."""
        ...
