"""Runs and schedules: what goes on by itself, how far it has come, and how it is steered."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query

from headrace.api.doors import Handed, JsonBody, allowed
from headrace.api.problems import BadRequestError
from headrace.clock import iso
from headrace.services import runs, schedules
from headrace.services.caller import Caller
from headrace.store.runs import Run
from headrace.store.schedules import Schedule

router = APIRouter()

Reader = Annotated[Caller, Depends(allowed("activation:read"))]
Operator = Annotated[Caller, Depends(allowed("activation:write"))]
State = Literal["asked", "running", "succeeded", "failed", "cancelled"]
Object = dict[str, Any]
OURS = {"x-headrace": True}
#: What lists leave out of how far runs have come.
_LONG = frozenset({"files", "metrics", "activities"})


@router.get("/runs", tags=["runs"], summary="List runs, newest first", openapi_extra=OURS)
async def list_runs(
    caller: Reader,
    handed: Handed,
    limit: Annotated[int, Query(ge=1, le=1000, description="The most to list.")] = 100,
    before: Annotated[str | None, Query(description="List those before this one: the `next` of the last page.")] = None,
    kind: Annotated[str | None, Query(description="List those of this kind alone.")] = None,
    state: Annotated[State | None, Query(description="List those in this state alone.")] = None,
    target: Annotated[
        list[str] | None, Query(description="List those of this target connection alone, once for each.")
    ] = None,
) -> Object:
    found = await runs.listing(handed.store, caller, limit, before=before, kind=kind, state=state, targets=target)
    items = [shown_run(run, is_listed=True) for run in found]
    return {"items": items, "next": items[-1]["id"] if len(items) == limit else None}


@router.get("/runs/{id}", tags=["runs"], summary="Read a run", openapi_extra=OURS)
async def read_run(id: str, caller: Reader, handed: Handed) -> Object:  # noqa: A002
    return shown_run(await runs.get(handed.store, caller, id))


@router.post("/runs/{id}/cancel", tags=["runs"], summary="Do no further step of a run", openapi_extra=OURS)
async def cancel(id: str, caller: Operator, handed: Handed) -> Object:  # noqa: A002
    return shown_run(await handed.runs.cancel(caller, id))


@router.post("/runs/{id}/retry", tags=["runs"], summary="Try a run again that failed", openapi_extra=OURS)
async def retry(id: str, caller: Operator, handed: Handed) -> Object:  # noqa: A002
    await handed.call_limit.admit(caller)
    return shown_run(await handed.runs.retry(caller, id))


@router.get("/schedules", tags=["runs"], summary="List schedules", openapi_extra=OURS)
async def list_schedules(caller: Reader, handed: Handed) -> Object:
    return {"items": [_schedule(schedule) for schedule in await schedules.listing(handed.store, caller)]}


@router.post("/schedules/{id}/pause", tags=["runs"], summary="Ask for no further run", openapi_extra=OURS)
async def pause(id: str, caller: Operator, handed: Handed) -> Object:  # noqa: A002
    return _schedule(await schedules.pause(handed.store, handed.clock, caller, id))


@router.post("/schedules/{id}/resume", tags=["runs"], summary="Ask for runs again", openapi_extra=OURS)
async def resume(id: str, caller: Operator, handed: Handed) -> Object:  # noqa: A002
    return _schedule(await schedules.resume(handed.store, handed.clock, caller, id))


@router.post("/schedules/{id}/trigger", tags=["runs"], summary="Ask for a run now", openapi_extra=OURS)
async def trigger(id: str, caller: Operator, handed: Handed) -> Object:  # noqa: A002
    run = await schedules.trigger(handed.store, handed.clock, caller, id)
    handed.runs.wake()
    return shown_run(run)


@router.post(
    "/schedules/{id}/backfill", tags=["runs"], summary="Ask for the runs of a time that has passed", openapi_extra=OURS
)
async def backfill(id: str, caller: Operator, handed: Handed, body: JsonBody) -> Object:  # noqa: A002
    start, end = (_moment(body, name) for name in ("from", "to"))
    asked = await schedules.backfill(handed.store, handed.clock, caller, id, start, end)
    handed.runs.wake()
    return {"items": [shown_run(run) for run in asked]}


def _moment(body: Any, name: str) -> int:
    try:
        moment = datetime.fromisoformat(body[name])
        if moment.tzinfo is not None:
            return int(moment.timestamp() * 1000)
    except (TypeError, KeyError, ValueError, OverflowError):
        pass
    raise BadRequestError(f"{name!r} is a moment in ISO 8601 with its zone, such as 2026-03-01T00:00:00Z")


def _iso(moment: int | None) -> str | None:
    return None if moment is None else iso(moment)


def shown_run(run: Run, *, is_listed: bool = False) -> Object:
    """Return a run as the API shows it; in a list without what one may have very much of."""
    hidden = _LONG if is_listed else frozenset[str]()
    return {
        "id": run.run,
        "kind": run.kind,
        "subject": run.subject,
        "state": run.state,
        "reason": run.reason,
        "progress": {name: value for name, value in run.progress.items() if name not in hidden},
        "actor": run.actor,
        "askedAt": iso(run.asked_at),
        "dueAt": iso(run.due_at),
        "beganAt": _iso(run.began_at),
        "endedAt": _iso(run.ended_at),
        "retryOf": run.retry_of,
        "schedule": run.schedule,
        "moment": _iso(run.moment),
    }


def _schedule(schedule: Schedule) -> Object:
    return {
        "id": schedule.schedule,
        "kind": schedule.kind,
        "subject": schedule.subject,
        "cron": schedule.cron,
        "askedUntil": iso(schedule.asked_until),
        "nextAt": iso(schedule.next_at),
        "pausedAt": _iso(schedule.paused_at),
        "actor": schedule.actor,
        "createdAt": iso(schedule.created_at),
    }
