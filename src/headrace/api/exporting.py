"""Export now: the files of audiences besides their schedules, as the original's clients ask for them."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request

from headrace.api.doors import Handed, JsonBody, allowed
from headrace.api.problems import BadRequestError
from headrace.services.caller import Caller
from headrace.services.exports import asking
from headrace.services.exports.asking import Asked

router = APIRouter(prefix="/data/core/activation/disflowprovider", tags=["activation"])

Operator = Annotated[Caller, Depends(allowed("activation:write", sandbox="prod"))]
Object = dict[str, Any]
Accept = Annotated[str, Header(description="`application/vnd.adobe.adhoc.activation+json; version=2`.")]
_VERSION = re.compile(r"application/vnd\.adobe\.adhoc\.activation\+json\s*;\s*version=\"?(\d+)\"?", re.IGNORECASE)
_FORM = '`{"activationInfo": {"<dataflow>": ["<audience>", …]}}`'


@router.post("/adhocrun", summary="Write the files of audiences now, besides their schedules")
async def export_now(request: Request, caller: Operator, handed: Handed, body: JsonBody, accept: Accept = "") -> Object:
    version = _version(accept)
    wanted = _audiences(_information(body))
    if version == 1:
        _refuse_without_jobs(body)
    asked = await asking.export_now(handed.store, handed.clock, caller, wanted)
    handed.runs.wake()
    base = handed.settings.public_url.rstrip("/") or str(request.base_url).rstrip("/")
    return {"order": [_shown(item, base) for item in asked]}


def _shown(asked: Asked, base: str) -> Object:
    status = f"{base}/data/foundation/flowservice/runs/{asked.run.run}"
    return {"segment": asked.audience, "order": asked.dataflow, "statusURL": status}


def _version(accept: str) -> int:
    """Read which form the body has, from the media type that is asked for; without one it is the first."""
    found = _VERSION.search(accept)
    version = int(found[1]) if found is not None else 1
    if version not in (1, 2):
        raise BadRequestError(f"there is no version {version} of this request: the media type ends in `version=2`")
    return version


def _information(body: Any) -> Object:
    """Return what is to be written: the member that all forms have."""
    information = body.get("activationInfo") if isinstance(body, dict) else None
    if not isinstance(information, dict) or not information:
        raise BadRequestError(f"the body is {_FORM}")
    return information


def _audiences(information: Object) -> dict[str, list[str] | None]:
    if not all(_is_texts(names) for names in information.values()):
        raise BadRequestError(f"each dataflow has a list of the ids of its audiences: the body is {_FORM}")
    return {flow: [*names] for flow, names in information.items()}


def _refuse_without_jobs(body: Object) -> None:
    """Refuse the first form without what it has: ids of the jobs that made snapshots, which are not needed here."""
    if not _is_texts(body.get("exportIds")):
        raise BadRequestError("`exportIds` is missing, a list of ids; or ask for `version=2` in `Accept`, without it")


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(text, str) and text for text in value)
