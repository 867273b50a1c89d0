"""Mapping sets, the schemas they lead from and to, and the schema of people: paths of the original beside its flows."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from headrace.api.doors import Doors, JsonBody, allowed, doors
from headrace.api.flows import FlowServiceRoute
from headrace.api.listed import Filters
from headrace.services import declared, mapping_sets, union_schema
from headrace.services.caller import Caller
from headrace.services.mapping_sets import MAPPING_SET, SCHEMA
from headrace.store.documents import Declared

router = APIRouter(prefix="/data", tags=["activation"], route_class=FlowServiceRoute)

Handed = Annotated[Doors, Depends(doors)]
Reader = Annotated[Caller, Depends(allowed("activation:read", sandbox="prod"))]
Operator = Annotated[Caller, Depends(allowed("activation:write", sandbox="prod"))]
Object = dict[str, Any]


@router.post("/foundation/conversion/schemas", summary="Keep a schema that mappings lead from or to", status_code=201)
async def create_schema(caller: Operator, body: JsonBody, handed: Handed) -> Object:
    return _shown(await mapping_sets.create_schema(handed.store, handed.clock, caller, body))


@router.get("/foundation/conversion/schemas", summary="List the schemas that mappings lead from or to")
async def list_schemas(caller: Reader, handed: Handed) -> Object:
    return _listed([_shown(item) for item in await declared.listing(handed.store, caller, SCHEMA)])


@router.get("/foundation/conversion/schemas/{id}", summary="Read a schema that mappings lead from or to")
async def read_schema(id: str, caller: Reader, handed: Handed) -> Object:  # noqa: A002 - the original's name
    return _shown(await declared.read(handed.store, caller, SCHEMA, id))


@router.post("/foundation/conversion/mappingSets", summary="Keep a mapping set", status_code=201)
async def create_set(caller: Operator, body: JsonBody, handed: Handed) -> Object:
    return _shown(await mapping_sets.create_set(handed.store, handed.clock, caller, body))


@router.get("/foundation/conversion/mappingSets", summary="List the mapping sets")
async def list_sets(
    caller: Reader,
    handed: Handed,
    asked: Filters,
    name: Annotated[str | None, Query(description="List those of this name alone.")] = None,
) -> Object:
    items = [_shown(item) for item in await declared.listing(handed.store, caller, MAPPING_SET)]
    return _listed([item for item in asked.kept(items) if name in (None, item.get("name"))])


@router.get("/foundation/conversion/mappingSets/{id}", summary="Read a mapping set")
async def read_set(id: str, caller: Reader, handed: Handed) -> Object:  # noqa: A002
    return _shown(await declared.read(handed.store, caller, MAPPING_SET, id))


@router.delete("/foundation/conversion/mappingSets/{id}", summary="Delete a mapping set", status_code=204)
async def delete_set(id: str, caller: Operator, handed: Handed) -> Response:  # noqa: A002
    await mapping_sets.delete_set(handed.store, handed.clock, caller, id)
    return Response(status_code=204)


@router.get("/core/ups/config/entityTypes/_xdm.context.profile", summary="Read the schema of people, as it is known")
async def read_union(caller: Reader, handed: Handed) -> Object:
    return await union_schema.union_schema(handed.store, caller)


def _shown(item: Declared) -> Object:
    dates = {"createdDate": item.created_at, "modifiedDate": item.modified_at}
    return {**item.document, "id": item.id, "version": item.version - 1, **dates}


def _listed(data: list[Object]) -> Object:
    return {"data": data, "_page": {"count": len(data), "totalPages": 1}}
