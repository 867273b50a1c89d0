"""Datasets: people by a name, where they lie; their snapshots, and how these are taken in."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response

from headrace.api.bodies import AuthoredBody
from headrace.api.doors import Doors, allowed, doors
from headrace.api.runs import shown_run
from headrace.clock import iso
from headrace.errors import NotFound
from headrace.services import declared
from headrace.services.caller import Caller
from headrace.store.dataset_snapshots import StoredSnapshot
from headrace.store.documents import Declared

router = APIRouter(prefix="/datasets", tags=["datasets"])

Handed = Annotated[Doors, Depends(doors)]
Reader = Annotated[Caller, Depends(allowed("activation:read"))]
Operator = Annotated[Caller, Depends(allowed("activation:write"))]
Sender = Annotated[Caller, Depends(allowed("profiles:write"))]
Object = dict[str, Any]
OURS = {"x-headrace": True}
IfMatch = Annotated[str | None, Header(description="The dataset's `etag`, in its quotes.")]
_MOST = 1 << 31
Number = Annotated[
    int | None, Query(ge=1, lt=_MOST, description="The snapshot's number; without it, the newest that is ready.")
]


@router.post("", summary="Create a dataset", status_code=201, openapi_extra=OURS)
async def create_dataset(caller: Operator, body: AuthoredBody, handed: Handed) -> Object:
    return _shown(await handed.datasets.create(caller, body), None)


@router.get("", summary="List the datasets", openapi_extra=OURS)
async def list_datasets(caller: Reader, handed: Handed) -> Object:
    return {"items": [_shown(item, snapshot) for item, snapshot in await handed.datasets.listing(caller)]}


@router.get("/{id}", summary="Read a dataset", openapi_extra=OURS)
async def read_dataset(id: str, caller: Reader, handed: Handed) -> Object:  # noqa: A002
    return _shown(*(await handed.datasets.read(caller, id)))


@router.put("/{id}", summary="Replace a dataset", openapi_extra=OURS)
async def replace_dataset(
    id: str,  # noqa: A002
    caller: Operator,
    body: AuthoredBody,
    handed: Handed,
    if_match: IfMatch = None,
) -> Object:
    await handed.datasets.replace(caller, id, body, if_match)
    return _shown(*(await handed.datasets.read(caller, id)))


@router.delete("/{id}", summary="Delete a dataset; the data stays", status_code=204, openapi_extra=OURS)
async def delete_dataset(id: str, caller: Operator, handed: Handed, if_match: IfMatch = None) -> Response:  # noqa: A002
    await handed.datasets.delete(caller, id, if_match)
    return Response(status_code=204)


@router.post("/{id}/snapshots", summary="Take a snapshot of what lies there now", status_code=202, openapi_extra=OURS)
async def take_snapshot(id: str, caller: Operator, handed: Handed) -> Object:  # noqa: A002
    run, snapshot = await handed.datasets.ask_for_snapshot(caller, id)
    handed.runs.wake()
    return {"snapshot": _snapshot(snapshot), "run": shown_run(run)}


@router.get("/{id}/snapshots", summary="List snapshots, newest first", openapi_extra=OURS)
async def list_snapshots(
    id: str,  # noqa: A002
    caller: Reader,
    handed: Handed,
    limit: Annotated[int, Query(ge=1, le=1000, description="The most to list.")] = 100,
    before: Annotated[
        int | None, Query(ge=1, lt=_MOST, description="List those below this number: the `next` of the last page.")
    ] = None,
) -> Object:
    found = await handed.datasets.snapshots(caller, id, limit, before)
    return {
        "items": [_snapshot(item) for item in found],
        "next": found[-1].number if len(found) == limit else None,
    }


@router.get("/{id}/snapshots/{number}", summary="Read a snapshot: its columns and files", openapi_extra=OURS)
async def read_snapshot(id: str, number: str, caller: Reader, handed: Handed) -> Object:  # noqa: A002
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        raise NotFound(f"there is no snapshot {number!r}")
    return _snapshot(await handed.datasets.snapshot(caller, id, int(number)))


@router.get("/{id}/sample", summary="Read the first people of a snapshot", openapi_extra=OURS)
async def sample(
    id: str,  # noqa: A002
    caller: Sender,
    handed: Handed,
    limit: Annotated[int, Query(ge=1, le=100, description="The most rows to show.")] = 10,
    snapshot: Number = None,
) -> Object:
    return {"items": await handed.datasets.sample(caller, id, snapshot, limit)}


@router.post("/{id}/load", summary="Take the people of a snapshot in", status_code=202, openapi_extra=OURS)
async def load(id: str, caller: Sender, handed: Handed, snapshot: Number = None) -> Object:  # noqa: A002
    run = await handed.datasets.ask_for_load(caller, id, snapshot)
    handed.runs.wake()
    return shown_run(run)


def _shown(item: Declared, snapshot: StoredSnapshot | None) -> Object:
    return {
        "id": item.id,
        **item.document,
        "createdAt": iso(item.created_at),
        "modifiedAt": iso(item.modified_at),
        "etag": declared.etag(item),
        "snapshot": None if snapshot is None else _snapshot(snapshot),
    }


def _snapshot(item: StoredSnapshot) -> Object:
    files = (item.manifest or {}).get("files", [])
    return {
        "number": item.number,
        "state": item.state,
        "reason": item.reason,
        "run": item.run,
        "rows": item.rows,
        "badRows": item.bad_rows,
        "bad": [*item.bad],
        "bytes": item.bytes,
        "files": [{"path": file["path"], "bytes": file["size"]} for file in files],
        "columns": [*item.columns],
        "askedAt": iso(item.asked_at),
        "takenAt": None if item.taken_at is None else iso(item.taken_at),
    }
