"""The path of a group: every way ends in an outcome for every entry."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.model.outcome import Delivered, Parked, Retry
from headrace.streaming import pipeline
from headrace.streaming.slots import Slots
from unit.render.making import destination, entry, group, member, person

BODY = "{% for p in input.profiles %}{% if p.attributes.city.value == 'bad' %}{{ 1 / 0 }}{% endif %}{% endfor %}[]"


class Route:
    """A way to a partner whose answer is known; ``answer`` is an outcome, an error to raise or an event to wait for."""

    limits = ()

    def __init__(self, answer=None, *, account="a", body=BODY):
        self.answer = answer or Delivered()
        self.account = account
        self.destination = destination(body)
        self.sent = []

    async def compose(self, item):
        return self.destination.compose(item)

    async def deliver(self, message):
        self.sent.append(message)
        if isinstance(self.answer, asyncio.Event):
            await self.answer.wait()
            return Delivered()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Outbox:
    """An outbox that holds what it is given, and remembers what was settled."""

    def __init__(self, *pairs, awaited=0):
        self.pairs = list(pairs)
        self.settled = []
        self.objections = []
        self.lost = []
        self.awaited = awaited
        self.are_settled = asyncio.Event()

    async def claimed(self, slots):
        for item, route in self.pairs:
            while slots.free(route.account) <= 0:
                slots.freed.clear()
                await slots.freed.wait()
            slots.take(route.account)
            yield item, route

    async def holds(self, item):
        return item not in self.lost

    async def objection(self, item):
        return self.objections.pop(0) if self.objections else None

    async def settle(self, item, settled):
        self.settled.append((item, list(settled)))
        if len(self.settled) == self.awaited:
            self.are_settled.set()


def people(*cities):
    return group(*(entry(person(member("a"), city=city), number=n) for n, city in enumerate(cities, 1)))


async def carry(item, route, outbox=None):
    outbox = outbox or Outbox()
    await pipeline.carry(item, route, outbox, Slots(2))
    ((_, settled),) = outbox.settled
    return settled


@pytest.mark.parametrize("outcome", [Delivered(), Retry("a", "b"), Parked("a", "b")], ids=lambda o: type(o).__name__)
async def test_the_answer_holds_for_every_entry_of_the_message(outcome):
    route = Route(outcome)

    settled = await carry(people("x", "y"), route)

    (message,) = route.sent
    assert [(item.outcome, item.message) for item in settled] == [(outcome, message.id)] * 2
    assert [item.shown for item in settled] == list(message.shown)


async def test_what_cannot_be_rendered_is_parked_and_the_rest_is_sent():
    settled = await carry(people("x", "bad", "y"), Route())

    outcomes = {item.entry.profile: item.outcome for item in settled}
    assert {number: type(outcome) for number, outcome in outcomes.items()} == {1: Delivered, 2: Parked, 3: Delivered}
    assert outcomes[2].code == "template"


async def test_a_fault_of_ours_loses_nothing():
    settled = await carry(people("x", "y"), Route(RuntimeError("a secret")))

    assert [item.outcome for item in settled] == [Retry("internal", "Headrace failed: RuntimeError", unknown=True)] * 2


@given(st.lists(st.sampled_from(["x", "bad"]), min_size=1, max_size=12))
async def test_every_entry_has_exactly_one_outcome(cities):
    item = people(*cities)

    settled = await carry(item, Route())

    assert Counter(done.entry.profile for done in settled) == Counter(each.profile for each in item.entries)


async def test_every_group_is_carried_and_settled():
    pairs = [(people(str(n)), Route(account=str(n % 3))) for n in range(20)]
    outbox = Outbox(*pairs)

    await pipeline.run(outbox, Slots(2))

    assert Counter(id(item) for item, _ in outbox.settled) == Counter(id(item) for item, _ in pairs)


async def test_what_is_objected_to_is_not_sent_and_its_outcome_is_the_objection():
    group, route = people("x"), Route()
    outbox = Outbox((group, route))
    outbox.objections.append(Retry("changed", "it is another by now"))

    await pipeline.run(outbox, Slots(1))

    ((_, settled),) = outbox.settled
    assert [item.outcome.code for item in settled] == ["changed"]
    assert route.sent == []


async def test_a_partner_that_hangs_holds_up_no_other():
    hanging = asyncio.Event()
    others = [(people(str(n)), Route(account="other")) for n in range(5)]
    outbox = Outbox((people("h"), Route(hanging, account="hanging")), *others, awaited=5)

    running = asyncio.ensure_future(pipeline.run(outbox, Slots(1)))
    async with asyncio.timeout(5):
        await outbox.are_settled.wait()
    hanging.set()
    await running

    assert [item for item, _ in outbox.settled[:5]] == [item for item, _ in others]


async def test_places_are_given_back_at_the_end():
    slots = Slots(2)

    await pipeline.run(Outbox(*[(people("x"), Route(RuntimeError())) for _ in range(5)]), slots)

    assert slots.free("a") >= 2
