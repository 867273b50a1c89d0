"""How the exports of a dataflow stand: when the files of each audience are due, and which were published last."""

from collections.abc import Iterable, Iterator
from typing import Any

from headrace.batch import schedule as slots
from headrace.batch.schedule import Schedule
from headrace.clock import iso
from headrace.model.export import FULL, ScheduleParams
from headrace.model.flow import Flow, SegmentSelectorValue
from headrace.services.checks import lenient
from headrace.services.exports import due, lake
from headrace.store import dataflows, export_schedules, exported_datasets, exports
from headrace.store.database import Store, Transaction
from headrace.store.dataflows import StoredDataflow
from headrace.store.export_schedules import DATASETS
from headrace.store.exported_datasets import ExportedDataset
from headrace.store.exports import Published

Object = dict[str, Any]


async def shown(store: Store, flows: Iterable[StoredDataflow], now: int) -> dict[str, list[Object]]:
    """Return how the exports of dataflows of a sandbox stand, of those that write files."""
    return await store.read(
        lambda tx: {flow.id: of_dataflow(tx, flow, now) for flow in flows if due.destination_of(tx, flow).takes_files}
    )


def of_dataflow(tx: Transaction, stored: StoredDataflow, now: int) -> list[Object]:
    """Return how the exports of a dataflow stand, in the order of its audiences."""
    flow = lenient(Flow, stored.document)
    return [*_of_audiences(tx, stored, flow, now), *_of_datasets(tx, stored, flow, now)]


def _of_audiences(tx: Transaction, stored: StoredDataflow, flow: Flow, now: int) -> Iterator[Object]:
    mapped = dataflows.mapped_audiences(tx, stored.tenant, stored.dataflow)
    going = due.unended(tx, stored.tenant, stored.id)
    under_way = {number: run.run for run in going for number in run.subject["audiences"]}
    for number, said in due.selectors_of(tx, stored.tenant, flow).items():
        published = exports.get(tx, stored.tenant, stored.dataflow, number)
        yield {
            "audience": said.id,
            "namespace": said.namespace,
            "takesPart": number in mapped,
            **_said(said),
            **_dates(tx, stored, number, due.schedule_of(said), now),
            "underWay": under_way.get(number),
            "last": _last(published),
        }


def _of_datasets(tx: Transaction, stored: StoredDataflow, flow: Flow, now: int) -> Iterator[Object]:
    """Yield how the one schedule stands that all datasets of a dataflow share."""
    names = lake.datasets_of(tx, stored.tenant, flow)
    if names is None:
        return
    said = lenient(ScheduleParams, flow.schedule_params or {})
    published = exported_datasets.of_dataflow(tx, stored.tenant, stored.dataflow)
    yield {
        "audience": None,
        "datasets": [
            {"id": id_, "name": name, "last": _snapshot(published[id_]) if id_ in published else None}
            for id_, name in names.items()
        ],
        "exportMode": said.mode,
        "frequency": said.frequency,
        "triggerType": "SCHEDULED",
        **_dates(tx, stored, DATASETS, due.schedules_of(tx, stored, flow).get(DATASETS), now),
        "underWay": next((run.run for run in due.unended(tx, stored.tenant, stored.id)), None),
        "last": max((_snapshot(one) for one in published.values()), key=lambda it: it["publishedAt"], default=None),
    }


def _snapshot(exported: ExportedDataset) -> Object:
    return {"run": exported.run, "snapshot": exported.snapshot, "publishedAt": iso(exported.published_at)}


def _said(said: SegmentSelectorValue) -> Object:
    schedule = said.schedule
    return {
        "exportMode": said.export_mode or FULL,
        "frequency": schedule.frequency if schedule is not None else None,
        "triggerType": schedule.trigger if schedule is not None else None,
    }


def _dates(tx: Transaction, stored: StoredDataflow, number: int, schedule: Schedule | None, now: int) -> Object:
    standing = export_schedules.get(tx, stored.tenant, stored.dataflow, number)
    following = slots.next_slot(schedule, now) if schedule is not None else None
    return {
        "nextSlot": iso(following) if following is not None else None,
        "missed": standing.missed if standing is not None else 0,
    }


def _last(published: Published | None) -> Object | None:
    if published is None:
        return None
    slot = published.slot
    return {
        "run": published.run,
        "cut": published.cut,
        "slot": None if slot is None else iso(slot),
        "publishedAt": iso(published.published_at),
    }
