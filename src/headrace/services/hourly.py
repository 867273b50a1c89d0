"""The hours of dataflows as runs: what was received, activated, excluded and failed in each, and why."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from headrace.clock import iso
from headrace.model.flow import STREAMING_FLOW_SPEC
from headrace.services.caller import Caller
from headrace.store import audiences, hours
from headrace.store.audiences import StoredAudience
from headrace.store.database import Transaction
from headrace.store.dataflows import StoredDataflow
from headrace.store.hours import HOUR, Hour

Object = dict[str, Any]
#: The most hours that are listed: more than one dataflow has in ninety days.
MOST = 2_500
#: What stands between the dataflow and the hour in the id of a run.
BETWEEN = "."
_WRITTEN = "%Y%m%d%H"


def listing(
    tx: Transaction, caller: Caller, flows: Sequence[StoredDataflow], now: int, *, alone: bool
) -> Iterator[Object]:
    """Yield the hours of some dataflows, newest first; ``alone``: there is one, and others are not looked at."""
    by_number = {flow.dataflow: flow for flow in flows}
    if alone and not flows:
        return
    names = audiences.all_of(tx, caller.number)
    only = flows[0].dataflow if alone else None
    for hour in hours.latest(tx, caller.number, MOST, dataflow=only):
        if hour.dataflow in by_number:
            yield _run(caller, by_number[hour.dataflow], hour, names, now)


def _run(caller: Caller, flow: StoredDataflow, hour: Hour, names: Mapping[int, StoredAudience], now: int) -> Object:
    began = hour.hour * HOUR
    ends, is_over = began + HOUR, now >= began + HOUR
    written = datetime.fromtimestamp(began / 1000, UTC).strftime(_WRITTEN)
    return {
        "id": f"{flow.id}{BETWEEN}{written}",
        "flowId": flow.id,
        "flowSpec": flow.document.get("flowSpec", {"id": STREAMING_FLOW_SPEC, "version": "1.0"}),
        "createdAt": began,
        "updatedAt": ends if is_over else now,
        "createdBy": "headrace",
        "sandboxId": caller.tenant.sandbox_id,
        "sandboxName": caller.tenant.sandbox,
        "imsOrgId": caller.tenant.organization,
        "metrics": {
            "durationSummary": {"startedAtUTC": began, "completedAtUTC": ends if is_over else None},
            "latencySummary": None,
            "recordSummary": _records(flow, hour, names),
            "statusSummary": _status(hour, is_over=is_over),
        },
        "activities": [],
        "x-headrace": {"kind": "hour", "hour": iso(began), **_figures(hour), "ledger": _ledger(hour.sums())},
    }


def _records(flow: StoredDataflow, hour: Hour, names: Mapping[int, StoredAudience]) -> Object:
    sums = hour.sums()
    by_audience = [(f"segment:{names[number].id}", row) for number, row in hour.audiences.items() if number in names]
    received = [
        {"id": name, "inputRecordCount": row["accepted"], "skippedRecordCount": row["withheld"]}
        for name, row in by_audience
    ]
    sent = [
        {"id": name, "outputRecordCount": row["delivered"], "createdRecordCount": row["delivered"]}
        for name, row in by_audience
    ]
    return {
        "inputRecordCount": sums["accepted"],
        "outputRecordCount": sums["delivered"],
        "createdRecordCount": sums["delivered"],
        "skippedRecordCount": sums["withheld"],
        "failedRecordCount": sum(hour.parked.values()),
        "sourceSummaries": [{"id": id_, "entitySummaries": received} for id_ in flow.document["sourceConnectionIds"]],
        "targetSummaries": [{"id": id_, "entitySummaries": sent} for id_ in flow.document["targetConnectionIds"]],
        "failedInfo": _info(hour.parked, "Error"),
        "skippedInfo": _info(hour.withheld, "Warning"),
    }


def _status(hour: Hour, *, is_over: bool) -> Object:
    """Say how an hour ended: it failed where something was parked and nothing was delivered."""
    is_failed = hour.parked and not hour.sums()["delivered"]
    status = "failed" if is_failed else "success"
    errors = {"errors": _info(hour.parked, "Error")} if hour.parked else {}
    return {"status": status if is_over else "processing", **errors}


def _info(counts: Mapping[str, int], kind: str) -> list[Object]:
    return [{"code": code, "message": code, "count": count, "type": kind} for code, count in counts.items()]


def _figures(hour: Hour) -> Object:
    """Return the figures of an hour by the names that they have in a monitoring view."""
    sums, failed = hour.sums(), sum(hour.parked.values())
    settled = sums["delivered"] + sums["withheld"] + failed
    return {
        "profilesReceived": sums["people"],
        "identitiesActivated": sums["entries"],
        "identitiesExcluded": sums["withheld"],
        "identitiesFailed": failed,
        "activationRate": round((settled - failed) / settled, 4) if settled else None,
        "messages": sums["messages"],
    }


def _ledger(sums: Mapping[str, int]) -> Object:
    return {name: sums[name] for name in ("accepted", "delivered", "superseded", "withheld", "parked")}
