"""Namespaces of identities, where clients of the original look for them; the order by which people are kept is ours."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path

from headrace.api.doors import Doors, JsonBody, allowed, doors
from headrace.services import namespaces
from headrace.services.caller import Caller

PREFIX = "/data/core/idnamespace"
router = APIRouter(tags=["namespaces"])

Handed = Annotated[Doors, Depends(doors)]
Reader = Annotated[Caller, Depends(allowed("activation:read"))]
Writer = Annotated[Caller, Depends(allowed("activation:write"))]
Id = Annotated[str, Path(description="The number of the namespace.")]
OURS = {"x-headrace": True}


@router.get(f"{PREFIX}/identities", summary="List the namespaces of identities")
async def listing(caller: Reader, handed: Handed) -> list[dict[str, Any]]:
    return await namespaces.listing(handed.store, caller)


@router.post(f"{PREFIX}/identities", summary="Declare a namespace")
async def create(caller: Writer, handed: Handed, document: JsonBody) -> dict[str, Any]:
    return await namespaces.create(handed.store, handed.clock, caller, document)


@router.get(f"{PREFIX}/identities/{{id}}", summary="Read a namespace")
async def get(id: Id, caller: Reader, handed: Handed) -> dict[str, Any]:  # noqa: A002
    return await namespaces.get(handed.store, caller, id)


@router.put(f"{PREFIX}/identities/{{id}}", summary="Replace what is said of a namespace")
async def update(id: Id, caller: Writer, handed: Handed, document: JsonBody) -> dict[str, Any]:  # noqa: A002
    return await namespaces.update(handed.store, handed.clock, caller, id, document)


@router.get("/namespace-order", summary="By which namespaces people are kept", openapi_extra=OURS)
async def order(caller: Reader, handed: Handed) -> dict[str, Any]:
    return {"codes": await namespaces.order(handed.store, caller)}


@router.put("/namespace-order", summary="Say by which namespaces people are kept", openapi_extra=OURS)
async def set_order(caller: Writer, handed: Handed, document: JsonBody) -> dict[str, Any]:
    return {"codes": await namespaces.set_order(handed.store, handed.clock, caller, document)}
