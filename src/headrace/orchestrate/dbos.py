"""
Durable runs by DBOS: it writes down what each step of a run returned, and the same work done again passes over those.

The only module that imports DBOS, which takes a second: import this one where runs are carried. DBOS has a thread and
an event loop of its own here, so that it never keeps ours waiting; the work of a run is done on ours, and asks for each
of its steps over there. Which process has a run is decided by the run's row; nothing is dequeued but by whom it is
meant for, so each process has a queue of its own.
"""

import asyncio
import contextlib
import json
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from dbos import DBOS, DBOSConfig, Serializer, SetWorkflowID, error

from headrace.errors import OperationError
from headrace.orchestrate.outcomes import from_json, to_json
from headrace.orchestrate.port import Json, RunLost, Work

T = TypeVar("T")

#: Raised when the steps of some work change so that a run which is under way cannot be gone on with.
VERSION = "1"
SCHEMA = "dbos"
#: How long a step that is under way may take when the process is asked to stop.
GRACE = 10.0
_ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
_SWEPT_EVERY = 30.0
_SWEPT_AT_ONCE = 500
_NAME = "headrace"

#: DBOS is one for a process.
_one = threading.Lock()


class JsonSerializer(Serializer):
    """Writes JSON, where DBOS would write Python objects that are executed when they are read."""

    def serialize(self, data: Any) -> str:
        return json.dumps(data, default=str)

    def deserialize(self, serialized_data: str) -> Any:
        return json.loads(serialized_data)

    def name(self) -> str:
        return "headrace_json"


class _Gone(BaseException):
    """A step found that the run is lost. Not an ``Exception``: DBOS would remember it as what the step came to."""


@dataclass(slots=True)
class _Step:
    """A step that the work of a run asks for, and where the answer goes."""

    name: str
    work: Callable[[], Awaitable[Json]]
    answer: "Future[Json]" = field(default_factory=Future)


class _Steps:
    """What the work of a run is handed, on our event loop."""

    def __init__(self, run: str, ask: Callable[[_Step], None]) -> None:
        self._run = run
        self._ask = ask

    @property
    def run(self) -> str:
        return self._run

    async def step(self, name: str, work: Callable[[], Awaitable[Json]]) -> Json:
        step = _Step(name, work)
        self._ask(step)
        return await asyncio.wrap_future(step.answer)


class DbosOrchestrator:
    """
    Carries runs with DBOS. ``url`` is its database: a file of its own, or PostgreSQL, where it has a schema of its own.

    ``complain`` hears what DBOS reports as an error, in whatever thread.
    """

    def __init__(self, url: str, executor: str, complain: Callable[[str], None], version: str = VERSION) -> None:
        self._url = url
        self._executor = executor
        self._complain = complain
        self._version = version
        self._works: dict[str, Work] = {}
        self._active: dict[str, asyncio.Task[Any]] = {}
        self._in_step: set[str] = set()
        self._is_closing = False
        self._ours: asyncio.AbstractEventLoop | None = None
        self._theirs: asyncio.AbstractEventLoop | None = None
        self._sweeper: asyncio.Task[None] | None = None

    def register(self, kind: str, work: Work) -> None:
        self._works[kind] = work

    async def start(self) -> None:
        if not _one.acquire(blocking=False):
            raise OperationError(
                "another Headrace in this process carries runs; a process carries those of one at a time"
            )
        self._ours = asyncio.get_running_loop()
        self._theirs = asyncio.new_event_loop()
        self._thread = threading.Thread(target=_run, args=(self._theirs,), name="runs", daemon=True)
        self._thread.start()
        try:
            await self._there(self._launch())
        except BaseException as failed:
            await self.stop()
            if not isinstance(failed, Exception):
                raise
            raise OperationError(f"runs cannot be carried: {type(failed).__name__}: {failed}") from failed

    async def begin(self, kind: str, run: str) -> None:
        await self._there(self._begin(kind, run))

    async def cancel(self, run: str) -> None:
        await self._there(DBOS.cancel_workflow_async(run))

    async def stop(self) -> None:
        if self._theirs is not None:
            theirs, self._theirs = self._theirs, None
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._close(), theirs))
            await asyncio.to_thread(DBOS.destroy, destroy_registry=True)
            theirs.call_soon_threadsafe(theirs.stop)
            await asyncio.to_thread(self._thread.join)
            _one.release()

    async def _there(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something on the event loop of DBOS."""
        assert self._theirs is not None, "the orchestrator is not started"
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._theirs))

    # -- on the event loop of DBOS ------------------------------------------------------------------------------------

    async def _launch(self) -> None:
        _redirect_log(self._complain)
        DBOS(config=self._config())
        self._workflow = DBOS.workflow(name="run")(self._carry_one())
        DBOS.listen_queues([self._executor])
        DBOS.launch()
        await DBOS.register_queue_async(self._executor, polling_interval_sec=0.2)
        self._sweeper = asyncio.create_task(self._sweep())

    def _config(self) -> DBOSConfig:
        return {
            "name": _NAME,
            "system_database_url": self._url,
            "dbos_system_schema": SCHEMA,
            "sys_db_pool_size": 5,
            "max_executor_threads": 8,
            "application_version": self._version,
            "executor_id": self._executor,
            "serializer": JsonSerializer(),
            "use_listen_notify": False,
            "enable_otlp": False,
            "log_level": "ERROR",
            "scheduler_polling_interval_sec": 3600.0,
        }

    async def _begin(self, kind: str, run: str) -> None:
        if run in self._active:
            return
        status = await DBOS.get_workflow_status_async(run)
        if status is not None and status.status in _ENDED:
            await DBOS.delete_workflow_async(run)
            status = None
        if status is None:
            with SetWorkflowID(run):
                await DBOS.start_workflow_async(self._workflow, kind, run)
        elif status.app_version != self._version:
            raise OperationError(
                "the work was begun by another version of Headrace, which does it in other steps: retry the run"
            )
        else:
            await DBOS.resume_workflow_async(run, queue_name=self._executor)

    def _carry_one(self) -> Callable[[str, str], Coroutine[Any, Any, None]]:
        """Make the function that DBOS knows as the workflow; it takes ids only."""

        async def run(kind: str, run: str) -> None:
            await self._carry(kind, run)

        return run

    async def _carry(self, kind: str, run: str) -> None:
        """Have the work done on our event loop, and do the steps that it asks for, one after the other."""
        assert self._ours is not None
        theirs, asked = asyncio.get_running_loop(), asyncio.Queue[_Step | None]()

        def ask(step: _Step | None) -> None:
            theirs.call_soon_threadsafe(asked.put_nowait, step)

        self._active[run] = _this_task()
        work = asyncio.run_coroutine_threadsafe(_done(self._works[kind], _Steps(run, ask)), self._ours)
        work.add_done_callback(lambda _: ask(None))
        try:
            while (step := await asked.get()) is not None:
                await self._answer(run, step)
            if not work.result():
                raise asyncio.CancelledError  # DBOS remembers no end, which is for whoever has the run now.
        finally:
            work.cancel()
            self._active.pop(run, None)

    async def _answer(self, run: str, step: _Step) -> None:
        if self._is_closing:
            await asyncio.Event().wait()  # No step is begun any more; closing ends this.
        self._in_step.add(run)
        try:
            came_to = await DBOS.run_step_async({"name": step.name}, self._do, step)
            step.answer.set_result(from_json(came_to))
        except (_Gone, error.DBOSWorkflowConflictIDError, error.DBOSWorkflowCancelledError):
            step.answer.set_exception(RunLost())
        except error.DBOSUnexpectedStepError:
            step.answer.set_exception(OperationError(_changed(step.name)))
        except error.DBOSException as unknown:
            step.answer.set_exception(OperationError(f"the step {step.name!r} cannot be remembered: {unknown}"))
        except Exception as failed:
            step.answer.set_exception(failed)
        finally:
            self._in_step.discard(run)

    async def _do(self, step: _Step) -> Json:
        """Do a step on our event loop; an error is what it came to, and remembered as that."""
        assert self._ours is not None

        async def work() -> Json:
            return await step.work()

        try:
            return to_json(await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(), self._ours)))
        except RunLost:
            raise _Gone from None
        except Exception as failed:
            return to_json(failed)

    async def _sweep(self) -> None:
        """Forget what has come to its end: the store knows of it."""
        while True:
            ended = await DBOS.list_workflows_async(status=_ENDED, limit=_SWEPT_AT_ONCE)
            await DBOS.delete_workflows_async([status.workflow_id for status in ended])
            if len(ended) < _SWEPT_AT_ONCE:
                await asyncio.sleep(_SWEPT_EVERY)

    async def _close(self) -> None:
        """Give the steps that are under way their time, and end all work."""
        self._is_closing = True
        async with asyncio.timeout(GRACE + 1):
            for _ in range(int(GRACE / 0.02)):
                if not self._in_step:
                    break
                await asyncio.sleep(0.02)
        tasks = [*self._active.values(), *([self._sweeper] if self._sweeper else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    """Run an event loop until it is stopped."""
    with contextlib.closing(loop):
        loop.run_forever()


async def _done(work: Work, steps: _Steps) -> bool:
    """Do the work of a run, and say whether it came to its end: not if the run was lost."""
    try:
        await work(steps)
    except RunLost:
        return False
    return True


def _this_task() -> "asyncio.Task[Any]":
    task = asyncio.current_task()
    assert task is not None
    return task


def _changed(step: str) -> str:
    return (
        f"the step {step!r} is not the one that was done here before: this version of Headrace does the work in other"
        " steps; retry the run"
    )


class _Complaints(logging.Handler):
    """Passes on what DBOS reports as an error, and keeps it from writing to the console."""

    def __init__(self, complain: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self._pass_on = complain

    def emit(self, record: logging.LogRecord) -> None:
        cause = record.exc_info[1] if record.exc_info else None
        self._pass_on(record.getMessage() + (f" {type(cause).__name__}: {cause}" if cause else ""))


def _redirect_log(complain: Callable[[str], None]) -> None:
    logger = logging.getLogger("dbos")
    logger.handlers[:] = [_Complaints(complain)]
    logger.propagate = False
