"""The audit: who changed what, newest first, and whether anybody altered it since."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from headrace.api.doors import Handed, allowed_in_organization
from headrace.clock import iso
from headrace.services import auditing
from headrace.services.caller import Principal
from headrace.store.audit import AuditEntry

router = APIRouter(prefix="/audit", tags=["audit"])

Auditor = Annotated[Principal, Depends(allowed_in_organization("audit:read"))]
Object = dict[str, Any]
OURS = {"x-headrace": True}


@router.get("", summary="List what was changed, newest first", openapi_extra=OURS)
async def list_entries(
    principal: Auditor,
    handed: Handed,
    limit: Annotated[int, Query(ge=1, le=1000, description="The most to list.")] = 100,
    before: Annotated[
        int, Query(ge=0, lt=1 << 63, description="List those below this number: the `next` of the last page.")
    ] = 1 << 62,
    sandbox: Annotated[str | None, Query(description="List those of this sandbox alone.")] = None,
) -> Object:
    found = await auditing.entries(handed.store, principal, limit, before, sandbox)
    items = [_entry(entry, name) for name, entry in found]
    return {"items": items, "next": items[-1]["entry"] if len(items) == limit else None}


@router.get("/verify", summary="Say whether the audit is as it was written", openapi_extra=OURS)
async def verify(principal: Auditor, handed: Handed) -> Object:
    verdict = await auditing.verify(handed.store, principal)
    newest = verdict.newest
    return {
        "whole": verdict.first_break is None,
        "firstBreak": verdict.first_break,
        "newest": None if newest is None else {"entry": newest.entry, "hash": newest.hash},
    }


def _entry(entry: AuditEntry, sandbox: str | None) -> Object:
    return {
        "entry": entry.entry,
        "at": iso(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "noun": entry.noun,
        "id": entry.id,
        "version": entry.version,
        "sandbox": sandbox,
        "details": entry.details,
        "hash": entry.hash,
    }
