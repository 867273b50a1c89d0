"""
The run of an export: everybody is looked at once, and the files become visible together, whole, or not at all.

    plan → select → stage every part → note whom the partner perhaps has → publish → manifest → publish in the store

A run that is killed is begun anew. What it had staged nobody has seen, and is taken back. What it had published may
have been seen: it was noted before, so whoever the next files have otherwise is told as they are (``batch.select``).
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from headrace.batch import members
from headrace.batch.export import Files, Manner, Part, export
from headrace.batch.filenames import joined
from headrace.batch.manifest import Written, has_a_file, manifest, name_of_manifest
from headrace.batch.selecting import Selected, selecting
from headrace.batch.selection import Blocks, Outcome, People
from headrace.clock import Clock
from headrace.connect.storage import NotStored, Storage
from headrace.crashpoints import crashpoint
from headrace.errors import HeadraceError
from headrace.events import Announce, ExportPublished
from headrace.orchestrate.port import RunLost
from headrace.services.at_partner.notifying import notify
from headrace.services.at_partner.recording import wait_after
from headrace.services.catalog import tenant_of
from headrace.services.exports import telling
from headrace.services.exports.due import KIND, export_of
from headrace.services.exports.enriching import enriched
from headrace.services.exports.planning import FilePaths, Plan, plan
from headrace.services.exports.telling import Progress
from headrace.services.steps import HeldSteps, patiently
from headrace.services.storages import StorageAccess, Storages
from headrace.store import exports, runs
from headrace.store.database import Store, Transaction
from headrace.store.exports import Published
from headrace.store.runs import Run

T = TypeVar("T")
#: How often an export is tried by itself where the storage could not be reached, which takes most of a day.
MOST_TRIES = 24
#: Seconds between two looks whether the run is still to be carried.
_LOOK = 1.0


@dataclass(frozen=True, slots=True)
class _Ready:
    """A run that can be carried: what it is about, and the storage that takes its files."""

    plan: Plan
    access: StorageAccess
    paths: FilePaths
    progress: Progress

    @property
    def is_again(self) -> bool:
        """Whether an earlier try may have shown files."""
        return bool(self.plan.run.progress.get("shown") or self.plan.run.subject.get("tried"))

    @property
    def replaces(self) -> bool:
        """Whether files of these names give way: an earlier try's, or the last export's where names have no time."""
        return self.is_again or not self.paths.has_time


@dataclass(frozen=True, slots=True)
class Exporting:
    """
    Carries the runs that write files.

    ``people`` gives those of a sandbox, ``lists`` has what was uploaded of audiences, and ``scratch`` is for what does
    not fit into memory.
    """

    store: Store
    clock: Clock
    storages: Storages
    people: Callable[[int], People]
    lists: Path
    scratch: Path
    announce: Announce

    async def carry(self, run: Run, steps: HeldSteps) -> None:
        """
        Write the files of a run, or go on with it.

        Raises:
            HeadraceError: they could not be written, and the partner has none of them. Where that may pass, another
                run is asked for, until it was tried often enough.
        """
        try:
            await steps.step("export", lambda: self._carried(run, steps))
        except NotStored as error:
            if error.may_pass:
                await steps.step("ask again", lambda: self._ask_again(run))
            raise
        finally:
            await asyncio.to_thread(shutil.rmtree, self._scratch(run), ignore_errors=True)

    async def _carried(self, run: Run, steps: HeldSteps) -> None:
        ready = await patiently(lambda: self.store.read(lambda tx: self._ready(tx, run)))
        if ready is None:
            return
        try:
            await _while_ours(steps, ready.progress, self.clock, self._export(ready, steps))
        except HeadraceError as error:
            error.message = ready.access.redact(error.message)
            error.args = (error.message,)
            raise

    def _ready(self, tx: Transaction, run: Run) -> _Ready | None:
        """Read what a run is about; nothing, where it has published already, and died before that was known."""
        current = runs.get(tx, run.run) or run
        if current.progress.get("published"):
            return None
        made = plan(tx, tenant_of(tx, run.tenant), current)
        parts = made.parts
        access = self.storages.access(tx, made.tenant, parts.edition, parts.account, parts.target)
        paths = made.files(access.folder, access.look)
        return _Ready(made, access, paths, Progress(self.clock.monotonic(), made.size or None))

    async def _export(self, ready: _Ready, steps: HeldSteps) -> None:
        """Do it all. Leaving this by an error, or because the run was cancelled, leaves nothing at the partner."""
        plan_, began = ready.plan, self.clock.now()
        people, scratch = self.people(plan_.tenant.tenant), self._scratch(plan_.run)
        async with AsyncExitStack() as open_:
            storage = await open_.enter_async_context(ready.access.open())
            await _clear(storage, ready)
            lists = self.lists / str(plan_.tenant.tenant)
            wanted = await asyncio.to_thread(enriched, plan_.wanted, plan_.uploads, lists)
            selected = await open_.enter_async_context(_in_thread(selecting(people, wanted, scratch)))
            files = await open_.enter_async_context(export(selected.rows, ready.access.look, storage, _manner(ready)))
            outcome = selected.outcome()
            crashpoint("after_export_staged")
            await patiently(lambda: self.store.write(lambda tx: _show(tx, ready, outcome, steps)))
            crashpoint("after_export_shown")
            parts = await self._publish(ready, storage, files)
        written = [_told(part) for part in parts]
        crashpoint("after_export_published")
        run = {"beganAt": began, "endedAt": self.clock.now()}
        told = telling.ended(plan_, run, outcome, parts, written)
        await patiently(lambda: self.store.write(lambda tx: self._end(tx, ready, outcome, told, steps)))
        crashpoint("after_export_committed")
        self.announce(
            ExportPublished(
                dataflow=plan_.stored.id,
                run=plan_.run.run,
                rows=told["rows"],
                bytes=told["bytes"],
                files=len(parts),
                seconds=(run["endedAt"] - began) / 1000,
            )
        )

    async def _publish(self, ready: _Ready, storage: Storage, files: Files) -> list[Part]:
        """Make the files visible, whole set by whole set, and the manifest last; none where there is nothing to say."""
        is_there = has_a_file(sum(part.rows for part in files.parts), ready.plan.mode)
        parts = [*files.parts] if is_there else []
        if is_there:
            await files.publish()
        if ready.replaces and (is_there or ready.paths.has_time):
            await _remove_from(storage, ready, len(parts) + 1)
        if ready.access.look.has_manifest:
            await storage.write(*_manifest(ready, parts), replaces=True)
        return parts

    def _end(self, tx: Transaction, ready: _Ready, outcome: Outcome, told: dict[str, Any], steps: HeldSteps) -> None:
        """Note what was published, with everything that hangs on it: the next increments, the notice, the metrics."""
        steps.hold(tx)
        plan_, now = ready.plan, self.clock.now()
        run, stored = plan_.run, plan_.stored
        for one in outcome.audiences if plan_.is_counted else ():
            published = Published(outcome.cut, run.subject["slot"], run.run, now)
            exports.publish(tx, stored.tenant, stored.dataflow, one.number, published, one.members)
        for one in outcome.audiences:
            notify(tx, plan_.tenant, plan_.parts.target.id, export_of(run), run.actor, now, one.number, run.run)
        steps.note_in(tx, **told)

    async def _ask_again(self, run: Run) -> None:
        """Ask for the next try, unless somebody has already: also when this step is done a second time."""
        now, tried = self.clock.now(), int(run.subject.get("tried", 0)) + 1

        def work(tx: Transaction) -> None:
            if tried < MOST_TRIES and not runs.is_tried_again(tx, run.run):
                subject = {**run.subject, "tried": tried, "export": export_of(run)}
                runs.ask(tx, run.tenant, KIND, subject, run.actor, now, now + wait_after(tried), retry_of=run.run)

        await patiently(lambda: self.store.write(work))

    def _scratch(self, run: Run) -> Path:
        return self.scratch / run.run


def _manner(ready: _Ready) -> Manner:
    return Manner(
        path=ready.paths.path,
        seal=ready.access.seal,
        replaces=ready.replaces,
        progress=ready.progress,
    )


async def _clear(storage: Storage, ready: _Ready) -> None:
    """Take back what a try that was killed has left under way."""
    known = ready.plan.run.progress
    if known.get("parts") is not None or ready.is_again:
        for part in range(1, int(known.get("parts") or 0) + 2):
            await storage.clear(ready.paths.path(part))


async def _remove_from(storage: Storage, ready: _Ready, first: int) -> None:
    """Remove parts of an older set of files of these names: they would be taken for the end of this one."""
    number = first
    while await storage.look(ready.paths.path(number)) is not None:
        await storage.remove(ready.paths.path(number))
        number += 1


def _show(tx: Transaction, ready: _Ready, outcome: Outcome, steps: HeldSteps) -> None:
    """Note whom the partner surely and perhaps has as members, once any of the files can be seen."""
    steps.hold(tx)
    stored = ready.plan.stored
    known = {one.number: one.known for one in ready.plan.wanted.audiences}
    for one in outcome.audiences:
        before = known[one.number]
        surely = members.both(before.surely, one.members)
        perhaps = members.either(before.surely if before.perhaps is None else before.perhaps, one.members)
        exports.show(tx, stored.tenant, stored.dataflow, one.number, _beside(surely, perhaps))
    steps.note_in(tx, shown=True, **ready.progress.told(ready.progress.began))


def _beside(surely: Blocks, perhaps: Blocks) -> list[tuple[int, bytes, bytes]]:
    """Put blocks of the same people beside each other."""
    sure, all_ = dict(surely), dict(perhaps)
    return [(block, sure.get(block, b""), packed) for block, packed in sorted(all_.items())]


def _manifest(ready: _Ready, parts: Sequence[Part]) -> tuple[str, AsyncIterator[bytes]]:
    """Return where the manifest lies, and what is in it."""
    plan_, base = ready.plan, ready.access.base
    slot = plan_.run.subject["slot"]
    files = [Written(joined(base, part.path), part.size, part.rows, part.sha256) for part in parts]
    body = manifest(plan_.run.run, plan_.moment if slot is None else slot, files)
    name = name_of_manifest(plan_.stored.id, plan_.run.run)

    async def pieces() -> AsyncIterator[bytes]:
        yield body

    return joined(ready.paths.place.folder, name), pieces()


def _told(part: Part) -> dict[str, Any]:
    return {"path": part.path, "rows": part.rows, "bytes": part.size, "sha256": part.sha256}


async def _while_ours(steps: HeldSteps, progress: Progress, clock: Clock, work: Coroutine[Any, Any, None]) -> None:
    """Do something long, and stop it when the run is cancelled, or another process has it."""
    working = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait([working], timeout=_LOOK))[0]:
            if not await steps.still_ours():
                raise RunLost
            await steps.note(**progress.told(clock.monotonic()))
        working.result()
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


@asynccontextmanager
async def _in_thread(context: AbstractContextManager[Selected]) -> AsyncIterator[Selected]:
    """Enter and leave, in threads, what blocks; whoever is cancelled on the way in leaves it all the same."""
    entering = asyncio.ensure_future(asyncio.to_thread(context.__enter__))
    try:
        yield await asyncio.shield(entering)
    finally:
        await asyncio.wait([entering])
        if entering.exception() is None:
            await asyncio.to_thread(context.__exit__, None, None, None)
