"""
Schedules: runs that are asked for again and again, at the moments of a cron expression in UTC.

Runs are asked for in the transaction that notes up to when they have been, so that no moment is lost and none comes
twice, whoever dies.
"""

from dataclasses import dataclass
from itertools import islice
from typing import Any

from headrace.clock import Clock, iso
from headrace.errors import NotFound, RequestError
from headrace.model.cron import Cron
from headrace.services.caller import Caller
from headrace.store import audit, runs, schedules
from headrace.store.database import Store, Transaction
from headrace.store.runs import Run
from headrace.store.schedules import Schedule

#: Schedules that are looked at in one transaction, and moments that are counted when many were missed.
AT_ONCE = 100
MOST_COUNTED = 10_000
#: The most runs that one request may ask for.
MOST_FILLED = 1000


@dataclass(frozen=True, slots=True)
class Due:
    """The moments of a schedule that have come: the first, the last, how many, and the one after them."""

    first: int
    last: int
    count: int
    next: int


def due(cron: Cron, asked_until: int, now: int) -> Due | None:
    """
    Say which moments have come after those that were asked for; ``None``: none.

    Of very many, as after a year of silence, only the first ``MOST_COUNTED`` are counted; the last is the last.
    """
    come = list(islice(cron.between(asked_until, now), MOST_COUNTED))
    if not come:
        return None
    last, following = come[-1], next(cron.after(come[-1]))
    while len(come) == MOST_COUNTED and following <= now:
        last, following = _last_until(cron, last, now)
    return Due(come[0], last, len(come), following)


def _last_until(cron: Cron, after: int, now: int) -> tuple[int, int]:
    """Return the last moment up to now, and the one that follows it."""
    last = after
    for moment in cron.after(after):
        if moment > now:
            return last, moment
        last = moment
    raise AssertionError("a cron expression that was read has no end")


def add(
    tx: Transaction, tenant: int, schedule: str, kind: str, subject: dict[str, Any], cron: str, actor: str, now: int
) -> Schedule:
    """
    Add a schedule: its first run is asked for at the first moment after now.

    Raises:
        NotCron: the expression is none.
    """
    first = next(Cron.parse(cron).after(now))
    added = Schedule(tenant, schedule, kind, subject, cron, now, first, None, actor, now)
    schedules.add(tx, added)
    return added


def is_any_due(tx: Transaction, now: int) -> bool:
    """Say whether a moment of any schedule has come."""
    return bool(schedules.due(tx, now, 1))


def ask_due(tx: Transaction, now: int) -> list[Run]:
    """
    Ask for a run for each schedule of which a moment has come.

    After a time without anybody to ask, several may have: one run makes up for all of them, and says for how many.
    """
    return [run for schedule in schedules.due(tx, now, AT_ONCE) for run in _ask(tx, schedule, now)]


def _ask(tx: Transaction, schedule: Schedule, now: int) -> list[Run]:
    come = due(Cron.parse(schedule.cron), schedule.asked_until, now)
    assert come is not None, schedule
    there = runs.moments_asked(tx, schedule.tenant, schedule.schedule, come.last - 1, come.last)
    if not schedules.move(tx, schedule, come.last, come.next) or there:
        return []
    caught_up = {"moments": come.count, "since": iso(come.first)} if come.count > 1 else {}
    return [_ask_for(tx, schedule, now, come.last, schedule.actor, caught_up)]


def _ask_for(
    tx: Transaction, schedule: Schedule, now: int, moment: int | None, actor: str, progress: dict[str, Any]
) -> Run:
    return runs.ask(
        tx,
        schedule.tenant,
        schedule.kind,
        schedule.subject,
        actor,
        now,
        progress=progress,
        schedule=schedule.schedule,
        moment=moment,
    )


# -- what people ask ------------------------------------------------------------------------------------------------


async def listing(store: Store, caller: Caller) -> list[Schedule]:
    """Return the schedules of the caller's sandbox."""
    return await store.read(lambda tx: schedules.all_of(tx, caller.number))


async def pause(store: Store, clock: Clock, caller: Caller, id_: str) -> Schedule:
    """
    Ask for no further run of a schedule until it is resumed; nothing changes where it is paused.

    Raises:
        NotFound: there is no such schedule here.
    """

    def work(tx: Transaction) -> Schedule:
        schedule, now = _find(tx, caller, id_), clock.now()
        if schedule.paused_at is None:
            schedules.pause(tx, caller.number, id_, now)
            audit.note(tx, caller.number, caller.actor, "pause", "schedule", id_, now)
        return _find(tx, caller, id_)

    return await store.write(work)


async def resume(store: Store, clock: Clock, caller: Caller, id_: str) -> Schedule:
    """
    Ask for runs again, from now on: what the pause left out is not made up for; backfilling does that.

    Raises:
        NotFound: there is no such schedule here.
    """

    def work(tx: Transaction) -> Schedule:
        schedule, now = _find(tx, caller, id_), clock.now()
        if schedule.paused_at is not None:
            schedules.pause(tx, caller.number, id_, None)
            until = max(schedule.asked_until, now)
            schedules.move(tx, schedule, until, next(Cron.parse(schedule.cron).after(until)))
            audit.note(tx, caller.number, caller.actor, "resume", "schedule", id_, now)
        return _find(tx, caller, id_)

    return await store.write(work)


async def trigger(store: Store, clock: Clock, caller: Caller, id_: str) -> Run:
    """
    Ask for a run now, whatever the schedule says, and whether it is paused or not.

    Raises:
        NotFound: there is no such schedule here.
    """

    def work(tx: Transaction) -> Run:
        schedule, now = _find(tx, caller, id_), clock.now()
        run = _ask_for(tx, schedule, now, None, caller.actor, {})
        audit.note(tx, caller.number, caller.actor, "trigger", "schedule", id_, now, details={"run": run.run})
        return run

    return await store.write(work)


async def backfill(store: Store, clock: Clock, caller: Caller, id_: str, start: int, end: int) -> list[Run]:
    """
    Ask for the runs of the moments from ``start`` to ``end`` that have none; doing so twice asks for nothing more.

    Raises:
        NotFound: there is no such schedule here.
        RequestError: the span ends before it begins or after now, or holds too many moments.
    """

    def work(tx: Transaction) -> list[Run]:
        schedule, now = _find(tx, caller, id_), clock.now()
        missing = _missing(tx, schedule, start, end, now)
        asked = [_ask_for(tx, schedule, now, moment, caller.actor, {}) for moment in missing]
        details = {"from": iso(start), "to": iso(end), "runs": len(asked)}
        audit.note(tx, caller.number, caller.actor, "backfill", "schedule", id_, now, details=details)
        return asked

    return await store.write(work)


def _missing(tx: Transaction, schedule: Schedule, start: int, end: int, now: int) -> list[int]:
    if not start <= end <= now:
        raise RequestError("a span goes from a moment to a later one, and not beyond now")
    moments = list(islice(Cron.parse(schedule.cron).between(start - 1, end), MOST_FILLED + 1))
    if len(moments) > MOST_FILLED:
        raise RequestError(
            f"this span has more than {MOST_FILLED} moments: take a shorter one, up to {iso(moments[-2])}"
        )
    there = runs.moments_asked(tx, schedule.tenant, schedule.schedule, start - 1, end)
    return [moment for moment in moments if moment not in there]


def _find(tx: Transaction, caller: Caller, id_: str) -> Schedule:
    schedule = schedules.get(tx, caller.number, id_)
    if schedule is None:
        raise NotFound(f"there is no schedule {id_!r} here")
    return schedule
