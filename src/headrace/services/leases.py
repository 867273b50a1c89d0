"""
Leases: which groups are this process's to send, and for how long.

They are in the time that all processes share. Whether one still lasts is asked of this process's own steady clock,
counted from before the claim was made, so that neither a clock that is set nor a process that was stopped takes a lease
that is over for one that lasts.
"""

from dataclasses import dataclass

from headrace.clock import Clock
from headrace.crashpoints import crashpoint
from headrace.model.message import Group
from headrace.services.presence import Moment, Presence
from headrace.store import outbox
from headrace.store.database import Store, Transaction


@dataclass(slots=True)
class _Claimed:
    """A group under way: since and until when it is ours by our steady clock, and whether anything of it has left."""

    group: Group
    began: float
    ends: float
    is_sent: bool = False


class Leases:
    """The claims of one process. ``lease`` and ``deadline``, of a request, are in seconds."""

    def __init__(self, store: Store, clock: Clock, presence: Presence | None, *, lease: float, deadline: float) -> None:
        self.milliseconds = int(lease * 1000)
        self._store = store
        self._clock = clock
        self._presence = presence
        self._moment: Moment = presence.moment if presence is not None else lambda _: clock.now()
        self._lease = lease
        self._deadline = deadline
        self._ahead = 0
        self._under_way: dict[int, _Claimed] = {}

    def moment(self, tx: Transaction) -> int:
        """Return what time it is by the clock that all processes share."""
        now = self._moment(tx)
        self._ahead = now - self._clock.now()
        return now

    def now(self) -> int:
        """Return what time that clock shows, as it went when it was last asked."""
        return self._clock.now() + self._ahead

    def took(self, group: Group, began: float) -> None:
        """Note a group that was claimed in a transaction that began at a moment of the steady clock."""
        self._under_way[group.number] = _Claimed(group, began, began + self._lease)

    def ended(self, group: Group) -> None:
        """Note that a group is done with; where it was claimed again since, that goes on."""
        if self._known(group) is not None:
            del self._under_way[group.number]

    def is_under_way(self, number: int, attempt: int) -> bool:
        """Say whether an attempt is carried here at this moment. Asked from the writer's thread, too."""
        known = self._under_way.get(number)
        return known is not None and known.group.attempt == attempt

    async def holds(self, group: Group, *, may_begin: bool) -> bool:
        """
        Say whether a claim is ours for as long as a request may take; one that has grown old is renewed first.

        Unless something ``may_begin`` to leave, only groups are held of which a part has left.
        """
        known = self._known(group)
        if known is None or not (may_begin or known.is_sent):
            return False
        if not self._lasts(known) and not await self._renewed(known):
            self.ended(group)
            return False
        known.is_sent = True
        return True

    def last(self, group: Group) -> bool:
        """Say whether a claim is still ours for as long as a request may take. Asks no store."""
        known = self._known(group)
        return known is not None and self._lasts(known)

    async def release(self) -> None:
        """Give back what was claimed and of which nothing was sent: whoever claims it next has it at once."""
        groups = [known.group for known in self._under_way.values() if not known.is_sent]
        if groups:
            crashpoint("before_release")
            await self._store.write(lambda tx: outbox.release(tx, groups, self._moment(tx)))
            crashpoint("after_release")
        self._under_way.clear()

    def _known(self, group: Group) -> _Claimed | None:
        """Return what is known of a claim, unless the group was claimed again since."""
        known = self._under_way.get(group.number)
        return known if known is not None and known.group.attempt == group.attempt else None

    def _lasts(self, known: _Claimed) -> bool:
        """Say whether a lease lasts for a request, and nobody can hold this process for gone."""
        presence = self._presence
        if presence is not None and not (presence.is_heard() and known.began >= presence.there_since):
            return False
        return self._clock.monotonic() + self._deadline <= known.ends

    async def _renewed(self, known: _Claimed) -> bool:
        if self._presence is not None and not self._presence.is_heard():
            await self._presence.beat()
        began, lease = self._clock.monotonic(), self.milliseconds
        if not await self._store.write(lambda tx: outbox.renew(tx, known.group, self._moment(tx) + lease)):
            return False
        crashpoint("after_lease_renewed")
        known.began, known.ends = began, began + self._lease
        return True
