"""Files in landing zones are kept for some days, and then removed."""

import asyncio

from headrace.connect.storage import served
from headrace.events import Announce, WorkerFailed, told
from headrace.services.landing.zones import LandingZones
from headrace.store import landing_zones

#: Seconds between two rounds.
ROUND = 600.0
_DAY_NS = 24 * 3600 * 10**9
#: Days for which what is under way is left alone, however few others are kept: an export may take long.
_UNDER_WAY = 7


async def keep_tidy(zones: LandingZones, announce: Announce, every: float = ROUND) -> None:
    """Until cancelled: remove what is older than it is kept, container by container."""
    while True:
        try:
            await tidy(zones)
        except Exception as error:  # Whatever one round meets, the next one tries again.
            announce(WorkerFailed(step="tidy_landing_zones", error=told(error)))
        await asyncio.sleep(every)


async def tidy(zones: LandingZones) -> int:
    """Remove what is older than it is kept from the containers that are ours, and return how many files."""
    now = zones.clock.now() * 10**6
    before, under_way = now - zones.kept_days * _DAY_NS, now - max(zones.kept_days, _UNDER_WAY) * _DAY_NS
    removed = 0
    for container in await zones.store.read(landing_zones.containers):
        place = zones.directory / container
        if await asyncio.to_thread(served.is_there, place):
            removed += await asyncio.to_thread(served.forget_older, place, before, under_way)
    return removed
