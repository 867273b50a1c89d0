"""The keys that seal secrets: which there are, and others in their places."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from headrace.api.doors import Handed, allowed_in_organization
from headrace.clock import iso
from headrace.services import key_rotation
from headrace.services.caller import Principal
from headrace.services.key_rotation import KeyUse, Progress

router = APIRouter(prefix="/keys", tags=["keys"])

Reader = Annotated[Principal, Depends(allowed_in_organization("access:read"))]
Admin = Annotated[Principal, Depends(allowed_in_organization("access:write"))]
Host = Annotated[Principal, Depends(allowed_in_organization("access:write", host=True))]
Every = Annotated[bool, Query(alias="all", description="Of every organization; the host alone may.")]
Object = dict[str, Any]
OURS = {"x-headrace": True}


@router.get("", summary="List the keys that seal secrets, and how many each still seals", openapi_extra=OURS)
async def list_keys(principal: Reader, handed: Handed, every: Every = False) -> Object:
    status = await key_rotation.status(handed.store, handed.keyring, principal, every=every)
    return {
        "organizations": [
            {"name": name, "keys": [_key(use) for use in uses]} for name, uses in status.organizations.items()
        ],
        "masterKey": status.master_key,
        "wrapped": [{"masterKey": key_id, "keys": count} for key_id, count in sorted(status.wrapped.items())],
    }


@router.post("/rotate", summary="Make a new data key, which seals from now on", openapi_extra=OURS)
async def rotate(principal: Admin, handed: Handed, every: Every = False) -> Object:
    made = await key_rotation.rotate(handed.store, handed.clock, handed.keyring, principal, every=every)
    return {"items": [{"organization": name, "key": key_id} for name, key_id in made.items()]}


@router.post("/reseal", summary="Seal anew what older keys have sealed, until `left` is 0", openapi_extra=OURS)
async def reseal(principal: Admin, handed: Handed, every: Every = False) -> Object:
    return _progress(await key_rotation.reseal(handed.store, handed.clock, handed.keyring, principal, every=every))


@router.post("/prune", summary="Remove older data keys with which nothing is sealed", openapi_extra=OURS)
async def prune(principal: Admin, handed: Handed, every: Every = False) -> Object:
    pruned = await key_rotation.prune(handed.store, handed.clock, handed.keyring, principal, every=every)
    return {"items": [{"organization": name, "keys": key_ids} for name, key_ids in pruned.items()]}


@router.post("/master/rotate", summary="Make a new master key, which wraps from now on", openapi_extra=OURS)
async def rotate_master(principal: Host, handed: Handed) -> Object:
    return {"masterKey": await key_rotation.rotate_master(handed.store, handed.clock, handed.keyring, principal)}


@router.post("/master/rewrap", summary="Wrap all data keys with the newest master key", openapi_extra=OURS)
async def rewrap(_principal: Host, handed: Handed) -> Object:
    return _progress(await key_rotation.rewrap(handed.store, handed.keyring))


@router.post("/master/prune", summary="Remove older master keys with which nothing is wrapped", openapi_extra=OURS)
async def prune_master(principal: Host, handed: Handed) -> Object:
    return {"items": await key_rotation.prune_master(handed.store, handed.clock, handed.keyring, principal)}


def _key(use: KeyUse) -> Object:
    return {
        "id": use.key.id,
        "createdAt": None if use.key.made_at is None else iso(use.key.made_at),
        "values": use.values,
        "isNewest": use.is_newest,
        "isMissing": use.is_missing,
    }


def _progress(progress: Progress) -> Object:
    return {"done": progress.done, "left": progress.left, "unreadable": progress.unreadable}
