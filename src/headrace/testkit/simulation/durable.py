"""What carries runs in a history: how far they have come is remembered beyond the death of a process, as DBOS does."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Any

from headrace.orchestrate.port import Json, RunLost, Work

#: Results of steps, by run and place.
Memory = dict[tuple[str, int], Json]


class Remembering:
    """An orchestrator of one process, on a memory that outlives it."""

    def __init__(self, executor: str, memory: Memory) -> None:
        self.executor = executor
        self._memory = memory
        self._works: dict[str, Work] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def register(self, kind: str, work: Work) -> None:
        self._works[kind] = work

    async def start(self) -> None:
        await asyncio.sleep(0)

    async def begin(self, kind: str, run: str) -> None:
        if run not in self._tasks:
            self._tasks[run] = asyncio.create_task(self._carry(kind, run))

    async def _carry(self, kind: str, run: str) -> None:
        with suppress(RunLost):
            await self._works[kind](_Steps(run, self._memory))
        del self._tasks[run]

    async def cancel(self, run: str) -> None:
        await asyncio.sleep(0)

    async def forget(self, runs: Collection[str]) -> None:
        for key in [key for key in self._memory if key[0] in runs]:
            del self._memory[key]

    async def stop(self) -> None:
        tasks: list[asyncio.Task[Any]] = [*self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Steps:
    def __init__(self, run: str, memory: Memory) -> None:
        self.run = run
        self._memory = memory
        self._place = 0

    async def step(self, name: str, work: Callable[[], Awaitable[Json]]) -> Json:
        del name
        self._place += 1
        key = (self.run, self._place)
        if key not in self._memory:
            result = await work()
            await asyncio.sleep(0)
            self._memory[key] = result
        return self._memory[key]
