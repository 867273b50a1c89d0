"""
Runs of dataflows in the shape of the flow service: those runs of ours whose subject is a dataflow, and its hours.

An hour is a run of everything that a dataflow did in it. What came in counts in the hour in which it was taken, what
became of it in the hour in which it did.
"""

from collections.abc import Iterable
from typing import Any

from headrace.errors import NotFound
from headrace.model.flow import STREAMING_FLOW_SPEC
from headrace.services import hourly
from headrace.services.caller import Caller
from headrace.store import dataflows, runs
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


async def listing(store: Store, caller: Caller, now: int, flow: str | None = None) -> list[Object]:
    """Return the runs of a sandbox's dataflows, or of one alone, newest first."""

    def look(tx: Transaction) -> list[Object]:
        known = [item for item in dataflows.all_of(tx, caller.number) if flow in (None, item.id)]
        flows = {item.id: item.document for item in known}
        found = [*_shown(caller, flows, runs.latest(tx, caller.number, MOST))]
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
    found = next((run for run in await listing(store, caller, now, flow if hour else None) if run["id"] == id_), None)
    if found is None:
        raise NotFound(f"there is no run {id_!r} of a dataflow here")
    return found


def _shown(caller: Caller, flows: dict[str, Object], found: Iterable[Run]) -> Iterable[Object]:
    for run in found:
        flow = flows.get(run.subject.get("dataflow", ""))
        if flow is not None:
            yield _run(caller, flow, run)


def _run(caller: Caller, flow: Object, run: Run) -> Object:
    status: Object = {"status": _STATES[run.state]}
    if run.reason is not None:
        status["errors"] = [{"code": run.state, "message": run.reason, "type": "Error"}]
    duration = {"startedAtUTC": run.began_at, "completedAtUTC": run.ended_at}
    return {
        "id": run.run,
        "flowId": run.subject["dataflow"],
        "flowSpec": flow.get("flowSpec", {"id": STREAMING_FLOW_SPEC, "version": "1.0"}),
        "createdAt": run.asked_at,
        "updatedAt": run.ended_at or run.began_at or run.asked_at,
        "createdBy": run.actor,
        "sandboxId": caller.tenant.sandbox_id,
        "sandboxName": caller.tenant.sandbox,
        "imsOrgId": caller.tenant.organization,
        "metrics": {"durationSummary": duration, "statusSummary": status, **run.progress.get("metrics", {})},
        "activities": [],
        "x-headrace": {"kind": run.kind},
    }
