"""
Runs of dataflows in the shape of the flow service: those runs of ours whose subject is a dataflow, and its hours.

An hour is a run of everything that a dataflow did in it. What came in counts in the hour in which it was taken, what
became of it in the hour in which it did.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from headrace.errors import NotFound
from headrace.model.flow import DATASET_FLOW_SPEC, STREAMING_FLOW_SPEC
from headrace.services import hourly
from headrace.services.caller import Caller
from headrace.services.exports import due, views
from headrace.services.listing import Query
from headrace.store import audiences, dataflows, runs
from headrace.store.audiences import StoredAudience
from headrace.store.database import Store, Transaction
from headrace.store.runs import Run

Object = dict[str, Any]
#: The most runs that are looked through.
MOST = 10_000
_STATES = {
    "asked": "waiting",
    "running": "processing",
    "succeeded": "success",
    "failed": "failed",
    "cancelled": "failed",
}
_EMPTY: Object = {"latencySummary": None}
_OF_AUDIENCE = "metrics.recordSummary.sourceSummaries[].id"


async def listing(store: Store, caller: Caller, now: int, flow: str | None = None) -> list[Object]:
    """Return the runs of a sandbox's dataflows, or of one alone, newest first."""

    def look(tx: Transaction) -> list[Object]:
        known = [item for item in dataflows.all_of(tx, caller.number) if flow in (None, item.id)]
        flows = {item.id: item.document for item in known}
        found = [*_shown(tx, caller, flows, runs.latest(tx, caller.number, MOST, dataflow=flow))]
        found += hourly.listing(tx, caller, known, now, alone=flow is not None)
        return sorted(found, key=lambda run: -run["createdAt"])

    return await store.read(look)


async def get(store: Store, caller: Caller, id_: str, now: int) -> Object:
    """
    Return one run of a dataflow.

    Raises:
        NotFound: there is none in this sandbox.
    """
    flow, _, hour = id_.partition(hourly.BETWEEN)
    if hour:
        found = next((run for run in await listing(store, caller, now, flow) if run["id"] == id_), None)
    else:
        found = await store.read(lambda tx: _one(tx, caller, id_))
    if found is None:
        raise NotFound(f"there is no run {id_!r} of a dataflow here")
    return found


def chosen(found: Iterable[Object], query: Query) -> tuple[list[Object], Query]:
    """
    Return the runs of the audiences that a query names where clients of the original do, and what else it asks.

    The original's filter says that `sourceSummaries` have the ids of audiences; they have those of source connections,
    as its answers do.
    """
    named = [filter_ for filter_ in query.filters() if (filter_.path, filter_.holds) == (_OF_AUDIENCE, "==")]
    kept = [run for run in found if all(_names_of(run) & {*filter_.value.split(",")} for filter_ in named)]
    others = tuple(written for written in query.properties if written not in {filter_.written for filter_ in named})
    return kept, replace(query, properties=others)


def _names_of(run: Object) -> set[str]:
    """Return what a run can be chosen by: the source connections and the audiences that it is about."""
    summaries = run["metrics"].get("recordSummary", {}).get("sourceSummaries", [])
    entities = {entity["id"] for summary in summaries for entity in summary["entitySummaries"]}
    return {summary["id"] for summary in summaries} | entities | {name.removeprefix("segment:") for name in entities}


def _one(tx: Transaction, caller: Caller, id_: str) -> Object | None:
    run = runs.get(tx, id_)
    if run is None or run.tenant != caller.number:
        return None
    stored = dataflows.get(tx, caller.number, run.subject.get("dataflow", ""))
    flows = {stored.id: stored.document} if stored is not None else {}
    return next(iter(_shown(tx, caller, flows, [run])), None)


def _shown(tx: Transaction, caller: Caller, flows: dict[str, Object], found: Iterable[Run]) -> Iterator[Object]:
    of_flows = [run for run in found if run.subject.get("dataflow", "") in flows]
    exported = any(run.kind == due.KIND for run in of_flows)
    names = audiences.all_of(tx, caller.number) if exported else {}
    for run in of_flows:
        flow = flows[run.subject["dataflow"]]
        yield _export(caller, flow, run, names) if run.kind == due.KIND else _run(caller, flow, run)


def _export(caller: Caller, flow: Object, run: Run, names: Mapping[int, StoredAudience]) -> Object:
    """Return the run of an export: the metrics of what was published, or as much as is known."""
    shape, added = _run(caller, flow, run), views.shown(run, names)
    metrics = shape["metrics"] if "metrics" in run.progress else views.sources(run, names, flow) | shape["metrics"]
    shape |= {"metrics": metrics, "providerRefId": added["export"]}
    if (code := views.failure_of(run)) is not None:
        shape |= {"activities": views.broken_off(run)}
        metrics["statusSummary"] |= {"errors": [code], **_refs(shape["activities"], "failed")}
    return {**shape, "x-headrace": {**shape["x-headrace"], **added}}


def _spec(run: Run) -> Object:
    """Return the kind of the dataflow of a run that names none."""
    is_of_datasets = run.kind == due.KIND and due.writes_datasets(run)
    return {"id": DATASET_FLOW_SPEC if is_of_datasets else STREAMING_FLOW_SPEC, "version": "1.0"}


def _refs(activities: Iterable[Object], status: str) -> Object:
    """Return which activities a status is of, if any."""
    concerned = [activity["id"] for activity in activities if activity["statusSummary"]["status"] == status]
    return {"activityRefs": concerned} if concerned else {}


def _run(caller: Caller, flow: Object, run: Run) -> Object:
    status: Object = {"status": _STATES[run.state]}
    activities = run.progress.get("activities", [])
    if run.reason is not None:
        status["errors"] = [{"code": run.state, "message": run.reason, "type": "Error"}]
    status |= _refs(activities, "success")
    duration = {"startedAtUTC": run.began_at, "completedAtUTC": run.ended_at}
    updated = run.ended_at or run.began_at or run.asked_at
    return {
        "id": run.run,
        "flowId": run.subject["dataflow"],
        "flowSpec": flow.get("flowSpec", _spec(run)),
        "createdAt": run.asked_at,
        "updatedAt": updated,
        "createdBy": run.actor,
        "createdClient": run.actor,
        "sandboxId": caller.tenant.sandbox_id,
        "sandboxName": caller.tenant.sandbox,
        "imsOrgId": caller.tenant.organization,
        "providerRefId": run.run,
        "etag": f'"{run.state}-{updated}"',
        "metrics": {**_EMPTY, **run.progress.get("metrics", {}), "durationSummary": duration, "statusSummary": status},
        "activities": activities,
        "predecessors": None,
        "x-headrace": {"kind": run.kind},
    }
