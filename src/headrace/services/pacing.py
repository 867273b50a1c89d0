"""
Pacing: how much may be claimed for each account now, shared between its dataflows, and when to look again.

What a partner's answers say is in ``streaming/slots.py``. What its author has declared is counted here: in the store,
for all processes and over restarts, inside the transaction that claims. A message of an account with limits waits at
the turnstile until it is rendered and its request may leave; the next claim lets in as many as the limits allow.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from headrace.clock import Clock
from headrace.crashpoints import crashpoint
from headrace.events import Announce, Event, PartnerBack, PartnerDown, PartnerSlowed
from headrace.model.message import Group, Message
from headrace.model.outcome import HELD_BACK, Outcome, Retry
from headrace.model.pacing import RateLimit
from headrace.services.live import LiveDataflow, LiveDataflows, PartnerRoute
from headrace.store import outbox, rates, slowed
from headrace.store.database import Store, StoreUnavailable, Transaction
from headrace.streaming import rates as policy
from headrace.streaming.pipeline import Route
from headrace.streaming.rates import Rate
from headrace.streaming.slots import Slots, Turn

#: One dataflow of one sandbox.
Address = tuple[int, int]
Wake = Callable[[int, Iterable[int]], None]

#: The longest, in milliseconds, that a message waits at the turnstile; for longer it goes back to the outbox.
LONGEST_AT_TURNSTILE = 5_000
#: When to look again, in milliseconds, whether requests of other processes have ended.
LOOK_AGAIN = 1_000
#: Seconds of a pause that is announced although the account was slowed already.
WORTH_TELLING = 30.0


@dataclass(frozen=True, slots=True)
class Going:
    """A dataflow of which something may be claimed, and its way."""

    address: Address
    flow: LiveDataflow
    route: PartnerRoute


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """A message at the turnstile. Its turn comes with ``None``, or with the seconds after which to come again."""

    tenant: int
    entries: int
    limits: tuple[RateLimit, ...]
    turn: "asyncio.Future[float | None]"


@dataclass(slots=True)
class _Account:
    """What one turn of claiming has for one account."""

    name: str
    flows: list[Going]
    waiting: tuple[_Waiting, ...]
    free: int = 0
    until: int | None = None
    let_in: int = 0
    wait: int = 0

    @property
    def tenant(self) -> int:
        return self.flows[0].address[0] if self.flows else self.waiting[0].tenant

    @property
    def limits(self) -> list[RateLimit]:
        """The limits of whatever leaves; where editions of the destination differ, the lower ones."""
        lowest: dict[rates.Name, RateLimit] = {}
        for limits in [*(going.route.limits for going in self.flows), *(item.limits for item in self.waiting)]:
            for limit in limits:
                known = lowest.get(limit.name)
                lowest[limit.name] = limit if known is None or limit.most < known.most else known
        return list(lowest.values())

    @property
    def most_under_way(self) -> int | None:
        return min((most for going in self.flows if (most := going.route.most_under_way) is not None), default=None)


@dataclass(slots=True)
class Round:
    """
    One turn of claiming: iterated, it yields the dataflows of which something may be claimed, and how many groups.

    ``claimed`` says how many were. The dataflows of an account share what is free; what one does not need is left to
    those after it, and another is first each time. ``resting`` are those that nothing may be claimed of until a moment.
    """

    accounts: list[_Account]
    resting: list[tuple[Address, int]] = field(default_factory=list)
    _account: _Account | None = None

    def __iter__(self) -> Iterator[tuple[Going, int]]:
        for account in self.accounts:
            self._account = account
            for place, going in enumerate(account.flows):
                share = math.ceil(account.free / (len(account.flows) - place))
                if share > 0:
                    yield going, share

    def begin_after(self, account: str) -> None:
        """Let the account after this one be the first, for a turn may end before all of them had theirs."""
        self.accounts.sort(key=lambda item: (item.name <= account, item.name))

    def claimed(self, groups: int) -> None:
        if self._account is not None:
            self._account.free -= groups


class Pacing:
    """Says how much may be claimed, keeps the turnstile, and tells how accounts go."""

    def __init__(self, store: Store, clock: Clock, live: LiveDataflows, announce: Announce, wake: Wake) -> None:
        self._store = store
        self._clock = clock
        self._live = live
        self._announce = announce
        self._wake = wake
        self._queues: dict[str, deque[_Waiting]] = {}
        self._next: dict[str, int] = {}
        self._turns: dict[str, int] = {}
        self._left_alone: dict[str, set[Address]] = {}
        self._is_closed = False

    @property
    def next_at(self) -> list[int]:
        """When the turnstile next lets somebody in, for each account of which somebody waits."""
        return [self._next.get(account, 0) for account, queue in self._queues.items() if queue]

    def waiting(self, now: int) -> dict[str, tuple[_Waiting, ...]]:
        """Return who waits at the turnstile and may be let in now, as they are before the claim."""
        return {
            account: tuple(queue)
            for account, queue in self._queues.items()
            if queue and now >= self._next.get(account, 0)
        }

    def begin(
        self,
        tx: Transaction,
        going: Iterable[Going],
        waiting: Mapping[str, tuple[_Waiting, ...]],
        slots: Slots,
        now: int,
    ) -> Round:
        """Begin a turn of claiming, inside its transaction: count who is let in, and what is free."""
        accounts = {name: _Account(name, [], queue) for name, queue in waiting.items()}
        for item in going:
            name = item.route.account
            accounts.setdefault(name, _Account(name, [], waiting.get(name, ()))).flows.append(item)
        begun = Round([accounts[name] for name in sorted(accounts)])
        for account in begun.accounts:  # In one order everywhere, for rows are locked.
            self._share(tx, account, slots, now)
            if account.until is not None:
                begun.resting += [(item.address, account.until) for item in account.flows]
        return begun

    def end(self, begun: Round, now: int) -> None:
        """Let in whom a turn of claiming has counted, once that is on disk."""
        for account in begun.accounts:
            for item in account.waiting[: account.let_in]:
                self._answer(account.name, item, None)
            rest = account.waiting[account.let_in :]
            self._next.pop(account.name, None)
            if rest and account.wait > LONGEST_AT_TURNSTILE:
                for item in rest:
                    self._answer(account.name, item, account.wait / 1000)
            if rest:
                self._next[account.name] = now + account.wait

    async def turn(self, group: Group, message: Message, route: Route) -> Outcome | None:
        """Wait at the turnstile until a message may leave; say when to come again if that is not soon."""
        wait = max(self._next.get(route.account, 0) - self._clock.now(), 0)
        if self._is_closed or wait > LONGEST_AT_TURNSTILE:
            return _later(wait / 1000)
        item = _Waiting(group.tenant, len(message.entries), route.limits, asyncio.get_running_loop().create_future())
        queue = self._queues.setdefault(route.account, deque())
        queue.append(item)
        if wait == 0:
            self._wake(group.tenant, [group.dataflow])
        crashpoint("at_turnstile")
        try:
            seconds = await item.turn
        finally:
            if item in queue:
                queue.remove(item)
        crashpoint("after_turnstile")
        return None if seconds is None else _later(seconds)

    def close(self) -> None:
        """Let nobody in any more."""
        self._is_closed = True
        for account, queue in self._queues.items():
            for item in tuple(queue):
                self._answer(account, item, 0.0)

    def names(self) -> list[str]:
        """Return the accounts of which something is remembered."""
        return [*self._queues, *self._next, *self._turns, *self._left_alone]

    def forget(self, account: str) -> None:
        """Forget an account that is gone, unless somebody waits at its turnstile."""
        if not self._queues.get(account):
            for kept in (self._queues, self._next, self._turns, self._left_alone):
                kept.pop(account, None)

    async def tell(self, turns: Sequence[Turn]) -> None:
        """Announce how accounts go from now on, and keep it for operators to read."""
        now = self._clock.now()
        for turn in turns:
            for event in _events(turn):
                self._announce(event)
            if turn.kind == "back":
                for tenant, dataflow in self._left_alone.pop(turn.account, ()):
                    self._wake(tenant, [dataflow])

        def work(tx: Transaction) -> None:
            for turn in turns:
                tenant, _, account = turn.account.partition(":")
                if turn.kind == "back":
                    slowed.forget(tx, int(tenant), account)
                else:
                    until = now + int(turn.seconds * 1000)
                    slowed.note(tx, int(tenant), account, turn.reason, now, until, is_down=turn.kind == "down")

        try:
            await self._store.write(work)
        except StoreUnavailable:
            return  # It is for people to read, and said in the log.

    def _share(self, tx: Transaction, account: _Account, slots: Slots, now: int) -> None:
        """Say what is free of an account now, and whose turn it is first."""
        first = self._turns.get(account.name, 0) % max(len(account.flows), 1)
        self._turns[account.name] = first + 1
        account.flows[:] = account.flows[first:] + account.flows[:first]
        account.free = slots.free(account.name)
        if (seconds := slots.wait(account.name)) > 0:
            account.free, account.until = 0, now + math.ceil(seconds * 1000)
            self._left_alone.setdefault(account.name, set()).update(item.address for item in account.flows)
        if account.limits or account.most_under_way is not None:
            self._limit(tx, account, slots, now)

    def _limit(self, tx: Transaction, account: _Account, slots: Slots, now: int) -> None:
        """Let in who waits, and leave free no more than the partner's limits."""
        id_ = account.name.partition(":")[2]
        limits = account.limits
        taken = rates.locked(tx, account.tenant, id_, [limit.name for limit in limits] or [rates.AT_ONCE])
        counted = [Rate(limit, taken[limit.name]) for limit in limits]
        for item in account.waiting:
            if not policy.take(counted, now, item.entries):
                account.wait = policy.wait(counted, now, item.entries)
                break
            account.let_in += 1
        if account.let_in:
            rates.keep(tx, account.tenant, id_, {rate.limit.name: (rate.taken, rate.ends()) for rate in counted})
        if account.flows:
            self._leave_room(account, counted, slots, now)
            self._leave_places(tx, account, slots, now)

    def _leave_room(self, account: _Account, counted: Sequence[Rate], slots: Slots, now: int) -> None:
        """Leave free no more than may leave now and is not claimed already."""
        if not counted:
            return
        entries = max(going.route.most_entries for going in account.flows)
        left = policy.left(counted, now, entries)
        queue = self._queues.get(account.name, ())
        account.free = min(account.free, left - slots.unsent(account.name) - len(queue) + account.let_in)
        if left <= 0:
            account.until = max(account.until or 0, now + policy.wait(counted, now, entries))

    def _leave_places(self, tx: Transaction, account: _Account, slots: Slots, now: int) -> None:
        """Leave free no more than the partner takes at a time, of all processes."""
        if account.most_under_way is None:
            return
        flows = self._live.of(tx, account.tenant).values()
        of_account = [flow.stored.dataflow for flow in flows if flow.route and flow.route.account == account.name]
        leased = sum(outbox.leased(tx, account.tenant, dataflow, now) for dataflow in of_account)
        account.free = min(account.free, account.most_under_way - leased)
        if account.free <= 0 and not slots.held(account.name):  # Nobody here will say when a place is free again.
            account.until = max(account.until or 0, now + LOOK_AGAIN)

    def _answer(self, account: str, item: _Waiting, seconds: float | None) -> None:
        queue = self._queues.get(account)
        if queue is not None and item in queue:
            queue.remove(item)
        if not item.turn.done():
            item.turn.set_result(seconds)


def forget_pacing(tx: Transaction, now: int) -> None:
    """Forget what counts no longer."""
    rates.forget(tx, now)
    slowed.forget_old(tx, now)


def _later(seconds: float) -> Retry:
    return Retry(HELD_BACK, "the partner's limit for the account is reached", after=seconds, counts=False)


def _events(turn: Turn) -> Iterator[Event]:
    account = turn.account.partition(":")[2]
    if turn.kind == "back" and turn.is_first:
        yield PartnerBack(account=account)
    elif turn.kind == "down" and turn.is_first:
        yield PartnerDown(account=account, reason=turn.reason)
    elif turn.kind == "slowed" and (turn.is_first or turn.seconds >= WORTH_TELLING):
        yield PartnerSlowed(account=account, seconds=turn.seconds, reason=turn.reason)
