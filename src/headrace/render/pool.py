"""
The pool of processes that render for delivery.

Groups that wait are given to a free child many at a call, so that a small message costs little more than its rendering.
A child that takes too long, too much memory, or dies for any reason is replaced. What it had is rendered again: group
by group, then halves of a group, until the entry that kills a child is alone. That one is refused, and nothing else.
"""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from headrace.errors import RenderError
from headrace.model.http import Request
from headrace.model.message import Entry, Group, Message
from headrace.render.destination import Composed
from headrace.render.frames import (
    HEAD,
    LONGEST,
    PHONES,
    Answer,
    Call,
    ComposedFrame,
    EntryFrame,
    GroupFrame,
    framed,
    length_of,
)
from headrace.render.recipe import Recipe

_PROGRAM = "import sys; sys.path[:] = {path!r}; from headrace.render.child import main; main()"
_BUFFER = 1 << 20
_read_answer = msgspec.msgpack.Decoder(Answer).decode


@dataclass(frozen=True, slots=True)
class Confines:
    """What one child may take, and when it is replaced although nothing is wrong with it."""

    memory: int = 1 << 29
    """Bytes of address space, the interpreter's own included."""
    cpu_seconds: float = 5.0
    """CPU time of one call."""
    deadline: float = 15.0
    """Wall time of one call."""
    entries: int = 200
    """Entries that share a call with those of other groups."""
    groups: int = 64
    """Groups of one call."""
    calls: int = 20_000
    """Calls after which a child is replaced."""
    recipes: int = 256
    """Recipes a child is sent before it is replaced."""
    waiting: int = 1024
    """Groups that may wait for a child; whoever brings more waits as well."""


class ChildLost(RenderError):
    """The process that rendered it died: it takes more time or memory than there is."""

    code = "render-crashed"


@dataclass(frozen=True, slots=True)
class _Job:
    """A group that waits for its messages. ``alone``: it shares its call with no other."""

    recipe: Recipe
    group: Group
    answer: "asyncio.Future[ComposedFrame]"
    alone: bool


class RenderPool:
    """Composes the messages of groups in child processes."""

    def __init__(self, children: int | None = None, confines: Confines | None = None) -> None:
        self._count = children if children is not None else max(os.cpu_count() or 1, 1)
        self._confines = confines if confines is not None else Confines()
        self._waiting: deque[_Job] = deque()
        self._arrived = asyncio.Semaphore(0)
        self._room = asyncio.Semaphore(self._confines.waiting)
        self._tenders: list[asyncio.Task[None]] = []
        self._children: set[_Child] = set()
        self._reads_phones = False

    @property
    def pids(self) -> list[int]:
        """The processes that are running now."""
        return [child.pid for child in self._children]

    async def start(self) -> None:
        """Start the children; they are ready when they first answer."""
        self._tenders = [asyncio.create_task(self._tend()) for _ in range(self._count)]

    async def stop(self) -> None:
        """End the children. Nothing may be waiting any more."""
        for tender in self._tenders:
            tender.cancel()
        await asyncio.gather(*self._tenders, return_exceptions=True)

    async def compose(self, recipe: Recipe, group: Group) -> Composed:
        """Compose the messages of a group. An entry that kills whoever renders it is refused, and it alone."""
        try:
            return _composed(group, await self._submit(recipe, group, alone=False))
        except ChildLost:
            return await self._compose_alone(recipe, group)

    async def _compose_alone(self, recipe: Recipe, group: Group) -> Composed:
        try:
            return _composed(group, await self._submit(recipe, group, alone=True))
        except ChildLost as lost:
            if len(group.entries) == 1:
                return Composed((), ((group.entries[0], lost),))
        middle = len(group.entries) // 2
        left = await self._compose_alone(recipe, replace(group, entries=group.entries[:middle]))
        right = await self._compose_alone(recipe, replace(group, entries=group.entries[middle:]))
        return Composed(left.messages + right.messages, left.refused + right.refused, left.left_out + right.left_out)

    async def _submit(self, recipe: Recipe, group: Group, *, alone: bool) -> ComposedFrame:
        self._reads_phones = self._reads_phones or recipe.reads_phones
        answer: asyncio.Future[ComposedFrame] = asyncio.get_running_loop().create_future()
        async with self._room:
            self._waiting.append(_Job(recipe, group, answer, alone))
            self._arrived.release()
            return await answer

    async def _tend(self) -> None:
        """Give one child after the other what there is to do."""
        child: _Child | None = None
        try:
            while True:
                jobs = await self._take()
                try:
                    if child is None or child.is_worn or child.reads_phones != self._reads_phones:
                        child = await self._replace(child)
                    answers = await child.call(jobs)
                except ChildLost as lost:
                    child = await self._replace(child)
                    _refuse(jobs, lost)
                else:
                    _answer(jobs, answers)
        finally:
            await self._end(child)

    async def _replace(self, child: "_Child | None") -> "_Child":
        await self._end(child)
        fresh = await _Child.start(self._confines, reads_phones=self._reads_phones)
        self._children.add(fresh)
        return fresh

    async def _end(self, child: "_Child | None") -> None:
        if child is not None:
            self._children.discard(child)
            await child.end()

    async def _take(self) -> list[_Job]:
        """Wait for a job, and take what else is waiting, up to one call's worth."""
        await self._arrived.acquire()
        jobs = [self._waiting.popleft()]
        entries = len(jobs[0].group.entries)
        while not jobs[-1].alone and len(jobs) < self._confines.groups and not self._arrived.locked():
            following = self._waiting[0]
            entries += len(following.group.entries)
            if following.alone or entries > self._confines.entries:
                break
            await self._arrived.acquire()
            jobs.append(self._waiting.popleft())
        return jobs


class _Child:
    """One process that renders, and what it knows already."""

    def __init__(self, process: Process, confines: Confines, *, reads_phones: bool) -> None:
        self.reads_phones = reads_phones
        self._process = process
        self._confines = confines
        self._known: set[str] = set()
        self._calls = 0

    @classmethod
    async def start(cls, confines: Confines, *, reads_phones: bool) -> "_Child":
        """Start a process with an empty environment and nothing open but its pipes."""
        program = _PROGRAM.format(path=[entry for entry in sys.path if entry])
        limits = [str(confines.memory), str(confines.cpu_seconds), *([PHONES] if reads_phones else [])]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-c", program, *limits, stdin=PIPE, stdout=PIPE, env={}, cwd="/", limit=_BUFFER
        )
        return cls(process, confines, reads_phones=reads_phones)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_worn(self) -> bool:
        """Whether it has done its share, or has died since it was last called."""
        confines = self._confines
        worn = self._calls >= confines.calls or len(self._known) >= confines.recipes
        return worn or self._process.returncode is not None

    async def call(self, jobs: Sequence[_Job]) -> list[ComposedFrame]:
        """
        Have groups composed.

        Raises:
            ChildLost: it died, took too long, or answered what no child of ours answers.
        """
        self._calls += 1
        if sum(map(_size, jobs)) > LONGEST // 2:
            raise ChildLost(f"what is rendered at once is more than {LONGEST // 2:,} bytes of people")
        new = {job.recipe.id: job.recipe.written for job in jobs if job.recipe.id not in self._known}
        self._known.update(new)
        frame = framed(Call(new, [_group_frame(job) for job in jobs]))
        try:
            async with asyncio.timeout(self._confines.deadline):
                answer = await self._exchange(frame)
        except TimeoutError:
            raise ChildLost(f"rendering took longer than {self._confines.deadline:g} seconds") from None
        except (OSError, EOFError, ValueError, msgspec.MsgspecError):
            raise ChildLost(await self._why()) from None
        if len(answer.groups) != len(jobs) or not all(map(_is_whole, jobs, answer.groups)):
            raise ChildLost("the process that rendered it answered something else")
        return answer.groups

    async def end(self) -> None:
        """Kill the process, whatever it is doing, and wait until it is gone."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def _exchange(self, frame: bytes) -> Answer:
        calls, answers = self._process.stdin, self._process.stdout
        assert calls is not None
        assert answers is not None
        calls.write(frame)
        await calls.drain()
        head = await answers.readexactly(HEAD)
        return _read_answer(await answers.readexactly(length_of(head)))

    async def _why(self) -> str:
        """Say how the process ended."""
        self._process.stdin.close()  # type: ignore[union-attr]
        try:
            async with asyncio.timeout(1):
                code = await self._process.wait()
        except TimeoutError:
            return "the process that rendered it broke off"
        if code == -signal.SIGPROF:
            return f"rendering took more than {self._confines.cpu_seconds:g} seconds of CPU time"
        if code < 0:
            return f"the process that rendered it was ended by {signal.Signals(-code).name}"
        return "the process that rendered it ran out of memory or failed"


def _size(job: _Job) -> int:
    """Return how many bytes are known of the people of a group."""
    return sum(len(entry.document) + len(entry.shown or b"") for entry in job.group.entries)


def _group_frame(job: _Job) -> GroupFrame:
    group = job.group
    entries = [
        EntryFrame(entry.profile, entry.audience, entry.part, entry.seq, entry.document, entry.changed, entry.shown)
        for entry in group.entries
    ]
    return GroupFrame(job.recipe.id, group.attempt, group.bucket.encode(), entries)


def _is_whole(job: _Job, frame: ComposedFrame) -> bool:
    """Say whether every entry of a group is in the answer exactly once."""
    places = [place for message in frame.messages for place in message.entries]
    places += [refused.entry for refused in frame.refused]
    shown = all(len(message.shown) == len(message.entries) for message in frame.messages)
    return shown and sorted(places) == list(range(len(job.group.entries)))


def _composed(group: Group, frame: ComposedFrame) -> Composed:
    def entries(places: Sequence[int]) -> tuple[Entry, ...]:
        return tuple(group.entries[place] for place in places)

    messages = tuple(
        Message(
            message.id,
            Request(message.method, message.url, message.headers, message.body),
            entries(message.entries),
            tuple(message.shown),
            names=tuple(message.names),
        )
        for message in frame.messages
    )
    refused = tuple((group.entries[item.entry], _Refused(item.code, item.reason)) for item in frame.refused)
    return Composed(messages, refused, tuple(frame.left_out))


class _Refused(RenderError):
    """An entry could not be rendered; the code says in what way."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code  # type: ignore[misc]


def _answer(jobs: Sequence[_Job], answers: Sequence[ComposedFrame]) -> None:
    for job, answer in zip(jobs, answers, strict=True):
        if not job.answer.done():
            job.answer.set_result(answer)


def _refuse(jobs: Sequence[_Job], lost: ChildLost) -> None:
    for job in jobs:
        if not job.answer.done():
            job.answer.set_exception(ChildLost(lost.message))
