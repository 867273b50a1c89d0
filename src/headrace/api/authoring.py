"""The authoring API: destination servers and destinations, as the original's clients know it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from headrace.api.doors import Doors, JsonBody, allowed, doors
from headrace.clock import iso
from headrace.model.problem import ConfigurationError, Problem
from headrace.services import authoring, declared
from headrace.services.authoring import DESTINATION, SERVER, Authored
from headrace.services.caller import Caller
from headrace.store.documents import Declared

router = APIRouter(prefix="/data/core/activation/authoring", tags=["authoring"])

Handed = Annotated[Doors, Depends(doors)]
Reader = Annotated[Caller, Depends(allowed("authoring:read"))]
Author = Annotated[Caller, Depends(allowed("authoring:write"))]
Strict = Annotated[
    bool,
    Query(
        description="Whether unknown fields are refused; else they are warnings.",
        json_schema_extra={"x-headrace": True},
    ),
]
Object = dict[str, Any]


@router.post("/destination-servers", summary="Create a destination server")
async def create_server(caller: Author, body: JsonBody, handed: Handed, strict: Strict = True) -> Object:
    return _authored(await authoring.save(handed.store, handed.clock, caller, SERVER, body, strict=strict), caller)


@router.get("/destination-servers", summary="List the destination servers")
async def list_servers(caller: Reader, handed: Handed) -> Object:
    return {"items": [_shown(item, caller) for item in await declared.listing(handed.store, caller, SERVER)]}


@router.get("/destination-servers/{instance_id}", summary="Read a destination server")
async def read_server(instance_id: str, caller: Reader, handed: Handed) -> Object:
    return _shown(await declared.read(handed.store, caller, SERVER, instance_id), caller)


@router.put("/destination-servers/{instance_id}", summary="Replace a destination server")
async def replace_server(
    instance_id: str, caller: Author, body: JsonBody, handed: Handed, strict: Strict = True
) -> Object:
    _refuse_another(instance_id, body)
    saved = await authoring.save(handed.store, handed.clock, caller, SERVER, body, strict=strict, id_=instance_id)
    await handed.wake(caller.number)
    return _authored(saved, caller)


@router.delete("/destination-servers/{instance_id}", summary="Delete a destination server that is not in use")
async def delete_server(instance_id: str, caller: Author, handed: Handed) -> Response:
    await authoring.delete(handed.store, handed.clock, caller, SERVER, instance_id)
    return Response(status_code=200)


@router.post("/destinations", summary="Create a destination")
async def create_destination(caller: Author, body: JsonBody, handed: Handed, strict: Strict = True) -> Object:
    saved = await authoring.save(handed.store, handed.clock, caller, DESTINATION, body, strict=strict)
    return _authored(saved, caller, is_destination=True)


@router.get("/destinations", summary="List the destinations")
async def list_destinations(caller: Reader, handed: Handed) -> Object:
    items = await declared.listing(handed.store, caller, DESTINATION)
    return {"items": [_shown(item, caller, is_destination=True) for item in items]}


@router.get("/destinations/{instance_id}", summary="Read a destination")
async def read_destination(instance_id: str, caller: Reader, handed: Handed) -> Object:
    return _shown(await declared.read(handed.store, caller, DESTINATION, instance_id), caller, is_destination=True)


@router.put("/destinations/{instance_id}", summary="Replace a destination")
async def replace_destination(
    instance_id: str, caller: Author, body: JsonBody, handed: Handed, strict: Strict = True
) -> Object:
    _refuse_another(instance_id, body)
    saved = await authoring.save(handed.store, handed.clock, caller, DESTINATION, body, strict=strict, id_=instance_id)
    await handed.wake(caller.number)
    return _authored(saved, caller, is_destination=True)


@router.delete("/destinations/{instance_id}", summary="Delete a destination that is not in use")
async def delete_destination(instance_id: str, caller: Author, handed: Handed) -> Response:
    await authoring.delete(handed.store, handed.clock, caller, DESTINATION, instance_id)
    return Response(status_code=200)


def _refuse_another(instance_id: str, body: object) -> None:
    """Refuse an object that says that it is another than the one it would replace."""
    given = body.get("instanceId", instance_id) if isinstance(body, dict) else instance_id
    if given != instance_id:
        message = f"the path names the object {instance_id!r}, and the body another: leave `instanceId` out"
        raise ConfigurationError([Problem("wrong-id", "/instanceId", message)])


def _authored(saved: Authored, caller: Caller, *, is_destination: bool = False) -> Object:
    shown = _shown(saved.declared, caller, is_destination=is_destination)
    if saved.warnings:
        shown["x-headrace"] = {"warnings": [warning.as_json() for warning in saved.warnings]}
    return shown


def _shown(item: Declared, caller: Caller, *, is_destination: bool = False) -> Object:
    """Return a stored object with what the server adds to it."""
    added: Object = {
        "instanceId": item.id,
        "createdDate": iso(item.created_at),
        "lastModifiedDate": iso(item.modified_at),
    }
    if is_destination:
        tenant = caller.tenant
        added |= {"imsOrg": tenant.organization, "sandboxName": tenant.sandbox, "sandboxId": tenant.sandbox_id}
        added |= {"destConfigId": item.id, "backfillHistoricalProfileData": True}
    return {**added, **item.document}
