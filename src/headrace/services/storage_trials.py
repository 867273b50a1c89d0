"""
Asking storages for people who wait for the answer: within a time, and without telling why one was not reached.

Whoever may choose an address and is told the reason maps a network that they are not in; so all are told the same, and
no sooner than looking up and connecting may take.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from headrace.clock import Clock
from headrace.connect.storage import NotStored
from headrace.errors import TargetBlocked
from headrace.services.call_limit import CallLimit
from headrace.services.caller import Caller
from headrace.services.storages import StorageAccess, Storages

T = TypeVar("T")


class StorageTrials:
    """Asks storages; ``within`` are the seconds for an answer, ``told_after`` those until it is told that none came."""

    def __init__(
        self,
        storages: Storages,
        limit: CallLimit,
        clock: Clock,
        *,
        within: float = 30.0,
        told_after: float = 0.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.storages = storages
        self._limit = limit
        self._clock = clock
        self._within = within
        self._told_after = told_after
        self._sleep = sleep

    async def admit(self, caller: Caller) -> None:
        """
        Count what is about to be asked.

        Raises:
            TooManyCalls: people have asked too often.
        """
        await self._limit.admit(caller)

    async def check(self, access: StorageAccess) -> None:
        """
        See that files could be written by an access.

        Raises:
            NotStored: they could not, and why.
            HeadraceError: the storage cannot be opened; see ``StorageAccess.open``.
        """

        async def look() -> None:
            async with access.open() as storage:
                await storage.check()

        await self.ask(look)

    async def ask(self, work: Callable[[], Awaitable[T]]) -> T:
        """
        Do what asks a storage.

        Raises:
            NotStored: it did not answer in time, or did not do it.
        """
        began = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._within):
                return await work()
        except TimeoutError:
            reason = NotStored("unreached", f"The storage did not answer within {self._within:.3g} seconds.")
        except TargetBlocked:
            reason = NotStored("unreached", "The storage was not reached; see that it is there.")
        except NotStored as error:
            if error.cause != "unreached":
                raise
            reason = error
        await self._sleep(max(0.0, began + self._told_after - self._clock.monotonic()))
        raise reason
