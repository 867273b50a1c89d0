"""Audiences: declared, evaluated, uploaded, told by other systems; and the history of how their members were found."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from headrace.api.bodies import AuthoredBody
from headrace.api.doors import Handed, JsonBody, allowed
from headrace.clock import iso
from headrace.errors import NotFound
from headrace.services import declared
from headrace.services.audiences.declaring import View
from headrace.services.caller import Caller
from headrace.services.ingestion import LONGEST_IDEMPOTENCY_KEY
from headrace.store.evaluations import Evaluation, Part

router = APIRouter(prefix="/audiences", tags=["audiences"])

Reader = Annotated[Caller, Depends(allowed("activation:read"))]
Operator = Annotated[Caller, Depends(allowed("activation:write"))]
Sender = Annotated[Caller, Depends(allowed("profiles:write"))]
Object = dict[str, Any]
OURS = {"x-headrace": True}
IfMatch = Annotated[str | None, Header(description="The audience's `etag`, in its quotes.")]
_KINDS: dict[str, Literal["csv", "parquet"]] = {
    "text/csv": "csv",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
}
_PARTS: dict[str, Part] = {"replace": "all", "add": "more", "anew": "anew"}
_MOST = 1 << 31


@router.get("", summary="List the audiences, also those that only people carry", openapi_extra=OURS)
async def list_audiences(caller: Reader, handed: Handed) -> Object:
    return {"items": [shown(view) for view in await handed.audiences.declaring.listing(caller)]}


@router.post("", summary="Declare an audience", status_code=201, openapi_extra=OURS)
async def create_audience(caller: Operator, body: AuthoredBody, handed: Handed) -> Object:
    return shown(await handed.audiences.declaring.create(caller, body))


@router.post("/preview", summary="Say who a query would have in an audience", openapi_extra=OURS)
async def preview_audience(caller: Sender, body: AuthoredBody, handed: Handed) -> Object:
    seen = await handed.audiences.preview(caller, body)
    return {"count": seen.count, "sample": seen.sample, "rejected": seen.rejected}


@router.get("/{id}", summary="Read an audience", openapi_extra=OURS)
async def read_audience(
    id: str,  # noqa: A002
    caller: Reader,
    handed: Handed,
    namespace: Annotated[str | None, Query(description="Its namespace, where several have this id.")] = None,
) -> Object:
    return shown(await handed.audiences.declaring.read(caller, id, namespace))


@router.put("/{id}", summary="Replace what is declared of an audience", openapi_extra=OURS)
async def replace_audience(
    id: str,  # noqa: A002
    caller: Operator,
    body: AuthoredBody,
    handed: Handed,
    if_match: IfMatch = None,
) -> Object:
    return shown(await handed.audiences.declaring.replace(caller, id, body, if_match))


@router.delete("/{id}", summary="Delete an audience that is not sent", status_code=204, openapi_extra=OURS)
async def delete_audience(id: str, caller: Operator, handed: Handed, if_match: IfMatch = None) -> Response:  # noqa: A002
    await handed.audiences.declaring.delete(caller, id, if_match)
    return Response(status_code=204)


@router.post("/{id}/evaluate", summary="Find out who is in an audience", status_code=202, openapi_extra=OURS)
async def evaluate_audience(
    id: str,  # noqa: A002
    caller: Operator,
    handed: Handed,
    anew: Annotated[
        bool, Query(description="Take those whom people's documents call members for the list before: it was lost.")
    ] = False,
) -> Object:
    asked = await handed.audiences.evaluate(caller, id, anew=anew)
    handed.runs.wake()
    return shown_evaluation(asked)


@router.get("/{id}/evaluations", summary="List evaluations, newest first", openapi_extra=OURS)
async def list_evaluations(
    id: str,  # noqa: A002
    caller: Reader,
    handed: Handed,
    limit: Annotated[int, Query(ge=1, le=1000, description="The most to list.")] = 100,
    before: Annotated[
        int | None, Query(ge=1, lt=_MOST, description="List those below this number: the `next` of the last page.")
    ] = None,
) -> Object:
    found = await handed.audiences.declaring.history(caller, id, limit, before)
    items = [shown_evaluation(item) for item in found]
    return {"items": items, "next": found[-1].evaluation if len(found) == limit else None}


@router.post("/{id}/evaluations/{number}/confirm", summary="Take a held evaluation in", openapi_extra=OURS)
async def confirm_evaluation(id: str, number: str, caller: Operator, handed: Handed) -> Object:  # noqa: A002
    found = await handed.audiences.decide(caller, id, _number(number), is_right=True)
    handed.runs.wake()
    return shown_evaluation(found)


@router.post("/{id}/evaluations/{number}/drop", summary="Drop a held evaluation", openapi_extra=OURS)
async def drop_evaluation(id: str, number: str, caller: Operator, handed: Handed) -> Object:  # noqa: A002
    return shown_evaluation(await handed.audiences.decide(caller, id, _number(number), is_right=False))


@router.post("/{id}/upload", summary="Upload a file with members", status_code=202, openapi_extra=OURS)
async def upload_members(
    id: str,  # noqa: A002
    request: Request,
    caller: Sender,
    handed: Handed,
    mode: Annotated[
        Literal["replace", "add", "anew"],
        Query(description="`replace`: whoever is not in the file leaves; `anew`: so, where the list before was lost."),
    ] = "replace",
    valid_until: Annotated[
        str | None,
        Query(alias="validUntil", description="Until when they are members; else for the audience's `daysValid`."),
    ] = None,
) -> Object:
    kind = _KINDS.get(request.headers.get("content-type", "").split(";")[0].strip().lower())
    asked = await handed.audiences.upload(
        caller, id, request.stream(), kind, part=_PARTS[mode], valid_until=valid_until
    )
    handed.runs.wake()
    return shown_evaluation(asked)


@router.post("/{id}/members", summary="Say who comes into an external audience and who goes", openapi_extra=OURS)
async def tell_members(
    id: str,  # noqa: A002
    caller: Sender,
    body: JsonBody,
    handed: Handed,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            pattern="^[!-~]+$",
            max_length=LONGEST_IDEMPOTENCY_KEY,
            description="For a day, the same request with the same key is answered as it was, and taken once.",
        ),
    ] = None,
) -> Object:
    receipt = await handed.audiences.tell(caller, id, body, key)
    return {"accepted": receipt.accepted, "rejected": [asdict(item) for item in receipt.rejected]}


def shown(view: View) -> Object:
    """Return an audience as the API shows it."""
    stored, made = view.stored, view.declared
    base: Object = {"name": stored.name or stored.id, "kind": "profiles"} if made is None else dict(made.document)
    return {
        **base,
        "id": stored.id,
        "audienceId": stored.id,
        "namespace": stored.namespace,
        "isDeclared": made is not None,
        "size": stored.size,
        "datasets": list(view.datasets),
        "createdAt": iso(stored.created_at if made is None else made.created_at),
        "modifiedAt": iso(stored.modified_at if made is None else made.modified_at),
        "etag": None if made is None else declared.etag(made),
        "lastEvaluation": None if view.last is None else shown_evaluation(view.last),
    }


def shown_evaluation(item: Evaluation) -> Object:
    """Return an evaluation as the API shows it."""
    is_over = item.ended_at is not None and item.began_at is not None
    return {
        "number": item.evaluation,
        "state": item.state,
        "cause": item.cause,
        "reason": item.reason,
        "run": item.run,
        "membersBefore": item.members_before,
        "membersAfter": item.members_after,
        "entered": item.entered,
        "left": item.left,
        "done": item.done,
        "rejected": item.rejected,
        "rejects": [*item.rejects],
        "snapshots": [one for one in item.snapshots if "dataset" in one],
        "validUntil": _iso(item.valid_until),
        "askedAt": iso(item.asked_at),
        "beganAt": _iso(item.began_at),
        "endedAt": _iso(item.ended_at),
        "milliseconds": (item.ended_at or 0) - (item.began_at or 0) if is_over else None,
    }


def _iso(moment: int | None) -> str | None:
    return None if moment is None else iso(moment)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise NotFound(f"there is no evaluation {text[:80]!r}")
    return int(text)
