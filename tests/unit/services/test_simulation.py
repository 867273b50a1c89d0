"""
Many days in a second: people flap in and out, the partner fails in every way, processes die, and in the end it agrees.

Everything random comes from one seed, which the name of a failing test tells.
"""

import asyncio
from random import Random

import orjson
import pytest

from headrace.connect.transport import NotSent, Unanswered
from headrace.model.http import Response
from unit.services.house import Partner, person

PEOPLE, AUDIENCES, ROUNDS = range(1, 9), "abc", 25
POLICIES = {
    "together": {"most": 3},
    "one by one": {"most": 1},
    "by audience": {"most": 3, "includeSegmentId": True},
    "by audience and status": {"most": 4, "includeSegmentId": True, "includeSegmentStatus": True},
    "by identity": {
        "most": 2,
        "includeSegmentId": True,
        "includeIdentity": True,
        "groups": [{"namespaces": ["id", "email"]}],
    },
}


class Moody(Partner):
    """A partner that answers by chance, slowly, and keeps a diary of every attempt."""

    def __init__(self, random):
        super().__init__()
        self.random = random
        self.is_moody = True
        self.diary = []  # message id, whether it was applied, what we were told, the people in it
        self.applied = {}  # (person, audience) -> the last status that was applied

    async def send(self, request, *, deadline, pool):
        del deadline, pool
        for _ in range(self.random.randrange(6)):
            await asyncio.sleep(0)
        answer = self.random.choices(
            [200, 503, 429, 400, "lost before", "lost after", "refused"], [60, 8, 4, 1, 6, 6, 4]
        )[0]
        if not self.is_moody:
            answer = 200
        if answer == "refused":
            raise NotSent("the partner does not listen")
        message = orjson.loads(request.body)
        is_applied = answer in (200, "lost after")
        self.diary.append((message["message"], is_applied, answer, message))
        if is_applied:
            self.applied.update({pair: status for pair, status, _ in said(message)})
        for _ in range(self.random.randrange(3)):
            await asyncio.sleep(0)
        if isinstance(answer, str):
            raise Unanswered("the line broke")
        return Response(answer)


def said(message):
    for someone in message["people"]:
        who = someone["identityMap"]["id"][0]["id"]
        for audience, membership in someone["segmentMembership"].get("ups", {}).items():
            yield (who, audience), membership["status"], membership["lastQualificationTime"]


class World:
    """What is true, and how it goes on."""

    def __init__(self, random):
        self.random = random
        self.minute = 0
        self.members = {}
        self.cities = {}

    def records(self):
        for _ in range(self.random.randrange(1, 6)):
            yield self.record()

    def record(self):
        """One record: a few audiences move, sometimes an attribute, sometimes old news."""
        who = self.random.choice(PEOPLE)
        if self.random.random() < 0.1 and self.minute:
            return person(who, minute=0, **self.attributes(who), **{self.random.choice(AUDIENCES): False})
        self.minute += 1
        if self.random.random() < 0.3:
            self.cities[who] = f"city {self.minute}"
        moved = {id_: self.random.random() < 0.5 for id_ in AUDIENCES if self.random.random() < 0.5}
        self.members |= {(str(who), id_): is_in for id_, is_in in moved.items()}
        return person(who, minute=self.minute, **self.attributes(who), **moved)

    def attributes(self, who):
        return {"city": self.cities[who]} if who in self.cities else {}


def check_order(diary):
    """An older state never comes after a newer one, whether or not the newer one was taken."""
    newest = {}
    for _, _, _, message in diary:
        for pair, status, time in said(message):
            known_time, known_status = newest.get(pair, ("", ""))
            assert (time, status == "exited") >= (known_time, known_status == "exited"), pair
            newest[pair] = (time, status)


def check_repeats(diary, crashed):
    """The same message goes again only if its outcome was a failure or not known to us."""
    taken = set()
    for name, _, answer, _ in diary:
        assert name not in taken, "a message that was taken was sent again"
        if answer == 200 and name not in crashed:
            taken.add(name)


async def crash(house, running):
    """Kill the process: what was under way is lost, and what it did at the partner is not known."""
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await house.open(steps=(10, 10, 10, 10, 10, 10))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("policy", POLICIES)
async def test_in_the_end_the_partner_agrees(house, policy, seed):
    random = Random(f"{policy} {seed}")
    world, partner, crashed = World(random), Moody(random), set()
    house.partner.send = partner.send
    await house.activate(*AUDIENCES, **POLICIES[policy])
    await house.open(steps=(10, 10, 10, 10, 10, 10))
    for _ in range(ROUNDS):
        arrived = len(partner.diary)
        running = asyncio.ensure_future(house.run())
        await house.ingest(*world.records())
        if random.random() < 0.15:
            for _ in range(random.randrange(30)):
                await asyncio.sleep(0)
            await crash(house, running)
            crashed |= {name for name, *_ in partner.diary[arrived:]}
        else:
            await running
        await house.balance()
        house.pass_time(random.choice([0, 1, 5, 10, 30]))

    partner.is_moody = False
    house.pass_time(100)
    await house.run_out()

    balance = await house.balance()
    assert balance.get("pending", 0) == 0
    assert house.rows("SELECT * FROM changes") == []
    assert house.rows("SELECT * FROM lanes WHERE due IS NOT NULL OR claim_group IS NOT NULL") == []
    check_order(partner.diary)
    check_repeats(partner.diary, crashed)
    parked = {(who.removeprefix("crmId:"), audience) for who, audience, _ in house.parked()}
    believed = {pair for pair, status in partner.applied.items() if status == "realized"}
    true = {pair for pair, is_in in world.members.items() if is_in}
    assert believed ^ true <= parked
