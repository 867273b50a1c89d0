"""Parked changes: looked into, replayed, discarded."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from headrace.api.doors import Handed, JsonBody, allowed
from headrace.api.problems import BadRequestError
from headrace.api.runs import shown_run
from headrace.clock import iso
from headrace.services import replays
from headrace.services.caller import Caller
from headrace.services.replays import Asked, Counted, Kind, Shown, Wanted
from headrace.store.audiences import StoredAudience

router = APIRouter()

Watcher = Annotated[Caller, Depends(allowed("monitoring:read"))]
Looker = Annotated[Caller, Depends(allowed("profiles:read"))]
Operator = Annotated[Caller, Depends(allowed("activation:write"))]
Object = dict[str, Any]
OURS = {"x-headrace": True}
_HIGHEST = 1 << 63
_CONDITIONS = ("numbers", "code", "audience", "profile", "message", "from", "to")
_FORM = (
    '`{"numbers": [7, 8]}`, or conditions (`code`, `audience`, `profile`, `message`, `from`, `to`) that are all met,'
    ' or `{"all": true}`'
)
Code = Annotated[str | None, Query(description="Those of this code alone.")]
Named = Annotated[str | None, Query(description="Those of this audience alone, by its id.")]
Namespace = Annotated[str, Query(description="The audience's namespace.")]
Profile = Annotated[str | None, Query(description="Those of this person alone, by the key that the list shows.")]
Message = Annotated[str | None, Query(description="Those that were sent in this message alone, by its id.")]
Since = Annotated[str | None, Query(alias="from", description="Those parked at or after this moment.")]
Until = Annotated[str | None, Query(alias="to", description="Those parked before this moment.")]


def _wanted(
    code: Code = None,
    audience: Named = None,
    namespace: Namespace = "ups",
    profile: Profile = None,
    message: Message = None,
    since: Since = None,
    until: Until = None,
) -> Wanted:
    named = (namespace, audience) if audience is not None else None
    return Wanted(None, code, named, profile, message, _moment("from", since), _moment("to", until))


Meant = Annotated[Wanted, Depends(_wanted)]


@router.get(
    "/dataflows/{id}/parked", tags=["monitoring"], summary="Changes laid aside, newest first", openapi_extra=OURS
)
async def list_parked(
    id: str,  # noqa: A002
    caller: Watcher,
    handed: Handed,
    meant: Meant,
    limit: Annotated[int, Query(ge=1, le=1000, description="The most to list.")] = 100,
    before: Annotated[
        int | None,
        Query(ge=0, lt=_HIGHEST, description="List those below this number: the `next` of the last page."),
    ] = None,
) -> Object:
    found = await replays.listing(handed.store, handed.live, caller, id, meant, limit, before)
    items = [_change(item) for item in found]
    return {"items": items, "next": items[-1]["number"] if len(items) == limit else None}


@router.get(
    "/dataflows/{id}/parked/counts", tags=["monitoring"], summary="How many are laid aside, by code", openapi_extra=OURS
)
async def count_parked(id: str, caller: Watcher, handed: Handed, meant: Meant) -> Object:  # noqa: A002
    found = await replays.counts(handed.store, handed.live, caller, id, meant)
    return {"changes": sum(item.of_code.changes for item in found), "items": [_counted(item) for item in found]}


@router.get("/dataflows/{id}/parked/{number}", tags=["monitoring"], summary="One change in detail", openapi_extra=OURS)
async def read_parked(id: str, number: int, caller: Watcher, handed: Handed) -> Object:  # noqa: A002
    return _change(await replays.detail(handed.store, handed.live, caller, id, _bounded(number)))


@router.get(
    "/dataflows/{id}/parked/{number}/message",
    tags=["monitoring"],
    summary="What was sent of a change, and answered",
    openapi_extra=OURS,
)
async def read_message(id: str, number: int, caller: Looker, handed: Handed) -> Object:  # noqa: A002
    change, kept = await replays.message(handed.store, caller, id, _bounded(number))
    content = kept if kept is not None else {"request": None, "answer": None}
    return {"message": change.message, "kept": kept is not None, **content}


@router.post(
    "/dataflows/{id}/parked/replay",
    tags=["activation"],
    summary="Send parked changes again, as people are now",
    status_code=202,
    openapi_extra=OURS,
)
async def replay(id: str, caller: Operator, handed: Handed, body: JsonBody) -> Object:  # noqa: A002
    wanted, resume = _meant_by(body, "resume"), body.get("resume", False)
    if not isinstance(resume, bool):
        raise BadRequestError("`resume` is true or false")
    return await _ask(handed, caller, id, replays.REPLAY, wanted, resume=resume)


@router.post(
    "/dataflows/{id}/parked/discard",
    tags=["activation"],
    summary="Withhold parked changes for good",
    status_code=202,
    openapi_extra=OURS,
)
async def discard(id: str, caller: Operator, handed: Handed, body: JsonBody) -> Object:  # noqa: A002
    wanted, reason = _meant_by(body, "reason"), body.get("reason")
    if not isinstance(reason, str) or not 1 <= len(reason.strip()) <= 500:
        raise BadRequestError("`reason` says why they are discarded, in 1 to 500 characters; the audit keeps it")
    return await _ask(handed, caller, id, replays.DISCARD, wanted, reason=reason.strip())


async def _ask(
    handed: Handed,
    caller: Caller,
    id_: str,
    kind: Kind,
    wanted: Wanted,
    *,
    resume: bool = False,
    reason: str | None = None,
) -> Object:
    asked = await replays.ask(
        handed.store, handed.clock, handed.live, caller, id_, kind, wanted, resume=resume, reason=reason
    )
    await handed.wake(caller.number)
    return _asked(asked)


def _asked(asked: Asked) -> Object:
    return {
        "run": shown_run(asked.run),
        "changes": asked.changes,
        "unchangedConfiguration": asked.unchanged,
        "waitsFor": asked.waits_for,
    }


def _change(item: Shown) -> Object:
    change = item.change
    return {
        "number": change.number,
        "profile": change.profile,
        "audience": _audience(item.audience),
        "sequence": change.seq,
        "firstTriedAt": None if change.begun_at is None else iso(change.begun_at),
        "parkedAt": iso(change.parked_at),
        "attempts": change.attempts,
        "code": change.code,
        "reason": change.reason,
        "message": change.message,
        "status": change.status,
        "configurationChanged": item.is_changed,
    }


def _counted(item: Counted) -> Object:
    of_code = item.of_code
    return {
        "code": of_code.code,
        "changes": of_code.changes,
        "firstAt": iso(of_code.since),
        "lastAt": iso(of_code.until),
        "unchangedConfiguration": of_code.of_version,
        "reason": item.reason,
    }


def _audience(audience: StoredAudience | None) -> Object | None:
    return None if audience is None else {"namespace": audience.namespace, "id": audience.id, "name": audience.name}


# -- what is meant ----------------------------------------------------------------------------------------------------


def _meant_by(body: Any, besides: str) -> Wanted:
    """Read which changes a body means. Nothing at all means nothing: whoever wants all says so."""
    if not isinstance(body, dict) or not body.keys() <= {*_CONDITIONS, "all", besides}:
        raise BadRequestError(f"the body is {_FORM}, and `{besides}`")
    conditions = {name: body[name] for name in _CONDITIONS if name in body}
    if bool(conditions) == (body.get("all") is True) or body.get("all") not in (None, True):
        raise BadRequestError(f"say which changes are meant: {_FORM}")
    texts = {name: _text(name, conditions.get(name)) for name in ("code", "profile", "message", "from", "to")}
    return Wanted(
        _numbers(conditions["numbers"]) if "numbers" in conditions else None,
        texts["code"],
        _named(conditions["audience"]) if "audience" in conditions else None,
        texts["profile"],
        texts["message"],
        _moment("from", texts["from"]),
        _moment("to", texts["to"]),
    )


def _text(name: str, value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise BadRequestError(f"{name!r} is a text")
    return value


def _numbers(value: Any) -> tuple[int, ...]:
    if (
        not isinstance(value, list)
        or not value
        or not all(type(item) is int and 0 <= item < _HIGHEST for item in value)
    ):
        raise BadRequestError("`numbers` is a list of numbers, as the list of parked changes shows them")
    return tuple(sorted({*value}))


def _named(value: Any) -> tuple[str, str]:
    named = {"namespace": "ups", **value} if isinstance(value, dict) else {}
    if named.keys() != {"id", "namespace"} or not all(isinstance(item, str) for item in named.values()):
        raise BadRequestError("`audience` is an `id`, and a `namespace` where it is not `ups`")
    return named["namespace"], named["id"]


def _moment(name: str, value: str | None) -> int | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        pass
    raise BadRequestError(f"{name!r} is a moment in ISO 8601 with its zone, such as 2026-03-01T00:00:00Z")


def _bounded(number: int) -> int:
    return number if 0 <= number < _HIGHEST else 0
