"""
The run of an export of datasets: all datasets of a dataflow at one moment, and their files become visible together.

    plan → find rows → stage every part, dataset by dataset → publish → manifests → publish in the store

What was published last is known by its snapshots, and noted in the one transaction that ends the export. A run that is
killed is begun anew, and its files have the names that they had: those that were seen already are replaced.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from headrace.batch.export import Files, Manner, Part, export
from headrace.batch.parts import Rows
from headrace.clock import Clock
from headrace.connect.storage import Storage
from headrace.crashpoints import crashpoint
from headrace.datasets.added import Finding, Found
from headrace.datasets.engine import Engine
from headrace.datasets.manifest import Manifest
from headrace.datasets.snapshot import Snapshot
from headrace.errors import HeadraceError
from headrace.events import Announce, ExportPublished
from headrace.model.file_format import FileFormat
from headrace.services.catalog import tenant_of
from headrace.services.datasets import Datasets
from headrace.services.erased import Erased, Sieve
from headrace.services.exports import dataset_telling as telling
from headrace.services.exports import trying
from headrace.services.exports.dataset_planning import YEAR, DatasetPlan, OfDataset, Read, plan_datasets
from headrace.services.exports.dataset_telling import Written
from headrace.services.exports.due import was_shown
from headrace.services.exports.looks import look_of_datasets
from headrace.services.exports.sifting import Sifting
from headrace.services.exports.telling import Progress
from headrace.services.steps import HeldSteps, patiently
from headrace.services.storages import StorageAccess, Storages
from headrace.store import exported_datasets
from headrace.store.database import Store, Transaction
from headrace.store.exported_datasets import ExportedDataset
from headrace.store.runs import Run


@dataclass(frozen=True, slots=True)
class _Ready:
    """A run that can be carried: what it is about, the storage that takes its files, and how they look."""

    plan: DatasetPlan
    access: StorageAccess
    look: FileFormat
    progress: Progress

    def path(self, dataset: str, part: int) -> str:
        return self.plan.path(dataset, part, self.access.folder, self.look)

    def folder(self, dataset: str) -> str:
        return self.plan.folder(dataset, self.access.folder)


@dataclass(frozen=True, slots=True)
class _Staged:
    """One dataset whose files are uploaded, and not seen yet."""

    written: Written
    files: Files | None = None


@dataclass(frozen=True, slots=True)
class ExportingDatasets:
    """Carries the runs that write datasets. ``scratch`` is for what does not fit into memory."""

    store: Store
    clock: Clock
    storages: Storages
    datasets: Datasets
    erased: Erased
    scratch: Path
    announce: Announce

    async def carry(self, run: Run, steps: HeldSteps) -> None:
        """
        Write the files of a run, or go on with it.

        Raises:
            HeadraceError: they could not be written, and nothing was noted. Where that may pass, another run is asked
                for, until it was tried often enough.
        """

        async def write(ready: _Ready) -> None:
            await self._export(ready, steps)

        scratch = self.scratch / run.run
        await trying.tried(self._ready, write, run, steps, self.store, self.clock, self.announce, scratch)

    def _ready(self, tx: Transaction, run: Run) -> _Ready:
        plan = plan_datasets(tx, tenant_of(tx, run.tenant), run)
        parts = plan.parts
        access = self.storages.access(tx, plan.tenant, parts.edition, parts.account, parts.target)
        look = look_of_datasets(access.look, access.customer_data)
        return _Ready(plan, access, look, Progress(self.clock.monotonic(), plan.size))

    async def _export(self, ready: _Ready, steps: HeldSteps) -> None:
        """Do it all. Leaving this by an error, or because the run was cancelled, leaves nothing that was not seen."""
        plan, began = ready.plan, self.clock.now()
        async with AsyncExitStack() as open_:
            storage = await open_.enter_async_context(ready.access.open())
            await _clear(storage, ready)
            sieve = await asyncio.to_thread(self.erased.sieve, self.store, plan.tenant.tenant)
            staged = [await self._staged(ready, one, sieve, storage, open_) for one in plan.wanted]
            crashpoint("after_export_staged")
            await patiently(lambda: self.store.write(lambda tx: _show(tx, ready, steps)))
            crashpoint("after_export_shown")
            await _publish(storage, ready, staged)
        crashpoint("after_export_published")
        run = {"beganAt": began, "endedAt": self.clock.now()}
        written = [one.written for one in staged]
        parts = [part for one in written for part in one.parts]
        told = telling.ended(plan, run, written, [trying.told(part) for part in parts], ready.look)
        await patiently(lambda: self.store.write(lambda tx: self._end(tx, plan, written, told, steps)))
        crashpoint("after_export_committed")
        self.announce(
            ExportPublished(
                dataflow=plan.stored.id,
                run=plan.run.run,
                rows=told["rows"],
                bytes=told["bytes"],
                files=len(parts),
                seconds=(run["endedAt"] - began) / 1000,
            )
        )

    def _end(
        self, tx: Transaction, plan: DatasetPlan, written: list[Written], told: dict[str, Any], steps: HeldSteps
    ) -> None:
        """Note what was published, with everything that hangs on it: the next increments, and the metrics."""
        steps.hold(tx)
        now, stored = self.clock.now(), plan.stored
        for one in written if plan.is_counted else ():
            exported = ExportedDataset(one.of.id, one.of.newest.stored.number, plan.run.run, now)
            exported_datasets.put(tx, stored.tenant, stored.dataflow, exported)
        steps.note_in(tx, **told)

    # -- one dataset --------------------------------------------------------------------------------------------------

    async def _staged(
        self, ready: _Ready, one: OfDataset, sieve: Sieve | None, storage: Storage, open_: AsyncExitStack
    ) -> _Staged:
        """Upload the rows of a dataset; the files are taken back by ``open_`` where they are not published."""
        if not one.has_news:
            return _Staged(Written(one))
        sifting = Sifting(sieve)
        manner = _manner(ready, one)
        async with self._rows(ready, one, sifting) as (rows, found):
            files = await open_.enter_async_context(export(rows, ready.look, storage, manner))
        is_there = any(part.rows for part in files.parts)
        parts = files.parts if is_there else ()
        return _Staged(
            Written(one, parts, found.how, found.why or one.why, sifting.left_out), files if is_there else None
        )

    @asynccontextmanager
    async def _rows(self, ready: _Ready, one: OfDataset, sifting: Sifting) -> AsyncIterator[tuple[Rows, Found]]:
        finding = self._found(ready.plan, one, sifting)
        try:
            async with trying.in_thread(finding, sifting.give_up) as found:
                yield found
        except HeadraceError as error:
            error.message = f"the dataset {one.name!r} cannot be exported: {error.message}"
            error.args = (error.message,)
            raise

    @contextmanager
    def _found(self, plan: DatasetPlan, one: OfDataset, sifting: Sifting) -> Iterator[tuple[Rows, Found]]:
        """Find the rows that are to be written. In a thread: files are read."""
        newest = self._opened(plan, one.newest)
        with Engine(self.scratch / plan.run.run, keeps_order=True) as engine:
            open_ = partial(self._part, plan)
            since, as_it_lies = plan.moment - YEAR, sifting.sieve is None
            finding = Finding(engine, sifting, sifting.everything, open_, since, as_it_lies=as_it_lies)
            if (earlier := one.earlier) is None:
                found = finding.whole(newest)
            else:
                found = finding.added(newest, partial(self._opened, plan, earlier))
            engine.lock()
            yield Rows(engine, found.sql), found

    def _opened(self, plan: DatasetPlan, read: Read) -> Snapshot:
        return self.datasets.open(plan.tenant, read.document, read.stored)

    def _part(self, plan: DatasetPlan, snapshot: Snapshot, manifest: Manifest) -> Snapshot:
        return Snapshot.open(self.datasets.ground.surroundings(plan.tenant), snapshot.dataset, manifest)


def _manner(ready: _Ready, one: OfDataset) -> Manner:
    before, progress = ready.progress.parts, ready.progress

    def come(*, part: int, rows: int, size: int) -> None:
        progress(part=before + part, rows=rows, size=size)

    return Manner(
        path=partial(ready.path, one.id),
        seal=ready.access.seal,
        replaces=was_shown(ready.plan.run),
        progress=come,
    )


async def _clear(storage: Storage, ready: _Ready) -> None:
    for dataset in ready.plan.names:
        await trying.clear(storage, ready.plan.run, partial(ready.path, dataset))


async def _publish(storage: Storage, ready: _Ready, staged: list[_Staged]) -> None:
    """Make the files visible, dataset by dataset, and their manifests last."""
    run, parts = ready.plan.run, {one.written.of.id: [*one.written.parts] for one in staged}
    for one in staged:
        if one.files is not None:
            await one.files.publish()
    if was_shown(run):
        for dataset in ready.plan.names:
            await trying.remove_from(storage, partial(ready.path, dataset), len(parts.get(dataset, ())) + 1)
    if ready.look.has_manifest:
        for folder, files in _by_folder(ready, parts).items():
            await trying.write_manifest(storage, run, ready.plan.moment, ready.access.base, folder, files)


def _by_folder(ready: _Ready, parts: dict[str, list[Part]]) -> dict[str, list[Part]]:
    """Return the files of each folder: datasets may share one, as the operator says."""
    found: dict[str, list[Part]] = {}
    for dataset, files in parts.items():
        found.setdefault(ready.folder(dataset), []).extend(files)
    return found


def _show(tx: Transaction, ready: _Ready, steps: HeldSteps) -> None:
    """Note that files may be seen from now on."""
    steps.hold(tx)
    steps.note_in(tx, shown=True, **ready.progress.told(ready.progress.began))
