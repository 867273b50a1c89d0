"""
A process that carries runs and nothing else, made to die: ``python program.py OPTIONS``, which are JSON.

Its runs of the kind ``ten`` have ten steps; each writes its number and the process to the file ``steps``.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from headrace.clock import SystemClock
from headrace.orchestrate.dbos import VERSION, DbosOrchestrator
from headrace.services.runs import Pace, Runs
from headrace.store.database import FILE, Store, _lock
from headrace.store.migrate import migrate
from headrace.store.postgres import _WRITER, Postgres
from headrace.store.sqlite import Sqlite


class Shared(Postgres):
    """A database that several processes write to: each transaction is fenced, which is what is tested here."""

    def _prepare_writer(self, driver):
        driver.execute(_WRITER)


class Program:
    def __init__(self, options):
        self.options = options
        self.directory = Path(options["directory"])
        self.steps = os.open(options["steps"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        url = options["database_url"]
        dialect = Shared(url) if url else Sqlite(self.directory / FILE)
        lock, address = _lock(self.directory, is_shared=bool(url)), url or str(self.directory / FILE)
        self.store = Store(self.directory, dialect, lock, address)
        migrate(self.store)
        pace = Pace(look=0.05, beat=0.2, dead=options["dead"])
        self.runs = Runs(self.store, SystemClock(), self.announce, self.make, is_alone=options["alone"], pace=pace)
        self.runs.register("ten", self.ten)
        self.clock = SystemClock()

    def announce(self, event):
        self.say(f"{type(event).__name__}: {event}")

    def say(self, line):
        os.write(1, f"{line}\n".encode())

    def make(self, executor):
        url = self.options["database_url"].replace("postgresql:", "postgresql+psycopg:")
        orchestrator = DbosOrchestrator(
            url or f"sqlite:///{self.directory / 'runs.db'}",
            executor,
            lambda error: self.say(f"DBOS: {error}"),
            self.options.get("version", VERSION),
        )
        if self.options["die"] == "before begin":
            orchestrator.begin = self.die
        return orchestrator

    async def die(self, *_):
        os.kill(os.getpid(), signal.SIGKILL)

    async def ten(self, run, steps):
        for number in range(self.options.get("steps_in_all", 10)):
            if self.options["die"] == f"stop before {number}":
                os.kill(os.getpid(), signal.SIGSTOP)
            await steps.step(f"{self.options.get('step_name', 'step')} {number}", lambda n=number: self.step(n))
        if self.options["die"] == "after the last step":
            await self.die()

    async def step(self, number):
        if self.options["die"] == f"in step {number}":
            await self.die()
        await asyncio.sleep(self.options.get("step_seconds", 0))
        os.write(self.steps, f"{number} {self.options['name_of_process']}\n".encode())
        return number

    async def run(self):
        await self.runs.start()
        ended = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
        await ended.wait()
        await self.runs.stop()
        self.store.close()


if __name__ == "__main__":
    asyncio.run(Program(json.loads(sys.argv[1])).run())
