"""
Hearing: what one process changes in the store, others are told at its commit.

It makes them quicker, and nothing is lost without it: who does not hear looks by itself, every few seconds for what
waits, and before each message whether the account's credentials are the same.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import aclosing

from headrace.errors import HeadraceError
from headrace.events import Announce, WorkerFailed
from headrace.services.tokens import Tokens
from headrace.store import dataflows
from headrace.store.database import Store

#: Seconds before a connection that was lost is made anew.
PAUSE = 1.0

Wake = Callable[[int, Iterable[int]], None]


class Hearing:
    """Wakes the dataflows of this process that others have something for, and has changed credentials looked at."""

    def __init__(self, store: Store, announce: Announce, tokens: Tokens, wake: Wake) -> None:
        self._store = store
        self._announce = announce
        self._tokens = tokens
        self._wake = wake
        self._complaint = ""

    async def keep_listening(self) -> None:
        """Until cancelled: listen, where others may have the store."""
        while self._store.is_shared:
            self._tokens.trusts_itself = False
            try:
                await self._listen()
            except HeadraceError as error:
                self._complain(error.message)
            self._tokens.trusts_itself = False  # What is told meanwhile is not heard.
            await asyncio.sleep(PAUSE)

    async def _listen(self) -> None:
        async with aclosing(self._store.hear()) as hearing:
            async for said in hearing:
                if said is None:
                    self._complaint, self._tokens.trusts_itself = "", True
                    self._wake_all(await self._store.read(dataflows.every))
                else:
                    await self._heard(said)

    async def _heard(self, said: str) -> None:
        """Take note of a sandbox that has changed, or of one dataflow that has something waiting."""
        tenant, _, dataflow = said.partition(":")
        if dataflow:
            self._wake(int(tenant), [int(dataflow)])
        else:
            self._tokens.doubt(int(tenant))
            self._wake_all(await self._store.read(lambda tx: dataflows.all_of(tx, int(tenant))))

    def _wake_all(self, flows: Iterable[dataflows.StoredDataflow]) -> None:
        for flow in flows:
            self._wake(flow.tenant, [flow.dataflow])

    def _complain(self, error: str) -> None:
        if error != self._complaint:
            self._complaint = error
            self._announce(WorkerFailed(step="listen", error=error))
