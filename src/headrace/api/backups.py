"""Backups: everything there is, of all organizations, in one file that is sent as it is read."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse

from headrace.api.doors import Handed, allowed_in_organization
from headrace.services.caller import Principal

router = APIRouter(prefix="/backups", tags=["operations"])

Host = Annotated[Principal, Depends(allowed_in_organization("access:write", host=True))]
OURS = {"x-headrace": True}
KIND = "application/x-tar"


@router.post(
    "",
    summary="Take a backup of everything; the host alone may",
    response_class=StreamingResponse,
    responses={200: {"content": {KIND: {}}, "description": "The backup, as it is read. Without its end it is none."}},
    openapi_extra=OURS,
)
async def take_backup(principal: Host, handed: Handed) -> StreamingResponse:
    return StreamingResponse(await handed.backing_up.take(principal), media_type=KIND)
