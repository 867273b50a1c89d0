"""Activations of ours: one document says who is sent where; planned, tried on who is there, applied."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from headrace.api.doors import Doors, JsonBody, allowed, doors
from headrace.api.listed import Listing, page_of
from headrace.services.activations import standing, trying
from headrace.services.activations.applying import Applier
from headrace.services.activations.planning import Plan, plan, read_activation
from headrace.services.activations.trying import MOST_LOOKED_AT, SAMPLES, Leaving, Trial, files_of, trial_of
from headrace.services.caller import Caller
from headrace.store.database import Transaction

router = APIRouter(prefix="/activations", tags=["activation"])

Handed = Annotated[Doors, Depends(doors)]
Reader = Annotated[Caller, Depends(allowed("activation:read", sandbox="prod"))]
Operator = Annotated[Caller, Depends(allowed("activation:write", sandbox="prod"))]
Object = dict[str, Any]
OURS = {"x-headrace": True}


@router.get("", summary="List the activations, newest first", openapi_extra=OURS)
async def list_activations(caller: Reader, handed: Handed, asked: Listing) -> Object:
    return page_of("/activations", (await standing.listing(handed.store, handed.clock, caller))[::-1], asked)


@router.post("", summary="Make an activation true; a second time nothing happens", openapi_extra=OURS)
async def apply(caller: Operator, body: JsonBody, handed: Handed) -> Object:
    grant, most = handed.settings.allow_password_grant, handed.settings.most_destinations
    applier = Applier(handed.store, handed.clock, handed.keyring, handed.lookups, grant, most, handed.trials)
    made, stored = await applier.apply(caller, body)
    await handed.wake(caller.number)
    return {**_plan(made), "dataflow": stored.id}


@router.post("/plan", summary="Say what an activation would do and send, and do nothing", openapi_extra=OURS)
async def dry_run(
    caller: Operator,
    body: JsonBody,
    handed: Handed,
    after: Annotated[int, Query(ge=0, lt=1 << 63, description="Go on counting after this number: `next`.")] = 0,
    limit: Annotated[
        int, Query(ge=1, le=MOST_LOOKED_AT, description="The most people to look at in this request.")
    ] = MOST_LOOKED_AT,
    samples: Annotated[int, Query(ge=0, le=SAMPLES, description="The most messages to show.")] = SAMPLES,
) -> Object:
    wanted = read_activation(body)

    def look(tx: Transaction) -> tuple[Plan, Trial | None, list[Object]]:
        made = plan(tx, caller, handed.keyring, wanted)
        trial = trial_of(tx, caller, handed.clock, made)
        return made, trial, files_of(tx, caller, handed.clock, made) if trial is None else []

    made, trial, files = await handed.store.read(look)
    if trial is None:
        return {**_plan(made), "leaving": _NOTHING, "samples": [], "files": files}
    leaving = await trying.look(handed.store, caller, trial, after, limit, samples)
    messages = await trying.shown(handed.renderers, caller, trial, leaving)
    return {**_plan(made), "leaving": _leaving(trial, leaving), "samples": messages}


#: What leaves at once where files are written: nothing.
_NOTHING: Object = {
    **dict.fromkeys(("people", "entries", "messages", "looked", "of"), 0),
    "groups": {},
    "mostPerMessage": 1,
    "next": None,
}


def _plan(made: Plan) -> Object:
    return {
        "name": made.wanted.name,
        "dataflow": made.found.dataflow.id if made.found.dataflow is not None else None,
        "steps": [step.as_json() for step in made.steps],
        "violations": [violation.as_json() for violation in made.violations],
        "x-headrace": {"warnings": [problem.as_json() for problem in made.warnings]},
    }


def _leaving(trial: Trial, leaving: Leaving) -> Object:
    """Tell what would leave. Whoever counts in several requests adds up ``groups``, and divides at the end."""
    most = trial.most_entries
    return {
        "people": leaving.people,
        "entries": leaving.buckets.total(),
        "messages": sum(-(-count // most) for count in leaving.buckets.values()),
        "groups": {str(bucket): count for bucket, count in leaving.buckets.items()},
        "mostPerMessage": most,
        "looked": leaving.looked,
        "of": trial.people,
        "next": leaving.next,
    }
