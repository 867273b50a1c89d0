"""The runs that make a partner agree: one request after the other, each begun and ended in the store."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

from headrace.clock import Clock
from headrace.connect.call import CallFailed
from headrace.crashpoints import crashpoint
from headrace.errors import HeadraceError
from headrace.orchestrate.port import Steps
from headrace.services.at_partner import contexts, preparing, recording, wanting
from headrace.services.at_partner.contexts import Context
from headrace.services.at_partner.deciding import Facts, Step
from headrace.services.at_partner.events import Event
from headrace.services.at_partner.preparing import Prepared
from headrace.services.at_partner.wanting import Place
from headrace.services.catalog import tenant_of
from headrace.services.partners import PartnerAccess, Partners
from headrace.services.steps import patiently
from headrace.store import partner_audiences, runs
from headrace.store.access import Tenant
from headrace.store.database import Store, Transaction
from headrace.store.partner_audiences import ITSELF, PartnerAudience
from headrace.store.runs import Run

#: More than any wish needs: looking for an audience, making it, renaming it. Whoever wishes on meanwhile asks again.
_MOST_CALLS = 8
#: Which request of a template carries out a step for a dataflow itself.
_OF_DATAFLOWS = {"create": "create_destination", "update": "update_destination", "delete": "delete_destination"}


@dataclass(frozen=True, slots=True)
class Task:
    """What is next for a row, as a transaction saw it, and what it takes."""

    tenant: Tenant
    row: PartnerAudience
    step: Step
    wanted: Facts | None
    place: Place

    @property
    def key(self) -> tuple[Any, ...]:
        """What must still be so when the request is about to leave."""
        return self.step, self.wanted, self.row.attempts, self.row.calling


@dataclass(frozen=True, slots=True)
class Ready:
    """A request that can be sent: ``before`` is asked first, whether it may be."""

    event: Event
    before: Event | None
    access: PartnerAccess
    context: Context


@dataclass(slots=True)
class AudienceCalls:
    """
    Carries runs about audiences at partners, one at a time for each audience.

    A run looks at the row and does whatever is needed then, however often it was asked for. ``woken`` is told of
    sandboxes in which something takes part that did not before.
    """

    store: Store
    clock: Clock
    partners: Partners
    woken: Callable[[int], Awaitable[None]]
    _turns: "WeakValueDictionary[tuple[int, str, int], asyncio.Lock]" = field(default_factory=WeakValueDictionary)

    async def carry(self, run: Run, steps: Steps) -> None:
        """
        Do the work of a run.

        Raises:
            CallFailed: it did not come to an end; another run is asked for, unless the operator has to decide.
        """
        about = (run.tenant, run.subject["target"], run.subject["audience"])
        async with self._turns.setdefault(about, asyncio.Lock()):
            reason = await steps.step("agree", lambda: self._agree(run))
        if reason is not None:
            raise CallFailed(reason)

    async def _agree(self, run: Run) -> str | None:
        """Send requests until there is nothing to do, or one fails; return why."""
        asked: set[str] = set()
        for calls in itertools.count():
            task = await patiently(lambda: self.store.write(lambda tx: self._look(tx, run)))
            if task is None:
                return None
            if calls == _MOST_CALLS:
                endless = CallFailed("wishes change faster than the partner answers")
                return await self._fail(run, task.row, task.row, endless)
            failure = await self._carry_out(run, task, asked)
            if failure is not None:
                return failure
        return None

    def _look(self, tx: Transaction, run: Run) -> Task | None:
        """See what is next, and do at once what needs no request."""
        task = self._task(tx, run)
        if task is None:
            return None
        if task.row.run != run.run:
            partner_audiences.change(tx, task.row, self.clock.now(), run=run.run)
        if task.step in ("nothing", "forget", "ask"):
            recording.rest(task.place, task.row, task.step, self.clock.now())
            return None
        return task

    def _task(self, tx: Transaction, run: Run) -> Task | None:
        row = partner_audiences.get(tx, run.tenant, run.subject["target"], run.subject["audience"])
        if row is None or not _is_newest(tx, run, row.run):
            return None
        tenant = tenant_of(tx, run.tenant)
        place = wanting.place_of(tx, tenant, row)
        if place is None:
            return None
        return Task(tenant, row, place.step(row), place.wanted(row), place)

    async def _carry_out(self, run: Run, task: Task, asked: set[str]) -> str | None:
        """Send one request and keep what came of it; return why it failed."""
        row = task.row
        try:
            ready = await self._ready(run, task)
            if ready is None:
                return None
            if ready.before is not None and "validate" not in asked:
                await ready.before.carry_out(ready.access, ready.context)
                asked.add("validate")
            begun = await patiently(lambda: self.store.write(lambda tx: self._begin(tx, run, task)))
            if begun is None:
                return None
            row = begun
            crashpoint("before_audience_call")
            kept = await ready.event.carry_out(ready.access, ready.context)
            crashpoint("after_audience_call")
            await self._succeed(run, row, task, ready.event, kept)
        except HeadraceError as error:
            return await self._fail(run, task.row, row, error)
        return None

    async def _ready(self, run: Run, task: Task) -> Ready | None:
        """Put a request together; nothing, where the task is no longer what is to be done."""
        prepared = await self.store.read(lambda tx: self._prepare(tx, run, task))
        if prepared is None:
            return None
        name = _OF_DATAFLOWS[task.step] if task.row.audience == ITSELF else task.step
        event = prepared.events.get(name)
        assert event is not None, "what a template cannot do is no step"
        before = prepared.events.get("validate_") if task.step != "find" else None
        return Ready(event, before, prepared.access, await prepared.context())

    def _prepare(self, tx: Transaction, run: Run, task: Task) -> Prepared | None:
        now = self._still(tx, run, task)
        if now is None:
            return None
        return preparing.prepare(now.place, self.partners, self._about(now.place, now), run.actor)

    def _still(self, tx: Transaction, run: Run, task: Task) -> Task | None:
        """Return a task as it is now, unless it is no longer what is to be done."""
        now = self._task(tx, run)
        return now if now is not None and now.key == task.key else None

    def _about(self, place: Place, task: Task) -> Context:
        """Return what the request is about: an audience, or nothing but the connection."""
        if task.row.audience == ITSELF:
            return {}
        audience = recording.audience_of(place.tx, task.row)
        return {"segment": contexts.of_audience(audience, task.wanted or task.row.told or {}, task.row.alias)}

    def _begin(self, tx: Transaction, run: Run, task: Task) -> PartnerAudience | None:
        """Note that a request is about to leave; nothing, where it is no longer what is to be done."""
        now = self._still(tx, run, task)
        return recording.begin(tx, now.row, now.step, self.clock.now()) if now is not None else None

    async def _succeed(self, run: Run, row: PartnerAudience, task: Task, event: Event, kept: dict[str, str]) -> None:
        now = self.clock.now()
        values = recording.learned(row, task.step, task.wanted, event, kept)
        await patiently(
            lambda: self.store.write(lambda tx: recording.succeed(tx, task.tenant, row, values, run.actor, now))
        )
        await self.woken(run.tenant)

    async def _fail(self, run: Run, before: PartnerAudience, row: PartnerAudience, error: HeadraceError) -> str:
        now = self.clock.now()
        await patiently(lambda: self.store.write(lambda tx: recording.fail(tx, run, before, row, error, now)))
        return error.message


def _is_newest(tx: Transaction, run: Run, newest: str | None) -> bool:
    """Say whether no run was asked for after this one that has its work before it: that one sees all there is to do."""
    other = runs.get(tx, newest) if newest is not None and newest != run.run else None
    return other is None or other.state in runs.ENDED or other.asked_at < run.asked_at
