"""The flow service's API: dataflows, as the original's clients know it."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from headrace.api.doors import Handed, JsonBody, allowed
from headrace.api.listed import Listing, page_of
from headrace.clock import iso
from headrace.errors import HeadraceError, NotFound, RequestError, StaleVersion
from headrace.model.problem import ConfigurationError, Problem
from headrace.services import activation, connecting, flow_runs, flow_specs, targets
from headrace.services.at_partner import operating
from headrace.services.caller import Caller
from headrace.services.exports import standing
from headrace.services.left_alone import left_alone
from headrace.services.moving import Held
from headrace.services.patching import Operations
from headrace.store.dataflows import StoredDataflow
from headrace.store.slowed import SlowedAccount


class FlowServiceRoute(APIRoute):
    """A route that answers an unknown id and a stale version in the flow service's own shape."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except NotFound as error:
                return _refused(404, "Not found.", error)
            except StaleVersion as error:
                return _refused(412, "The version does not match.", error)

        return answer


router = APIRouter(prefix="/data/foundation/flowservice", tags=["activation"], route_class=FlowServiceRoute)

Reader = Annotated[Caller, Depends(allowed("activation:read", sandbox="prod"))]
Operator = Annotated[Caller, Depends(allowed("activation:write", sandbox="prod"))]
Object = dict[str, Any]
OURS = {"x-headrace": True}
IfMatch = Annotated[str | None, Header(description="The object's `etag`, in its quotes.")]
#: The version that a JSON Patch is for, and its operations.
Patch = tuple[str, Operations]


def patch_of(noun: str) -> Callable[..., Coroutine[Any, Any, Patch]]:
    """Make the dependency that reads a JSON Patch of a noun's objects, and which version it is for."""

    async def read(body: JsonBody, if_match: IfMatch = None) -> Patch:
        if not isinstance(body, list) or not all(isinstance(operation, dict) for operation in body):
            raise ConfigurationError([Problem("patch", "", "a JSON Patch is an array of operations")])
        if if_match is None:
            raise RequestError(f"`If-Match` with the {noun}'s etag is needed to change it")
        return if_match, body

    return read


@router.post("/flows", summary="Create a dataflow", status_code=201)
async def create_flow(caller: Operator, body: JsonBody, handed: Handed) -> Object:
    stored = await activation.create(handed.store, handed.clock, caller, body, handed.lookups)
    await handed.wake(caller.number)
    return await _kept(stored, caller, handed)


@router.get("/flows", summary="List the dataflows, newest first")
async def list_flows(caller: Reader, handed: Handed, asked: Listing) -> Object:
    items = await activation.listing(handed.store, caller)
    return page_of("/flows", (await _shown(handed, caller, items))[::-1], asked)


@router.get("/flows/{id}", summary="Read a dataflow")
async def read_flow(id: str, caller: Reader, handed: Handed) -> Object:  # noqa: A002
    item = await activation.get(handed.store, caller, id)
    return {"items": await _shown(handed, caller, [item])}


@router.patch("/flows/{id}", summary="Change a dataflow by JSON Patch")
async def patch_flow(
    id: str,  # noqa: A002
    caller: Operator,
    patch: Annotated[Patch, Depends(patch_of("dataflow"))],
    handed: Handed,
    removed: Annotated[
        str,
        Query(
            pattern="^(leave|exit)$",
            description="What becomes of the members of audiences that are taken out and that the partner cannot "
            "delete. `leave`: nothing; `exit`: they are told to have left.",
            json_schema_extra=OURS,
        ),
    ] = "leave",
) -> Object:
    exits = removed == "exit"
    stored = await activation.patch(handed.store, handed.clock, caller, id, *patch, handed.lookups, exits=exits)
    await handed.wake(caller.number)
    return await _kept(stored, caller, handed)


@router.post("/flows/{id}/action", summary="Enable or disable a dataflow")
async def act_on_flow(
    id: str,  # noqa: A002
    caller: Operator,
    handed: Handed,
    op: Annotated[str, Query(pattern="^(enable|disable)$", description="`enable` or `disable`.")],
) -> Object:
    stored = await activation.switch(handed.store, handed.clock, caller, id, on=op == "enable")
    await handed.wake(caller.number)
    return await _kept(stored, caller, handed)


@router.delete("/flows/{id}", summary="Delete a dataflow; what waited is withheld", status_code=202)
async def delete_flow(id: str, caller: Operator, handed: Handed) -> Response:  # noqa: A002
    await activation.delete(handed.store, handed.clock, caller, id)
    return Response(status_code=202)


async def _kept(stored: StoredDataflow, caller: Caller, handed: Handed) -> Object:
    """Return what clients keep of a dataflow, and what its operator should read."""
    warnings = [warning.as_json() for warning in await activation.warnings(handed.store, caller, stored)]
    added = {"x-headrace": {"warnings": warnings}} if warnings else {}
    return {"id": stored.id, "etag": activation.etag(stored), **added}


@router.get("/runs", summary="List the runs of dataflows, newest first")
async def list_runs(caller: Reader, handed: Handed, asked: Listing) -> Object:
    query, only_count = asked
    found = await flow_runs.listing(handed.store, caller, handed.clock.now(), query.only("flowId"))
    kept, query = flow_runs.chosen(found, query)
    return page_of("/runs", kept[::-1], (query, only_count))


@router.get("/runs/{id}", summary="Read a run of a dataflow")
async def read_run(id: str, caller: Reader, handed: Handed) -> Object:  # noqa: A002
    return {"items": [await flow_runs.get(handed.store, caller, id, handed.clock.now())]}


def _refused(status: int, message: str, error: HeadraceError) -> JSONResponse:
    return JSONResponse({"errorMessage": message, "errorDetails": error.message}, status)


async def _shown(handed: Handed, caller: Caller, items: list[StoredDataflow]) -> list[Object]:
    """Return dataflows as they are shown: what they take over, and what keeps them from going."""
    held = await connecting.held_back(handed.store, caller, items)
    stopped = await connecting.stopped(handed.store, handed.partners, caller, items)
    shown = await operating.shown(handed.store, caller, items)
    slowed = await left_alone(handed.store, handed.clock, caller, items)
    inherited = await flow_specs.inherited(handed.store, caller, items)
    files = await standing.shown(handed.store, items, handed.clock.now())
    return [
        _flow(
            item,
            caller,
            inherited[item.id],
            _added(item, held.get(item.id), stopped.get(item.id), shown.get(item.id))
            | _partner(slowed.get(item.id))
            | ({"exports": files[item.id]} if item.id in files else {}),
        )
        for item in items
    ]


def _added(stored: StoredDataflow, held: Held | None, stopped: str | None, at_partner: Object | None) -> Object:
    reason = stored.reason or stopped
    added: Object = {**(at_partner or {}), **({"reason": reason} if reason else {})}
    return added | ({"consentRequired": targets.told(held)} if held is not None else {})


def _partner(slowed: SlowedAccount | None) -> Object:
    """Say that the partner wants to be left alone, or is."""
    if slowed is None:
        return {}
    state = "down" if slowed.is_down else "slowed"
    times = {"since": iso(slowed.since), "nextTry": iso(slowed.until)}
    return {"partner": {"state": state, "reason": slowed.reason, **times}}


def _flow(stored: StoredDataflow, caller: Caller, inherited: Object, added: Object) -> Object:
    return {
        "id": stored.id,
        "createdAt": stored.created_at,
        "updatedAt": stored.modified_at,
        "sandboxId": caller.tenant.sandbox_id,
        "sandboxName": caller.tenant.sandbox,
        "imsOrgId": caller.tenant.organization,
        "flowSpec": flow_specs.of_flow(inherited),
        **stored.document,
        "version": "1.0",
        "state": "enabled" if stored.state == "enabled" else "disabled",
        "inheritedAttributes": inherited,
        "etag": activation.etag(stored),
        **({"x-headrace": added} if added else {}),
    }
