"""
Slots: how many requests may be under way for one account, so that a hanging partner holds only its own.

A group is claimed a little before its request can leave, so that a fast partner never waits for the store: as many as
the account's requests will carry in ``AHEAD`` seconds at the pace of the last ones. With a partner that hangs that is
no more than the requests themselves.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

#: How far ahead of its requests an account's groups are claimed, in seconds and in groups for each request.
AHEAD = 0.1
MOST_AHEAD = 32
_MEMORY = 0.8


class _Account:
    """The requests and the claimed groups of one account. ``pace`` is the seconds a request takes, slowly forgotten."""

    __slots__ = ("held", "pace", "requests", "under_way")

    def __init__(self, each: int) -> None:
        self.requests = asyncio.Semaphore(each)
        self.held = 0
        self.under_way = 0
        self.pace = AHEAD


class Slots:
    """The free places of every account. ``freed`` is set whenever one is given back."""

    def __init__(self, each: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.freed = asyncio.Event()
        self._each = each
        self._monotonic = monotonic
        self._accounts: dict[str, _Account] = {}

    def free(self, account: str) -> int:
        """Return how many more groups may be claimed for an account."""
        known = self._accounts.get(account)
        if known is None:
            return self._each
        ahead = min(max(AHEAD / max(known.pace, 1e-6), 1.0), MOST_AHEAD)
        return int(self._each * ahead) - known.held

    def take(self, account: str) -> None:
        """Hold a place for a claimed group."""
        self._of(account).held += 1

    def returner(self, account: str) -> Callable[[Any], None]:
        """Return the function that gives a group's place back, for the end of its task."""
        known = self._of(account)

        def give_back(_task: object) -> None:
            known.held -= 1
            self.freed.set()

        return give_back

    @asynccontextmanager
    async def request(self, account: str) -> AsyncIterator[None]:
        """Wait until a request of an account may leave, and measure how long it takes."""
        known = self._of(account)
        async with known.requests:
            started = self._monotonic()
            known.under_way += 1
            try:
                yield
            finally:
                known.under_way -= 1
            known.pace = _MEMORY * known.pace + (1 - _MEMORY) * (self._monotonic() - started)

    def under_way(self) -> dict[str, int]:
        """Return how many requests of each account are under way at this moment."""
        return {account: known.under_way for account, known in self._accounts.items()}

    def _of(self, account: str) -> _Account:
        known = self._accounts.get(account)
        if known is None:
            known = self._accounts[account] = _Account(self._each)
        return known
