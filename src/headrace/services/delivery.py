"""Delivery: the outbox that the streaming pipeline carries from, kept in the store."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from random import Random
from typing import TypeVar

from headrace.clock import Clock
from headrace.connect.retry import RetryPolicy
from headrace.crashpoints import crashpoint
from headrace.events import (
    Announce,
    ChangesParked,
    DataflowHeld,
    DataflowStopped,
    DataflowWaits,
    Event,
    MessageDelivered,
    MessageRetried,
    MessageSplit,
    WorkerFailed,
    told,
)
from headrace.mapping.consent import Consents
from headrace.model.message import Group, Settled
from headrace.model.outcome import Delivered, Outcome, Parked, Retry, Split
from headrace.services import consenting
from headrace.services.live import FAULT_PAUSE, LiveDataflow, LiveDataflows, PartnerRoute
from headrace.services.turning import turn
from headrace.store import access, audit, dataflows, epochs, ledger, outbox, withheld
from headrace.store.database import Store, StoreUnavailable, Transaction
from headrace.store.outbox import Recorded
from headrace.store.splitting import Part
from headrace.streaming.bisect import halves
from headrace.streaming.settle import conclude
from headrace.streaming.slots import Slots
from headrace.streaming.streak import Streak

T = TypeVar("T")
#: One dataflow of one sandbox.
Address = tuple[int, int]

#: Wholly refused messages in a row after which a dataflow is held instead of parking everything it has.
REFUSALS_TO_HOLD = 100
#: Entries claimed in one turn of the writer: small enough that ingestion gets its own.
MOST_CLAIMED = 2000
#: Seconds between two tries to write what is known while the store cannot take anything.
STORE_PAUSE = 1.0
#: The longest the outbox sleeps although nobody woke it, in seconds.
LONGEST_SLEEP = 5.0


class StoredOutbox:
    """
    The outbox in the store.

    It remembers which dataflows may have something waiting: all of them at the start, then those that were woken, that
    have just settled, or whose retry is due. The truth is in the store; this only saves looking everywhere again.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        live: LiveDataflows,
        announce: Announce,
        policy: RetryPolicy,
        random: Random,
        *,
        epoch: int,
        lease: float,
        deadline: float,
    ) -> None:
        self._store = store
        self._clock = clock
        self._live = live
        self._announce = announce
        self._policy = policy
        self._random = random
        self._epoch = epoch
        self._lease = int(lease * 1000)
        self._deadline = int(deadline * 1000)
        self._numbers = itertools.count(epoch << 32)
        self._maybe: set[Address] = set()
        self._due: dict[Address, int] = {}
        self._last_bucket: dict[Address, int] = {}
        self._streaks: dict[Address, Streak] = {}
        self._faults: dict[Address, str] = {}
        self._consents: dict[Address, Consents] = {}
        self._woken = asyncio.Event()
        self._closed = False

    @classmethod
    async def open(
        cls,
        store: Store,
        clock: Clock,
        live: LiveDataflows,
        announce: Announce,
        policy: RetryPolicy,
        random: Random,
        *,
        lease: float,
        deadline: float,
    ) -> "StoredOutbox":
        """Begin an epoch, give back what processes before us had claimed, and look everywhere once."""
        now = clock.now()

        def work(tx: Transaction) -> tuple[int, list[Address]]:
            epoch = epochs.begin(tx, now)
            outbox.expire_leases(tx, epoch, now)
            return epoch, [(flow.tenant, flow.dataflow) for flow in dataflows.every(tx)]

        epoch, everywhere = await store.write(work)
        opened = cls(store, clock, live, announce, policy, random, epoch=epoch, lease=lease, deadline=deadline)
        opened._maybe.update(everywhere)
        return opened

    def wake(self, tenant: int, numbers: Iterable[int]) -> None:
        """Take note that dataflows of a sandbox may have something waiting."""
        self._maybe.update((tenant, number) for number in numbers)
        self._woken.set()

    def close(self) -> None:
        """Claim nothing more; what is under way is settled."""
        self._closed = True
        self._woken.set()

    async def claimed(self, slots: Slots) -> AsyncIterator[tuple[Group, PartnerRoute]]:
        """Yield groups to carry with their ways, each holding a slot of its account, until closed."""
        while not self._closed:
            self._woken.clear()
            slots.freed.clear()
            groups = await self._claim(slots)
            for group, route in groups:
                yield group, route
            if not groups:
                await self._sleep(slots)

    async def holds(self, group: Group) -> bool:
        """Say whether a claim is ours for as long as a request may take; one that has grown old is renewed first."""
        now = self._clock.now()
        if now + self._deadline <= group.lease_until:
            return True
        return await self._store.write(lambda tx: outbox.renew(tx, group, now + self._lease))

    async def objection(self, group: Group) -> Outcome | None:
        """Say why a message may not leave as it was rendered: somebody in it has withdrawn their consent since."""
        consents = self._consents.get((group.tenant, group.dataflow))
        if not consents:
            return None
        newer = await self._store.read(lambda tx: outbox.newer(tx, group))
        return consenting.objection(consents, newer)

    async def settle(self, group: Group, settled: Sequence[Settled]) -> None:
        """Record an outcome for every entry; what cannot be recorded comes back when the lease ends. Never raises."""
        try:
            await self._settle(group, settled)
        except Exception as error:  # One group's trouble must not end the requests of others.
            self._announce(WorkerFailed(step="settle", error=told(error)))

    async def _settle(self, group: Group, settled: Sequence[Settled]) -> None:
        """Decide when what is to be retried goes again, write it all down, and say what happened."""
        if (group.tenant, group.dataflow) in self._consents:
            settled = consenting.counted(settled)
        concluded, wait = conclude(settled, group.attempt, self._policy, self._random)
        now = self._clock.now()
        retry_at = now + int(wait * 1000) if wait is not None else None
        address = (group.tenant, group.dataflow)
        parts = [Part(next(self._numbers), entries, reason) for entries, reason in halves(concluded)]

        def work(tx: Transaction) -> tuple[str | None, Recorded]:
            recorded = outbox.settle(tx, group, concluded, now, retry_at, parts)
            crashpoint("before_settle_commit")
            flow = self._live.of(tx, group.tenant).get(group.dataflow)
            return flow.stored.id if recorded and flow is not None else None, recorded or Recorded()

        name, recorded = await self._written(work, group)
        crashpoint("after_settle_commit")
        if retry_at is not None:
            self._due[address] = min(retry_at, self._due.get(address, retry_at))
        self.wake(group.tenant, [group.dataflow])
        if name is not None:
            for event in _events(name, [*concluded, *recorded.given_up], wait):
                self._announce(event)
            await self._hold_if_refused(address, name, group.number, concluded)

    async def _written(self, work: Callable[[Transaction], T], group: Group) -> T:
        """Write to the store; while it cannot take anything, try again for as long as the claim is ours."""
        while True:
            try:
                return await self._store.write(work)
            except StoreUnavailable as error:
                if self._clock.now() >= group.lease_until:
                    raise
                self._announce(WorkerFailed(step="settle", error=error.message))
                await asyncio.sleep(STORE_PAUSE)

    async def _claim(self, slots: Slots) -> list[tuple[Group, PartnerRoute]]:
        """Claim for every dataflow that may have something waiting, as much as its account has slots free."""
        now = self._clock.now()
        for address in [address for address, due in self._due.items() if due <= now]:
            del self._due[address]
            self._maybe.add(address)
        asked = set(self._maybe)
        if not asked:
            return []

        def work(tx: Transaction) -> list[tuple[Group, PartnerRoute]]:
            pairs: list[tuple[Group, PartnerRoute]] = []
            for address in sorted(asked):
                flow = self._live.of(tx, address[0]).get(address[1])
                if flow is None or flow.route is None or not flow.is_going:
                    self._rest(address, self._look_again(address, flow, now))
                    continue
                self._faults.pop(address, None)
                account = flow.route.account
                free = slots.free(account) - sum(1 for _, route in pairs if route.account == account)
                groups = self._claim_for(tx, address, flow.route, free, now) if free > 0 else []
                groups = self._looked_at(tx, flow, groups, now)
                pairs += [(group, flow.route) for group in groups]
            return pairs

        try:
            pairs = await self._store.write(work)
        except Exception:
            self._maybe |= asked  # Nothing was claimed, so what was found to rest may be waiting all the same.
            raise
        for group, route in pairs:
            slots.take(route.account)
            self._streaks.setdefault((group.tenant, group.dataflow), Streak()).claimed(group.number)
        return pairs

    def _claim_for(self, tx: Transaction, address: Address, route: PartnerRoute, free: int, now: int) -> list[Group]:
        tenant, number = address
        most = route.most_entries
        wanted = min(free, max(1, MOST_CLAIMED // most))
        claim = outbox.Claim(tenant, number, self._epoch, wanted, most, self._lease, self._numbers)
        groups = outbox.claim(tx, claim, now, self._last_bucket.get(address, -1))
        if groups:
            self._last_bucket[address] = groups[-1].bucket.encode()
        if len(groups) < wanted:
            self._rest(address, outbox.next_due(tx, tenant, number))
        known = (outbox.withhold_nobody(tx, group) for group in groups)
        return [group for group in known if group.entries]

    def _looked_at(self, tx: Transaction, flow: LiveDataflow, claimed: Sequence[Group], now: int) -> list[Group]:
        """Hold what was claimed against the policies of consent, as they are now."""
        address = (flow.stored.tenant, flow.stored.dataflow)
        if not flow.is_looked_at:
            self._consents.pop(address, None)
            return list(claimed)
        self._consents[address] = flow.consent
        cleared = [consenting.cleared(tx, flow, group, now) for group in claimed]
        if any(item.has_moved for item in cleared):
            self._maybe.add(address)
        return [item.group for item in cleared if item.group.entries]

    def _rest(self, address: Address, due: int | None) -> None:
        """
        Forget a dataflow that has nothing waiting, until somebody wakes it or its next retry is due.

        Called inside the claim's transaction: whoever commits something after it also wakes us after it.
        """
        self._maybe.discard(address)
        self._due.pop(address, None)
        if due is not None:
            self._due[address] = due

    def _look_again(self, address: Address, flow: LiveDataflow | None, now: int) -> int | None:
        """Say when to look again at a dataflow that is not going: a fault may pass, the rest is told us."""
        if flow is None or flow.fault is None or flow.stored.state != "enabled":
            return None
        if self._faults.get(address) != flow.fault:
            self._faults[address] = flow.fault
            kind = DataflowStopped if flow.is_signed_in else DataflowWaits
            self._announce(kind(dataflow=flow.stored.id, reason=flow.fault))
        return now + int(FAULT_PAUSE * 1000)

    async def _sleep(self, slots: Slots) -> None:
        """Wait until somebody wakes us, a slot is freed, or a retry is due."""
        now = self._clock.now()
        next_due = min(self._due.values(), default=now + int(LONGEST_SLEEP * 1000))
        seconds = min(max((next_due - now) / 1000, 0.0), LONGEST_SLEEP)
        waits = [asyncio.ensure_future(self._woken.wait())]
        if self._maybe:
            waits.append(asyncio.ensure_future(slots.freed.wait()))
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    async def _hold_if_refused(self, address: Address, name: str, number: int, settled: Sequence[Settled]) -> None:
        """Stop a dataflow of which too many messages in a row were refused whole."""
        streak = self._streaks.setdefault(address, Streak())
        if any(isinstance(item.outcome, Split) for item in settled):
            return streak.left(number)
        refused = all(isinstance(item.outcome, Parked) for item in settled)
        if streak.settled(number, refused=refused) < REFUSALS_TO_HOLD or not refused:
            return None
        streak.begin_again()
        last = next(item.outcome.reason for item in settled if isinstance(item.outcome, Parked))
        reason = f"{REFUSALS_TO_HOLD} messages in a row were refused; the last: {last}"
        now = self._clock.now()

        def work(tx: Transaction) -> bool:
            was_going = dataflows.hold(tx, *address, reason, now)
            if was_going:
                audit.note(tx, address[0], "headrace", "hold", "dataflow", name, now)
                access.raise_configuration(tx, address[0])
            return was_going

        if await self._store.write(work):
            self._announce(DataflowHeld(dataflow=name, reason=reason))
        return None


async def keep_house(store: Store, clock: Clock, announce: Announce, every: float) -> None:
    """Until cancelled: let audiences begin and end whose dates have come, and fold the ledger."""
    while True:
        try:
            await turn(store, clock.now())
            await store.write(ledger.fold)
            await store.write(withheld.fold)
        except Exception as error:  # A fault of ours must not end the house-keeping of everybody else.
            announce(WorkerFailed(step="keep_house", error=told(error)))
        await asyncio.sleep(every)


def _events(name: str, settled: Sequence[Settled], wait: float | None) -> Iterable[Event]:
    """Say what happened to the messages of a group."""
    for (message, outcome), items in itertools.groupby(settled, key=lambda item: (item.message, item.outcome)):
        entries = list(items)
        if isinstance(outcome, Delivered):
            yield MessageDelivered(dataflow=name, entries=len(entries), message=message)
        elif isinstance(outcome, Retry):
            yield MessageRetried(
                dataflow=name, entries=len(entries), message=message, reason=outcome.reason, seconds=wait or 0.0
            )
        elif isinstance(outcome, Split):
            yield MessageSplit(dataflow=name, entries=len(entries), message=message, reason=outcome.reason)
        else:
            yield ChangesParked(dataflow=name, entries=len(entries), reason=outcome.reason)
