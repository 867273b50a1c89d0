"""Export now: files of audiences and datasets, besides their schedules, as the original's clients ask for them."""

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request

from headrace.api.doors import Handed, JsonBody, allowed
from headrace.api.problems import BadRequestError
from headrace.services.caller import Caller
from headrace.services.exports import asking
from headrace.services.exports.asking import Asked
from headrace.services.exports.asking_datasets import AskedDataset, export_datasets_now

router = APIRouter(prefix="/data/core/activation/disflowprovider", tags=["activation"])

Operator = Annotated[Caller, Depends(allowed("activation:write", sandbox="prod"))]
Object = dict[str, Any]
Accept = Annotated[
    str,
    Header(description="`application/vnd.adobe.adhoc.activation+json; version=2`; `version=3` for datasets."),
]
_VERSION = re.compile(
    r"application/vnd\.adobe\.adhoc(\.dataset)?\.activation\+json\s*(?:;\s*version=\"?(\d+)\"?)?", re.IGNORECASE
)
_DATASETS = 3
_FORM_OF_DATASETS = '`{"activationInfo": {"destinations": [{"flowId": "…", "datasets": [{"id": "…"}]}]}}`'
_FORM = '`{"activationInfo": {"<dataflow>": ["<audience>", …]}}`'


@router.post("/adhocrun", summary="Write the files of audiences or of datasets now, besides their schedules")
async def export_now(request: Request, caller: Operator, handed: Handed, body: JsonBody, accept: Accept = "") -> Object:
    version, information = _version(accept), _information(body)
    base = handed.settings.public_url.rstrip("/") or str(request.base_url).rstrip("/")
    if version == _DATASETS:
        of_datasets = await export_datasets_now(handed.store, handed.clock, caller, _datasets(information))
        handed.runs.wake()
        return {"destinations": [*_destinations(of_datasets, base)]}
    wanted = _audiences(information, has_all=body.get("x-headrace") == {"all": True})
    if version == 1:
        _refuse_without_jobs(body)
    asked = await asking.export_now(handed.store, handed.clock, caller, wanted)
    handed.runs.wake()
    return {"order": [_shown(item, base) for item in asked]}


def _shown(asked: Asked, base: str) -> Object:
    return {"segment": asked.audience, "order": asked.dataflow, "statusURL": _status(asked, base)}


def _destinations(asked: list[AskedDataset], base: str) -> Iterator[Object]:
    for flow, of_flow in groupby(asked, key=lambda item: item.dataflow):
        datasets = [{"id": item.dataset, "statusURL": _status(item, base)} for item in of_flow]
        yield {"flowId": flow, "datasets": datasets}


def _status(asked: Asked | AskedDataset, base: str) -> str:
    return f"{base}/data/foundation/flowservice/runs/{asked.run.run}"


def _version(accept: str) -> int:
    """Read which form the body has, from the media type that is asked for; without one it is the first."""
    found = _VERSION.search(accept)
    if found is not None and found[1]:  # A media type of datasets alone, which clients of the original ask for.
        return _DATASETS
    version = int(found[2] or 1) if found is not None else 1
    if version not in (1, 2, _DATASETS):
        message = "the media type ends in `version=2` for audiences, in `version=3` for datasets"
        raise BadRequestError(f"there is no version {version} of this request: {message}")
    return version


def _information(body: Any) -> Object:
    """Return what is to be written: the member that all forms have."""
    information = body.get("activationInfo") if isinstance(body, dict) else None
    if not isinstance(information, dict) or not information:
        raise BadRequestError(f"the body is {_FORM}")
    return information


def _audiences(information: Object, *, has_all: bool) -> dict[str, list[str] | None]:
    """Return the audiences of each dataflow; with ``has_all`` an empty list stands for all of them."""
    if not all(_is_texts(names) or (has_all and names == []) for names in information.values()):
        raise BadRequestError(f"each dataflow has a list of the ids of its audiences: the body is {_FORM}")
    return {flow: names or None for flow, names in information.items()}


def _datasets(information: Object) -> dict[str, list[str]]:
    listed = information.get("destinations")
    found = dict(map(_of_flow, listed)) if isinstance(listed, list) else {}
    if not found or len(found) < len(listed or ()) or not all(map(_is_texts, found.values())):
        raise BadRequestError(f"each dataflow has a list of the ids of its datasets: the body is {_FORM_OF_DATASETS}")
    return found


def _of_flow(item: Any) -> tuple[str, Any]:
    """Return a dataflow with the ids of its datasets, as far as it is one."""
    flow, datasets = (item.get("flowId"), item.get("datasets")) if isinstance(item, dict) else (None, None)
    if not isinstance(flow, str) or not isinstance(datasets, list):
        return "", None
    return flow, [one.get("id") if isinstance(one, dict) else None for one in datasets]


def _refuse_without_jobs(body: Object) -> None:
    """Refuse the first form without what it has: ids of the jobs that made snapshots, which are not needed here."""
    if not _is_texts(body.get("exportIds")):
        raise BadRequestError("`exportIds` is missing, a list of ids; or ask for `version=2` in `Accept`, without it")


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(text, str) and text for text in value)
