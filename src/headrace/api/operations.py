"""Profiles in, the ledger, and how the process is."""

import hmac
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse

from headrace.api.doors import Handed, allowed, open_to_everybody, problem
from headrace.api.loopback import is_loopback
from headrace.services import monitoring
from headrace.services.caller import Caller
from headrace.services.ingestion import LONGEST_IDEMPOTENCY_KEY
from headrace.store.audiences import StoredAudience

router = APIRouter()

Watcher = Annotated[Caller, Depends(allowed("monitoring:read"))]
Sender = Annotated[Caller, Depends(allowed("profiles:write"))]
OURS = {"x-headrace": True}
_WELL = open_to_everybody("Whoever watches the process has no account, and this says nothing but that it works.")
_METRICS = open_to_everybody("Metrics have a token of their own, or are served on a loopback address alone.")
_LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl")


@router.post("/ingest/profiles", tags=["profiles"], summary="Take profiles in", openapi_extra=OURS)
async def ingest(
    request: Request,
    caller: Sender,
    handed: Handed,
    mode: Annotated[
        str,
        Query(
            pattern="^(merge|replace|patch)$",
            description="`replace`: audiences that are not mentioned were left. `patch`: records say what changes.",
        ),
    ] = "merge",
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            pattern="^[!-~]+$",
            max_length=LONGEST_IDEMPOTENCY_KEY,
            description="For a day, the same request with the same key is answered as it was, and taken once.",
        ),
    ] = None,
) -> Response:
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json" and kind not in _LINES:
        return problem(400, "RequestError", "send application/json or application/x-ndjson", "content-type")
    receipt = await handed.ingestion.take(
        caller,
        await request.body(),
        lines=kind in _LINES,
        replace=mode == "replace",
        patch=mode == "patch",
        key=key,
    )
    rejected = [asdict(item) for item in receipt.rejected]
    return JSONResponse({"accepted": receipt.accepted, "rejected": rejected})


@router.get("/dataflows/{id}/ledger", tags=["monitoring"], summary="What became of every change", openapi_extra=OURS)
async def ledger(
    id: str,  # noqa: A002
    caller: Watcher,
    handed: Handed,
    by: Annotated[str | None, Query(pattern="^audience$", description="`audience` adds the sums by audience.")] = None,
) -> dict[str, Any]:
    total, rows = await monitoring.balance(handed.store, caller, id)
    if by is None:
        return total
    return {**total, "audiences": [{"audience": _audience(audience), **row} for audience, row in rows]}


@router.get(
    "/dataflows/{id}/ledger/check", tags=["monitoring"], summary="Hold a ledger against the rows", openapi_extra=OURS
)
async def check_ledger(id: str, caller: Watcher, handed: Handed) -> dict[str, Any]:  # noqa: A002
    return _checked(*await monitoring.verify(handed.store, caller, id))


@router.get("/ledger/check", tags=["monitoring"], summary="Hold all ledgers against the rows", openapi_extra=OURS)
async def check_ledgers(caller: Watcher, handed: Handed) -> dict[str, Any]:
    return _checked(*await monitoring.verify(handed.store, caller))


def _checked(looked_at: int, wrong: list[monitoring.Wrong]) -> dict[str, Any]:
    items = [{**asdict(item), "audience": _audience(item.audience)} for item in wrong]
    return {"ok": not wrong, "dataflows": looked_at, "differences": items}


@router.get(
    "/healthz",
    tags=["operations"],
    summary="Whether the process works",
    openapi_extra=OURS,
    dependencies=[Depends(_WELL)],
)
async def health(handed: Handed) -> dict[str, str]:
    await handed.store.read(lambda tx: tx.run("SELECT 1").fetchone())
    return {"status": "ok"}


@router.get(
    "/metrics",
    tags=["operations"],
    summary="Metrics in Prometheus' text format",
    openapi_extra=OURS,
    dependencies=[Depends(_METRICS)],
)
async def metrics(request: Request, handed: Handed) -> Response:
    wanted = handed.settings.metrics_token
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    if wanted and not hmac.compare_digest(given.encode(), wanted.encode()):
        return problem(401, "Unauthorized", "metrics need their token", "unauthorized")
    if not wanted and not is_loopback(handed.settings.host):
        return problem(403, "Forbidden", "set HEADRACE_METRICS_TOKEN to serve metrics on this address", "forbidden")
    text = handed.board.exposition() + await handed.gauges.text()
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _audience(audience: StoredAudience | None) -> dict[str, Any] | None:
    return None if audience is None else {"namespace": audience.namespace, "id": audience.id, "name": audience.name}
