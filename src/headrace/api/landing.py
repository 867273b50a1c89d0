"""Credentials of a sandbox's landing zone, as the original's connectors hand them out."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from headrace.api.doors import Handed, allowed
from headrace.errors import RequestError
from headrace.services.caller import Caller
from headrace.services.landing.zones import WayIn

router = APIRouter(prefix="/data/foundation/connectors/landingzone", tags=["landing zone"])

Viewer = Annotated[Caller, Depends(allowed("activation:read"))]
#: What the files say of people is what partners were told of them.
Reader = Annotated[Caller, Depends(allowed("profiles:read"))]
Operator = Annotated[Caller, Depends(allowed("activation:write"))]
Object = dict[str, Any]
DESTINATION = "dlz_destination"


def _for_destinations(
    type_: Annotated[str, Query(alias="type", description="`dlz_destination`: what destinations write into.")],
) -> None:
    """
    Refuse every other zone than the one that destinations write into.

    Raises:
        RequestError: another is meant, such as the original's for files that come in.
    """
    if type_ == "user_drop_zone":
        raise RequestError(
            "a landing zone for files that come in, user_drop_zone, is not there; send people to /ingest/profiles or "
            "declare a dataset. Where destinations write is dlz_destination"
        )
    if type_ != DESTINATION:
        raise RequestError(f"there is no such type of landing zone; write type={DESTINATION}")


Destinations = Annotated[None, Depends(_for_destinations)]


@router.get("", summary="Say which container is the sandbox's landing zone")
async def container(caller: Viewer, handed: Handed, _type: Destinations) -> Object:
    name = await handed.landing.container_of(caller)
    return {"containerName": name, "containerTTL": str(handed.landing.kept_days)}


@router.get("/credentials", summary="Hand out a way to read the sandbox's landing zone")
async def credentials(caller: Reader, handed: Handed, _type: Destinations, response: Response) -> Object:
    return _shown(await handed.landing.hand_out(caller), response)


@router.post("/credentials", summary="Hand out another way to read it, and refuse every one before")
async def refresh(
    caller: Operator,
    handed: Handed,
    _type: Destinations,
    response: Response,
    _action: Annotated[str, Query(alias="action", pattern="^refresh$", description="`refresh`.")],
) -> Object:
    return _shown(await handed.landing.refresh(caller), response)


def _shown(way: WayIn, response: Response) -> Object:
    response.headers["Cache-Control"] = "no-store"
    return {
        "containerName": way.container,
        "SASToken": way.token,
        "storageAccountName": way.account,
        "SASUri": way.uri,
        "expiryDate": datetime.fromtimestamp(way.ends_at // 1000, UTC).date().isoformat(),
    }
