"""The landing zone: a directory of this machine that the house has for each sandbox, where nobody signs in."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from headrace.connect.storage.given import Given
from headrace.connect.storage.local import LocalStorage
from headrace.connect.storage.objects import folder_of
from headrace.connect.storage.served import DEEPEST
from headrace.connect.storage.storage import Storage, Way, storages
from headrace.errors import AuthoringError, OperationError

KIND = "FILE_BASED_DLZ"


class LandingZone:
    """Folders in the landing zone of the sandbox that is the way's."""

    auth_types: ClassVar[tuple[str, ...]] = ("NONE",)

    @asynccontextmanager
    async def open(
        self, place: Mapping[str, Any], auth_type: str, auth: Mapping[str, Any], way: Way
    ) -> AsyncIterator[Storage]:
        """Open a folder, ``path``; see ``MakesStorage``."""
        folder = folder_of(Given(place, auth).place("path", missing="/"))
        names = folder.split("/")
        if len(names) > DEEPEST // 2 or any(name.startswith(".") for name in names):
            raise AuthoringError(
                f"The landing zone's path has more than {DEEPEST // 2} folders, or one whose name begins with a dot, "
                "which nobody is shown; write fewer, and plain names."
            )
        if way.landing is None:
            raise OperationError("there is no landing zone here")
        yield LocalStorage(await way.landing(), folder)


storages.register(KIND)(LandingZone())
