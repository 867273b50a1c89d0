"""What partners were told of a person. Who it is about stands in the body: addresses are written down on the way."""

from datetime import UTC, date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from headrace.api.doors import Handed, JsonBody, allowed
from headrace.clock import iso
from headrace.errors import RequestError
from headrace.services import tracing
from headrace.services.caller import Caller
from headrace.services.tracing import InFiles, OfDataflow, Pending, Trace
from headrace.store.audiences import StoredAudience
from headrace.store.history import DAY, Happened
from headrace.store.tracing import LaidAside

router = APIRouter()

Looker = Annotated[Caller, Depends(allowed("profiles:read"))]
Object = dict[str, Any]
_MEMBERS = {"profile", "dataflow", "from", "until"}


@router.post(
    "/history",
    tags=["monitoring"],
    summary="What partners were told of a person, when, and why not",
    openapi_extra={"x-headrace": True},
)
async def history(caller: Looker, body: JsonBody, handed: Handed) -> Object:
    document = _read(body)
    first, last = _day(document, "from", 0), _day(document, "until", handed.clock.now() // DAY)
    found = await tracing.of_person(
        handed.store,
        caller,
        document["profile"],
        dataflow=document.get("dataflow"),
        first_day=first,
        last_day=last,
    )
    return {**_shown(found), "kept": {"days": handed.settings.history_days}}


def _read(body: object) -> Object:
    if not isinstance(body, dict) or not isinstance(body.get("profile"), str):
        raise RequestError('say whom it is about: {"profile": "crmId:7"}')
    if unknown := sorted(body.keys() - _MEMBERS):
        raise RequestError(f"{unknown[0]!r} is not known here; there are `profile`, `dataflow`, `from` and `until`")
    if not isinstance(body.get("dataflow", ""), str):
        raise RequestError("`dataflow` is the id of one")
    return body


def _day(document: Object, name: str, otherwise: int) -> int:
    if name not in document:
        return otherwise
    try:
        return (date.fromisoformat(document[name]) - date(1970, 1, 1)).days
    except (TypeError, ValueError):
        raise RequestError(f"`{name}` is a day, such as 2026-03-01") from None


def _shown(found: Trace) -> Object:
    following = found.next_day
    return {
        "dataflows": [_dataflow(item, found) for item in found.dataflows],
        "events": [_event(id_, item, found) for id_, item in found.events],
        "next": None if following is None else datetime.fromtimestamp(following * DAY / 1000, UTC).date().isoformat(),
    }


def _dataflow(item: OfDataflow, found: Trace) -> Object:
    return {
        "dataflow": item.id,
        "name": item.name,
        "state": item.state,
        "pending": [_pending(one, found) for one in item.pending],
        "parked": [_parked(one, found) for one in item.parked],
        "files": [_in_files(one, found) for one in item.files],
    }


def _in_files(item: InFiles, found: Trace) -> Object:
    last = item.published
    return {
        "audience": _audience(found, item.audience),
        "member": "yes" if item.is_member else "perhaps" if item.is_perhaps else "no",
        "run": None if last is None else last.run,
        "slot": None if last is None else _moment(last.slot),
        "publishedAt": None if last is None else iso(last.published_at),
    }


def _pending(item: Pending, found: Trace) -> Object:
    return {
        "audience": _audience(found, item.audience),
        "sequence": item.seq,
        "waitingSince": _moment(item.since),
        "why": item.why,
        "reason": item.reason,
        "retryAt": _moment(item.retry_at),
        "attempt": item.attempt,
    }


def _parked(item: LaidAside, found: Trace) -> Object:
    return {
        "audience": _audience(found, item.audience),
        "sequence": item.seq,
        "parkedAt": iso(item.parked_at),
        "attempts": item.attempts,
        "code": item.code,
        "reason": item.reason,
    }


def _event(id_: str, item: Happened, found: Trace) -> Object:
    fate = item.fate
    told = {
        "told": item.told,
        "message": fate.message,
        "attempt": fate.attempt,
        "status": fate.status,
        "code": fate.code,
    }
    return {
        "at": iso(item.moment),
        "dataflow": id_,
        "what": fate.kind,
        "audience": _audience(found, item.audience),
        "sequence": item.seq,
        **{name: value for name, value in told.items() if value is not None},
    }


def _audience(found: Trace, number: int) -> Object | None:
    audience: StoredAudience | None = found.audiences.get(number)
    return None if audience is None else {"namespace": audience.namespace, "id": audience.id, "name": audience.name}


def _moment(moment: int | None) -> str | None:
    return None if moment is None else iso(moment)
