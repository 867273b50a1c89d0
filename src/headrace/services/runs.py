"""
Runs: work that goes on until it is done, whoever dies in between.

The truth is the row of a run in the store, written with what asked for it. ``Runs`` reconciles the world with the rows:
it takes the runs that are due, and those that a dead process left, and has the orchestrator carry their work.
"""

import asyncio
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from headrace.clock import Clock
from headrace.crashpoints import crashpoint
from headrace.errors import Conflict, HeadraceError, NotFound, OperationError
from headrace.events import Announce, RunBegan, RunEnded, RunFailed, RunTakenOver, WorkerFailed
from headrace.orchestrate.outcomes import StepFailed
from headrace.orchestrate.port import Orchestrator, RunLost, Steps
from headrace.services import schedules
from headrace.services.caller import Caller
from headrace.services.exports import due
from headrace.services.steps import HeldSteps, patiently
from headrace.store import audiences, audit, executors, runs
from headrace.store.database import Store, Transaction
from headrace.store.runs import Run

#: Runs that are under way here, with their kinds.
Held = Mapping[str, str]
#: What is done for runs of a kind.
Work = Callable[[Run, HeldSteps], Awaitable[None]]
#: What is done where a run is cancelled, in that transaction.
OnCancel = Callable[[Transaction, Run], object]

DAY = 24 * 60 * 60 * 1000
#: How long runs are kept after their end.
KEPT = 30 * DAY
_REMOVED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Pace:
    """
    How often ``Runs`` does what, in seconds.

    ``dead`` is how long a process may be silent before its runs are taken over; ``idle`` how long the orchestrator is
    kept when there is nothing to carry.
    """

    look: float = 1.0
    beat: float = 5.0
    dead: float = 30.0
    idle: float = 10.0
    tidy: float = 3600.0


@dataclass(frozen=True, slots=True)
class _Kind:
    work: Work
    at_once: int
    on_cancel: OnCancel | None


class Runs:
    """
    Carries the runs that are asked for, in this process.

    ``make`` makes the orchestrator; it is called in a thread when the first run is there to be carried, for it may take
    its time. With ``is_alone`` the store is this process's alone, so that what any other has under way is free.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        announce: Announce,
        make: Callable[[str], Orchestrator],
        *,
        is_alone: bool = True,
        at_once: int = 8,
        pace: Pace = Pace(),
    ) -> None:
        self.executor = str(uuid.uuid4())
        self._store = store
        self._clock = clock
        self._announce = announce
        self._make = make
        self._is_alone = is_alone
        self._at_once = at_once
        self._pace = pace
        self._kinds: dict[str, _Kind] = {}
        self._held: dict[str, str] = {}
        self._orchestrator: Orchestrator | None = None
        self._woken = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._beaten_at = self._busy_at = self._tidied_at = float("-inf")
        self._complaint = ""

    def register(self, kind: str, work: Work, at_once: int = 4, on_cancel: OnCancel | None = None) -> None:
        """Say what is done for runs of a kind, for how many at once, and where one is cancelled; before ``start``."""
        self._kinds[kind] = _Kind(work, at_once, on_cancel)

    async def start(self) -> None:
        """Begin to look for runs."""
        if self._is_alone:
            await self._store.write(lambda tx: executors.remove_others(tx, self.executor))
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._look_again_and_again())

    async def stop(self) -> None:
        """Look no more, and let what is under way be gone on with after the next start, or elsewhere."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._release()
        with suppress(OperationError):
            await self._store.write(lambda tx: executors.remove(tx, self.executor))

    def wake(self) -> None:
        """Say that a run was asked for and committed. From any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._woken.set)

    # -- reconciling --------------------------------------------------------------------------------------------------

    async def reconcile(self) -> None:
        """Look once: ask for what schedules want, and begin what is due or was left, as far as there is room."""
        await self._ask_for_scheduled()
        await self._tidy()
        held = dict(self._held)
        if await self._store.read(lambda tx: self._is_there_any(tx, held)):
            await self._open()
            taken = await self._store.write(lambda tx: self._take(tx, held))
            crashpoint("after_run_taken")
            self._beaten_at = self._clock.monotonic()
            for run, left_by in taken:
                await self._begin(run, left_by)
        elif self._held:
            await self._beat()
        await self._release_if_idle()

    async def _look_again_and_again(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self.reconcile()
                self._complaint = ""
            except Exception as error:  # Whatever it was, the runs are still in the store.
                self._complain(f"{type(error).__name__}: {error}")
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.look):  # ``wait_for`` of 3.11 may lose that it was cancelled.
                    await self._woken.wait()

    async def _ask_for_scheduled(self) -> None:
        now = self._clock.now()
        for of in (schedules, due):
            if await self._store.read(lambda tx, of=of: of.is_any_due(tx, now)):  # type: ignore[misc]
                await self._store.write(lambda tx, of=of: of.ask_due(tx, now))  # type: ignore[misc]

    async def _tidy(self) -> None:
        if self._clock.monotonic() - self._tidied_at >= self._pace.tidy:
            self._tidied_at = self._clock.monotonic()
            before = self._clock.now() - KEPT
            while len(await self._store.write(lambda tx: runs.remove_ended(tx, before, _REMOVED_AT_ONCE))):
                pass

    def _is_there_any(self, tx: Transaction, held: Held) -> bool:
        """Say whether there is a run to take, and room for it."""
        waiting = runs.waiting(tx, self.executor, self._clock.now(), self._dead_before(tx))
        return any(kind in self._kinds and self._room(kind, held) for kind in waiting) or bool(self._lost(tx, held))

    def _lost(self, tx: Transaction, held: Held) -> list[Run]:
        """Return runs that are this process's by their rows and not under way: the answer to taking them was lost."""
        return [run for run in runs.of_executor(tx, self.executor) if run.run not in held]

    def _take(self, tx: Transaction, held: Held) -> list[tuple[Run, str | None]]:
        """Take what there is room for, and say who left it, if anybody did."""
        executors.beat(tx, self.executor)
        dead_before, now, held = self._dead_before(tx), self._clock.now(), dict(held)
        taken: list[tuple[Run, str | None]] = [(run, None) for run in self._lost(tx, held)]
        for kind in self._kinds:
            left = runs.left(tx, kind, self.executor, dead_before, self._room(kind, held))
            taken += [(run, run.executor) for run in left if runs.take_over(tx, run, self.executor)]
            held |= {run.run: run.kind for run, _ in taken}
            asked = runs.take_asked(tx, kind, self.executor, now, self._room(kind, held))
            taken += [(run, None) for run in asked]
            held |= {run.run: run.kind for run in asked}
        return taken

    def _dead_before(self, tx: Transaction) -> int:
        return executors.moment(tx) - int(self._pace.dead * 1000)

    def _room(self, kind: str, held: Held) -> int:
        of_kind = Counter(held.values())
        return max(0, min(self._kinds[kind].at_once - of_kind[kind], self._at_once - of_kind.total()))

    async def _beat(self) -> None:
        if self._clock.monotonic() - self._beaten_at >= self._pace.beat:
            await self._store.write(lambda tx: executors.beat(tx, self.executor))
            self._beaten_at = self._clock.monotonic()

    async def _begin(self, run: Run, left_by: str | None) -> None:
        assert self._orchestrator is not None
        self._held[run.run] = run.kind
        if left_by is None:
            self._announce(RunBegan(kind=run.kind, run=run.run))
        else:
            self._announce(RunTakenOver(kind=run.kind, run=run.run, left_by=left_by))
        try:
            await self._orchestrator.begin(run.kind, run.run)
            crashpoint("after_run_begun")
        except OperationError as error:
            await self._end(run, "failed", error.message)
        except BaseException:
            self._held.pop(run.run, None)
            raise

    # -- the orchestrator ---------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        self._busy_at = self._clock.monotonic()
        if self._orchestrator is None:
            orchestrator = await asyncio.to_thread(self._make, self.executor)
            for kind in self._kinds:
                orchestrator.register(kind, self._carry)
            await orchestrator.start()
            self._orchestrator = orchestrator

    async def _release_if_idle(self) -> None:
        if self._held:
            self._busy_at = self._clock.monotonic()
        elif self._clock.monotonic() - self._busy_at >= self._pace.idle:
            await self._release()

    async def _release(self) -> None:
        orchestrator, self._orchestrator = self._orchestrator, None
        if orchestrator is not None:
            await orchestrator.stop()
        self._held.clear()

    async def _carry(self, steps: Steps) -> None:
        """Do the work of a run, and note how it ended."""
        try:
            run = await patiently(lambda: self._store.read(lambda tx: runs.get(tx, steps.run)))
            if run is None or run.state != "running" or run.executor != self.executor:
                raise RunLost
            held = HeldSteps(steps, run, self.executor, self._store, self._clock)
            state, reason = await _outcome(self._kinds[run.kind].work, run, held)
            await self._end(run, state, reason, held)
        finally:
            self._held.pop(steps.run, None)
            self._woken.set()

    async def _end(self, run: Run, state: str, reason: str | None, held: HeldSteps | None = None) -> None:
        def work(tx: Transaction) -> bool:
            if held is not None and held.progress != run.progress:
                runs.note(tx, run.run, self.executor, held.progress)
            crashpoint("before_run_ended")
            return runs.end(tx, run.run, state, self._clock.now(), reason, self.executor)

        if not await patiently(lambda: self._store.write(work)):
            raise RunLost
        crashpoint("after_run_ended")
        self._held.pop(run.run, None)
        if state == "failed":
            self._announce(RunFailed(kind=run.kind, run=run.run, reason=reason or ""))
        else:
            self._announce(RunEnded(kind=run.kind, run=run.run, state=state))

    def _complain(self, error: str) -> None:
        if error != self._complaint:
            self._complaint = error
            self._announce(WorkerFailed(step="runs", error=error))

    # -- what people ask ----------------------------------------------------------------------------------------------

    async def cancel(self, caller: Caller, id_: str) -> Run:
        """
        End a run that has not ended. The step that is under way is not interrupted; no further one is done.

        Raises:
            NotFound: there is no such run here.
            Conflict: it has ended.
        """

        def work(tx: Transaction) -> tuple[Run, Run]:
            run, now = find(tx, caller, id_), self._clock.now()
            if not runs.end(tx, id_, "cancelled", now):
                raise Conflict(f"the run {id_} has {run.state} already")
            cancelled = find(tx, caller, id_)
            if (kind := self._kinds.get(run.kind)) is not None and kind.on_cancel is not None:
                kind.on_cancel(tx, cancelled)
            audit.note(tx, caller.number, caller.actor, "cancel", "run", id_, now)
            return run, cancelled

        run, cancelled = await self._store.write(work)
        self._announce(RunEnded(kind=run.kind, run=id_, state="cancelled"))
        if self._orchestrator is not None and id_ in self._held:
            await self._orchestrator.cancel(id_)
        return cancelled

    async def retry(self, caller: Caller, id_: str) -> Run:
        """
        Ask for a run that does again what one was to do that failed or was cancelled.

        Raises:
            NotFound: there is no such run here.
            Conflict: it did not fail, was tried again already, or files of the same audience are being written.
        """

        def work(tx: Transaction) -> Run:
            run, now = find(tx, caller, id_), self._clock.now()
            if run.state not in ("failed", "cancelled"):
                raise Conflict(f"the run {id_} is {run.state}: what failed or was cancelled can be tried again")
            if runs.is_tried_again(tx, id_):
                raise Conflict(f"the run {id_} was tried again already: retry the run that did")
            again = runs.ask(tx, run.tenant, run.kind, _again(tx, run), caller.actor, now, retry_of=id_)
            audit.note(tx, caller.number, caller.actor, "retry", "run", again.run, now, details={"retryOf": id_})
            return again

        again = await self._store.write(work)
        self.wake()
        return again


def _again(tx: Transaction, run: Run) -> dict[str, Any]:
    """Return what a run is about that tries one again."""
    if run.kind != due.KIND:
        return run.subject
    names = {number: str(number) for number in run.subject["audiences"]}
    for number in names:
        if (known := audiences.get(tx, run.tenant, number)) is not None:
            names[number] = known.id
    due.refuse_busy(tx, run.tenant, run.subject["dataflow"], names)
    return due.again(run)


async def _outcome(work: Work, run: Run, steps: HeldSteps) -> tuple[str, str | None]:
    """Do the work, and say how it ended. Only of an error of ours the words are known to hold no secret."""
    try:
        await work(run, steps)
    except RunLost:
        raise
    except HeadraceError as error:
        return "failed", error.message
    except StepFailed as error:
        return "failed", f"internal: {error}"
    except Exception as error:
        return "failed", f"internal: {type(error).__name__}"
    return "succeeded", None


def find(tx: Transaction, caller: Caller, id_: str) -> Run:
    """
    Return a run of the caller's sandbox.

    Raises:
        NotFound: there is none of this id.
    """
    run = runs.get(tx, id_)
    if run is None or run.tenant != caller.number:
        raise NotFound(f"there is no run {id_!r} here")
    return run


async def get(store: Store, caller: Caller, id_: str) -> Run:
    """
    Return a run of the caller's sandbox.

    Raises:
        NotFound: there is none of this id.
    """
    return await store.read(lambda tx: find(tx, caller, id_))


async def listing(
    store: Store,
    caller: Caller,
    most: int,
    *,
    before: str | None = None,
    kind: str | None = None,
    state: str | None = None,
    targets: list[str] | None = None,
) -> list[Run]:
    """
    Return runs, newest first; with ``before``, those that were asked for before that one.

    Raises:
        NotFound: there is no run ``before``.
    """

    def work(tx: Transaction) -> list[Run]:
        last = find(tx, caller, before) if before is not None else None
        place = (last.asked_at, last.run) if last is not None else None
        return runs.latest(tx, caller.number, most, before=place, kind=kind, state=state, targets=targets)

    return await store.read(work)
