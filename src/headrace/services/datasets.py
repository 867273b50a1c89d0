"""Datasets: people by a name, where they lie, and the snapshots of them."""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from headrace.clock import Clock
from headrace.connect.buckets import Buckets
from headrace.datasets.manifest import Manifest
from headrace.datasets.objects import Objects
from headrace.datasets.places import Places
from headrace.datasets.rows import BadRow, Surroundings
from headrace.datasets.snapshot import Snapshot
from headrace.datasets.sources import Sources
from headrace.errors import Conflict, NotFound
from headrace.model.dataset import OF_A_SOURCE, Dataset
from headrace.model.reading import read
from headrace.services import declared
from headrace.services.caller import Caller
from headrace.services.governance.holding import held
from headrace.services.governance.labelling import refuse_labelled
from headrace.services.in_use import DATASET, refuse_in_use
from headrace.store import audit, dataset_snapshots, documents, runs
from headrace.store.access import Tenant
from headrace.store.database import Store, Transaction
from headrace.store.dataset_snapshots import StoredSnapshot
from headrace.store.documents import Declared
from headrace.store.runs import Run

#: The kinds of runs.
TAKE = "dataset-snapshot"
LOAD = "dataset-load"
_FORGOTTEN = "its copy was removed because somebody was erased: take another"
_KINDS_OF_SOURCES = {"iceberg": ("iceberg",), "sql": ("sqlite", "postgresql")}


@dataclass(frozen=True, slots=True)
class Ground:
    """Where data may be read and the way to buckets, and the directory of copies of what databases answered."""

    places: Places
    sources: Sources
    copies: Path
    buckets: Buckets | None = None

    def surroundings(
        self, tenant: Tenant, dataset: str = "", number: int = 0, is_wanted: Callable[[], bool] = lambda: True
    ) -> Surroundings:
        """Return what a sandbox may read, and what a snapshot that is being taken is handed."""

        def copies() -> str:
            directory = self.copies_of(tenant.tenant, dataset) / str(number)
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(parents=True, mode=0o700)
            return str(directory)

        names = tenant.organization, tenant.sandbox
        sources = self.sources.of(*names)
        objects = Objects(sources, self.buckets)
        return Surroundings(self.places.of(*names), sources, copies, is_wanted, objects)

    def copies_of(self, tenant: int, dataset: str) -> Path:
        """Return the directory of a dataset's copies."""
        return self.copies / str(tenant) / dataset


@dataclass(frozen=True, slots=True)
class Datasets:
    """What people do with datasets."""

    store: Store
    clock: Clock
    ground: Ground

    # -- the datasets -------------------------------------------------------------------------------------------------

    async def create(self, caller: Caller, document: object) -> Declared:
        """
        Keep a dataset.

        Raises:
            ConfigurationError: it is not right.
            Misplaced, UnknownSource: its data may not be read from where it says.
        """
        kept = self._judged(caller.tenant, document)
        return await declared.create(self.store, self.clock, caller, DATASET, kept, declared.nothing_to_check)

    async def replace(self, caller: Caller, id_: str, document: object, if_match: str | None) -> Declared:
        """
        Put a document in the place of a dataset's. Snapshots that there are stay what they are.

        Raises:
            NotFound: it is not in this sandbox.
            StaleVersion: it was changed since it was read.
            ConfigurationError, Misplaced, UnknownSource: as when it is created.
            PolicyViolation: its labels would be on more, and dataflows would violate policies.
        """
        now = self.clock.now()

        def work(tx: Transaction) -> Declared:
            known = declared.existing(tx, caller, DATASET, id_)
            declared.refuse_stale(known, if_match)
            kept = self._judged(caller.tenant, document)
            with held(tx, caller.tenant):
                return declared.replace(tx, caller, DATASET, known, kept, now)

        return await self.store.write(work)

    async def delete(self, caller: Caller, id_: str, if_match: str | None) -> None:
        """
        Delete a dataset that nothing uses, with its snapshots. The data stays where it lies.

        Raises:
            NotFound: it is not in this sandbox.
            StaleVersion: it was changed since it was read.
            InUse: something uses it; it says what.
            Conflict: it carries labels.
        """
        now = self.clock.now()

        def work(tx: Transaction) -> None:
            known = declared.existing(tx, caller, DATASET, id_)
            declared.refuse_stale(known, if_match)
            refuse_in_use(tx, caller.tenant, DATASET, id_)
            refuse_labelled(tx, caller, id_)
            dataset_snapshots.remove_of(tx, caller.number, id_)
            declared.remove(tx, caller, DATASET, known, now)

        await self.store.write(work)
        await asyncio.to_thread(shutil.rmtree, self.ground.copies_of(caller.number, id_), ignore_errors=True)

    async def listing(self, caller: Caller) -> list[tuple[Declared, StoredSnapshot | None]]:
        """Return the datasets, oldest first, each with its newest snapshot that is ready."""

        def work(tx: Transaction) -> list[tuple[Declared, StoredSnapshot | None]]:
            newest = dataset_snapshots.newest_ready(tx, caller.number)
            return [(item, newest.get(item.id)) for item in documents.all_of(tx, caller.number, DATASET)]

        return await self.store.read(work)

    async def read(self, caller: Caller, id_: str) -> tuple[Declared, StoredSnapshot | None]:
        """
        Return a dataset with its newest snapshot that is ready.

        Raises:
            NotFound: it is not in this sandbox.
        """

        def work(tx: Transaction) -> tuple[Declared, StoredSnapshot | None]:
            known = declared.existing(tx, caller, DATASET, id_)
            ready = dataset_snapshots.latest(tx, caller.number, id_, 1, state="ready")
            return known, next(iter(ready), None)

        return await self.store.read(work)

    async def forget_copies(self, tenant: int) -> None:
        """Remove the copies of people that snapshots of a sandbox have: somebody in them was erased."""

        def work(tx: Transaction) -> bool:
            known = {item.id: item for item in documents.all_of(tx, tenant, DATASET)}
            copied = [id_ for id_, item in known.items() if item.document["format"] == "sql"]
            for id_ in copied:
                dataset_snapshots.fail_ready(tx, tenant, id_, _FORGOTTEN)
            return (self.ground.copies / str(tenant)).exists()

        if await self.store.write(work):
            await asyncio.to_thread(shutil.rmtree, self.ground.copies / str(tenant), ignore_errors=True)

    def _judged(self, tenant: Tenant, document: object) -> dict[str, Any]:
        dataset, _ = read(Dataset, document)
        surroundings = self.ground.surroundings(tenant)
        if dataset.format in OF_A_SOURCE:
            surroundings.sources.get(dataset.source or "", _KINDS_OF_SOURCES[dataset.format])
        else:
            surroundings.refuse_outside(dataset.location or "")
        return dataset.model_dump(mode="json", by_alias=True, exclude_unset=True)

    # -- their snapshots ----------------------------------------------------------------------------------------------

    async def ask_for_snapshot(self, caller: Caller, id_: str) -> tuple[Run, StoredSnapshot]:
        """
        Ask for a run that takes a new snapshot.

        Raises:
            NotFound: the dataset is not in this sandbox.
        """

        def work(tx: Transaction) -> tuple[Run, StoredSnapshot]:
            known, now = declared.existing(tx, caller, DATASET, id_), self.clock.now()
            number = dataset_snapshots.next_number(tx, caller.number, id_)
            run = runs.ask(tx, caller.number, TAKE, {"dataset": id_, "snapshot": number}, caller.actor, now)
            audit.note(tx, caller.number, caller.actor, "snapshot", DATASET, id_, now, details={"snapshot": number})
            return run, dataset_snapshots.add(tx, caller.number, id_, known.version, run.run, now)

        return await self.store.write(work)

    async def ask_for_load(self, caller: Caller, id_: str, number: int | None) -> Run:
        """
        Ask for a run that takes the people of a snapshot in; without a number, of the newest that is ready.

        Raises:
            NotFound: the dataset is not in this sandbox, or has no such snapshot.
            Conflict: the snapshot is not ready.
        """

        def work(tx: Transaction) -> Run:
            snapshot, now = _ready(tx, caller, id_, number), self.clock.now()
            subject = {"dataset": id_, "snapshot": snapshot.number}
            audit.note(
                tx, caller.number, caller.actor, "load", DATASET, id_, now, details={"snapshot": snapshot.number}
            )
            progress = {"rows": (snapshot.rows or 0) + (snapshot.bad_rows or 0), "done": 0}
            return runs.ask(tx, caller.number, LOAD, subject, caller.actor, now, progress=progress)

        return await self.store.write(work)

    async def snapshots(self, caller: Caller, id_: str, most: int, before: int | None) -> list[StoredSnapshot]:
        """
        Return snapshots of a dataset, newest first.

        Raises:
            NotFound: it is not in this sandbox.
        """

        def work(tx: Transaction) -> list[StoredSnapshot]:
            declared.existing(tx, caller, DATASET, id_)
            found = dataset_snapshots.latest(tx, caller.number, id_, most, before=before)
            return [_as_its_run_stands(tx, item) for item in found]

        return await self.store.read(work)

    async def snapshot(self, caller: Caller, id_: str, number: int) -> StoredSnapshot:
        """
        Return a snapshot of a dataset.

        Raises:
            NotFound: there is none.
        """
        return await self.store.read(lambda tx: _existing(tx, caller, id_, number))

    async def sample(self, caller: Caller, id_: str, number: int | None, most: int) -> list[dict[str, Any]]:
        """
        Return the first rows of a snapshot as the profiles that they are, or what is wrong with them.

        Raises:
            NotFound: there is no such snapshot.
            Conflict: it is not ready.
            Changed, Unreadable: it cannot be read any more.
        """
        now = self.clock.now()

        def work(tx: Transaction) -> tuple[dict[str, Any], StoredSnapshot]:
            found = _ready(tx, caller, id_, number)
            audit.note(tx, caller.number, caller.actor, "sample", DATASET, id_, now, details={"rows": most})
            return document_of(tx, caller.number, found), found

        document, stored = await self.store.write(work)
        return await asyncio.to_thread(self._first, caller.tenant, document, stored, most)

    def _first(self, tenant: Tenant, document: Any, stored: StoredSnapshot, most: int) -> list[dict[str, Any]]:
        snapshot = self.open(tenant, document, stored)
        return [_shown(row) for row in islice(snapshot.profiles(), most)]

    def open(self, tenant: Tenant, document: dict[str, Any], stored: StoredSnapshot) -> Snapshot:
        """
        Return the rows of a snapshot that is ready. In a thread: files are opened.

        Raises:
            UnknownSource, Misplaced: they may not be read any more.
        """
        assert stored.manifest is not None, stored
        dataset, _ = read(Dataset, document)
        return Snapshot.open(self.ground.surroundings(tenant), dataset, Manifest.read(stored.manifest))


def document_of(tx: Transaction, tenant: int, stored: StoredSnapshot) -> dict[str, Any]:
    """Return a dataset's document as it was when a snapshot was taken."""
    version = documents.version(tx, tenant, DATASET, stored.dataset, stored.version)
    assert version is not None, stored
    assert version.document is not None, stored
    return version.document


def ready(tx: Transaction, tenant: int, id_: str, number: int | None = None) -> StoredSnapshot | None:
    """Return a snapshot that can be read; without a number the newest."""
    if number is None:
        return next(iter(dataset_snapshots.latest(tx, tenant, id_, 1, state="ready")), None)
    found = dataset_snapshots.get(tx, tenant, id_, number)
    return found if found is not None and found.state == "ready" else None


def _existing(tx: Transaction, caller: Caller, id_: str, number: int) -> StoredSnapshot:
    declared.existing(tx, caller, DATASET, id_)
    found = dataset_snapshots.get(tx, caller.number, id_, number)
    if found is None:
        raise NotFound(f"the dataset {id_!r} has no snapshot {number}")
    return _as_its_run_stands(tx, found)


def _as_its_run_stands(tx: Transaction, stored: StoredSnapshot) -> StoredSnapshot:
    """Say of a snapshot that nobody takes any more that it failed: a run that is cancelled notes nothing."""
    run = runs.get(tx, stored.run) if stored.state == "taking" else None
    if stored.state != "taking" or (run is not None and run.state not in runs.ENDED):
        return stored
    return replace(stored, state="failed", reason="its run ended before it was taken: take another")


def _ready(tx: Transaction, caller: Caller, id_: str, number: int | None) -> StoredSnapshot:
    declared.existing(tx, caller, DATASET, id_)
    if number is not None:
        _existing(tx, caller, id_, number)
    found = ready(tx, caller.number, id_, number)
    if found is None:
        which = "no snapshot of it" if number is None else f"its snapshot {number}"
        is_or_not = "is ready" if number is None else "is not ready"
        raise Conflict(f"the dataset {id_!r} cannot be read, for {which} {is_or_not}: take one, and wait for its run")
    return found


def _shown(row: Any) -> dict[str, Any]:
    if isinstance(row, BadRow):
        return {"file": row.file, "line": row.line, "code": row.code, "reason": row.reason}
    file, line, document = row
    return {"file": file, "line": line, "profile": orjson.loads(document)}
