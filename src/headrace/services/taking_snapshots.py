"""Taking snapshots, as runs: what lies there now is looked at, and every row of texts is read once."""

import asyncio
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from headrace.datasets.manifest import Manifest, Unreadable
from headrace.datasets.rows import BadRow, GivenUp
from headrace.datasets.snapshot import Snapshot
from headrace.errors import HeadraceError
from headrace.model.dataset import Dataset
from headrace.model.reading import read
from headrace.orchestrate.port import RunLost
from headrace.services.audiences.asking import ask_after_snapshot
from headrace.services.datasets import Datasets, document_of
from headrace.services.steps import HeldSteps, patiently
from headrace.store import access, dataset_snapshots, exported_datasets
from headrace.store.access import Tenant
from headrace.store.database import Transaction
from headrace.store.dataset_snapshots import StoredSnapshot
from headrace.store.runs import Run

#: The most bad rows that are listed; all are counted.
MOST_LISTED = 100
#: Seconds between two looks at how far the reading has come.
LOOK = 0.5
#: How many snapshots of a query keep their copies.
COPIES_KEPT = 3


@dataclass(slots=True)
class _Seen:
    """What was seen of the rows up to now, told by the thread that reads."""

    rows: int = 0
    bad_rows: int = 0
    bad: list[dict[str, Any]] = field(default_factory=list)
    is_wanted: bool = True

    def note(self, rows: int, bad: Sequence[BadRow]) -> bool:
        self.rows = rows
        self.bad_rows += len(bad)
        self.bad += [asdict(row) for row in bad[: MOST_LISTED - len(self.bad)]]
        return self.is_wanted


@dataclass(frozen=True, slots=True)
class TakingSnapshots:
    """What is done for runs that take snapshots."""

    datasets: Datasets

    async def carry(self, run: Run, steps: HeldSteps) -> None:
        """
        Take the snapshot of a run, and note it, or why it could not be taken.

        Raises:
            HeadraceError: it could not.
        """
        await steps.step("take", lambda: self._take(run, steps))

    async def _take(self, run: Run, steps: HeldSteps) -> None:
        tenant, stored, document = await self._wanted(run)
        try:
            manifest, seen = await self._look(tenant, stored, document, steps)
        except HeadraceError as error:
            await self._note(run, steps, state="failed", reason=error.message)
            raise
        await self._note(
            run,
            steps,
            state="ready",
            reason=None,
            rows=seen.rows - seen.bad_rows,
            bad_rows=seen.bad_rows,
            bad=seen.bad,
            bytes=manifest.size,
            manifest=manifest.document(),
            columns=manifest.columns(),
            taken_at=self.datasets.clock.now(),
        )
        await steps.note(rows=seen.rows, badRows=seen.bad_rows)
        await self._tidy(tenant, stored)

    async def _wanted(self, run: Run) -> tuple[Tenant, StoredSnapshot, dict[str, Any]]:
        def work(tx: Transaction) -> tuple[Tenant, StoredSnapshot, dict[str, Any]]:
            stored = dataset_snapshots.get(tx, run.tenant, run.subject["dataset"], run.subject["snapshot"])
            if stored is None:  # A dataset that is read is not deleted; one whose run had ended may be.
                raise Unreadable("the dataset was deleted")
            return access.tenant_of(tx, run.tenant), stored, document_of(tx, run.tenant, stored)

        return await patiently(lambda: self.datasets.store.read(work))

    async def _look(
        self, tenant: Tenant, stored: StoredSnapshot, document: dict[str, Any], steps: HeldSteps
    ) -> tuple[Manifest, _Seen]:
        """Read in a thread, and say meanwhile how far that has come, for as long as anybody waits for it."""
        seen = _Seen()
        reading = asyncio.create_task(asyncio.to_thread(self._read, tenant, stored, document, seen))
        try:
            while not (await asyncio.wait({reading}, timeout=LOOK))[0]:
                await steps.note(rows=seen.rows, badRows=seen.bad_rows)
                if not await steps.still_ours():
                    raise RunLost
            return reading.result(), seen
        finally:
            seen.is_wanted = False
            with suppress(GivenUp, HeadraceError):
                await reading

    def _read(self, tenant: Tenant, stored: StoredSnapshot, document: dict[str, Any], seen: _Seen) -> Manifest:
        dataset, _ = read(Dataset, document)
        ground = self.datasets.ground
        surroundings = ground.surroundings(tenant, stored.dataset, stored.number, lambda: seen.is_wanted)
        snapshot = Snapshot.take(surroundings, dataset)
        seen.rows = snapshot.count(seen.note)
        return snapshot.manifest

    async def _note(self, run: Run, steps: HeldSteps, **values: Any) -> None:
        def work(tx: Transaction) -> None:
            steps.hold(tx)
            dataset_snapshots.change(tx, run.tenant, run.subject["dataset"], run.subject["snapshot"], **values)
            if values["state"] == "ready":
                now = self.datasets.clock.now()
                ask_after_snapshot(tx, run.tenant, run.subject["dataset"], run.actor, now)

        await patiently(lambda: self.datasets.store.write(work))

    async def _tidy(self, tenant: Tenant, stored: StoredSnapshot) -> None:
        """
        Remove copies of older snapshots of a query: a dataset that is asked every day would fill the disk.

        Those that dataflows have exported last stay: what was added since is found by them.
        """
        copies, number = self.datasets.ground.copies_of(tenant.tenant, stored.dataset), tenant.tenant
        exported = await patiently(
            lambda: self.datasets.store.read(lambda tx: exported_datasets.snapshots_of(tx, number, stored.dataset))
        )
        kept = {str(stored.number - place) for place in range(COPIES_KEPT)} | {str(one) for one in exported}

        def remove() -> None:
            for directory in copies.iterdir() if copies.is_dir() else ():
                if directory.name not in kept:
                    shutil.rmtree(directory, ignore_errors=True)

        await asyncio.to_thread(remove)
