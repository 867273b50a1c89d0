"""Delivery: the outbox that the streaming pipeline carries from, kept in the store."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import Any

from headrace.clock import Clock
from headrace.connect.retry import RetryPolicy
from headrace.crashpoints import crashpoint
from headrace.events import (
    Announce,
    DataflowHeld,
    DataflowStopped,
    DataflowWaits,
    WorkerFailed,
    told,
)
from headrace.mapping.consent import Consents
from headrace.model.message import Group, Message, Settled
from headrace.model.outcome import Outcome, Parked, Split, Withheld
from headrace.services import consenting, holding, settling
from headrace.services.leases import Leases
from headrace.services.live import FAULT_PAUSE, LiveDataflow, LiveDataflows, PartnerRoute
from headrace.services.pacing import Address, Going, Pacing, Round
from headrace.services.presence import Presence
from headrace.services.settled_events import Times, settled_events
from headrace.services.settling import Together, Written
from headrace.store import dataflows, epochs, outbox
from headrace.store.database import Store, StoreUnavailable, Transaction
from headrace.store.outbox import Conclusion
from headrace.store.splitting import Part
from headrace.streaming.bisect import halves
from headrace.streaming.load import Load
from headrace.streaming.pipeline import LostClaim, Route
from headrace.streaming.settle import conclude, with_probes
from headrace.streaming.slots import Slots
from headrace.streaming.streak import Streak

#: Wholly refused messages in a row after which a dataflow is held instead of parking everything it has.
REFUSALS_TO_HOLD = 100
#: Entries claimed in one turn of the writer: small enough that ingestion gets its own.
MOST_CLAIMED = 2000
#: Entries after which a turn of the writer ends, whatever more dataflows have waiting: theirs is the next.
ENOUGH_CLAIMED = 10_000
#: Milliseconds between two looks at a dataflow whose entries wait for each other, however often it is woken: at the
#: least, for each that a look has taken, and at the most. When something is old enough it is looked at all the same.
LOOK_EVERY = 1000
LOOKS_PAUSE = 10
LONGEST_PAUSE = 60_000
#: Seconds between two tries to write what is known while the store cannot take anything.
STORE_PAUSE = 1.0
#: Seconds after which is forgotten, with the next claim, what was remembered of dataflows and accounts that are gone.
FORGET_EVERY = 60.0
#: The longest the outbox sleeps although nobody woke it, in seconds.
LONGEST_SLEEP = 5.0


class StoredOutbox:
    """
    The outbox in the store.

    It remembers which dataflows may have something waiting: all of them at the start, then those that were woken, that
    have just settled, or whose retry is due. The truth is in the store; this only saves looking everywhere again, which
    is done from time to time where others put something there.
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
        presence: Presence | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._live = live
        self._announce = announce
        self._policy = policy
        self._random = random
        self._epoch = epoch
        self._leases = Leases(store, clock, presence, lease=lease, deadline=deadline)
        self._looked_everywhere_at = self._forgot_at = clock.monotonic()
        self._numbers = outbox.Numbers(epoch << 32)
        self._together = Together(store, live, self._leases.moment)
        self._maybe: set[Address] = set()
        self._due: dict[Address, int] = {}
        self._last_bucket: dict[Address, int] = {}
        self._early_until: dict[Address, int] = {}
        self._load = Load()
        self._last_account = ""
        self._retrying: dict[Address, RetryPolicy] = {}
        self._streaks: dict[Address, Streak] = {}
        self._faults: dict[Address, str] = {}
        self._consents: dict[Address, Consents] = {}
        self._pacing = Pacing(store, clock, live, announce, self.wake)
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
        presence: Presence | None = None,
    ) -> "StoredOutbox":
        """
        Look everywhere once, and begin: in the epoch of a process that has said that it is there.

        Without a presence this is the one process, which begins an epoch and takes over what was claimed before.
        """

        def begin(tx: Transaction) -> int:
            if presence is not None:
                return presence.epoch
            epoch = epochs.begin(tx, clock.now())
            outbox.expire_leases(tx, epoch, clock.now())
            return epoch

        def work(tx: Transaction) -> tuple[int, list[Address]]:
            return begin(tx), [(flow.tenant, flow.dataflow) for flow in dataflows.every(tx)]

        epoch, everywhere = await store.write(work)
        opened = cls(
            store,
            clock,
            live,
            announce,
            policy,
            random,
            epoch=epoch,
            lease=lease,
            deadline=deadline,
            presence=presence,
        )
        opened._maybe.update(everywhere)
        return opened

    def wake(self, tenant: int, numbers: Iterable[int]) -> None:
        """Take note that dataflows of a sandbox may have something waiting."""
        self._maybe.update((tenant, number) for number in numbers)
        self._woken.set()

    def close(self) -> None:
        """Claim nothing more; what is under way is settled."""
        self._closed = True
        self._pacing.close()
        self._woken.set()

    async def claimed(self, slots: Slots) -> AsyncIterator[tuple[Group, PartnerRoute]]:
        """Yield groups to carry with their ways, each holding a slot of its account, until closed."""
        while not self._closed:
            self._woken.clear()
            slots.freed.clear()
            groups = await self._claim_now(slots)
            for group, route in groups:
                yield group, route
            if not groups:
                await self._sleep(slots)

    async def _claim_now(self, slots: Slots) -> list[tuple[Group, PartnerRoute]]:
        """Claim what there is; while the store cannot take anything, try again, and what is under way goes on."""
        while not self._closed:
            try:
                await self._look_everywhere()
                return await self._claim(slots)
            except StoreUnavailable as error:
                self._announce(WorkerFailed(step="claim", error=error.message))
                await asyncio.sleep(STORE_PAUSE)
        return []

    async def turn(self, group: Group, message: Message, route: Route) -> Outcome | None:
        """Wait until the limits of the account let a message leave; if that takes long, say when to come again."""
        return await self._pacing.turn(group, message, route)

    async def holds(self, group: Group) -> bool:
        """
        Say whether a claim is ours for as long as a request may take; one that has grown old is renewed first.

        Nothing of a group leaves any more once the outbox is closed, unless a part of it has left before.
        """
        is_ours = await self._leases.holds(group, may_begin=not self._closed)
        if not is_ours:
            self._load.give_back(group.number)
        return is_ours

    async def release(self) -> None:
        """Give back what was claimed and of which nothing was sent: whoever claims it next has it at once."""
        await self._leases.release()

    async def objection(self, group: Group) -> Outcome | None:
        """
        Say why a message may not leave as it was rendered: somebody in it has withdrawn their consent since.

        Raises:
            LostClaim: the claim may have ended while that was looked up.
        """
        consents = self._consents.get((group.tenant, group.dataflow))
        if not consents:
            return None
        newer = await self._store.read(lambda tx: outbox.newer(tx, group))
        if not self._leases.last(group):
            self._leases.ended(group)
            self._load.give_back(group.number)
            raise LostClaim
        return consenting.objection(consents, newer)

    async def settle(self, group: Group, settled: Sequence[Settled]) -> None:
        """Record an outcome for every entry; what cannot be recorded comes back when the lease ends. Never raises."""
        try:
            await self._settle(group, settled)
        except Exception as error:  # One group's trouble must not end the requests of others.
            self._announce(WorkerFailed(step="settle", error=told(error)))
        finally:
            self._load.give_back(group.number)
            self._leases.ended(group)

    async def _settle(self, group: Group, settled: Sequence[Settled]) -> None:
        """Decide when what is to be retried goes again, write it all down, and say what happened."""
        if (group.tenant, group.dataflow) in self._consents:
            settled = consenting.counted(settled)
        address = (group.tenant, group.dataflow)
        policy = self._retrying.get(address, self._policy)
        now = self._leases.now()
        settled = with_probes(settled, timedelta(milliseconds=now - (group.since or now)), policy)
        concluded, wait = conclude(settled, group.attempt, policy, self._random)
        retry_at = now + int(wait * 1000) if wait is not None else None
        parts = [Part(self._numbers.take(), entries, reason) for entries, reason in halves(concluded)]
        began = self._clock.monotonic()
        written = await self._written(Conclusion(group, concluded, retry_at, parts))
        seconds = self._clock.monotonic() - began
        crashpoint("after_settle_commit")
        if retry_at is not None:
            self._due[address] = min(retry_at, self._due.get(address, retry_at))
        self.wake(group.tenant, [group.dataflow])
        if written.name is not None:
            waited = max(0, now - group.since) / 1000 if group.since else 0.0
            claimed_at = group.lease_until - self._leases.milliseconds
            for event in settled_events(written, group, concluded, Times(wait, waited, claimed_at, seconds)):
                self._announce(event)
            if written.held is not None:
                self._announce(DataflowHeld(dataflow=written.name, reason=written.held))
            await self._hold_if_refused(address, written.name, group.number, concluded)

    async def _written(self, concluded: Conclusion) -> Written:
        """Record what became of a group; while the store cannot take anything, for as long as the claim is ours."""
        with suppress(Exception):
            return await self._together.write(concluded)
        while True:
            try:
                (written,) = await self._store.write(
                    lambda tx: settling.record(tx, self._live, [concluded], self._leases.moment(tx))
                )
            except StoreUnavailable as error:
                if self._leases.now() >= concluded.group.lease_until:
                    raise
                self._announce(WorkerFailed(step="settle", error=error.message))
                await asyncio.sleep(STORE_PAUSE)
            else:
                return written

    async def _claim(self, slots: Slots) -> list[tuple[Group, PartnerRoute]]:
        """Claim for every dataflow that may have something waiting, as much as its account has slots free."""
        if turns := slots.take_turns():
            await self._pacing.tell(turns)
        due_by, began = self._leases.now(), self._clock.monotonic()
        for address in [address for address, due in self._due.items() if due <= due_by]:
            del self._due[address]
            self._early_until.pop(address, None)
            self._maybe.add(address)
        asked, waiting = set(self._maybe), self._pacing.waiting(due_by)
        if not asked and not waiting:
            return []

        def work(tx: Transaction) -> tuple[Round, list[tuple[Group, PartnerRoute]]]:
            pairs: list[tuple[Group, PartnerRoute]] = []
            now = self._leases.moment(tx)
            self._forget_gone(tx, slots)
            begun = self._pacing.begin(tx, self._going(tx, asked, now), waiting, slots, now)
            begun.begin_after(self._last_account)
            for going, share in begun:
                if sum(len(group.entries) for group, _ in pairs) >= ENOUGH_CLAIMED:
                    break
                account = self._last_account = going.route.account
                taken = sum(1 for _, route in pairs if route.account == account)
                free = min(share, self._load.room(account, going.route.most_entries) - taken)
                groups = self._claim_for(tx, going, free, now, tries=slots.is_down(account)) if free > 0 else []
                groups = self._looked_at(tx, going.flow, groups, now)
                begun.claimed(len(groups))
                pairs += [(group, going.route) for group in groups]
            for address, until in begun.resting:
                self._rest(address, until)
            if pairs:
                crashpoint("before_claim_commit")
            return begun, pairs

        try:
            begun, pairs = await self._store.write(work)
        except Exception:
            self._maybe |= asked  # Nothing was claimed, so what was found to rest may be waiting all the same.
            raise
        self._pacing.end(begun, due_by)
        for group, route in pairs:
            self._leases.took(group, began)
            slots.take(route.account)
            self._load.take(route.account, group)
            self._streaks.setdefault((group.tenant, group.dataflow), Streak()).claimed(group.number)
        return pairs

    def _going(self, tx: Transaction, asked: Iterable[Address], now: int) -> Iterator[Going]:
        """Yield the dataflows that are going; the others rest."""
        for address in sorted(asked):
            flow = self._live.of(tx, address[0]).get(address[1])
            if flow is None or flow.route is None or not flow.is_going:
                self._rest(address, self._look_again(address, flow, now))
                continue
            self._faults.pop(address, None)
            self._retrying[address] = flow.route.retry(self._policy)
            if flow.route.patience is None or not self._is_early(address, now):
                yield Going(address, flow, flow.route)

    def _claim_for(self, tx: Transaction, going: Going, free: int, now: int, *, tries: bool) -> list[Group]:
        address, most, began = going.address, going.route.most_entries, self._clock.monotonic()
        tenant, number = address
        wanted = min(free, max(1, MOST_CLAIMED // most))
        patience = going.route.patience
        claim = outbox.Claim(
            tenant,
            number,
            self._epoch,
            wanted,
            most,
            self._leases.milliseconds,
            self._numbers,
            patience,
            tries=tries,
            is_under_way=self._leases.is_under_way,
        )
        groups = outbox.claim(tx, claim, now, self._last_bucket.get(address, -1))
        if groups:
            self._last_bucket[address] = groups[-1].bucket.encode()
        if len(groups) < wanted:
            self._rest(address, outbox.next_due(tx, tenant, number, patience))
            taken = int((self._clock.monotonic() - began) * 1000)
            self._early_until[address] = now + min(max(LOOK_EVERY, taken * LOOKS_PAUSE), LONGEST_PAUSE)
        known = (outbox.withhold_nobody(tx, group, now) for group in groups)
        return [group for group in known if group.entries]

    def _forget_gone(self, tx: Transaction, slots: Slots) -> None:
        """
        Forget from time to time what is remembered of dataflows that were deleted, and of accounts without any.

        A dataflow that has no way for a while may be of any account, so of its sandbox none is forgotten.
        """
        if self._clock.monotonic() - self._forgot_at < FORGET_EVERY:
            return
        self._forgot_at = self._clock.monotonic()
        of_flows: list[dict[Address, Any]] = [
            self._streaks,
            self._retrying,
            self._last_bucket,
            self._early_until,
            self._faults,
            self._consents,
        ]
        addresses = {address for kept in of_flows for address in [*kept]}
        names = {*slots.names(), *self._pacing.names()}
        tenants = {tenant for tenant, _ in addresses} | {int(name.partition(":")[0]) for name in names}
        live = {tenant: self._live.of(tx, tenant) for tenant in sorted(tenants)}
        for address in addresses:
            if address[1] not in live[address[0]]:
                for kept in of_flows:
                    kept.pop(address, None)
        routes = [flow.route for flows in live.values() for flow in flows.values()]
        cannot_tell = {str(tenant) for tenant, flows in live.items() if any(not item.route for item in flows.values())}
        for name in names - {route.account for route in routes if route is not None}:
            if name.partition(":")[0] not in cannot_tell and slots.forget(name):
                self._pacing.forget(name)

    def _is_early(self, address: Address, now: int) -> bool:
        """Put off the look at a dataflow that has just been looked at: what wakes it has hardly filled a message."""
        until = self._early_until.get(address, now)
        if not 0 < until - now <= LONGEST_PAUSE:
            return False
        self._rest(address, min(until, self._due.get(address, until)))
        return True

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

    async def _look_everywhere(self) -> None:
        """Look from time to time for what others put into a store that is shared, should we not have heard of it."""
        if self._store.is_shared and self._clock.monotonic() - self._looked_everywhere_at >= LONGEST_SLEEP:
            self._looked_everywhere_at = self._clock.monotonic()
            self._maybe.update(await self._store.read(self._waiting_anywhere))

    def _waiting_anywhere(self, tx: Transaction) -> list[Address]:
        going = [flow for flow in dataflows.every(tx) if flow.state == "enabled"]
        addresses = [(flow.tenant, flow.dataflow) for flow in going]
        return [address for address in addresses if outbox.is_claimable(tx, *address, self._leases.now())]

    async def _sleep(self, slots: Slots) -> None:
        """Wait until somebody wakes us, a slot is freed, or a retry is due."""
        now = self._leases.now()
        next_due = min([now + int(LONGEST_SLEEP * 1000), *self._due.values(), *self._pacing.next_at])
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
        if any(isinstance(item.outcome, Split) for item in settled) or not any(_was_tried(item) for item in settled):
            return streak.left(number)
        refused = all(isinstance(item.outcome, Parked) for item in settled)
        if streak.settled(number, refused=refused) < REFUSALS_TO_HOLD or not refused:
            return None
        streak.begin_again()
        last = next(item.outcome.reason for item in settled if isinstance(item.outcome, Parked))
        reason = f"{REFUSALS_TO_HOLD} messages in a row were refused; the last: {last}"
        now = self._clock.now()

        if await self._store.write(lambda tx: holding.hold(tx, *address, name, reason, now)):
            self._announce(DataflowHeld(dataflow=name, reason=reason))
        return None


def _was_tried(item: Settled) -> bool:
    return not isinstance(item.outcome, Withheld)
