"""Hands items from a thread to the event loop, a few at a time, so that neither side runs away from the other."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Ended(Exception):
    """Nobody takes items any more."""


class Handing(Generic[Item]):
    """
    A queue of a few places with a thread on one side and the event loop on the other.

    ``put``, ``close`` and ``fail`` are the thread's: one of the latter two comes last. ``end`` is the loop's, and wakes
    a thread that waits for a place. Made where a loop runs, which has to run until the thread has ended.
    """

    def __init__(self, places: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Item | BaseException | None] = asyncio.Queue()
        self._places = threading.Semaphore(places)
        self._has_ended = False
        self.failure: BaseException | None = None

    def put(self, item: Item) -> None:
        """
        Hand an item over, as soon as there is a place.

        Raises:
            Ended: nobody will take it.
        """
        self._places.acquire()
        if self._has_ended:
            raise Ended
        self._hand(item)

    def close(self) -> None:
        """Say that there are no more items."""
        self._hand(None)

    def fail(self, error: BaseException) -> None:
        """Say that there are no more items, and why: whoever takes them gets the error."""
        self.failure = error
        self._hand(error)

    def end(self) -> None:
        """Take no more items."""
        self._has_ended = True
        self._places.release()

    def __aiter__(self) -> AsyncIterator[Item]:
        return self

    async def __anext__(self) -> Item:
        item = await self._queue.get()
        if item is None or isinstance(item, BaseException):
            self._queue.put_nowait(item)
            raise item or StopAsyncIteration
        self._places.release()
        return item

    def _hand(self, item: Item | BaseException | None) -> None:
        self._loop.call_soon_threadsafe(self._queue.put_nowait, item)
