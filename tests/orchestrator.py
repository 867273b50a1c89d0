"""An orchestrator that keeps what it remembers in this process: for tests of services, where nobody dies."""

import asyncio
import json
from contextlib import suppress

from headrace.orchestrate.outcomes import from_json, to_json
from headrace.orchestrate.port import RunLost


class Remembering:
    """Carries runs on this event loop. ``results`` are of steps that were done: (run, place) to name and result."""

    def __init__(self, executor=""):
        self.executor = executor
        self.works = {}
        self.tasks = {}
        self.results = {}

    def register(self, kind, work):
        self.works[kind] = work

    async def start(self):
        pass

    async def begin(self, kind, run):
        if run not in self.tasks:
            self.tasks[run] = asyncio.create_task(self._carry(kind, run))

    async def _carry(self, kind, run):
        with suppress(RunLost):
            await self.works[kind](_Steps(run, self.results))
        del self.tasks[run]

    async def finish(self):
        """Wait until nothing is under way."""
        while self.tasks:
            await asyncio.wait(self.tasks.values())

    async def cancel(self, run):
        pass

    async def stop(self):
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


class _Steps:
    def __init__(self, run, results):
        self.run = run
        self._results = results
        self._place = 0

    async def step(self, name, work):
        self._place += 1
        key = (self.run, self._place)
        if key not in self._results:
            self._results[key] = (name, await _outcome(work))
        known, written = self._results[key]
        assert known == name
        return from_json(json.loads(written))


async def _outcome(work):
    """What a step came to, as it is remembered: errors too, with their words alone. A run that is lost is not."""
    try:
        outcome = await work()
    except RunLost:
        raise
    except Exception as error:
        outcome = error
    return json.dumps(to_json(outcome))
