"""
Exports of datasets that somebody asks for: whole, now, and besides their schedule, which goes on as it was.

What is asked for in one request is asked for altogether, or not at all; one run writes all datasets of a dataflow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headrace.clock import Clock
from headrace.errors import Conflict, RequestError
from headrace.model.flow import Flow
from headrace.services.caller import Caller
from headrace.services.checks import lenient
from headrace.services.exports import due, lake
from headrace.services.exports.asking import MOST, stored_of_files
from headrace.services.sending_again import NotCarried
from headrace.store import audit
from headrace.store.database import Store, Transaction
from headrace.store.dataflows import StoredDataflow
from headrace.store.export_schedules import DATASETS
from headrace.store.runs import Run


@dataclass(frozen=True, slots=True)
class AskedDataset:
    """A dataset, and the run that was asked for to write it."""

    dataset: str
    dataflow: str
    run: Run


async def export_datasets_now(
    store: Store, clock: Clock, caller: Caller, wanted: Mapping[str, Sequence[str]]
) -> list[AskedDataset]:
    """
    Ask for the files of datasets, by dataflow.

    Raises:
        RequestError: there are too many, or one is not of its dataflow.
        NotFound: a dataflow is not there.
        NotCarried: one does not write datasets.
        Conflict: a run of one has not ended, or it does not go.
    """
    if sum(map(len, wanted.values())) > MOST:
        raise RequestError(f"these are more than the {MOST} datasets of one request: ask for them in parts")

    def work(tx: Transaction) -> list[AskedDataset]:
        now = clock.now()
        chosen = [(stored_of_files(tx, caller, id_), [*dict.fromkeys(names)]) for id_, names in wanted.items()]
        for stored, names in chosen:
            _refuse(tx, stored, names)
        return [asked for stored, names in chosen for asked in _ask(tx, caller, stored, names, now)]

    return await store.write(work)


def _refuse(tx: Transaction, stored: StoredDataflow, names: Sequence[str]) -> None:
    known = lake.datasets_of(tx, stored.tenant, lenient(Flow, stored.document))
    if known is None:
        raise NotCarried("this dataflow sends people, and writes no datasets")
    if lost := [name for name in names if name not in known]:
        raise RequestError(f"Datasets `{', '.join(lost)}` are not part of this dataflow!")
    for run in due.unended(tx, stored.tenant, stored.id):
        going = f"Run already going on for dataset `{names[0]}` for order `{stored.id}`"
        raise Conflict(f"{going} with run id `{run.run}`")


def _ask(tx: Transaction, caller: Caller, stored: StoredDataflow, names: Sequence[str], now: int) -> list[AskedDataset]:
    run = due.ask(tx, stored, [DATASETS], None, now, caller.actor, is_asked_for=True, datasets=names)
    details = {"datasets": [*names]}
    audit.note(tx, caller.number, caller.actor, "export-now", "dataflow", stored.id, now, details=details)
    return [AskedDataset(name, stored.id, run) for name in names]
