"""
Quotas: what one sandbox takes does not take the room of others.

They are looked up once a second for a sandbox that is used, by sums that are kept anyway, so a sandbox may have a
little more than its quota, as much as comes in a second; people alone are counted in the transaction that adds them.
Requests are counted by each process for itself.
"""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from headrace.clock import Clock
from headrace.errors import NotFound
from headrace.events import Announce, QuotaReached
from headrace.services.caller import Principal
from headrace.store import access, audit, landing_zones, profiles, quotas
from headrace.store.access import Tenant
from headrace.store.backup.files import FOLDERS
from headrace.store.database import Store, StoreUnavailable, Transaction
from headrace.store.quotas import Quota

#: Seconds for which what was seen holds, and for which the size of files does.
FRESH = 1.0
FILES_FRESH = 10.0
MINUTE = 60.0
#: Seconds after which it is worth trying again when something waits to be sent.
RETRY_AFTER = 5


class QuotaFull(StoreUnavailable):
    """The sandbox has as much as it may."""

    code = "quota-full"

    def __init__(self, message: str, seconds: int = RETRY_AFTER) -> None:
        super().__init__(message)
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Standing:
    """How much a sandbox has, and the most it may (0: as much as there is room for)."""

    used: Quota
    most: Quota


@dataclass(slots=True)
class _Seen:
    at: float
    most: Quota
    waiting: int
    bytes_at: float = float("-inf")
    bytes: int = 0


@dataclass(slots=True)
class _Minute:
    began: float
    count: int = 0


class Quotas:
    """
    Knows how much each sandbox has. ``usual``: the most that it may, where nothing else was said; ``landing``: the
    directory of the landing zones, whose files count too.
    """

    def __init__(
        self, store: Store, clock: Clock, announce: Announce, usual: Quota, landing: Path | None = None
    ) -> None:
        self._landing = landing
        self._store = store
        self._clock = clock
        self._announce = announce
        self._usual = usual
        self._seen: dict[int, _Seen] = {}
        self._minutes: dict[int, _Minute] = {}
        self._told: dict[tuple[int, str], float] = {}

    async def admit_request(self, tenant: int) -> None:
        """
        Count a request to take profiles in.

        Raises:
            QuotaFull: there were as many in this minute as there may be, or as much waits as may.
        """
        seen = await self._look(tenant)
        now, minute = self._clock.monotonic(), self._minutes.get(tenant)
        if minute is None or now - minute.began >= MINUTE:
            minute = self._minutes[tenant] = _Minute(now)
        if seen.most.requests and minute.count >= seen.most.requests:
            left = max(1, int(minute.began + MINUTE - now + 0.999))
            raise self._full(tenant, "requests", f"{seen.most.requests} requests a minute", left)
        minute.count += 1
        self._refuse_waiting(tenant, seen)

    async def admit(self, tenant: int) -> None:
        """
        Let people be taken in by what goes on by itself.

        Raises:
            QuotaFull: as much waits as may.
        """
        self._refuse_waiting(tenant, await self._look(tenant))

    async def admit_file(self, tenant: int) -> None:
        """
        Let a file be kept.

        Raises:
            QuotaFull: files have as many bytes as they may.
        """
        seen = await self._look(tenant)
        if seen.most.bytes and await self._bytes(tenant, seen) >= seen.most.bytes:
            raise self._full(tenant, "bytes", f"{seen.most.bytes} bytes of files")

    def refuse_people(self, tx: Transaction, tenant: int, last_before: int) -> None:
        """
        Refuse people who were just kept, if somebody is new and there are more now than there may be.

        Raises:
            QuotaFull: there are.
        """
        seen = self._seen.get(tenant)
        most = seen.most.people if seen is not None else self._usual.people
        if most and profiles.last_number(tx, tenant) > last_before and quotas.people(tx, tenant) > most:
            raise self._full(tenant, "people", f"{most} people", int(MINUTE))

    async def standing(self, tenant: int) -> Standing:
        """Return how much a sandbox has, and the most it may."""
        seen = await self._look(tenant)
        people = await self._store.read(lambda tx: quotas.people(tx, tenant))
        minute = self._minutes.get(tenant)
        is_now = minute is not None and self._clock.monotonic() - minute.began < MINUTE
        requests = minute.count if minute is not None and is_now else 0
        return Standing(Quota(seen.waiting, people, requests, await self._bytes(tenant, seen)), seen.most)

    async def listing(self) -> list[tuple[Tenant, Standing]]:
        """Return how every sandbox stands."""
        all_ = await self._store.read(access.all_tenants)
        return [(tenant, await self.standing(tenant.tenant)) for tenant in all_]

    async def put(self, principal: Principal, sandbox_id: str, quota: Quota) -> Tenant:
        """
        Say how much a sandbox may have.

        Raises:
            NotFound: there is no such sandbox.
        """
        now = self._clock.now()

        def work(tx: Transaction) -> Tenant:
            found = next((item for item in access.all_tenants(tx) if item.sandbox_id == sandbox_id), None)
            if found is None:
                raise NotFound(f"there is no sandbox with the id {sandbox_id!r}")
            quotas.put(tx, found.tenant, quota, now)
            audit.note(tx, found.tenant, principal.actor, "replace", "quota", sandbox_id, now)
            return found

        tenant = await self._store.write(work)
        self._seen.pop(tenant.tenant, None)
        return tenant

    def _refuse_waiting(self, tenant: int, seen: _Seen) -> None:
        if seen.most.waiting and seen.waiting >= seen.most.waiting:
            raise self._full(tenant, "waiting", f"{seen.most.waiting} changes that wait to be sent")

    def _full(self, tenant: int, quota: str, what: str, seconds: int = RETRY_AFTER) -> QuotaFull:
        now = self._clock.monotonic()
        if now - self._told.get((tenant, quota), float("-inf")) >= MINUTE:
            self._told[tenant, quota] = now
            self._announce(QuotaReached(quota=quota, sandbox=tenant))
        return QuotaFull(f"this sandbox has as much as it may: {what}; try again in {seconds} seconds", seconds)

    async def _look(self, tenant: int) -> _Seen:
        known, now = self._seen.get(tenant), self._clock.monotonic()
        if known is not None and now - known.at < FRESH:
            return known

        def look(tx: Transaction) -> tuple[Quota, int]:
            return quotas.of(tx, tenant), quotas.waiting(tx, tenant)

        mine, waiting = await self._store.read(look)
        seen = _Seen(now, _with(mine, self._usual), waiting)
        if known is not None:
            seen.bytes, seen.bytes_at = known.bytes, known.bytes_at
        self._seen[tenant] = seen
        return seen

    async def _bytes(self, tenant: int, seen: _Seen) -> int:
        now = self._clock.monotonic()
        if now - seen.bytes_at >= FILES_FRESH:
            folders = [self._store.directory / folder / str(tenant) for folder in FOLDERS]
            zone = await self._store.read(lambda tx: landing_zones.of(tx, tenant))
            folders += [self._landing / zone.container] if self._landing is not None and zone is not None else []
            seen.bytes, seen.bytes_at = await asyncio.to_thread(lambda: sum(map(_size, folders))), now
        return seen.bytes


def _with(mine: Quota, usual: Quota) -> Quota:
    values = {item.name: getattr(mine, item.name) for item in fields(Quota)}
    return Quota(**{name: getattr(usual, name) if value is None else value for name, value in values.items()})


def _size(folder: Path) -> int:
    return sum(_sizes(folder))


def _sizes(folder: Path) -> Iterator[int]:
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                yield (Path(place) / name).stat().st_size
            except FileNotFoundError:
                continue  # It was removed just now.
