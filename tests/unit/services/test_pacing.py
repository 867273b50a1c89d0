"""Pacing: limits that hold for all dataflows of an account and over restarts, and partners that are left alone."""

import asyncio
from collections import Counter

import orjson
import pytest

from headrace.connect.transport import NotSent
from headrace.model.http import Response
from headrace.services import accounts, activation, authoring, sources, targets
from headrace.services.pacing import forget_pacing
from headrace.store import slowed
from headrace.streaming.breaker import IN_A_ROW
from headrace.streaming.slots import MOST_AHEAD
from unit.services.house import flow_document, person

DAY = 86_400


class Watched:
    """A partner that notes when each message came, how many people were in it and how many were there at once."""

    def __init__(self, house, answer=lambda _: 200):
        self.house = house
        self.answer = answer
        self.came = []  # (moment in ms, people, dataflow)
        self.under_way = self.most_under_way = 0
        house.partner.send = self.send

    async def send(self, request, *, deadline, pool):
        del deadline, pool
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        message = orjson.loads(request.body)
        flow = message["key"]["destinationInstanceId"]
        self.came.append((self.house.clock.now(), len(message["people"]), flow))
        answer = self.answer(message)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Response) else Response(answer)

    def most_in_any(self, milliseconds, count=lambda item: 1):
        return max(
            sum(count(item) for item in self.came if start <= item[0] < start + milliseconds) for start, *_ in self.came
        )


async def open_account(house, *, most=1, **extension):
    """Make a destination with limits, and an account there."""
    server = house.server_document()
    server["httpTemplate"]["x-headrace"] = extension
    saved = await save(house, authoring.SERVER, server)
    house.servers["shared"] = saved.declared.id
    destination = house.destination_document("shared", most=most)
    destination["destinationDelivery"][0]["authenticationRule"] = "CUSTOMER_AUTHENTICATION"
    destination["customerAuthenticationConfigurations"] = [{"authType": "BASIC"}]
    saved = await save(house, authoring.DESTINATION, destination)
    connection = {"name": "shared", "connectionSpec": {"id": saved.declared.id}}
    auth = {"specName": "BASIC", "params": {"username": "ada", "password": "of ada"}}
    account = await accounts.create_account(
        house.store, house.clock, house.keyring, house.caller, connection | {"auth": auth}
    )
    return account.id, connection


async def save(house, noun, document):
    return await authoring.save(house.store, house.clock, house.keyring, house.caller, noun, document)


async def send_by(house, opened, *ids, name="flow"):
    """Send audiences by a dataflow of an account."""
    account, connection = opened
    source = await sources.create_source(house.store, house.clock, house.caller, connection)
    target = await targets.create_target(
        house.store, house.clock, house.keyring, house.caller, connection | {"baseConnectionId": account}
    )
    rows = (("identityMap.crmId", "identityMap.id"),)
    document = flow_document(name, source.id, target.id, ids, rows)
    flow = await activation.create(house.store, house.clock, house.caller, document)
    house.flows[name] = flow.id
    await house.wake_all()
    return flow.id


async def carry_on(house, seconds, step=0.5):
    """Carry for a while, looking every so often."""
    ends = house.clock.at + seconds * 1000
    while house.clock.at < ends:
        await house.run()
        house.pass_time(step)


def people(count, *ids, start=1):
    return [person(number, *ids) for number in range(start, start + count)]


def left_alone(house):
    return house.store.read_now(lambda tx: slowed.of(tx, house.caller.number, house.clock.now()))


# -- declared limits --------------------------------------------------------------------------------------------------


async def test_no_second_has_more_requests_in_it_than_the_partner_takes(house):
    partner = Watched(house)
    await send_by(house, await open_account(house, rateLimits=[{"requests": 5, "per": "second"}]), "a")
    await house.ingest(*people(23, "a"))

    await carry_on(house, 10, step=0.1)

    assert partner.most_in_any(1000) == 5
    assert await house.balance() == {"accepted": 23, "delivered": 23, "messages": 23}
    assert partner.came[-1][0] - partner.came[0][0] < 6500, "and nearly as many as it takes"
    assert house.announced()["MessageRetried"] == 0


async def test_a_limit_of_profiles_bounds_messages_and_their_sum(house):
    partner = Watched(house)
    limits = [{"profiles": 10, "per": "minute"}]
    await send_by(house, await open_account(house, most=100, rateLimits=limits), "a")
    await house.ingest(*people(25, "a"))

    await carry_on(house, 240, step=5)

    assert [count for _, count, _ in partner.came] == [10, 10, 5]
    assert partner.most_in_any(60_000, count=lambda item: item[1]) <= 10
    assert await house.balance() == {"accepted": 25, "delivered": 25, "messages": 3}


async def test_what_is_left_of_a_day_is_not_reset_by_a_restart(house):
    partner = Watched(house)
    await send_by(house, await open_account(house, rateLimits=[{"requests": 3, "per": "day"}]), "a")
    await house.ingest(*people(5, "a"))
    await house.run()
    assert len(partner.came) == 3

    house.pass_time(DAY / 2)
    house.slots = type(house.slots)(4, house.clock.monotonic)
    await house.open()
    house.store.write_now(lambda tx: forget_pacing(tx, house.clock.now()))
    await house.run()
    assert len(partner.came) == 3

    house.pass_time(DAY / 2 + 3600)
    await house.run()
    assert len(partner.came) == 5
    assert await house.balance() == {"accepted": 5, "delivered": 5, "messages": 5}
    assert house.rows("SELECT attempt FROM groups") == []


async def test_dataflows_of_an_account_share_its_limit_and_none_starves(house):
    partner = Watched(house)
    opened = await open_account(house, rateLimits=[{"requests": 4, "per": "second"}])
    large = await send_by(house, opened, "a", name="large")
    small = await send_by(house, opened, "b", name="small")
    await house.ingest(*people(60, "a"))
    await house.run()
    await house.ingest(*people(6, "b", start=100))

    begun = len(partner.came)
    await carry_on(house, 5, step=0.1)

    assert partner.most_in_any(1000) == 4
    came = Counter(flow for *_, flow in partner.came[begun : begun + 14])
    assert came[small] == 6, "it was served beside the one that has more"
    assert came[large] >= 6


async def test_what_waits_long_for_its_turn_goes_back_and_uses_up_no_attempt(house):
    partner = Watched(house)
    opened = await open_account(house, rateLimits=[{"requests": 2, "per": "hour"}])
    await send_by(house, opened, "a", name="one")
    await send_by(house, opened, "b", name="two")
    await house.ingest(*people(9, "a", "b"))

    for _ in range(12):
        await house.run()
        assert {attempt for (attempt,) in house.rows("SELECT attempt FROM groups")} <= {0, 1}
        house.pass_time(3700)

    assert len(partner.came) == 18
    assert partner.most_in_any(3_600_000) == 2
    assert house.announced()["MessageRetried"] == 0
    assert {**await house.balance("one")} == {"accepted": 9, "delivered": 9, "messages": 9}


async def test_no_more_requests_are_under_way_than_the_partner_takes_at_a_time(house):
    partner = Watched(house)
    opened = await open_account(house, concurrency={"most": 2})
    for name, id_ in (("one", "a"), ("two", "b")):
        await send_by(house, opened, id_, name=name)
    await house.ingest(*people(20, "a", "b"))

    await carry_on(house, 3)

    assert len(partner.came) == 40
    assert partner.most_under_way == 2


async def test_requests_of_another_process_count(house):
    partner = Watched(house)
    await send_by(house, await open_account(house, concurrency={"most": 2}), "a")
    await house.ingest(*people(6, "a"))
    await house.open()
    elsewhere = await claim_elsewhere(house)
    assert len(elsewhere) == 2

    await house.run()
    assert partner.came == [], "both places are taken"

    house.pass_time(61)
    await carry_on(house, 10)
    assert len(partner.came) == 6


async def claim_elsewhere(house):
    """Claim as a process that dies right afterwards."""
    slots = type(house.slots)(4, house.clock.monotonic)
    groups = []
    async for group, _ in house.outbox.claimed(slots):
        groups.append(group)
        house.outbox._leases.ended(group)
        if len(groups) == 2:
            break
    house.outbox._maybe.update(house.outbox._due)
    return groups


async def test_a_dataflow_that_is_switched_off_leaves_nobody_at_the_turnstile(house):
    Watched(house)
    await send_by(house, await open_account(house, rateLimits=[{"requests": 1, "per": "second"}]), "a")
    await house.ingest(*people(4, "a"))
    await house.run()

    await house.switch(on=False)
    await house.run()
    await house.switch(on=True)
    await carry_on(house, 8, step=0.2)

    assert await house.balance() == {"accepted": 4, "delivered": 4, "messages": 4}


# -- partners that are busy, or down ----------------------------------------------------------------------------------


async def test_a_wish_to_be_left_alone_holds_for_all_dataflows_of_the_account(house):
    answers = [Response(429, (("Retry-After", "90"),))]
    partner = Watched(house, lambda _: answers.pop() if answers else 200)
    opened = await open_account(house)
    await send_by(house, opened, "a", name="one")
    await send_by(house, opened, "b", name="two")
    await house.ingest(person(1, "a"))
    await house.run()
    await house.ingest(*people(5, "b", start=10))

    await carry_on(house, 89, step=10)
    assert len(partner.came) == 1
    assert house.announced()["PartnerSlowed"] == 1
    (account,) = left_alone(house).values()
    assert (account.account, account.is_down, account.reason) == (opened[0], False, "the partner answered 429")

    await carry_on(house, 30, step=1)
    assert len(partner.came) == 7
    assert await house.balance("two") == {"accepted": 5, "delivered": 5, "messages": 5}


async def test_a_partner_that_is_down_for_days_burns_no_attempts_and_is_not_run_down_when_it_is_back(house):
    is_down = True
    partner = Watched(house, lambda _: NotSent("nothing listens there") if is_down else 200)
    await send_by(house, await open_account(house), "a")
    await house.ingest(*people(60, "a"))
    await carry_on(house, 3 * DAY, step=1800)
    await carry_on(house, 400, step=20)

    assert len(partner.came) <= IN_A_ROW + 4 + (3 * DAY + 400) / 300
    assert await house.balance() == {"accepted": 60, "pending": 60}
    assert house.announced()["PartnerDown"] == 1
    assert max(attempt for (attempt,) in house.rows("SELECT attempt FROM groups")) <= 3
    assert [account.is_down for account in left_alone(house).values()] == [True]

    is_down = False
    await carry_on(house, 400, step=10)
    assert await house.balance() == {"accepted": 60, "delivered": 60, "messages": 60}
    assert house.announced()["PartnerBack"] == 1
    assert left_alone(house) == {}
    assert await house.state() == ("enabled", None), "nobody had to mend it"


async def test_messages_that_the_partner_fails_at_do_not_keep_the_others(house):
    Watched(house, lambda message: 500 if message["people"][0]["attributes"]["city"]["value"] == "x" else 200)
    await house.activate("a", most=1)
    await house.ingest(*(person(number, "a", city="x") for number in range(1, 31)))
    await carry_on(house, 5)
    await house.ingest(*(person(number, "a", city="y") for number in range(100, 120)))

    await carry_on(house, 120, step=1)
    assert (await house.balance())["delivered"] == 20

    await carry_on(house, 8 * 3600, step=100)
    assert (await house.balance())["parked"] == 30, "once their schedule is used up"


@pytest.mark.parametrize("status", [429, 503])
async def test_an_account_whose_partner_never_has_time_rests_and_keeps_everything(house, status):
    partner = Watched(house, lambda _: status)
    await house.activate("a", most=1)
    await house.ingest(*people(30, "a"))

    await carry_on(house, 3600, step=1)

    assert len(partner.came) < 60
    assert await house.balance() == {"accepted": 30, "pending": 30}


async def test_fifty_partners_that_hang_hold_up_nobody(house):
    hanging, is_over, answered = set(), asyncio.Event(), asyncio.Event()

    async def send(request, *, deadline, pool):
        del deadline, pool
        if orjson.loads(request.body)["key"]["destinationInstanceId"] in hanging:
            await is_over.wait()
        else:
            healthy.append(request)
        if len(healthy) == 40:
            answered.set()
        return Response(200)

    healthy, house.partner.send = [], send
    await house.activate("a", name="healthy", most=1)
    connection = {"name": "hanging", "connectionSpec": {"id": house.destinations["healthy"]}}
    source = await sources.create_source(house.store, house.clock, house.caller, connection)
    for _ in range(50):  # Without accounts, so each connection counts by itself.
        target = await targets.create_target(house.store, house.clock, house.keyring, house.caller, connection)
        document = flow_document("hanging", source.id, target.id, ["a"], (("identityMap.crmId", "identityMap.id"),))
        hanging.add((await activation.create(house.store, house.clock, house.caller, document)).id)
    await house.ingest(*people(40, "a"))

    running = asyncio.ensure_future(house.run())
    async with asyncio.timeout(25):
        await answered.wait()
    assert max(account.held for account in house.slots._accounts.values()) <= 4 * MOST_AHEAD
    assert all(account.under_way <= 4 for account in house.slots._accounts.values())
    is_over.set()
    await running
    assert await house.balance("healthy") == {"accepted": 40, "delivered": 40, "messages": 40}


def remembered(house):
    """What is remembered in this process of dataflows and accounts."""
    outbox = house.outbox
    of_flows = [outbox._streaks, outbox._retrying, outbox._last_bucket, outbox._early_until, outbox._consents]
    of_accounts = [house.slots._accounts, outbox._pacing._queues, outbox._pacing._turns, outbox._pacing._left_alone]
    return {address for kept in of_flows for address in kept}, {name for kept in of_accounts for name in kept}


async def test_what_was_deleted_is_not_remembered_for_ever(house):
    await house.activate("a", name="stays")
    for number in range(3):
        await house.activate("a", name=f"goes {number}")
    house.partner.default = 503
    await house.ingest(*people(5, "a"))
    await house.run()
    assert [len(kept) for kept in remembered(house)] == [4, 4]
    house.partner.default = 200

    for number in range(3):
        await house.delete(f"goes {number}")
    house.pass_time(100)
    await house.ingest(person("again", "a"))
    await house.run()
    await house.run()

    flows, accounts_ = remembered(house)
    assert {number for _, number in flows} == {1}
    assert len(accounts_) == 1


async def test_an_account_of_which_something_is_under_way_is_remembered(house):
    await house.activate("a")
    house.slots.take("1:gone")

    assert not house.slots.forget("1:gone")
    house.slots.returner("1:gone")(None)

    assert house.slots.forget("1:gone")
    assert house.slots.names() == []
