"""Room in landing zones: files count towards the quota of their sandbox, and none is written on a disk that is full."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from headrace.connect.storage import NotStored
from headrace.services.quotas import QuotaFull, Quotas
from headrace.services.space import NoRoom, refuse_without_room
from headrace.store.access import Tenant
from headrace.store.database import Store

_DISK = "Headrace's own disk is full, so the landing zone takes no file; whoever runs it has to make room."
_QUOTA = (
    "The files of this sandbox have as many bytes as they may, those of its landing zone among them; they go by and by,"
    " or whoever runs this installation raises its quota."
)


@dataclass(frozen=True, slots=True)
class LandingRoom:
    """Gives exports the directory of a sandbox's landing zone, if there is room."""

    store: Store
    quotas: Quotas
    directory_of: Callable[[Tenant], Awaitable[Path]]

    async def __call__(self, tenant: Tenant) -> Path:
        """
        Return the directory of a landing zone that files are to be written to.

        Raises:
            NotStored: there is no room.
        """
        try:
            refuse_without_room(self.store)
            await self.quotas.admit_file(tenant.tenant)
        except NoRoom:
            raise NotStored("full", _DISK) from None
        except QuotaFull:
            raise NotStored("full", _QUOTA) from None
        return await self.directory_of(tenant)
