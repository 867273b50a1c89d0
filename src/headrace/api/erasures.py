"""Erasures: people who are to be removed here and at every partner, and the receipts."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from headrace.api.bodies import AuthoredBody
from headrace.api.doors import Doors, allowed, doors
from headrace.clock import iso
from headrace.services.caller import Caller
from headrace.services.erasures import Report

router = APIRouter(prefix="/ingest/erasures", tags=["profiles"])

Handed = Annotated[Doors, Depends(doors)]
Eraser = Annotated[Caller, Depends(allowed("profiles:erase"))]
Object = dict[str, Any]
OURS = {"x-headrace": True}


@router.post("", summary="Erase people here and at every partner", status_code=202, openapi_extra=OURS)
async def ask(caller: Eraser, body: AuthoredBody, handed: Handed) -> Object:
    asked = await handed.erasures.ask(caller, body)
    handed.runs.wake()
    return _shown(asked)


@router.get("", summary="List the erasures, newest first", openapi_extra=OURS)
async def list_erasures(
    caller: Eraser,
    handed: Handed,
    limit: Annotated[int, Query(ge=1, le=1000, description="The most to list.")] = 100,
) -> Object:
    return {"items": [_shown(report) for report in await handed.erasures.listing(caller, limit)]}


@router.get("/{id}", summary="Read an erasure, with a receipt for each dataflow", openapi_extra=OURS)
async def read_erasure(id: str, caller: Eraser, handed: Handed) -> Object:  # noqa: A002
    return _shown(await handed.erasures.get(caller, id))


@router.post("/{id}/lift", summary="Let the people of an erasure be sent again", openapi_extra=OURS)
async def lift(id: str, caller: Eraser, handed: Handed) -> Object:  # noqa: A002
    return _shown(await handed.erasures.lift(caller, id))


def _shown(report: Report) -> Object:
    erasure = report.erasure
    moments = {"removedAt": erasure.removed_at, "endedAt": erasure.ended_at, "liftedAt": erasure.lifted_at}
    return {
        "id": erasure.erasure,
        "state": erasure.state,
        "askedBy": erasure.actor,
        "askedAt": iso(erasure.asked_at),
        **{name: None if moment is None else iso(moment) for name, moment in moments.items()},
        "people": report.people,
        "receipts": [
            {
                "dataflow": told.dataflow,
                "name": told.name,
                "state": told.state,
                "reason": told.reason,
                "at": iso(told.at),
                "people": told.people,
            }
            for told in report.receipts
        ],
    }
