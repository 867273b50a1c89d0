"""Audiences at the partner: how they stand, and what an operator can do about one that is stuck."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from headrace.api.doors import Doors, Handed, JsonBody, allowed
from headrace.api.flows import FlowServiceRoute
from headrace.model.audience_template import Adoption
from headrace.model.reading import read
from headrace.services import activation
from headrace.services.at_partner import operating
from headrace.services.caller import Caller

router = APIRouter(prefix="/data/foundation/flowservice", tags=["activation"], route_class=FlowServiceRoute)

Reader = Annotated[Caller, Depends(allowed("activation:read", sandbox="prod"))]
Operator = Annotated[Caller, Depends(allowed("activation:write", sandbox="prod"))]
OURS = {"x-headrace": True}
Object = dict[str, Any]


@router.get(
    "/targetConnections/{id}/audiences",
    summary="List how the audiences of a target connection stand at the partner",
    openapi_extra=OURS,
)
async def of_target(id: str, caller: Reader, handed: Handed) -> Object:  # noqa: A002
    return {"items": await operating.of_target(handed.store, caller, id)}


@router.get("/flows/{id}/audiences/atPartner", summary="List the audiences that the partner has", openapi_extra=OURS)
async def at_partner(id: str, caller: Operator, handed: Handed) -> Object:  # noqa: A002
    return {"items": await operating.at_partner(handed.store, handed.partners, handed.call_limit, caller, id)}


@router.post("/flows/{id}/audiences/retry", summary="Try at once what failed at the partner", openapi_extra=OURS)
async def retry(id: str, caller: Operator, handed: Handed) -> Object:  # noqa: A002
    await handed.call_limit.admit(caller)
    await operating.retry(handed.store, handed.clock, caller, id)
    return await _standing(handed, caller, id)


@router.post(
    "/flows/{id}/audiences/{namespace}/{audience}/adopt",
    summary="Take an audience that the partner has for one of ours",
    openapi_extra=OURS,
)
async def adopt(
    id: str,  # noqa: A002
    namespace: str,
    audience: str,
    caller: Operator,
    body: JsonBody,
    handed: Handed,
) -> Object:
    adoption, _ = read(Adoption, body)
    key = (namespace, audience)
    await operating.adopt(handed.store, handed.clock, handed.partners, handed.call_limit, caller, id, key, adoption)
    return await _standing(handed, caller, id)


async def _standing(handed: Doors, caller: Caller, id_: str) -> Object:
    await handed.wake(caller.number)
    stored = await activation.get(handed.store, caller, id_)
    shown = await operating.shown(handed.store, caller, [stored])
    return {"items": shown.get(id_, {}).get("audiences", [])}
