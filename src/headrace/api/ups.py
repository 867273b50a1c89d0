"""
Audiences where clients of the original look for them: ``/data/core/ups``.

What is ours in one stands under ``x-headrace``: members of an ``AudienceDefinition`` that the original does not have.
"""

from math import ceil
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from headrace.api.doors import Handed, JsonBody, allowed
from headrace.clock import iso
from headrace.errors import RequestError
from headrace.model.audience import UPLOADED
from headrace.model.expiry import OWN
from headrace.services.audiences.declaring import View
from headrace.services.caller import Caller
from headrace.services.listing import Query as Wanted
from headrace.services.patching import patched

PREFIX = "/data/core/ups"
router = APIRouter(prefix=PREFIX, tags=["audiences"])

Reader = Annotated[Caller, Depends(allowed("activation:read"))]
Operator = Annotated[Caller, Depends(allowed("activation:write"))]
Object = dict[str, Any]
Limit = Annotated[int, Query(ge=1, le=1000, description="The most to list.")]
_OURS = ("kind", "key", "identity", "schedule", "onSnapshot", "largestRemoval", "daysValid", "csv")
_NAMED = ("name", "description", "audienceId", "namespace")
_SCHEMA = {"name": "_xdm.context.profile"}


@router.get("/audiences", summary="List audiences")
async def list_ups_audiences(
    caller: Reader,
    handed: Handed,
    limit: Limit = 100,
    start: Annotated[int, Query(ge=0, description="How many to leave out: `_page.next` of the last page.")] = 0,
    name: Annotated[str, Query(description="List those with this in their name.")] = "",
    description: Annotated[str, Query(description="List those with this in their description.")] = "",
    prop: Annotated[list[str] | None, Query(alias="property", description="A filter, `audienceId==value`.")] = None,
    sort: Annotated[str, Query(description="By what to sort: `updateTime:desc`.")] = "",
) -> Object:
    views = await handed.audiences.declaring.listing(caller)
    order = ("-" if sort.endswith(":desc") else "") + sort.partition(":")[0]
    found = Wanted(tuple(prop or ()), 1000, order).page([_audience(caller, view) for view in views]).items
    fitting = [item for item in found if _has(item, "name", name) and _has(item, "description", description)]
    page: Object = {"totalCount": len(fitting), "totalPages": ceil(len(fitting) / limit), "pageSize": limit}
    following = {"next": start + limit} if start + limit < len(fitting) else {}
    return {"children": fitting[start : start + limit], "_page": {**page, **following}}


@router.post("/audiences", summary="Declare an audience")
async def create_ups_audience(caller: Operator, body: JsonBody, handed: Handed) -> Object:
    return _audience(caller, await handed.audiences.declaring.create(caller, _read(body)))


@router.get("/audiences/{id}", summary="Read an audience")
async def read_ups_audience(id: str, caller: Reader, handed: Handed) -> Object:  # noqa: A002
    return _audience(caller, await handed.audiences.declaring.read(caller, id))


@router.put("/audiences/{id}", summary="Replace an audience")
async def replace_ups_audience(id: str, caller: Operator, body: JsonBody, handed: Handed) -> Object:  # noqa: A002
    return _audience(caller, await handed.audiences.declaring.replace(caller, id, _read(body), None))


@router.patch("/audiences/{id}", summary="Change an audience by JSON Patch")
async def patch_ups_audience(id: str, caller: Operator, body: JsonBody, handed: Handed) -> Object:  # noqa: A002
    if not isinstance(body, list) or not all(isinstance(item, dict) for item in body):
        raise RequestError("a patch is a list of operations (RFC 6902)")
    known = _audience(caller, await handed.audiences.declaring.read(caller, id))
    document = _read(patched(known, body, "audience"))
    return _audience(caller, await handed.audiences.declaring.replace(caller, id, document, None))


@router.delete("/audiences/{id}", summary="Delete an audience that is not sent", status_code=204)
async def delete_ups_audience(id: str, caller: Operator, handed: Handed) -> Response:  # noqa: A002
    await handed.audiences.declaring.delete(caller, id, None)
    return Response(status_code=204)


@router.get("/segment/definitions", summary="List the audiences of the namespace `ups`")
async def list_segments(
    caller: Reader,
    handed: Handed,
    limit: Limit = 100,
    page: Annotated[int, Query(ge=0, lt=1 << 31, description="Which page, from 0.")] = 0,
) -> Object:
    views = await handed.audiences.declaring.listing(caller)
    found = [_segment(caller, view) for view in views if view.stored.namespace == OWN]
    pages = {"totalCount": len(found), "totalPages": ceil(len(found) / limit), "pageSize": limit, "limit": limit}
    return {"segments": found[page * limit : (page + 1) * limit], "page": pages, "link": {}}


@router.post("/segment/definitions", summary="Declare an audience with a query")
async def create_segment(caller: Operator, body: JsonBody, handed: Handed) -> Object:
    return _segment(caller, await handed.audiences.declaring.create(caller, _read(body)))


@router.post("/segment/definitions/bulk-get", summary="Read several audiences")
async def read_segments(caller: Reader, body: JsonBody, handed: Handed) -> Object:
    named = body.get("ids", []) if isinstance(body, dict) else body
    if not isinstance(named, list):
        raise RequestError('name audiences as {"ids": [{"id": "…"}]}')
    wanted = {str(item.get("id") if isinstance(item, dict) else item) for item in named}
    views = await handed.audiences.declaring.listing(caller)
    found = [_segment(caller, view) for view in views if view.stored.id in wanted and view.stored.namespace == OWN]
    return {"results": {item["id"]: item for item in found}}


@router.get("/segment/definitions/{id}", summary="Read an audience of the namespace `ups`")
async def read_segment(id: str, caller: Reader, handed: Handed) -> Object:  # noqa: A002
    return _segment(caller, await handed.audiences.declaring.read(caller, id, OWN))


@router.patch("/segment/definitions/{id}", summary="Change members of an audience's definition")
async def patch_segment(id: str, caller: Operator, body: JsonBody, handed: Handed) -> Object:  # noqa: A002
    if not isinstance(body, dict):
        raise RequestError("send an object with the members that change")
    view = await handed.audiences.declaring.read(caller, id, OWN)
    changed = {**_audience(caller, view), **body}
    return _segment(caller, await handed.audiences.declaring.replace(caller, id, _read(changed), None))


@router.delete("/segment/definitions/{id}", summary="Delete an audience that is not sent")
async def delete_segment(id: str, caller: Operator, handed: Handed) -> Object:  # noqa: A002
    await handed.audiences.declaring.delete(caller, id, None)
    return {"message": f"the segment definition {id} was deleted"}


def _audience(caller: Caller, view: View) -> Object:
    """Write an audience as the original's API of audiences does."""
    stored, definition = view.stored, view.definition
    is_own = stored.namespace == OWN
    document = view.declared.document if view.declared is not None else {}
    return {
        **_segment(caller, view),
        "audienceId": stored.id,
        "namespace": stored.namespace,
        "type": "SegmentDefinition" if is_own else "ExternalSegment",
        "originName": _origin(stored.namespace),
        "lifecycleState": "published",
        "isSystem": False,
        "metrics": {"data": {"totalProfiles": stored.size, "totalProfilesByMergePolicy": {}}},
        "x-headrace": {"kind": definition.kind} | {name: document[name] for name in _OURS if name in document},
    }


def _segment(caller: Caller, view: View) -> Object:
    """Write an audience as the original's API of segment definitions does."""
    stored, definition = view.stored, view.definition
    created, modified = stored.created_at, stored.modified_at
    if view.declared is not None:
        created, modified = view.declared.created_at, view.declared.modified_at
    expression = {"type": "SQL", "format": "sql/text", "value": definition.query}
    return {
        "id": stored.id,
        "name": definition.name,
        "description": definition.description or "",
        "profileInstanceId": OWN,
        "imsOrgId": caller.tenant.organization,
        "sandbox": {"sandboxName": caller.tenant.sandbox},
        "schema": _SCHEMA,
        **({"expression": expression} if definition.query is not None else {}),
        "evaluationInfo": {"batch": {"enabled": definition.query is not None}, "continuous": {"enabled": False}},
        "creationTime": created,
        "createEpoch": created // 1000,
        "updateTime": modified,
        "updateEpoch": modified // 1000,
        "updatedAt": iso(modified),
    }


def _origin(namespace: str) -> str:
    return {OWN: "REAL_TIME_CUSTOMER_PROFILE", UPLOADED: "CUSTOM_UPLOAD"}.get(namespace, namespace)


def _read(body: Any) -> Object:
    """Read an audience as the original's clients write it; what has no meaning here is left out."""
    if not isinstance(body, dict):
        raise RequestError("an audience is an object")
    ours = body.get("x-headrace", {})
    if not isinstance(ours, dict):
        raise RequestError("`x-headrace` is an object")
    document: Object = {name: body[name] for name in _NAMED if body.get(name) not in (None, "")}
    expression = body.get("expression")
    if expression is not None:
        document |= {"kind": "sql", "query": _query(expression)}
    elif body.get("type") == "ExternalSegment" and "namespace" in document and "kind" not in ours:
        document["kind"] = "external"
    return {**document, **{name: value for name, value in ours.items() if value is not None}}


def _query(expression: Any) -> Any:
    if not isinstance(expression, dict) or expression.get("type") != "SQL":
        raise RequestError(
            'an expression is {"type": "SQL", "format": "sql/text", "value": "SELECT …"}; PQL is not known'
        )
    return expression.get("value")


def _has(item: Object, name: str, wanted: str) -> bool:
    return wanted.lower() in str(item[name]).lower()
