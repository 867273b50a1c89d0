"""Sending audiences again that have been sent: all who are members now, though nothing of them has changed."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from headrace.api.doors import Handed, JsonBody, allowed
from headrace.api.problems import BadRequestError
from headrace.api.runs import shown_run
from headrace.services.caller import Caller
from headrace.services.sending_again import Chosen, send_again

router = APIRouter()

Operator = Annotated[Caller, Depends(allowed("activation:write"))]
Object = dict[str, Any]
OURS = {"x-headrace": True}
_FORM = '`{"audiences": [{"id": …, "namespace": "ups"}]}`, or `{}` for all that the dataflow sends'


@router.post(
    "/dataflows/{id}/activate-now",
    tags=["activation"],
    summary="Send all current members of audiences again",
    openapi_extra=OURS,
)
async def activate_now(id: str, caller: Operator, handed: Handed, body: JsonBody) -> Object:  # noqa: A002
    asked = await send_again(handed.store, handed.clock, caller, id, _chosen(body))
    return {"items": [shown_run(run) for run in asked]}


def _chosen(body: Any) -> list[Chosen] | None:
    if body == {}:
        return None
    listed = body.get("audiences") if isinstance(body, dict) and body.keys() == {"audiences"} else None
    if not isinstance(listed, list) or not listed:
        raise BadRequestError(f"the body is {_FORM}")
    return [*dict.fromkeys(_audience(item) for item in listed)]


def _audience(item: Any) -> Chosen:
    named = {"namespace": "ups", **item} if isinstance(item, dict) else {}
    if named.keys() != {"id", "namespace"} or not all(isinstance(value, str) for value in named.values()):
        raise BadRequestError(f"an audience is an `id`, and a `namespace` where it is not `ups`: the body is {_FORM}")
    return Chosen(named["namespace"], named["id"])
