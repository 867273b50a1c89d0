"""
The streaming path: every claimed group is rendered, delivered and settled, many at once.

What happens before stands in ``triggers.py`` (which changes a record makes) and in the outbox (which keeps them); what
an answer means, in ``settle.py``.
"""

from asyncio import TaskGroup
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from headrace.crashpoints import crashpoint
from headrace.errors import AccountError, NotMapped, OperationError, PartnerError
from headrace.model.message import Group, Message, Settled
from headrace.model.outcome import Outcome, Parked, Retry, Withheld
from headrace.model.pacing import RateLimit
from headrace.render.destination import Composed, Refusal
from headrace.streaming.settle import explain
from headrace.streaming.slots import Slots


class Route(Protocol):
    """One dataflow's way to its partner: how its messages are made, and the account that signs in there."""

    @property
    def account(self) -> str:
        """The account's name, under which its requests are counted."""
        ...

    @property
    def limits(self) -> tuple[RateLimit, ...]:
        """How much the partner takes of an account in a time; empty: as much as it can."""
        ...

    async def compose(self, group: Group) -> Composed:
        """
        Render a group: every entry is in one message, or refused.

        Raises:
            AccountError, PartnerError, OperationError: what it needs of the account is not to be had now.
        """
        ...

    async def deliver(self, message: Message) -> Outcome | tuple[Outcome, ...]:
        """
        Send a message, signed in, and say what the answer means for everything in it, or for each entry in turn.

        Raises nothing expected.
        """
        ...


class Outbox(Protocol):
    """The outbox as the pipeline needs it; a service hands it one that is kept in the store."""

    def claimed(self, slots: Slots) -> AsyncIterator[tuple[Group, Route]]:
        """
        Yield groups to carry, with their ways, for as long as the outbox is open.

        A group is yielded only when its account has a slot free, and then holds that slot until it is given back.
        """
        ...

    async def turn(self, group: Group, message: Message, route: Route) -> Outcome | None:
        """Wait until the limits of the account let a message leave; if that takes long, say when to come again."""
        ...

    async def holds(self, group: Group) -> bool:
        """Say, right before a message leaves, whether the claim is ours for as long as a request may take."""
        ...

    async def objection(self, group: Group) -> Outcome | None:
        """Say, right before a message leaves, why it may not leave as it was rendered; ``None``: it may."""
        ...

    async def settle(self, group: Group, settled: Sequence[Settled]) -> None:
        """Record an outcome for every entry of a group, in one transaction. Never raises."""
        ...


async def run(outbox: Outbox, slots: Slots) -> None:
    """Carry every claimed group to its partner, many at once, until the outbox closes."""
    async with TaskGroup() as carriers:
        async for group, route in outbox.claimed(slots):
            crashpoint("after_claim")
            carrier = carriers.create_task(carry(group, route, outbox, slots))
            carrier.add_done_callback(slots.returner(route.account))


async def carry(group: Group, route: Route, outbox: Outbox, slots: Slots) -> None:
    """Render, send and settle one group. Every path ends in an outcome for every entry."""
    try:
        settled = await send(group, route, outbox, slots)
    except LostClaim:
        return
    except Exception as error:  # A fault of ours: nothing may be lost by it, and the next group must go on.
        fault = Retry("internal", f"Headrace failed: {type(error).__name__}", unknown=True)
        settled = [Settled(entry, fault) for entry in group.entries]
    await outbox.settle(group, settled)


class LostClaim(Exception):
    """The group waited for its turn so long that another carrier has it now: what it holds may be an older state."""


async def send(group: Group, route: Route, outbox: Outbox, slots: Slots) -> list[Settled]:
    """
    Render a group and deliver its messages; entries that cannot be rendered are parked.

    Raises:
        LostClaim: another carrier has the group; nothing is sent or settled any more.
    """
    try:
        composed = await route.compose(group)
    except (AccountError, PartnerError, OperationError) as error:
        return [Settled(entry, explain(error)) for entry in group.entries]
    crashpoint("after_render")
    settled = [Settled(entry, _refused(error)) for entry, error in composed.refused]
    for message in composed.messages:
        async with slots.request(route.account) as place:
            answer: Outcome | tuple[Outcome, ...] | None = place.closed
            if answer is None and route.limits:
                answer = await outbox.turn(group, message, route)
            if answer is None:
                if not await outbox.holds(group):
                    raise LostClaim
                answer = await outbox.objection(group) or place.heard(await route.deliver(message))
        crashpoint("after_send")
        outcomes = answer if isinstance(answer, tuple) else (answer,) * len(message.entries)
        each = zip(message.entries, outcomes, message.shown, strict=True)
        settled += [Settled(entry, outcome, message.id, shown) for entry, outcome, shown in each]
    return settled


def _refused(error: Refusal) -> Outcome:
    """Say what becomes of an entry that cannot be rendered; of an audience that is sent no longer, it need not be."""
    return Withheld(error.code) if error.code == NotMapped.code else Parked(error.code, str(error))
