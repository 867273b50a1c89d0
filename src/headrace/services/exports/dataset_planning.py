"""What an export of datasets is about, read in one transaction: its snapshots, since which ones, and its folders."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from headrace.batch.compress import suffix
from headrace.batch.filenames import Values, folder_of, joined
from headrace.errors import Conflict
from headrace.model.export import FULL, ScheduleParams
from headrace.model.file_format import FileFormat
from headrace.model.filename import DEFAULT_FOLDER
from headrace.services.catalog import Catalog
from headrace.services.checks import lenient
from headrace.services.datasets import document_of, ready
from headrace.services.exports.lake import DATASET, datasets_of
from headrace.services.exports.planning import going
from headrace.services.live import Parts
from headrace.store import dataset_snapshots, documents, exported_datasets
from headrace.store.access import Tenant
from headrace.store.database import Transaction
from headrace.store.dataflows import StoredDataflow
from headrace.store.dataset_snapshots import StoredSnapshot
from headrace.store.exported_datasets import ExportedDataset
from headrace.store.runs import Run

#: Rows from which the original fails, or advises against it: of any dataset, and of Parquet that is not compressed.
MOST_ROWS, MOST_UNCOMPRESSED = 5_000_000_000, 1_000_000
#: How far back events are exported.
YEAR = 365 * 24 * 60 * 60 * 1000
#: What `tried` and `retry` leave as it is, so that files have the same names for all of them.
_SAME = ("dataflow", "moment", "slot", "besides")


@dataclass(frozen=True, slots=True)
class Read:
    """A snapshot, and the dataset's document as it was when that was taken."""

    document: dict[str, Any]
    stored: StoredSnapshot


@dataclass(frozen=True, slots=True)
class OfDataset:
    """
    One dataset of an export: the snapshot whose rows are written, all or those that were added since ``earlier``.

    ``why``: why all of them are, although those that were added were asked for.
    """

    id: str
    name: str
    newest: Read
    earlier: Read | None = None
    why: str | None = None

    @property
    def has_news(self) -> bool:
        """Whether anything was looked at since the last export."""
        return self.earlier is None or self.earlier.stored.number != self.newest.stored.number


@dataclass(frozen=True, slots=True)
class DatasetPlan:
    """
    What a run is about. ``left_out`` are the datasets that cannot be exported, each with the reason.

    ``is_counted``: the next exports add to it, as they do not to one that somebody asked for besides.
    """

    run: Run
    tenant: Tenant
    stored: StoredDataflow
    parts: Parts
    params: ScheduleParams
    wanted: tuple[OfDataset, ...]
    left_out: tuple[tuple[str, str, str], ...]

    @property
    def moment(self) -> int:
        """The moment of the run, the same for all its tries."""
        return int(self.run.subject["moment"])

    @property
    def is_counted(self) -> bool:
        return not self.run.subject["besides"]

    @property
    def size(self) -> int | None:
        """How many rows are expected, if that is known."""
        if any(one.earlier is not None for one in self.wanted):
            return None
        return sum(one.newest.stored.rows or 0 for one in self.wanted) or None

    @property
    def names(self) -> dict[str, str]:
        """The datasets that the dataflow names, by id, whether or not they can be exported."""
        left_out = {id_: name for id_, name, _ in self.left_out}
        return left_out | {one.id: one.name for one in self.wanted}

    def folder(self, dataset: str, below: str) -> str:
        """Return the folder of a dataset's files; ``below`` is the template of the folder that it lies in."""
        template = self.params.foldername_template or DEFAULT_FOLDER
        return folder_of(joined(below, template) if below else template, self._values(dataset))

    def path(self, dataset: str, part: int, below: str, look: FileFormat) -> str:
        """Return where a part lies: under a name that nobody else makes, the same for all tries of the run."""
        of_run = [str(self.run.subject[name]) for name in _SAME]
        mark = sha256("\0".join([*of_run, dataset, str(part)]).encode()).hexdigest()[:32]
        return joined(self.folder(dataset, below), f"part-{part:05}-{mark}{suffix(look)}")

    def _values(self, dataset: str) -> Values:
        return Values(
            self.moment,
            destination=self.parts.destination.name,
            instance_id=self.stored.id,
            instance_name=self.parts.flow.name,
            organization=self.tenant.organization,
            sandbox=self.tenant.sandbox,
            dataset_id=dataset,
            dataset_name=self.names[dataset],
        )


def plan_datasets(tx: Transaction, tenant: Tenant, run: Run) -> DatasetPlan:
    """
    Read what a run is about.

    Raises:
        Conflict: its dataflow is gone or does not go, or none of its datasets can be exported.
    """
    stored = going(tx, tenant, run)
    parts = Parts.of(tx, Catalog(tx, tenant), tenant.tenant, stored.document)
    named = datasets_of(tx, tenant.tenant, parts.flow)
    if named is None:
        raise Conflict("the dataflow does not export datasets any more")
    chosen = run.subject.get("datasets")
    asked = {id_: name for id_, name in named.items() if chosen is None or id_ in chosen}
    params = lenient(ScheduleParams, parts.flow.schedule_params or {})
    is_whole = params.mode == FULL or bool(run.subject["besides"])
    before = {} if is_whole else exported_datasets.of_dataflow(tx, tenant.tenant, stored.dataflow)
    left_out = tuple(_left_out(tx, tenant.tenant, asked))
    gone = {id_ for id_, _, _ in left_out}
    wanted = tuple(
        _of_dataset(tx, tenant.tenant, id_, name, before.get(id_)) for id_, name in asked.items() if id_ not in gone
    )
    if not wanted:
        reasons = "; ".join(f"{name!r}: {why}" for _, name, why in left_out) or "the dataflow names none any more"
        raise Conflict(f"there is nothing to export: {reasons}")
    return DatasetPlan(run, tenant, stored, parts, params, wanted, left_out)


def _left_out(tx: Transaction, tenant: int, asked: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    for id_, name in asked.items():
        if documents.get(tx, tenant, DATASET, id_) is None:
            yield id_, name, "the dataset was deleted: take it out of the dataflow"
        elif ready(tx, tenant, id_) is None:
            yield id_, name, "no snapshot of it is ready: take one"


def _of_dataset(tx: Transaction, tenant: int, id_: str, name: str, last: ExportedDataset | None) -> OfDataset:
    newest = ready(tx, tenant, id_)
    assert newest is not None, "it was seen in this transaction"
    read = Read(document_of(tx, tenant, newest), newest)
    if last is None:
        return OfDataset(id_, name, read)
    earlier = dataset_snapshots.get(tx, tenant, id_, last.snapshot)
    if earlier is None or earlier.state != "ready":
        return OfDataset(id_, name, read, why=f"the snapshot {last.snapshot} that was exported last is gone")
    return OfDataset(id_, name, read, Read(document_of(tx, tenant, earlier), earlier))
