"""
What is told of a partner that was not reached, and to whom.

Whoever may choose an address and is told why it was not reached maps a network that they are not in: which names there
are, what is behind the way out, which ports are open. So all of them are told the same, and where somebody waits for
the answer, at the same moment. The reason is for whoever runs Headrace, in the log; that a target was blocked is in the
audit.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from headrace.clock import Clock
from headrace.connect.transport import NotReached, Transport
from headrace.connect.url import Target, parse_url
from headrace.errors import EgressError, HeadraceError, TargetBlocked
from headrace.events import Announce, PartnerUnreached, WorkerFailed
from headrace.model.http import Request, Response
from headrace.services import auditing
from headrace.store.database import Store

#: Who calls partners by itself, in the audit.
HEADRACE = "headrace"
#: Of how many blocked targets the audit is told in an hour, for each sandbox.
MOST_AN_HOUR = 100
HOUR = 60 * 60_000


@dataclass(frozen=True, slots=True)
class Errand:
    """What a partner is called for: by whom, in which sandbox, with which account, or for what if there is none."""

    tenant: int
    actor: str
    noun: str
    id: str


class Reaching:
    """
    Makes the transports of errands, none of which tells why a partner was not reached.

    ``told_after`` are the seconds after which it is told, counted from the request's beginning: no less than looking up
    and connecting may take, so that only the clock decides. Where nobody waits for the answer it is told at once.
    """

    def __init__(
        self,
        transport: Transport,
        blocked: "BlockedTargets",
        clock: Clock,
        announce: Announce,
        *,
        told_after: float = 0.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._transport = transport
        self._blocked = blocked
        self._clock = clock
        self._announce = announce
        self._told_after = told_after
        self._sleep = sleep

    def transport_for(self, errand: Errand) -> Transport:
        """Return what sends the requests of an errand."""
        return _Discreet(self, errand)

    async def send(self, errand: Errand, request: Request, deadline: float, pool: str) -> Response:
        """Send a request; see ``Transport``, but that ``TargetBlocked`` and ``NotReached`` are one."""
        began = self._clock.monotonic()
        try:
            return await self._transport.send(request, deadline=deadline, pool=pool)
        except (EgressError, NotReached) as error:
            reason = error
        target = _target(request.url)
        if target is None:
            raise reason
        await self.note(errand, f"{target.scheme}://{target.host}:{target.port}", reason)
        if not isinstance(reason, TargetBlocked | NotReached):
            raise reason  # The URL's own text was refused: that tells nothing of any network.
        moment = began + min(self._told_after, deadline)
        await self._sleep(max(0.0, moment - self._clock.monotonic()))
        raise NotReached(_told(target))

    async def note(self, errand: Errand, written: str, reason: HeadraceError) -> None:
        """Tell whoever runs Headrace why a target was not reached, and the audit that it was blocked."""
        self._announce(
            PartnerUnreached(noun=errand.noun, id=errand.id, actor=errand.actor, target=written, reason=reason.message)
        )
        if isinstance(reason, EgressError):
            try:
                await self._blocked.note(errand, written)
            except HeadraceError as error:  # The store is away: the call failed all the same.
                self._announce(WorkerFailed(step="audit", error=error.message))


class _Discreet:
    """The transport of one errand."""

    def __init__(self, reaching: Reaching, errand: Errand) -> None:
        self._reaching = reaching
        self._errand = errand

    async def send(self, request: Request, *, deadline: float, pool: str) -> Response:
        return await self._reaching.send(self._errand, request, deadline, pool)


class BlockedTargets:
    """
    Tells the audit which targets were blocked: each once an hour for an errand, and so many in a sandbox at the most.

    What was told is remembered by each process for itself.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._hour = 0
        self._told: dict[int, set[tuple[Errand, str]]] = {}

    async def note(self, errand: Errand, target: str) -> None:
        """Write down that a target was blocked, unless it is known. ``target`` is as it was asked for."""
        now = self._clock.now()
        if now // HOUR != self._hour:
            self._hour, self._told = now // HOUR, {}
        told = self._told.setdefault(errand.tenant, set())
        if (errand, target) in told or len(told) >= MOST_AN_HOUR:
            return
        told.add((errand, target))
        try:
            await auditing.blocked(self._store, errand.tenant, errand.actor, errand.noun, errand.id, target, now)
        except HeadraceError:
            told.discard((errand, target))
            raise


def _target(url: str) -> Target | None:
    try:
        return parse_url(url)
    except EgressError:
        return None


def _told(target: Target) -> str:
    return (
        f"'{target.origin}' was not reached: there is no such name, nothing takes connections there, or it is not on "
        f"the public internet. Whoever runs Headrace sees in the log which it is, and can allow what is not public "
        f"with HEADRACE_EGRESS_ALLOW={target.origin}"
    )
