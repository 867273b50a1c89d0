"""
Random lives with consent, policies, backfills, dates, expiry, erasure, pauses, replays and a partner that fails and
refuses, all at once.

In the end the partner knows exactly the members who agreed, of open audiences, and nobody who was erased.
"""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from headrace.clock import iso
from headrace.connect.transport import Unanswered
from headrace.errors import HeadraceError
from headrace.model.profile import decode
from headrace.services import activation, backfilling, sending_again
from headrace.services.audiences.expiring import Expiring
from headrace.services.turning import turn
from unit.services.audiences.test_counting import counted, sizes

PEOPLE, AUDIENCES = range(6), "abc"
SELECTORS = "/transformations/0/params/segmentSelectors/selectors"
MINUTE, DAY = 60, 24 * 3600
POLICIES = {
    "together": {"most": 2},
    "by audience": {"most": 2, "includeSegmentId": True},
    "by status": {"most": 3, "includeSegmentId": True, "includeSegmentStatus": True},
    "by identity": {"most": 2, "includeSegmentId": True, "includeIdentity": True, "groups": [{"namespaces": ["id"]}]},
}


class Life:
    """What goes on in a house, by chance."""

    def __init__(self, house, random):
        self.house, self.random = house, random
        self.expiring = Expiring(house.store, house.clock, house.ingestion, house.events.append)
        self.policy = None
        self.erased = []
        self.diary = []

    async def go_on(self):
        """Let one thing happen."""
        chances = {
            self.records: 40,
            self.deliver: 20,
            self.step: 12,
            self.runs: 8,
            self.turn: 8,
            self.map: 5,
            self.unmap: 5,
            self.date: 5,
            self.policy_changes: 6,
            self.erase: 2,
            self.send_again: 3,
            self.replay: 4,
            self.pause: 3,
            self.month: 1,
        }
        (what,) = self.random.choices([*chances], [*chances.values()])
        self.diary.append(what.__name__)
        self.house.pass_time(MINUTE)
        await what()

    async def records(self):
        await self.house.ingest(*[self.record() for _ in range(self.random.randrange(1, 4))])

    def record(self):
        now = self.house.clock.now()
        memberships = {}
        for id_ in self.random.sample(AUDIENCES, self.random.randrange(4)):
            is_in = self.random.random() < 0.6
            until = {"validUntil": iso(now + DAY * 1000)} if is_in and self.random.random() < 0.3 else {}
            status = "realized" if is_in else "exited"
            memberships[id_] = {"status": status, "lastQualificationTime": iso(now), **until}
        return {
            "identityMap": {"crmId": [{"id": str(self.random.choice(PEOPLE))}]},
            "segmentMembership": {"ups": memberships},
            "consents": {"email": {"val": self.random.choice("yn")}},
            "city": str(self.random.randrange(3)),
        }

    async def deliver(self):
        self.house.partner.answers = self.random.choices([200, 400, 503, 429, Unanswered("lost")], [4, 1, 1, 1, 2], k=4)
        await self.house.run()
        self.house.pass_time(self.random.choice([0, 15, 100]))

    async def step(self):
        await self.house.backfiller.step()

    async def runs(self):
        await self.house.carry_runs()

    async def turn(self):
        self.house.pass_time(self.random.choice([MINUTE, DAY]))
        await turn(self.house.store, self.house.clock.now())
        await self.expiring.sweep()

    async def selected(self):
        stored = await activation.get(self.house.store, self.house.caller, self.house.flows["flow"])
        params = stored.document["transformations"][0]["params"]
        return stored, [item["value"]["id"] for item in params["segmentSelectors"]["selectors"]]

    async def map(self):
        _, chosen = await self.selected()
        for id_ in self.random.sample(sorted({*AUDIENCES} - {*chosen}), int(len(chosen) < len(AUDIENCES))):
            await self.house.map_audience(id_)

    async def unmap(self):
        stored, chosen = await self.selected()
        if len(chosen) > 1:
            operations = [{"op": "remove", "path": f"{SELECTORS}/{self.random.randrange(len(chosen))}"}]
            exits, etag = self.random.random() < 0.5, activation.etag(stored)
            await activation.patch(
                self.house.store, self.house.clock, self.house.caller, stored.id, etag, operations, exits=exits
            )

    async def date(self):
        _, chosen = await self.selected()
        today = datetime.fromtimestamp(self.house.clock.now() / 1000, UTC).date()
        name = self.random.choice(["startDate", "endDate"])
        dates = {name: str(today + timedelta(days=self.random.choice([-1, 0, 1])))}
        where = f"{SELECTORS}/{self.random.randrange(len(chosen))}/value/schedule"
        await self.house.patch({"op": "add", "path": where, "value": self.random.choice([{}, dates])})

    async def policy_changes(self):
        if self.policy is None:
            self.policy = await self.house.consent()
        else:
            await self.house.drop_policy(self.policy)
            self.policy = None

    async def erase(self):
        who = str(self.random.choice(PEOPLE))
        if who not in [name for name, _ in self.erased] and len(self.erased) < 3:
            self.erased.append((who, await self.house.erase(f"crmId:{who}")))

    async def send_again(self):
        with suppress(HeadraceError):  # It is too soon, or nothing of it is told now.
            await sending_again.send_again(
                self.house.store, self.house.clock, self.house.caller, self.house.flows["flow"]
            )

    async def replay(self):
        if self.random.random() < 0.5:
            await self.house.ask()
        await self.house.replayer.step()

    async def pause(self):
        await self.house.switch(False)
        self.diary.append("(paused)")
        for _ in range(3):
            await self.go_on()
        await self.house.switch(True)

    async def month(self):
        self.house.pass_time(31 * DAY)
        await self.expiring.sweep()

    async def come_to_rest(self):
        self.house.partner.answers = []
        await self.house.switch(True)
        while True:
            self.house.pass_time(2 * 3600)
            before = len(self.house.partner.messages)
            await turn(self.house.store, self.house.clock.now())
            await self.house.carry_runs()
            await self.house.run_out()
            await self.house.ask(resume=True)
            steps = await self.house.backfill() + await self.house.carry_replays() - 1
            await self.house.run_out()
            states = {state for (state,) in self.house.rows("SELECT state FROM runs")}
            if not steps and len(self.house.partner.messages) == before and not states & {"asked", "begun", "running"}:
                return


def knows(partner):
    """The partner's last word on each person and audience: what was not answered arrived."""
    last = {}
    for answer, _, message in partner.messages:
        if answer == 200 or isinstance(answer, Unanswered):
            for who in message["people"]:
                for id_, membership in who["segmentMembership"].get("ups", {}).items():
                    last[who["identityMap"]["id"][0]["id"], id_] = membership["status"]
    return {pair for pair, status in last.items() if status == "realized"}


def members(house, life):
    """Who is a member of which audience and has agreed, by the documents."""
    found = set()
    for key, document in house.rows("SELECT key, document FROM profiles"):
        person = decode(bytes(document))
        if life.policy is None or person["consents"]["email"]["val"] == "y":
            held = person["segmentMembership"].get("ups", {})
            found |= {(key.removeprefix("crmId:"), id_) for id_, it in held.items() if it["status"] == "realized"}
    return found


def open_audiences(house):
    return {
        id_
        for (id_,) in house.rows(
            "SELECT a.id FROM dataflow_audiences d JOIN audiences a ON a.tenant = d.tenant AND a.audience = d.audience"
            " WHERE d.ended_at IS NULL AND d.leaving IS NULL"
        )
    }


async def untold(house, life):
    """Whom a partner could not be told of, by the receipts of erasures."""
    found = set()
    for who, id_ in life.erased:
        _, states = await house.receipts(id_, look=False)
        if states.get("flow") == "cannot-be-told":
            found.add(who)
        else:
            assert states.get("flow") in ("told", "unknown"), states
    return found


async def live(house, seed, policy, rounds):
    random = Random(f"{policy} {seed}")
    life = Life(house, random)
    await house.activate("a", "b", **POLICIES[policy])
    await house.open(steps=(10,) * 200)
    for _ in range(rounds):
        await life.go_on()
        await house.balance()
    await life.come_to_rest()

    balance = await house.balance()
    assert house.rows("SELECT audience, reason FROM parked") == []
    assert balance.get("pending", 0) == 0
    assert house.rows("SELECT 1 FROM lanes WHERE due IS NOT NULL OR claim_group IS NOT NULL") == []
    told, true = knows(house.partner), members(house, life)
    opened, excused = open_audiences(house), await untold(house, life)
    believed = {(who, id_) for who, id_ in told if id_ in opened and who not in excused}
    assert believed == {(who, id_) for who, id_ in true if id_ in opened}, life.diary
    held = counted(house)
    assert {name: size for name, size in sizes(house).items() if size} == {name: n for name, n in held.items() if n}


@pytest.mark.parametrize("policy", POLICIES)
async def test_in_the_end_the_partner_knows_who_agreed_and_is_in(house, monkeypatch, policy):
    monkeypatch.setattr(backfilling, "STEP", 2)
    await live(house, 1, policy, rounds=60)


@pytest.mark.campaign
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("seed", range(2, 8))
async def test_long_lives_end_so_too(house, monkeypatch, seed, policy):
    monkeypatch.setattr(backfilling, "STEP", 2)
    await live(house, seed, policy, rounds=80)
