"""A partner that refuses certain people gets everybody else, whatever happens meanwhile."""

import asyncio
import math

import orjson
import pytest

from headrace.model.http import Response
from headrace.services import authoring
from headrace.services.delivery import REFUSALS_TO_HOLD
from headrace.store.splitting import REFUSALS_TO_GIVE_UP, REFUSES_ALL
from unit.services.house import person


def refusing(*numbers, status=400):
    """An answer that refuses every message in which one of these people is."""

    def answer(request):
        people = {one["identityMap"]["id"][0]["id"] for one in orjson.loads(request.body)["people"]}
        return status if people & {str(number) for number in numbers} else 200

    return answer


async def fill(house, count, **policy):
    await house.activate("a", **policy)
    await house.ingest(*[person(n, "a") for n in range(count)])


async def extend(house, **more):
    """Change what the destination server has under ``x-headrace``."""
    server = house.server_document()
    server["httpTemplate"]["x-headrace"] |= more
    await authoring.save(
        house.store, house.clock, house.keyring, house.caller, authoring.SERVER, server, id_=house.servers["flow"]
    )


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_everybody_but_the_refused_arrives(house, status):
    house.partner.default = refusing(13, 77, status=status)
    await fill(house, 100)

    await house.run_out()

    assert house.parked() == [("crmId:77", "a", f"status-{status}"), ("crmId:13", "a", f"status-{status}")]
    assert house.partner.knows() == {(str(n), "a") for n in range(100) if n not in (13, 77)}
    assert len(house.partner.messages) <= 1 + 2 * 2 * math.ceil(math.log2(100))
    assert house.announced()["MessageSplit"] > 0
    assert (await house.balance())["delivered"] == 98


async def test_every_part_has_an_id_of_its_own(house):
    house.partner.default = refusing(3)
    await fill(house, 8)

    await house.run_out()

    assert len(set(house.partner.ids)) == len(house.partner.ids)


async def test_a_message_that_is_too_large_arrives_in_parts(house):
    house.partner.default = lambda request: 413 if len(orjson.loads(request.body)["people"]) > 10 else 200
    await fill(house, 100)

    await house.run_out()

    assert len(house.partner.knows()) == 100
    assert not house.parked()


async def test_a_partner_that_refuses_everything_is_asked_a_few_times_for_each_message(house):
    house.partner.default = 400
    await fill(house, 100)

    await house.run_out()

    assert len(house.partner.messages) <= 1 + math.ceil(math.log2(100)) + 2 * REFUSALS_TO_GIVE_UP
    codes = [code for _, _, code in house.parked()]
    assert (len(codes), codes.count(REFUSES_ALL)) == (100, 100 - REFUSALS_TO_GIVE_UP)
    assert sum(event.entries for event in house.events if type(event).__name__ == "ChangesParked") == 100


async def test_a_dataflow_of_which_everything_is_refused_is_held_all_the_same(house):
    house.partner.default = 400
    await fill(house, 600, most=10)

    await house.run()

    assert (await house.state())[0] == "held"
    assert len(house.partner.messages) < 6 * REFUSALS_TO_HOLD
    assert (await house.balance())["pending"] > 0


async def test_an_author_can_keep_messages_whole(house):
    house.partner.default = refusing(3)
    await house.activate("a")
    await extend(house, bisect=False)
    await house.ingest(*[person(n, "a") for n in range(8)])

    await house.run_out()

    assert house.partner.statuses == [400]
    assert len(house.parked()) == 8


async def test_a_death_in_the_middle_loses_nothing(house):
    house.partner.default = refusing(5, 21)
    await fill(house, 40)
    for moment in range(1, 12):
        running = asyncio.ensure_future(house.run())
        for _ in range(9 * moment):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await house.open()
        assert (await house.balance())["accepted"] == 40

    await house.run_out()

    assert sorted(who for who, _, _ in house.parked()) == ["crmId:21", "crmId:5"]
    assert len(house.partner.knows()) == 38


async def test_who_leaves_meanwhile_is_told_as_they_are_now(house):
    house.partner.answers = [400]
    await fill(house, 4)
    await house.open()
    await house.ingest()
    leaving = person(3, a=False, minute=1)
    first = house.partner.send

    async def send(request, **more):
        answer = await first(request, **more)
        if len(house.partner.messages) == 1:
            await house.ingest(leaving)
        return answer

    house.partner.send = send
    await house.run_out()

    assert [told for told in house.partner.told() if told[0] == "3"] == [("3", "a", "exited")]


BY_ID = {
    "path": "results",
    "by": "id",
    "id": "who",
    "entryId": "identityMap.id[0].id",
    "success": {"path": "status", "values": ["ok"]},
    "reason": "why",
    "retry": {"path": "status", "values": ["busy"]},
}


def telling(statuses):
    """An answer 207 that tells of each person, the last first; who is busy is so once."""

    def answer(request):
        people = [one["identityMap"]["id"][0]["id"] for one in orjson.loads(request.body)["people"]]
        results = [{"who": who, "status": statuses.get(who, "ok"), "why": f"{who} is bad"} for who in reversed(people)]
        statuses.update({who: "ok" for who in people if statuses.get(who) == "busy"})
        return Response(207, (), orjson.dumps({"results": results}))

    return answer


async def test_of_an_answer_in_parts_everybody_gets_their_own(house):
    house.partner.default = telling({"2": "no", "5": "busy", "6": "busy"})
    await house.activate("a")
    await extend(house, answers={"results": BY_ID})
    await house.ingest(*[person(n, "a") for n in range(8)])

    await house.run_out()

    assert house.parked() == [("crmId:2", "a", "entry-refused")]
    assert house.rows("SELECT reason FROM parked") == [("the partner refused it alone: 2 is bad",)]
    sent = [
        [one["identityMap"]["id"][0]["id"] for one in message["people"]] for _, _, message in house.partner.messages
    ]
    assert [sorted(people) for people in sent] == [[str(n) for n in range(8)], ["5", "6"]]
    assert len(set(house.partner.ids)) == 2
    assert await house.balance() == {"accepted": 8, "delivered": 7, "parked": 1, "messages": 2}


async def test_who_is_never_named_is_parked_in_the_end(house):
    house.partner.default = lambda _: Response(200, (), b'{"results": []}')
    await house.activate("a")
    await extend(house, answers={"results": BY_ID})
    await house.ingest(person(1, "a"))

    await house.run_out()

    assert house.parked() == [("crmId:1", "a", "retries-exhausted")]
    assert house.announced()["AnswerUnread"] == len(house.partner.messages)
