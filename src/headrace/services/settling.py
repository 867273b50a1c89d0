"""Settling together: groups that are concluded while others are being written wait, and are written in one piece."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from headrace.crashpoints import crashpoint
from headrace.services import holding
from headrace.services.keeping_messages import kept_of
from headrace.services.live import LiveDataflow, LiveDataflows
from headrace.services.presence import Moment
from headrace.store import outbox, parked_messages
from headrace.store.database import Store, Transaction
from headrace.store.outbox import Conclusion, Recorded

#: Groups that are written in one piece: small enough that ingestion gets its turn.
MOST_TOGETHER = 256


@dataclass(frozen=True, slots=True)
class Written:
    """
    What was recorded of a group, and the dataflow's id; no id where the claim was no longer ours.

    ``held`` is why the dataflow is held from now on.
    """

    recorded: Recorded
    name: str | None
    held: str | None = None


def record(tx: Transaction, live: LiveDataflows, concluded: Sequence[Conclusion], now: int) -> list[Written]:
    """Record what became of groups, sandbox by sandbox; return what was, in their order."""
    written: dict[int, Written] = {}
    for tenant in dict.fromkeys(one.group.tenant for one in concluded):
        flows = live.of(tx, tenant)
        mine = [_of_version(one, flows) for one in concluded if one.group.tenant == tenant]
        for one, recorded in zip(mine, outbox.settle(tx, mine, now), strict=True):
            flow = flows.get(one.group.dataflow)
            name = flow.stored.id if recorded is not None and flow is not None else None
            if recorded is not None and not one.is_delivered:
                _pass_points(one)
                parked_messages.keep(tx, tenant, one.group.dataflow, kept := kept_of(one.settled), now)
                if kept:
                    crashpoint("after_message_kept")
            written[one.group.number] = Written(recorded or Recorded(), name, _held(tx, one, name, now))
    crashpoint("before_settle_commit")
    return [written[one.group.number] for one in concluded]


def _pass_points(concluded: Conclusion) -> None:
    if concluded.parts:
        crashpoint("after_split")
    if concluded.retry_at is not None:
        crashpoint("after_retry_noted")


def _of_version(concluded: Conclusion, flows: Mapping[int, LiveDataflow]) -> Conclusion:
    """Note the version of what messages are made of now, where something may be parked."""
    flow = flows.get(concluded.group.dataflow)
    if concluded.is_delivered or flow is None or flow.route is None:
        return concluded
    return replace(concluded, version=flow.route.recipe.version)


def _held(tx: Transaction, concluded: Conclusion, name: str | None, now: int) -> str | None:
    """Hold the dataflow if an answer says that a person has to look; return why, if it was going until now."""
    reason = holding.reason_in(concluded.settled) if name is not None else None
    if name is None or reason is None:
        return None
    group = concluded.group
    was_going = holding.hold(tx, group.tenant, group.dataflow, name, reason, now)
    crashpoint("after_hold")
    return reason if was_going else None


class Together:
    """
    Writes what is concluded: at once where nothing is being written, else together with what follows meanwhile.

    With a fast partner and small messages there are dozens at a time, for the price of a few statements.
    """

    def __init__(self, store: Store, live: LiveDataflows, moment: Moment) -> None:
        self._store = store
        self._live = live
        self._moment = moment
        self._waiting: list[tuple[Conclusion, asyncio.Future[Written]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def write(self, concluded: Conclusion) -> Written:
        """
        Record what became of a group, and return once that is on disk.

        Raises:
            Exception: nothing is recorded of it, maybe because of another that was written with it.
        """
        answer: asyncio.Future[Written] = asyncio.get_running_loop().create_future()
        self._waiting.append((concluded, answer))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        return await answer

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                some, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
                await self._write_some(some)
        finally:
            self._writing = None

    async def _write_some(self, some: Sequence[tuple[Conclusion, "asyncio.Future[Written]"]]) -> None:
        concluded = [one for one, _ in some]
        try:
            written = await self._store.write(lambda tx: record(tx, self._live, concluded, self._moment(tx)))
        except Exception as error:  # Whoever waits tries again alone, so one that cannot be written stops no other.
            for _, answer in some:
                if not answer.done():
                    answer.set_exception(error)
        else:
            for (_, answer), one in zip(some, written, strict=True):
                if not answer.done():
                    answer.set_result(one)
