"""Alerts: what is in force, and who is told of it."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response

from headrace.api.bodies import AuthoredBody
from headrace.api.doors import Doors, allowed, doors
from headrace.clock import iso
from headrace.model.alert import KINDS
from headrace.services import declared
from headrace.services.alerts import subscribing
from headrace.services.alerts.conditions import SUBSCRIPTION
from headrace.services.caller import Caller
from headrace.store.alerts import Alert
from headrace.store.documents import Declared

router = APIRouter(tags=["monitoring"])

Handed = Annotated[Doors, Depends(doors)]
Watcher = Annotated[Caller, Depends(allowed("monitoring:read"))]
Reader = Annotated[Caller, Depends(allowed("activation:read"))]
Operator = Annotated[Caller, Depends(allowed("activation:write"))]
Object = dict[str, Any]
OURS = {"x-headrace": True}
PATH = "/alerts/subscriptions"


@router.get("/alerts", summary="List the alerts that are in force", openapi_extra=OURS)
async def list_alerts(
    caller: Watcher,
    handed: Handed,
    state: Annotated[
        Literal["raised", "all"], Query(description="`all`: also those that were over in the last thirty days.")
    ] = "raised",
) -> Object:
    found = await subscribing.listing(handed.store, caller, also_recovered=state == "all")
    return {"items": [_alert(alert, name) for alert, name in found]}


@router.post(PATH, summary="Subscribe to alerts", status_code=201, openapi_extra=OURS)
async def create_subscription(caller: Operator, body: AuthoredBody, handed: Handed) -> Object:
    return _shown(await subscribing.subscribe(handed.store, handed.clock, handed.keyring, caller, body))


@router.get(PATH, summary="List the subscriptions to alerts", openapi_extra=OURS)
async def list_subscriptions(caller: Reader, handed: Handed) -> Object:
    return {"items": [_shown(item) for item in await declared.listing(handed.store, caller, SUBSCRIPTION)]}


@router.get(f"{PATH}/{{id}}", summary="Read a subscription to alerts", openapi_extra=OURS)
async def read_subscription(id: str, caller: Reader, handed: Handed) -> Object:  # noqa: A002
    return _shown(await declared.read(handed.store, caller, SUBSCRIPTION, id))


@router.delete(f"{PATH}/{{id}}", summary="End a subscription to alerts", status_code=204, openapi_extra=OURS)
async def delete_subscription(id: str, caller: Operator, handed: Handed) -> Response:  # noqa: A002
    await subscribing.end(handed.store, handed.clock, caller, id)
    return Response(status_code=204)


@router.post(f"{PATH}/{{id}}/test", summary="Send a test to a subscription", status_code=202, openapi_extra=OURS)
async def test_subscription(id: str, caller: Operator, handed: Handed) -> Object:  # noqa: A002
    await handed.call_limit.admit(caller)
    run = await subscribing.try_out(handed.store, handed.clock, caller, id)
    handed.runs.wake()
    return {"run": {"id": run.run}}


def _alert(alert: Alert, name: str | None) -> Object:
    kind = KINDS[alert.alert]
    return {
        "alert": alert.alert,
        "title": kind.title,
        "state": alert.state,
        "about": {"type": kind.about, "id": alert.about, "name": name},
        "threshold": float(alert.threshold) if alert.threshold else None,
        "unit": kind.unit or None,
        "reason": alert.reason,
        "episode": alert.episode,
        "raisedAt": iso(alert.raised_at),
        "recoveredAt": iso(alert.recovered_at) if alert.recovered_at is not None else None,
    }


def _shown(item: Declared) -> Object:
    dates = {"createdAt": iso(item.created_at), "modifiedAt": iso(item.modified_at)}
    return {"id": item.id, **subscribing.shown(item), **dates, "etag": declared.etag(item)}
