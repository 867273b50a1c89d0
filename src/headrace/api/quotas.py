"""Quotas: how much sandboxes may have, and have."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from headrace.api.bodies import AuthoredBody
from headrace.api.doors import Handed, allowed, allowed_in_organization
from headrace.model.quota import QuotaRequest
from headrace.model.reading import read
from headrace.services.caller import Caller, Principal
from headrace.services.quotas import Standing
from headrace.store.access import Tenant
from headrace.store.quotas import Quota

router = APIRouter(tags=["operations"])

Watcher = Annotated[Caller, Depends(allowed("monitoring:read"))]
Host = Annotated[Principal, Depends(allowed_in_organization("access:write", host=True))]
Object = dict[str, Any]
OURS = {"x-headrace": True}


@router.get("/quota", summary="How much this sandbox has, and the most it may", openapi_extra=OURS)
async def own_quota(caller: Watcher, handed: Handed) -> Object:
    return {"quotas": _shown(await handed.quotas.standing(caller.number))}


@router.get("/quotas", summary="How every sandbox stands; the host alone may", openapi_extra=OURS)
async def list_quotas(_principal: Host, handed: Handed) -> Object:
    return {"items": [_sandbox(tenant, standing) for tenant, standing in await handed.quotas.listing()]}


@router.put("/quotas/{id}", summary="Say how much a sandbox may have; the host alone may", openapi_extra=OURS)
async def put_quota(id: str, principal: Host, handed: Handed, body: AuthoredBody) -> Object:  # noqa: A002
    wanted, _ = read(QuotaRequest, body)
    quota = Quota(wanted.waiting, wanted.people, wanted.requests, wanted.bytes)
    tenant = await handed.quotas.put(principal, id, quota)
    return _sandbox(tenant, await handed.quotas.standing(tenant.tenant))


def _sandbox(tenant: Tenant, standing: Standing) -> Object:
    names = {"id": tenant.sandbox_id, "organization": tenant.organization, "sandbox": tenant.sandbox}
    return {**names, "quotas": _shown(standing)}


def _shown(standing: Standing) -> Object:
    """Say of each quota how much is used, and the most there may be; null: as much as there is room for."""
    used, most = asdict(standing.used), asdict(standing.most)
    return {name: {"used": used[name], "most": most[name] or None} for name in used}
