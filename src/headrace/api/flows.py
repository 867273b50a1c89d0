"""The flow service's API: dataflows, as the original's clients know it."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from headrace.api.doors import Handed, JsonBody, allowed
from headrace.errors import HeadraceError, NotFound, RequestError, StaleVersion
from headrace.model.problem import ConfigurationError, Problem
from headrace.services import activation, connecting, targets
from headrace.services.at_partner import operating
from headrace.services.caller import Caller
from headrace.services.moving import Held
from headrace.services.patching import Operations
from headrace.store.dataflows import StoredDataflow


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
async def list_flows(
    caller: Reader, handed: Handed, limit: Annotated[int, Query(ge=1, le=100, description="The most to list.")] = 100
) -> Object:
    items = (await activation.listing(handed.store, caller))[:limit]
    held = await connecting.held_back(handed.store, caller, items)
    stopped = await connecting.stopped(handed.store, handed.partners, caller, items)
    shown = await operating.shown(handed.store, caller, items)
    return {
        "items": [_flow(item, caller, held.get(item.id), stopped.get(item.id), shown.get(item.id)) for item in items]
    }


@router.get("/flows/{id}", summary="Read a dataflow")
async def read_flow(id: str, caller: Reader, handed: Handed) -> Object:  # noqa: A002
    item = await activation.get(handed.store, caller, id)
    held = await connecting.held_back(handed.store, caller, [item])
    stopped = await connecting.stopped(handed.store, handed.partners, caller, [item])
    shown = await operating.shown(handed.store, caller, [item])
    return {"items": [_flow(item, caller, held.get(item.id), stopped.get(item.id), shown.get(item.id))]}


@router.patch("/flows/{id}", summary="Change a dataflow by JSON Patch")
async def patch_flow(
    id: str,  # noqa: A002
    caller: Operator,
    patch: Annotated[Patch, Depends(patch_of("dataflow"))],
    handed: Handed,
) -> Object:
    stored = await activation.patch(handed.store, handed.clock, caller, id, *patch, handed.lookups)
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
    return {"id": stored.id, "etag": activation.etag(stored)}


@router.delete("/flows/{id}", summary="Delete a dataflow; what waited is withheld", status_code=202)
async def delete_flow(id: str, caller: Operator, handed: Handed) -> Response:  # noqa: A002
    await activation.delete(handed.store, handed.clock, caller, id)
    return Response(status_code=202)


async def _kept(stored: StoredDataflow, caller: Caller, handed: Handed) -> Object:
    """Return what clients keep of a dataflow, and what its operator should read."""
    warnings = [warning.as_json() for warning in await activation.warnings(handed.store, caller, stored)]
    added = {"x-headrace": {"warnings": warnings}} if warnings else {}
    return {"id": stored.id, "etag": activation.etag(stored), **added}


def _refused(status: int, message: str, error: HeadraceError) -> JSONResponse:
    return JSONResponse({"errorMessage": message, "errorDetails": error.message}, status)


def _flow(
    stored: StoredDataflow, caller: Caller, held: Held | None, stopped: str | None, at_partner: Object | None
) -> Object:
    reason = stored.reason or stopped
    added: Object = {**(at_partner or {}), **({"reason": reason} if reason else {})}
    added |= {"consentRequired": targets.told(held)} if held is not None else {}
    extra = {"x-headrace": added} if added else {}
    return {
        "id": stored.id,
        "createdAt": stored.created_at,
        "updatedAt": stored.modified_at,
        "sandboxId": caller.tenant.sandbox_id,
        "sandboxName": caller.tenant.sandbox,
        "imsOrgId": caller.tenant.organization,
        **stored.document,
        "version": "1.0",
        "state": "enabled" if stored.state == "enabled" else "disabled",
        "etag": activation.etag(stored),
        **extra,
    }
