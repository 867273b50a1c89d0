"""
An event loop whose time is made up and whose order is a matter of luck, all of it from one seed.

Time jumps to the next timer as soon as nothing is left to do. Of what is ready at one moment, the next is drawn by lot:
an order that a real loop might have had, had answers and timers come a little earlier or later.

Everything that runs belongs to a *life* (a process that is simulated), or to the world. What a task starts belongs to
the life of the task, for it goes by its context. A life that is frozen does nothing until it is let go on; one that has
ended never does anything again, not even its ``finally``: that is what SIGSTOP and SIGKILL do.
"""

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from inspect import CORO_CREATED, getcoroutinestate
from random import Random
from types import CoroutineType
from typing import Any, Self, TypeVar, cast

T = TypeVar("T")


class Life:
    """A process that is simulated, as the loop sees it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_over = False
        self.is_frozen = False
        self.held: list[Handle] = []
        self.context = copy_context()
        self.context.run(_LIFE.set, self)


_LIFE: ContextVar[Life | None] = ContextVar("life", default=None)


class Handle:
    """Something to be called; ``at`` is when, for a timer."""

    __slots__ = ("arguments", "at", "callback", "context", "is_cancelled")

    def __init__(self, callback: Callable[..., Any], arguments: tuple[Any, ...], context: Context, at: float) -> None:
        self.callback = callback
        self.arguments = arguments
        self.context = context
        self.at = at
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True

    def cancelled(self) -> bool:
        return self.is_cancelled

    def when(self) -> float:
        return self.at


def _own(context: Context | None) -> Context:
    """Return the context that is given, which is false where it is empty; else one like that of whoever calls."""
    return copy_context() if context is None else context


class _Task(asyncio.Task[Any]):
    """A task that sets keep in the order of their making, so that no address in memory decides anything."""

    def __init__(self, *arguments: Any, number: int, **more: Any) -> None:
        self._number = number
        super().__init__(*arguments, **more)

    def __hash__(self) -> int:
        return self._number


class _Future(asyncio.Future[Any]):
    def __init__(self, *, number: int, loop: asyncio.AbstractEventLoop) -> None:
        self._number = number
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._number


class Stuck(Exception):
    """Nothing is left to be done, and what was waited for has not come."""


class Loop(asyncio.AbstractEventLoop):
    """The loop of one history. ``steps`` counts what was called."""

    def __init__(self, luck: Random) -> None:
        self._luck = luck
        self._now = 0.0
        self._ready: list[Handle] = []
        self._timers: list[tuple[float, int, Handle]] = []
        self._made = 0
        self._is_running = False
        self._tasks: list[_Task] = []
        self.steps = 0
        self.faults: list[str] = []

    @classmethod
    def seeded(cls, luck: Random) -> Self:
        """Make a loop. What a real one has beyond this, such as sockets, is not there."""
        return cls(luck)

    # -- what asyncio asks of a loop ----------------------------------------------------------------------------------

    def time(self) -> float:
        return self._now

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return self._is_running

    def is_closed(self) -> bool:
        return False

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Any:
        handle = Handle(callback, args, _own(context), 0.0)
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Any:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Any:
        handle = Handle(callback, args, _own(context), when)
        heapq.heappush(self._timers, (when, self._number(), handle))
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return _Future(number=self._number(), loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None) -> asyncio.Task[Any]:
        task = _Task(coro, number=self._number(), loop=self, name=name or "task", context=_own(context))
        self._tasks.append(task)
        if len(self._tasks) > 512:
            self._tasks = [task for task in self._tasks if not task.done()]
        return task

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Do at once what a thread would do."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.faults.append(f"{context.get('message')}: {type(error).__name__}: {error}")

    # -- running ------------------------------------------------------------------------------------------------------

    def run(self, coro: Coroutine[Any, Any, T]) -> T:
        """
        Run until a coroutine is done.

        Raises:
            Stuck: it waits for what will never come.
        """
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        self._is_running = True
        try:
            main = self.create_task(coro)
            while not main.done():
                self._step()
            return cast(T, main.result())
        finally:
            self._is_running = False
            asyncio._set_running_loop(before)

    def bury(self) -> None:
        """
        End whatever was never finished, after everything was judged.

        Ended lives come back for this alone: what they do now touches nothing, for what they stand on refuses.
        """
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            self._timers.clear()
            self._ready.clear()
            for task in self._tasks:
                coroutine = task.get_coro()
                if isinstance(coroutine, CoroutineType) and getcoroutinestate(coroutine) == CORO_CREATED:
                    coroutine.close()
            for _ in range(20):
                left = [task for task in self._tasks if not task.done()]
                if not left:
                    break
                for task in left:
                    task.cancel()
                self._let_all_live(left)
                self._finish()
        finally:
            asyncio._set_running_loop(before)
            self._tasks.clear()
            self.faults.clear()

    def _let_all_live(self, tasks: list[_Task]) -> None:
        for task in tasks:
            life = task.get_context().get(_LIFE) if hasattr(task, "get_context") else None
            if life is not None:
                life.is_over = life.is_frozen = False

    def _finish(self) -> None:
        for _ in range(100_000):
            if not self._ready:
                return
            handle = self._ready.pop()
            if not handle.is_cancelled:
                handle.context.run(handle.callback, *handle.arguments)

    def _number(self) -> int:
        self._made += 1
        return self._made

    def _step(self) -> None:
        ready = self._ready
        if not ready:
            self._jump()
            return
        place = int(self._luck.random() * len(ready))
        handle = ready[place]
        last = ready.pop()
        if last is not handle:
            ready[place] = last
        if handle.is_cancelled:
            return
        life = handle.context.get(_LIFE)
        if life is not None:
            if life.is_over:
                return
            if life.is_frozen:
                life.held.append(handle)
                return
        self.steps += 1
        handle.context.run(handle.callback, *handle.arguments)

    def _jump(self) -> None:
        """Let time go on to the next timer, and everything of that moment be ready."""
        timers = self._timers
        while timers and timers[0][2].is_cancelled:
            heapq.heappop(timers)
        if not timers:
            raise Stuck("nothing is left to be done, and what is waited for has not come")
        self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= self._now:
            self._ready.append(heapq.heappop(timers)[2])

    # -- lives --------------------------------------------------------------------------------------------------------

    def start(self, life: Life | None, coro: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Make a task of a life's, or of the world's."""
        context = Context() if life is None else life.context.copy()
        return self.create_task(coro, context=context)

    def freeze(self, life: Life) -> None:
        """Stop a life where it is (SIGSTOP)."""
        life.is_frozen = True

    def thaw(self, life: Life) -> None:
        """Let a life go on (SIGCONT)."""
        life.is_frozen = False
        held, life.held = life.held, []
        self._ready += held

    def end(self, life: Life) -> None:
        """End a life where it is (SIGKILL)."""
        life.is_over = True
        life.held.clear()
