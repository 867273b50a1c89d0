"""
Expiry: memberships end when their time is over, and what ended long ago is forgotten.

Each person has the moment at which that happens next, in an index. A sweep takes those whose moment has come, a part in
one transaction, so that it goes on where it was whoever dies.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from headrace.clock import Clock, iso
from headrace.errors import HeadraceError
from headrace.events import Announce, WorkerFailed
from headrace.model.expiry import DAY, due, moment, next_due
from headrace.model.profile import Audience, Membership, Profile, decode, encode
from headrace.model.record import MEMBERSHIPS, Record, whom_of
from headrace.services.ingestion import Ingestion, Receipt, Refused
from headrace.store import access, audiences, pending, profiles
from headrace.store.database import Store, Transaction
from headrace.store.profiles import Kept

#: People of whom memberships end in one transaction: few, so that those who send people meanwhile do not wait.
AT_ONCE = 250
#: Seconds between two sweeps, and how long a sweep rests after a part, as a share of what the part took.
EVERY = 60.0
REST = 1.0


@dataclass(frozen=True, slots=True)
class Expiring:
    """What ends memberships whose time is over."""

    store: Store
    clock: Clock
    ingestion: Ingestion
    announce: Announce

    async def keep_going(self) -> None:
        """Sweep again and again, until this task is cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.sweep()
            except HeadraceError as error:  # What is due stays due.
                self.announce(WorkerFailed(step="expire", error=error.message))

    async def sweep(self) -> int:
        """End and forget what is due now in all sandboxes, and return of how many people."""
        tenants = [item.tenant for item in await self.store.read(access.all_tenants)]
        return sum([await self._sweep_tenant(tenant) for tenant in tenants])

    async def _sweep_tenant(self, tenant: int) -> int:
        swept = 0
        now = self.clock.now()
        while await self.store.read(lambda tx: profiles.expired(tx, tenant, now, 1)):
            began = self.clock.monotonic()
            swept += await self._sweep_part(tenant, now)
            await asyncio.sleep((self.clock.monotonic() - began) * REST)
        return swept

    async def _sweep_part(self, tenant: int, now: int) -> int:
        """
        End what is due of some people, and forget what is due of the others.

        Who is due is read in the transaction that ends it: nobody prolongs a membership in between. Tombstones are not
        asked about them: nobody comes back by this, and who shares an identity with somebody erased leaves, too.
        """
        records: list[Record] = []
        seen = 0

        def also(tx: Transaction, _: Refused) -> None:
            nonlocal seen
            records.clear()
            found = profiles.expired(tx, tenant, now, AT_ONCE)
            seen = len(found)
            for person in found:
                profile = decode(person.document)
                if over := _over(profile, now):
                    records.append(_ending(person.key, over))
                else:
                    _forget(tx, tenant, person, profile, now)

        await self.ingestion.take_part(tenant, records, Receipt(), also)
        return seen


def _over(profile: Profile, now: int) -> list[tuple[Audience, Membership, int]]:
    """Return the memberships of a person that are still realized and whose time is over."""
    return [item for item in due(profile) if item[2] <= now and item[1]["status"] == "realized"]


def _ending(key: str, over: list[tuple[Audience, Membership, int]]) -> Record:
    """Say that somebody has left audiences, each at the end of its time: what was said since stays newer."""
    said: dict[str, dict[str, Any]] = {}
    for (namespace, id_), membership, at in over:
        left_at = max(at, moment(membership.get("lastQualificationTime")) or at)
        said.setdefault(namespace, {})[id_] = {"status": "exited", "lastQualificationTime": iso(left_at)}
    return Record(0, key, {MEMBERSHIPS: said}, whom_of(key))


def _forget(tx: Transaction, tenant: int, person: Kept, profile: Profile, now: int) -> None:
    """Forget what somebody left long ago. What is still to be told of it is looked at again a day later."""
    is_waiting = False
    memberships = {namespace: dict(held) for namespace, held in (profile.get(MEMBERSHIPS) or {}).items()}
    for (namespace, id_), membership, at in due(profile):
        if at > now or membership["status"] != "exited":
            continue
        if _is_to_be_told(tx, tenant, person.profile, namespace, id_):
            is_waiting = True
        else:
            del memberships[namespace][id_]
    kept = {**profile, MEMBERSHIPS: {namespace: held for namespace, held in memberships.items() if held}}
    expires_at = now + DAY if is_waiting else next_due(kept)
    if kept == profile:
        profiles.expire(tx, tenant, person.profile, expires_at)
        return
    sequence = profiles.next_sequence(tx, tenant, 1)
    profiles.update(tx, tenant, [Kept(person.profile, person.key, encode(kept), sequence, expires_at)])


def _is_to_be_told(tx: Transaction, tenant: int, profile: int, namespace: str, id_: str) -> bool:
    known = audiences.find(tx, tenant, id_, namespace)
    return any(pending.is_any(tx, tenant, profile, item.audience) for item in known)
