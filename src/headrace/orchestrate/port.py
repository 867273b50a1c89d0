"""
What durable runs need from whoever carries them, and what the work of a run is handed.

The truth about a run is its row in the store. An orchestrator remembers only how far its work has come, so that a step
that was done is not done again; it may forget everything, and the worst is that idempotent steps are repeated.
"""

from collections.abc import Awaitable, Callable, Collection
from typing import Any, Protocol

#: A value that JSON can carry: all that is remembered of a step.
Json = Any


class RunLost(Exception):
    """This process does not have the run any more: another took it over, or it was cancelled. Its work ends here."""


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
    """
    Carries the work of runs in this process.

    Who has which run is not its affair: ``begin`` is called by the one process that has the run by its row.
    """

    def register(self, kind: str, work: Work) -> None:
        """
        Say what is done for runs of a kind; before ``start``. The work is handed the run's id and nothing else.

        Work says by itself how the run ended, in the store, and returns. Work that raises ``RunLost`` leaves what is
        remembered to whoever has the run now.
        """
        ...

    async def start(self) -> None:
        """
        Begin to carry.

        Raises:
            OperationError: it cannot, now.
        """
        ...

    async def begin(self, kind: str, run: str) -> None:
        """
        Begin the work of a run, or go on with it where a process that died left it.

        What is known to have come to its end is begun anew: it is asked for only where the store does not know of it.

        Raises:
            OperationError: the work was begun by a version that did it in another way.
        """
        ...

    async def cancel(self, run: str) -> None:
        """Do no further step of a run."""
        ...

    async def forget(self, runs: Collection[str]) -> None:
        """Forget how far runs that are over had come."""
        ...

    async def stop(self) -> None:
        """Carry nothing more; what is under way goes on where it was, when it is begun the next time."""
        ...
