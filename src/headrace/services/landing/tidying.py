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
            for container in await zones.store.read(landing_zones.containers):
                await _tidy_safely(zones, container, announce)
        except Exception as error:  # Whatever one round meets, the next one tries again.
            _tell(announce, error)
        await asyncio.sleep(every)


async def tidy(zones: LandingZones, container: str) -> int:
    """Remove from a container what is older than it is kept, and return how many files."""
    now = zones.clock.now() * 10**6
    before, under_way = now - zones.kept_days * _DAY_NS, now - max(zones.kept_days, _UNDER_WAY) * _DAY_NS
    place = zones.directory / container
    if not await asyncio.to_thread(served.is_there, place):
        return 0
    return await asyncio.to_thread(served.forget_older, place, before, under_way)


async def _tidy_safely(zones: LandingZones, container: str, announce: Announce) -> None:
    try:
        await tidy(zones, container)
    except Exception as error:  # What is wrong with one container must not fill the others.
        _tell(announce, error)


def _tell(announce: Announce, error: Exception) -> None:
    announce(WorkerFailed(step="tidy_landing_zones", error=told(error)))
