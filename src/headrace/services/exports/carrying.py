"""
The run of an export: everybody is looked at once, and the files become visible together, whole, or not at all.

    plan → select → stage every part → note whom the partner perhaps has → publish → manifest → publish in the store

A run that is killed is begun anew. What it had staged nobody has seen, and is taken back. What it had published may
have been seen: it was noted before, so whoever the next files have otherwise is told as they are (``batch.select``).
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.batch import members
from headrace.batch.export import Files, Manner, Part, export
from headrace.batch.manifest import has_a_file
from headrace.batch.selecting import selecting
from headrace.batch.selection import Blocks, Outcome, People
from headrace.clock import Clock
from headrace.connect.storage import NotStored, Storage
from headrace.crashpoints import crashpoint
from headrace.events import Announce, ExportPublished
from headrace.services.at_partner.notifying import notify
from headrace.services.catalog import tenant_of
from headrace.services.exports import telling, trying
from headrace.services.exports.due import export_of, was_shown
from headrace.services.exports.enriching import enriched
from headrace.services.exports.planning import FilePaths, Plan, plan
from headrace.services.exports.telling import Progress
from headrace.services.steps import HeldSteps, patiently
from headrace.services.storages import StorageAccess, Storages
from headrace.store import evaluations, exports
from headrace.store.database import Store, Transaction
from headrace.store.exports import Published
from headrace.store.runs import Run

#: For how long after a run's moment, in milliseconds, other names are tried where somebody has files of its own.
MOST_LATER = 60_000
_SECOND = 1000
#: Seconds between two looks whether an evaluation is taken in.
LOOK = 1.0


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
        return was_shown(self.plan.run)

    @property
    def later(self) -> int | None:
        """The next moment, of the minute from the run's own on, by which files have other names."""
        moment, last = self.plan.moment, self.plan.run.subject["moment"] + MOST_LATER
        return next((one for one in range(moment + _SECOND, last + 1, _SECOND) if self._has_others_at(one)), None)

    def _has_others_at(self, moment: int) -> bool:
        paths = self.plan.at(moment).files(self.access.folder, self.access.look)
        return paths.path(1) != self.paths.path(1)

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

        async def write(ready: _Ready) -> None:
            try:
                await self._export(ready, steps)
            except NotStored as error:
                if error.cause != "exists" or not await self._renamed(ready, steps):
                    raise
                raise trying.Anew from None

        scratch = self._scratch(run)
        await trying.tried(self._ready, write, run, steps, self.store, self.clock, self.announce, scratch)

    async def _renamed(self, ready: _Ready, steps: HeldSteps) -> bool:
        """Note that nobody has seen files of these names that are ours, and take the next ones, if there are any."""
        moment = ready.plan.moment if ready.later is None else ready.later
        await patiently(lambda: self.store.write(lambda tx: _rename(tx, moment, steps)))
        return ready.later is not None

    def _ready(self, tx: Transaction, run: Run) -> _Ready:
        made = plan(tx, tenant_of(tx, run.tenant), run)
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
            await trying.clear(storage, plan_.run, ready.paths.path)
            if not ready.replaces:
                await trying.refuse_taken(storage, ready.paths.path(1))
            lists = self.lists / str(plan_.tenant.tenant)
            taken = await self._taken(plan_) if plan_.run.subject["besides"] else None
            wanted = await asyncio.to_thread(enriched, plan_.wanted, plan_.uploads, lists)
            selected = await open_.enter_async_context(trying.in_thread(selecting(people, wanted, scratch)))
            files = await open_.enter_async_context(export(selected.rows, ready.access.look, storage, _manner(ready)))
            outcome = selected.outcome()
            if taken is not None and taken != await self._taken(plan_):
                raise trying.Anew  # An evaluation was taken in while people were looked at.
            crashpoint("after_export_staged")
            await patiently(lambda: self.store.write(lambda tx: _show(tx, ready, outcome, steps)))
            crashpoint("after_export_shown")
            parts = await self._publish(ready, storage, files)
        written = [trying.told(part) for part in parts]
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

    async def _taken(self, plan_: Plan) -> int:
        """
        Return how much of evaluations was taken in of the audiences that are wanted, once nothing is being.

        What somebody asks for is of the last evaluation, whole: the half of one is never exported.
        """
        numbers = [one.number for one in plan_.wanted.audiences]
        while True:
            going, rows = await patiently(
                lambda: self.store.read(lambda tx: evaluations.taken_in(tx, plan_.tenant.tenant, numbers))
            )
            if not going:
                return rows
            await asyncio.sleep(LOOK)

    async def _publish(self, ready: _Ready, storage: Storage, files: Files) -> list[Part]:
        """Make the files visible, whole set by whole set, and the manifest last; none where there is nothing to say."""
        is_there = has_a_file(sum(part.rows for part in files.parts), ready.plan.mode)
        parts = [*files.parts] if is_there else []
        if is_there:
            await _show_all(storage, files)
        if ready.replaces and (is_there or ready.paths.has_time):
            await trying.remove_from(storage, ready.paths.path, len(parts) + 1)
        if ready.access.look.has_manifest:
            place, run = (ready.access.base, ready.paths.place.folder), ready.plan.run
            await trying.write_manifest(storage, run, ready.plan.moment, *place, parts)
        return parts

    def _end(self, tx: Transaction, ready: _Ready, outcome: Outcome, told: dict[str, Any], steps: HeldSteps) -> None:
        """Note what was published, with everything that hangs on it: the next increments, the notice, the metrics."""
        steps.hold(tx)
        plan_, now = ready.plan, self.clock.now()
        run, stored = plan_.run, plan_.stored
        for one in outcome.audiences if plan_.is_counted else ():
            published = Published(outcome.cut, run.subject["slot"], run.run, now)
            exports.publish(tx, stored.tenant, stored.dataflow, one.number, published, one.members)
        for one in outcome.audiences if told["files"] else ():
            notify(tx, plan_.tenant, plan_.parts.target.id, export_of(run), run.actor, now, one.number, run)
        steps.note_in(tx, **told)

    def _scratch(self, run: Run) -> Path:
        return self.scratch / run.run


def _manner(ready: _Ready) -> Manner:
    return Manner(
        path=ready.paths.path,
        seal=ready.access.seal,
        replaces=ready.replaces,
        progress=ready.progress,
    )


async def _show_all(storage: Storage, files: Files) -> None:
    """Publish files; where somebody else has one of their names, none of them."""
    try:
        await files.publish()
    except NotStored as error:
        if error.cause == "exists":
            await trying.withdraw(storage, files.published)
        raise


def _rename(tx: Transaction, moment: int, steps: HeldSteps) -> None:
    """Take names of another moment: of these, nobody has seen anything."""
    steps.hold(tx)
    steps.note_in(tx, moment=moment, shown=False)


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
