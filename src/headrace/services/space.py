"""Room on the disk: while there is none, nothing is taken in, and what is there can still be delivered and deleted."""

import asyncio

from headrace.events import Announce, SpaceIsBack, SpaceIsShort
from headrace.store.database import Store, StoreUnavailable

#: Seconds between two looks.
LOOK = 2.0


class NoRoom(StoreUnavailable):
    """The disk is full: nothing is taken in until there is room. What is there is delivered, and can be deleted."""


def refuse_without_room(store: Store) -> None:
    """
    Refuse what would grow while the disk is full.

    Raises:
        NoRoom: it is.
    """
    if store.reserve.is_short:
        raise NoRoom


async def keep_room(store: Store, announce: Announce, every: float = LOOK) -> None:
    """Until cancelled: make the reserve again once there is room, and say when there is none and when there is."""
    was_short = False
    while True:
        is_short = store.reserve.is_short
        if is_short and not was_short:
            announce(SpaceIsShort(data_dir=str(store.directory)))
        if is_short and await asyncio.to_thread(store.reserve.make):
            announce(SpaceIsBack(data_dir=str(store.directory)))
            is_short = False
        was_short = is_short
        await asyncio.sleep(every)
