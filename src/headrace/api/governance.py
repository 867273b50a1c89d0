"""What is ours of governance: the labels that data carries, and what dataflows violate as they are."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from headrace.api.doors import Doors, JsonBody, allowed, doors
from headrace.clock import iso
from headrace.errors import NotFound
from headrace.services.caller import Caller
from headrace.services.governance import holding, labelling
from headrace.store.governance import PutLabels

router = APIRouter(tags=["governance"])

Handed = Annotated[Doors, Depends(doors)]
Reader = Annotated[Caller, Depends(allowed("governance:read"))]
Writer = Annotated[Caller, Depends(allowed("governance:write"))]
Object = dict[str, Any]
OURS = {"x-headrace": True}


@router.get("/governance/labels", summary="List the labels that data carries", openapi_extra=OURS)
async def list_labels(caller: Reader, handed: Handed) -> Object:
    return {"items": [_labelled(item) for item in await labelling.listing(handed.store, caller)]}


@router.post("/governance/labels", summary="Put labels on attributes, datasets, namespaces", openapi_extra=OURS)
async def put_labels(caller: Writer, body: JsonBody, handed: Handed) -> Object:
    return {"items": [_labelled(item) for item in await labelling.put(handed.store, handed.clock, caller, body)]}


@router.get("/governance/violations", summary="List what dataflows violate as it is", openapi_extra=OURS)
async def list_violations(caller: Reader, handed: Handed) -> Object:
    found = await handed.store.read(lambda tx: holding.standing(tx, caller.tenant))
    return {"items": [item.as_json() for item in found]}


@router.get("/dataflows/{id}/policy-check", summary="Hold a dataflow to the policies", openapi_extra=OURS)
async def check_dataflow(id: str, caller: Reader, handed: Handed) -> Object:  # noqa: A002
    found = await handed.store.read(lambda tx: holding.check(tx, caller, id))
    if found is None:
        raise NotFound(f"there is no dataflow {id!r} here")
    stored, violations = found
    items = [item.as_json() for item in violations]
    return {"dataflow": stored.id, "name": stored.document["name"], "state": stored.state, "violations": items}


def _labelled(item: PutLabels) -> Object:
    return {"kind": item.kind, "name": item.name, "labels": item.labels, "modifiedAt": iso(item.modified_at)}
