"""
When files are due: runs are asked for in the transaction that settles their slots.

So each slot has its run once, whoever dies. While a run of an audience has not ended, no other is asked for: slots that
pass meanwhile are made up for by one, and counted, as after a time in which nobody looked.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from headrace.batch import schedule as slots
from headrace.batch.schedule import Due, Schedule
from headrace.errors import Conflict
from headrace.model.destination import Destination
from headrace.model.export import ScheduleParams
from headrace.model.flow import Flow, SegmentSelectorValue
from headrace.model.problem import ConfigurationError
from headrace.services.catalog import Catalog, tenant_of
from headrace.services.checks import lenient
from headrace.services.exports import lake
from headrace.store import audiences, dataflows, documents, export_schedules, exported_datasets, exports, runs
from headrace.store.database import Transaction
from headrace.store.dataflows import StoredDataflow
from headrace.store.export_schedules import DATASETS, Standing
from headrace.store.restored import RESYNC
from headrace.store.runs import Run

#: The kind of the runs that write files.
KIND = "export"
#: Schedules that are looked at in one transaction.
AT_ONCE = 100
#: Milliseconds until a schedule is looked at again whose audience has a run under way.
_BUSY = 15_000
_HEADRACE, _TARGET = "headrace", "target-connection"


@dataclass(frozen=True, slots=True)
class _Slot:
    """The slot for which an audience is written, and how many before it were missed."""

    audience: int
    slot: int
    missed: int


# -- taking part ------------------------------------------------------------------------------------------------------


def begin(tx: Transaction, stored: StoredDataflow, audience: int, schedule: Schedule | None, now: int) -> None:
    """Begin to count the slots of an audience that takes part from now on, or whose dates have changed."""
    if schedule is None:
        return
    until = slots.begin(schedule, now)
    standing = Standing(stored.tenant, stored.dataflow, audience, until, _next(schedule, until, now))
    export_schedules.put(tx, standing)


def end(tx: Transaction, stored: StoredDataflow, audience: int) -> None:
    """Forget an audience that takes part no longer, and what was exported of it: mapped again, it begins anew."""
    export_schedules.remove(tx, stored.tenant, stored.dataflow, audience)
    exports.forget(tx, stored.tenant, stored.dataflow, audience)


def end_all(tx: Transaction, stored: StoredDataflow, now: int) -> None:
    """Forget everything of a dataflow that is deleted; a run that has not begun never will."""
    export_schedules.remove(tx, stored.tenant, stored.dataflow)
    exports.forget_all(tx, stored.tenant, stored.dataflow)
    exported_datasets.forget_all(tx, stored.tenant, stored.dataflow)
    for run in unended(tx, stored.tenant, stored.id):
        runs.end(tx, run.run, "cancelled", now, "the dataflow was deleted")


def follow(tx: Transaction, stored: StoredDataflow, flow: Flow, was: Flow | None, now: int) -> None:
    """Begin anew whatever has other dates than before."""
    before = schedules_of(tx, stored, was) if was is not None else {}
    known = {standing.audience for standing in export_schedules.of_dataflow(tx, stored.tenant, stored.dataflow)}
    for audience, schedule in schedules_of(tx, stored, flow).items():
        is_there = audience in known or audience == DATASETS
        if is_there and (audience not in known or schedule != before.get(audience)):
            begin(tx, stored, audience, schedule, now)


def schedules_of(tx: Transaction, stored: StoredDataflow, flow: Flow) -> dict[int, Schedule | None]:
    """Return when the files of a dataflow are written, by audience; ``None``: nobody said so that it can be read."""
    if lake.is_of_datasets(tx, stored.tenant, flow.source_connection_ids[0]):
        params = lenient(ScheduleParams, flow.schedule_params or {})
        return {DATASETS: _read(lambda: Schedule.of_datasets(params, stored.created_at))}
    selected = selectors_of(tx, stored.tenant, flow)
    return {audience: schedule_of(selector) for audience, selector in selected.items()}


def selectors_of(tx: Transaction, tenant: int, flow: Flow) -> dict[int, SegmentSelectorValue]:
    """Return how the audiences of a dataflow are chosen, by number."""
    numbers = {(item.namespace, item.id): item.audience for item in audiences.all_of(tx, tenant).values()}
    return {numbers[item.namespace, item.id]: item for item in flow.audiences if (item.namespace, item.id) in numbers}


def schedule_of(selector: SegmentSelectorValue) -> Schedule | None:
    """Return when the files of an audience are written, if that can be read."""
    said = selector.schedule
    return _read(lambda: Schedule.of(said)) if said is not None else None


def _read(make: Any) -> Schedule | None:
    try:
        made: Schedule = make()
    except ConfigurationError:
        return None
    return made


def _next(schedule: Schedule, until: int, now: int) -> int | None:
    """Return when a schedule has to be looked at: at once where something is due already."""
    return now if slots.due(schedule, until, now) is not None else slots.next_slot(schedule, now)


# -- evaluations ------------------------------------------------------------------------------------------------------


def after_evaluation(tx: Transaction, tenant: int, audience: int, now: int) -> None:
    """Note, in the transaction that ends an evaluation, that files which wait for it are due."""
    for standing, id_ in export_schedules.of_audience(tx, tenant, audience):
        schedule = _schedule(tx, standing, id_)
        if schedule is not None and slots.due_after(schedule, standing.settled_until, [now], now) is not None:
            missed = standing.missed + (standing.next_at is not None)
            export_schedules.put(tx, _moved(standing, standing.settled_until, now, missed))


# -- asking -----------------------------------------------------------------------------------------------------------


def is_any_due(tx: Transaction, now: int) -> bool:
    """Say whether the files of any audience are due, or a schedule has to be looked at for another reason."""
    return bool(export_schedules.due(tx, now, 1))


def ask_due(tx: Transaction, now: int) -> list[Run]:
    """Settle the slots that have come, and ask for a run for each that has its files written."""
    found = export_schedules.due(tx, now, AT_ONCE)
    asked = []
    for (tenant, id_), standings in groupby(found, key=lambda item: (item[0].tenant, item[1])):
        stored = dataflows.get(tx, tenant, id_)
        assert stored is not None, "it was found enabled in this transaction"
        schedules = schedules_of(tx, stored, lenient(Flow, stored.document))
        free = _free(tx, id_, [standing for standing, _ in standings], now)
        due = [*_settled(tx, schedules, free, now)]
        asked += [
            ask(tx, stored, numbers, slot, now, _HEADRACE, missed=missed)
            for slot, numbers, missed in _together(tx, stored, due)
        ]
    return asked


def ask(
    tx: Transaction,
    stored: StoredDataflow,
    numbers: Iterable[int],
    slot: int | None,
    now: int,
    actor: str,
    *,
    is_asked_for: bool = False,
    missed: int = 0,
    datasets: Sequence[str] | None = None,
) -> Run:
    """
    Ask for a run that writes the files of some audiences into one set; ``is_asked_for``: besides the schedule.

    ``missed``: for so many slots before it there was no run, and this makes up for them. ``datasets``: of those of the
    dataflow these alone.
    """
    (target,) = stored.document["targetConnectionIds"]
    subject = {"dataflow": stored.id, "target": target, "audiences": sorted(numbers), "slot": slot, "moment": now}
    subject |= {"besides": is_asked_for, "missed": missed}
    if datasets is not None:
        subject["datasets"] = [*datasets]
    return runs.ask(tx, stored.tenant, KIND, subject, actor, now)


def hasten(tx: Transaction, tenant: int, account: str, now: int) -> None:
    """Have the files written at once that wait for an account's storage to let it in: it has other credentials now."""
    targets = [
        item.id for item in documents.all_of(tx, tenant, _TARGET) if item.document.get("baseConnectionId") == account
    ]
    runs.hasten(tx, tenant, KIND, targets, now)


def again(run: Run, tried: int = 1) -> dict[str, Any]:
    """Return the subject of a run that does again what one did: for its moment, and as the same export."""
    known = {"moment": moment_of(run), "shown": was_shown(run), "export": export_of(run)}
    return {**run.subject, **known, "tried": tried}


def moment_of(run: Run) -> int:
    """Return the moment in the names of a run's files, the same for all its tries: its own, or one that was free."""
    return int(run.progress.get("moment", run.subject["moment"]))


def was_shown(run: Run) -> bool:
    """Say whether files of a run, or of an earlier try of it, may have been seen under the names that it has."""
    return bool(run.progress.get("shown", run.subject.get("shown")))


def export_of(run: Run) -> str:
    """Return the id of an export, the same for all its tries."""
    first: str = run.subject.get("export", run.run)
    return first


def refuse_busy(tx: Transaction, tenant: int, dataflow: str, numbers: Mapping[int, str]) -> None:
    """
    Refuse audiences, given with their names, of which a run has not ended.

    Raises:
        Conflict: one has not.
    """
    for run in unended(tx, tenant, dataflow):
        for number in numbers.keys() & {*run.subject["audiences"]}:
            going = f"Run already going on for audience `{numbers[number]}` for order `{dataflow}`"
            raise Conflict(f"{going} with run id `{run.run}`")


def writes_datasets(run: Run) -> bool:
    """Say whether a run that writes files writes datasets, and no people."""
    return DATASETS in run.subject["audiences"]


def unended(tx: Transaction, tenant: int, dataflow: str) -> Iterator[Run]:
    """Yield the exports of a dataflow that have not ended."""
    for run in runs.unfinished(tx, tenant, KIND):
        if run.subject["dataflow"] == dataflow:
            yield run


def _free(tx: Transaction, id_: str, standings: list[Standing], now: int) -> Iterator[Standing]:
    """
    Yield the schedules whose audiences have no run under way; the others are looked at again in a while.

    After a restore none is free until it is known whom the files since the backup may have.
    """
    tenant = standings[0].tenant
    busy = {audience for run in unended(tx, tenant, id_) for audience in run.subject["audiences"]}
    is_restoring = any(run.subject["dataflow"] == id_ for run in runs.unfinished(tx, tenant, RESYNC))
    for standing in standings:
        if is_restoring or standing.audience in busy:
            export_schedules.put(tx, _moved(standing, standing.settled_until, now + _BUSY, standing.missed))
        else:
            yield standing


def _settled(
    tx: Transaction, schedules: Mapping[int, Schedule | None], standings: Iterable[Standing], now: int
) -> Iterator[_Slot]:
    """Settle what has come of some schedules; yield the audiences whose files are written, each with its slot."""
    for standing in standings:
        schedule = schedules.get(standing.audience)
        if schedule is None:
            export_schedules.put(tx, _moved(standing, standing.settled_until, None, standing.missed))
            continue
        due = _due(schedule, standing, now)
        if due is None:
            export_schedules.put(
                tx, _moved(standing, standing.settled_until, slots.next_slot(schedule, now), standing.missed)
            )
            continue
        following = slots.next_slot(schedule, now)
        export_schedules.put(tx, _moved(standing, due.until, following, standing.missed + due.missed))
        if not due.has_lapsed:
            yield _Slot(standing.audience, due.slot, due.missed)


def _due(schedule: Schedule, standing: Standing, now: int) -> Due | None:
    if schedule.every == "evaluation":
        ended = [standing.next_at] if standing.next_at is not None else []
        return slots.due_after(schedule, standing.settled_until, ended, now)
    return slots.due(schedule, standing.settled_until, now)


def _schedule(tx: Transaction, standing: Standing, id_: str) -> Schedule | None:
    stored = dataflows.get(tx, standing.tenant, id_)
    return schedules_of(tx, stored, lenient(Flow, stored.document)).get(standing.audience) if stored else None


def _together(tx: Transaction, stored: StoredDataflow, due: list[_Slot]) -> Iterator[tuple[int, tuple[int, ...], int]]:
    """Yield which audiences have one run, for a slot: each its own, or all of it where files hold several."""
    if not is_grouped(tx, stored):
        yield from ((one.slot, (one.audience,), one.missed) for one in due)
        return
    by_slot: dict[int, list[_Slot]] = {}
    for one in due:
        by_slot.setdefault(one.slot, []).append(one)
    for slot, ones in by_slot.items():
        yield slot, tuple(one.audience for one in ones), max(one.missed for one in ones)


def is_grouped(tx: Transaction, stored: StoredDataflow) -> bool:
    """Say whether a file holds all audiences of the dataflow."""
    batch = destination_of(tx, stored).batch_config
    return batch is not None and batch.segment_grouping_enabled


def destination_of(tx: Transaction, stored: StoredDataflow) -> Destination:
    """Return the destination of a dataflow, as it is in force."""
    target = documents.get(tx, stored.tenant, _TARGET, stored.document["targetConnectionIds"][0])
    assert target is not None, "what is in use is not deleted"
    return Catalog(tx, tenant_of(tx, stored.tenant)).in_force(target).destination


def _moved(standing: Standing, until: int, next_at: int | None, missed: int) -> Standing:
    return Standing(standing.tenant, standing.dataflow, standing.audience, until, next_at, missed)
