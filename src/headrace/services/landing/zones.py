"""
Landing zones, one for each sandbox: made when they are first asked for, and read by whoever was handed the way in.

The way in is an address with a signature, which lasts for a while. Refreshing it makes another key, with which whatever
was handed out before is refused.
"""

import asyncio
import base64
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from headrace.clock import Clock
from headrace.connect.keyring import Keyring
from headrace.errors import OperationError
from headrace.services.caller import Caller
from headrace.services.landing import sas
from headrace.services.sealing import Safe
from headrace.store import access, audit, landing_zones
from headrace.store.access import Tenant
from headrace.store.database import Store, Transaction
from headrace.store.landing_zones import RECORD, Zone

#: The name of the storage account that all containers are in.
ACCOUNT = "headrace"
#: Where it is served, below our address.
PREFIX = "/landing"
#: The key that signs.
KEY = "key1"
_KEY_BYTES = 64
_DAY = 24 * 3600 * 1000
#: How far in the past a signature begins: clocks differ.
_SKEW = 15 * 60 * 1000
_NOUN = "landing-zone"


@dataclass(frozen=True, slots=True)
class WayIn:
    """What opens a landing zone for reading, to whoever has it, until ``ends_at``."""

    account: str
    container: str
    token: str
    address: str
    ends_at: int

    @property
    def uri(self) -> str:
        return f"{self.address}?{self.token}"


@dataclass(frozen=True, slots=True)
class Admitted:
    """Whoever asks may do this in a container, which is this directory."""

    directory: Path
    permissions: str


@dataclass(frozen=True, slots=True)
class LandingZones:
    """
    The landing zones of all sandboxes, below a directory, served below ``url``.

    ``days`` is how long a way in lasts, ``kept_days`` how long files do.
    """

    store: Store
    clock: Clock
    keyring: Keyring
    directory: Path
    url: str
    days: int
    kept_days: int

    async def directory_of(self, tenant: Tenant) -> Path:
        """Return the directory of a sandbox's landing zone, which is there from now on."""
        return self._place((await self._zone(tenant, "headrace")).container)

    async def container_of(self, caller: Caller) -> str:
        """Return the container of the caller's sandbox."""
        return (await self._zone(caller.tenant, caller.actor)).container

    async def hand_out(self, caller: Caller) -> WayIn:
        """
        Return a way into the landing zone of the caller's sandbox; the audit says who was handed one.

        Raises:
            OperationError: its key cannot be opened, or its directory cannot be made.
        """
        zone = await self._zone(caller.tenant, caller.actor)
        way = self._way_in(zone, caller.tenant)
        await self.store.write(partial(self._note, caller.number, caller.actor, "hand-out", zone))
        return way

    async def refresh(self, caller: Caller) -> WayIn:
        """
        Return a way into the landing zone that is the only one from now on.

        Raises:
            Conflict: the keys that seal secrets are rotated at this moment.
        """
        zone, keys = await self._zone(caller.tenant, caller.actor), self._new_keys(caller.tenant)

        def work(tx: Transaction) -> None:
            landing_zones.put_keys(tx, caller.number, keys)
            self._note(caller.number, caller.actor, "refresh", zone, tx)

        await self.store.write(work)
        return self._way_in(Zone(zone.tenant, zone.container, keys, zone.created_at), caller.tenant)

    async def admit(self, container: str, query: Iterable[tuple[str, str]]) -> Admitted:
        """
        Say what a request may do in a container by the signature in its query.

        Raises:
            Refused: nothing, or there is no such container.
            OperationError: the container's key cannot be opened.
        """
        found = await self.store.read(lambda tx: _named(tx, container))
        if found is None:
            raise sas.Refused("Signature did not match.")
        key = self._key(*found)
        permissions = sas.permissions_of(key, _resource(container), query, self.clock.now())
        return Admitted(self._place(container), permissions)

    async def _zone(self, tenant: Tenant, actor: str) -> Zone:
        zone = await self.store.read(lambda tx: landing_zones.of(tx, tenant.tenant))
        if zone is None:
            container = f"dlz-{secrets.token_hex(10)}"
            new = Zone(tenant.tenant, container, self._new_keys(tenant), self.clock.now())
            zone = await self.store.write(partial(self._make, new, actor))
        await asyncio.to_thread(self._make_place, zone.container)
        return zone

    def _make_place(self, container: str) -> None:
        try:
            self._place(container).mkdir(0o750, parents=True, exist_ok=True)
        except OSError as error:
            raise OperationError(
                "the directory of the landing zones cannot be written to; whoever runs this installation has to see to "
                f"HEADRACE_LANDING_DIRECTORY: {(error.strerror or 'refused').lower()}"
            ) from None

    def _make(self, new: Zone, actor: str, tx: Transaction) -> Zone:
        zone = landing_zones.add(tx, new)
        if zone is new:
            self._note(new.tenant, actor, "create", new, tx)
        return zone

    def _note(self, tenant: int, actor: str, action: str, zone: Zone, tx: Transaction) -> None:
        audit.note(tx, tenant, actor, action, _NOUN, zone.container, self.clock.now())

    def _new_keys(self, tenant: Tenant) -> dict[str, str]:
        key = base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()
        return Safe(self.keyring, tenant).seal(RECORD, {KEY: key})

    def _key(self, zone: Zone, tenant: Tenant) -> bytes:
        return base64.b64decode(Safe(self.keyring, tenant).open(RECORD, zone.keys)[KEY].reveal())

    def _way_in(self, zone: Zone, tenant: Tenant) -> WayIn:
        now = self.clock.now() // 1000 * 1000
        ends_at = now + self.days * _DAY
        token = sas.signed(
            self._key(zone, tenant),
            _resource(zone.container),
            permissions=sas.READ + sas.LIST,
            starts_at=now - _SKEW,
            ends_at=ends_at,
            protocols="https" if self.url.startswith("https:") else "",
        )
        return WayIn(ACCOUNT, zone.container, token, f"{self.url}{PREFIX}/{ACCOUNT}/{zone.container}", ends_at)

    def _place(self, container: str) -> Path:
        return self.directory / container


def _named(tx: Transaction, container: str) -> tuple[Zone, Tenant] | None:
    zone = landing_zones.named(tx, container)
    return None if zone is None else (zone, access.tenant_of(tx, zone.tenant))


def _resource(container: str) -> str:
    return f"/blob/{ACCOUNT}/{container}"
