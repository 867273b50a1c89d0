"""Consent policies: what people must have agreed to before partners are told of them."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Response

from headrace.api.bodies import AuthoredBody
from headrace.api.doors import Doors, allowed, doors
from headrace.clock import iso
from headrace.services import consent_policies, declared, monitoring
from headrace.services.caller import Caller
from headrace.services.consent_policies import CONSENT_POLICY
from headrace.store.documents import Declared

router = APIRouter()

Handed = Annotated[Doors, Depends(doors)]
Reader = Annotated[Caller, Depends(allowed("governance:read"))]
Governor = Annotated[Caller, Depends(allowed("governance:write"))]
Watcher = Annotated[Caller, Depends(allowed("monitoring:read"))]
Object = dict[str, Any]
OURS = {"x-headrace": True}
PATH = "/governance/consent-policies"
IfMatch = Annotated[str | None, Header(description="The policy's `etag`, in its quotes.")]
_TAGS: list[Any] = ["governance"]


@router.post(PATH, tags=_TAGS, summary="Create a consent policy", status_code=201, openapi_extra=OURS)
async def create_policy(caller: Governor, body: AuthoredBody, handed: Handed) -> Object:
    made = await consent_policies.create(handed.store, handed.clock, caller, body)
    await handed.wake(caller.number)
    return _shown(made)


@router.get(PATH, tags=_TAGS, summary="List the consent policies", openapi_extra=OURS)
async def list_policies(caller: Reader, handed: Handed) -> Object:
    return {"items": [_shown(item) for item in await declared.listing(handed.store, caller, CONSENT_POLICY)]}


@router.get(f"{PATH}/{{id}}", tags=_TAGS, summary="Read a consent policy", openapi_extra=OURS)
async def read_policy(id: str, caller: Reader, handed: Handed) -> Object:  # noqa: A002
    return _shown(await declared.read(handed.store, caller, CONSENT_POLICY, id))


@router.put(f"{PATH}/{{id}}", tags=_TAGS, summary="Replace a consent policy", openapi_extra=OURS)
async def replace_policy(
    id: str,  # noqa: A002
    caller: Governor,
    body: AuthoredBody,
    handed: Handed,
    if_match: IfMatch = None,
) -> Object:
    made = await consent_policies.replace(handed.store, handed.clock, caller, id, body, if_match)
    await handed.wake(caller.number)
    return _shown(made)


@router.delete(f"{PATH}/{{id}}", tags=_TAGS, summary="Delete a consent policy", status_code=204, openapi_extra=OURS)
async def delete_policy(id: str, caller: Governor, handed: Handed, if_match: IfMatch = None) -> Response:  # noqa: A002
    await consent_policies.delete(handed.store, handed.clock, caller, id, if_match)
    await handed.wake(caller.number)
    return Response(status_code=204)


@router.get(
    "/dataflows/{id}/withheld", tags=["monitoring"], summary="Why changes were withheld, counted", openapi_extra=OURS
)
async def withheld(id: str, caller: Watcher, handed: Handed) -> Object:  # noqa: A002
    counts = await monitoring.withheld_reasons(handed.store, caller, id)
    return {"items": [{"reason": reason, "changes": changes} for reason, changes in counts]}


def _shown(item: Declared) -> Object:
    return {
        "id": item.id,
        **item.document,
        "createdAt": iso(item.created_at),
        "modifiedAt": iso(item.modified_at),
        "etag": declared.etag(item),
    }
