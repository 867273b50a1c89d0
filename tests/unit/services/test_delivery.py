"""Delivery: from a change to the partner and back, with answers of every kind."""

import asyncio

import pytest

from headrace.connect.transport import Garbled, NotSent, Unanswered, Unsendable
from headrace.errors import EgressError
from headrace.events import MessageRetried
from headrace.model.http import Response
from headrace.services import authoring, delivery
from headrace.services.delivery import REFUSALS_TO_HOLD
from headrace.store.database import StoreUnavailable
from headrace.streaming.slots import MOST_AHEAD
from unit.services.house import BODY, STEPS, Partner, person


async def test_a_change_is_told_and_counted(house):
    await house.activate("a")
    await house.ingest(person(1, "a", city="Lisbon"))

    await house.run()

    ((_, request, message),) = house.partner.messages
    assert request.url == "https://partner.example/"
    assert request.header("idempotency-key") == message["message"]
    assert message["people"][0]["attributes"] == {"city": {"value": "Lisbon"}}
    assert house.partner.told() == [("1", "a", "realized")]
    assert await house.balance() == {"accepted": 1, "delivered": 1, "messages": 1}


async def test_a_passing_failure_is_retried_with_the_same_message(house):
    house.partner.answers = [503]
    await house.activate("a")
    await house.ingest(person(1, "a"), person(2, "a"))
    await house.run()
    assert await house.balance() == {"accepted": 2, "pending": 2}

    house.pass_time(STEPS[0] - 1)
    await house.run()
    assert house.partner.statuses == [503]

    house.pass_time(1)
    await house.run()
    assert house.partner.statuses == [503, 200]
    assert len(set(house.partner.ids)) == 1
    assert await house.balance() == {"accepted": 2, "delivered": 2, "messages": 1}


async def test_a_refusal_parks_with_its_reason(house):
    house.partner.answers = [400]
    await house.activate("a")
    await house.ingest(person(1, "a"))

    await house.run_out()

    assert house.partner.statuses == [400]
    assert house.parked() == [("crmId:1", "a", "status-400")]
    assert await house.balance() == {"accepted": 1, "parked": 1}
    assert house.announced()["ChangesParked"] == 1


@pytest.mark.parametrize("error", [Unanswered("lost"), Garbled("noise")], ids=lambda error: type(error).__name__)
async def test_when_nobody_knows_the_same_message_goes_again_and_only_then_twice(house, error):
    house.partner.answers = [error]
    await house.activate("a")
    await house.ingest(person(1, "a"), person(2, "a"))

    await house.run_out()

    assert house.partner.statuses == [type(error).__name__, 200]
    assert len(set(house.partner.ids)) == 1
    assert house.partner.messages[0][1] == house.partner.messages[1][1]
    assert await house.balance() == {"accepted": 2, "delivered": 2, "messages": 1}


@pytest.mark.parametrize("error", [NotSent("down"), EgressError("not allowed")], ids=lambda error: type(error).__name__)
async def test_what_was_certainly_not_sent_is_sent_later(house, error):
    house.partner.answers = [error]
    await house.activate("a")
    await house.ingest(person(1, "a"))

    await house.run_out()

    assert house.partner.told() == [("1", "a", "realized")]


async def test_what_can_never_be_sent_is_parked(house):
    house.partner.answers = [Unsendable("no URL")]
    await house.activate("a")
    await house.ingest(person(1, "a"))

    await house.run_out()

    assert house.parked() == [("crmId:1", "a", "unsendable")]


async def test_what_has_used_up_its_retries_is_parked(house):
    house.partner.default = 503
    await house.activate("a")
    await house.ingest(person(1, "a"))

    await house.run_out()

    assert house.partner.statuses == [503] * (len(STEPS) + 1)
    assert house.parked() == [("crmId:1", "a", "retries-exhausted")]
    assert await house.balance() == {"accepted": 1, "parked": 1}


async def test_a_partner_that_asks_for_time_is_given_it(house):
    house.partner.answers = [Response(429, (("Retry-After", "300"),))]
    await house.activate("a")
    await house.ingest(person(1, "a"))
    await house.run()

    house.pass_time(299)
    await house.run()
    assert len(house.partner.messages) == 1

    house.pass_time(1)
    await house.run()
    assert await house.balance() == {"accepted": 1, "delivered": 1, "messages": 1}
    assert [event.seconds for event in house.events if isinstance(event, MessageRetried)] == [300.0]


async def test_a_retry_tells_what_is_true_by_then(house):
    house.partner.answers = [503]
    await house.activate("a")
    await house.ingest(person(1, "a"))
    await house.run()

    await house.ingest(person(1, a=False, minute=1))
    await house.run_out()

    assert house.partner.told() == [("1", "a", "exited")]
    assert len(set(house.partner.ids)) == 2
    assert await house.balance() == {"accepted": 2, "delivered": 1, "superseded": 1, "messages": 1}


async def test_a_person_who_cannot_be_rendered_is_parked_and_the_others_go(house):
    fails = '{% for p in input.profiles %}{% if p.attributes.city.value == "bad" %}{{ 1 / 0 }}{% endif %}{% endfor %}'
    await house.activate("a", body=fails + BODY)
    await house.ingest(*[person(n, "a", city="bad" if n == 3 else "good") for n in range(1, 6)])

    await house.run_out()

    assert house.parked() == [("crmId:3", "a", "template")]
    assert house.partner.knows() == {(str(n), "a") for n in (1, 2, 4, 5)}
    assert len(house.partner.messages) == 1


async def test_an_exit_is_told_to_whom_the_entry_was_told(house):
    await house.activate("a", "b")
    await house.ingest(person(1, "a", "b"))
    await house.run()

    await house.ingest(person(1, "b", a=False, minute=1))
    await house.run()

    assert house.partner.told()[-2:] == [("1", "a", "exited"), ("1", "b", "realized")]
    assert house.partner.knows() == {("1", "b")}


async def test_after_a_parked_change_the_next_one_goes(house):
    house.partner.answers = [400]
    await house.activate("a")
    await house.ingest(person(1, "a"))
    await house.run()

    await house.ingest(person(1, a=False, minute=1))
    await house.run()

    assert house.partner.told() == [("1", "a", "exited")]


# -- grouping -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("most", "sizes"), [(100, [7]), (3, [3, 3, 1]), (1, [1] * 7)])
async def test_no_message_carries_more_than_it_may(house, most, sizes):
    await house.activate("a", most=most)
    await house.ingest(*[person(n, "a") for n in range(7)])

    await house.run()

    assert sorted((len(message["people"]) for _, _, message in house.partner.messages), reverse=True) == sizes


async def test_messages_share_audience_and_status(house):
    await house.activate("a", "b", includeSegmentId=True, includeSegmentStatus=True)
    await house.ingest(person(1, "a", "b"), person(2, "a"), person(3, "b"))
    await house.run()
    await house.ingest(person(1, "b", a=False, minute=1), person(2, "a", "b", minute=1))
    await house.run()

    for _, _, message in house.partner.messages:
        key = message["key"]
        for someone in message["people"]:
            (membership,) = someone["segmentMembership"]["ups"].items()
            assert (membership[0], membership[1]["status"]) == (key["segmentId"], key["segmentStatus"])
    assert house.partner.knows() == {("1", "b"), ("2", "a"), ("2", "b"), ("3", "b")}


# -- stopping -----------------------------------------------------------------------------------------------------


async def test_a_dataflow_that_is_only_refused_is_held_and_keeps_the_rest(house):
    house.partner.default = 400
    await house.activate("a", most=1)
    await house.ingest(*[person(n, "a") for n in range(600)])

    await house.run()

    balance = await house.balance()
    assert REFUSALS_TO_HOLD <= balance["parked"] <= REFUSALS_TO_HOLD + 2 * 4 * MOST_AHEAD
    assert balance["pending"] == 600 - balance["parked"]
    assert await house.state() == (
        "held",
        f"{REFUSALS_TO_HOLD} messages in a row were refused; the last: the partner answered 400",
    )
    assert house.announced()["DataflowHeld"] == 1


async def test_a_held_dataflow_goes_on_when_it_is_switched_on(house):
    house.partner.answers = [400] * 600
    await house.activate("a", most=1)
    await house.ingest(*[person(n, "a") for n in range(600)])
    await house.run()
    held = await house.balance()
    house.partner.answers.clear()

    await house.switch(True)
    await house.run_out()

    assert held["pending"] > 0
    assert await house.balance() == {
        "accepted": 600,
        "parked": held["parked"],
        "delivered": held["pending"],
        "messages": held["pending"],
    }


async def test_one_success_among_refusals_holds_nothing_up(house):
    house.partner.answers = ([400] * (REFUSALS_TO_HOLD - 10) + [200]) * 3
    await house.activate("a", most=1)
    await house.ingest(*[person(n, "a") for n in range(3 * REFUSALS_TO_HOLD - 27)])

    await house.run()

    assert await house.state() == ("enabled", None)


async def test_a_disabled_dataflow_keeps_its_changes(house):
    await house.activate("a")
    await house.switch(False)
    await house.ingest(person(1, "a"), person(2, "a"))
    await house.ingest(person(2, a=False, minute=1))

    await house.run()
    assert house.partner.messages == []
    assert await house.balance() == {"accepted": 3, "superseded": 1, "pending": 2}

    await house.switch(True)
    await house.run()
    assert house.partner.knows() == {("1", "a")}
    assert (await house.balance())["delivered"] == 2


async def test_a_retry_waits_while_its_dataflow_is_disabled(house):
    house.partner.answers = [503]
    await house.activate("a")
    await house.ingest(person(1, "a"))
    await house.run()
    await house.switch(False)
    house.pass_time(1000)
    await house.run()
    assert len(house.partner.messages) == 1

    await house.switch(True)
    await house.run()

    assert house.partner.statuses == [503, 200]


async def test_deleting_a_dataflow_withholds_what_waits(house):
    house.partner.answers = [503]
    flow = await house.activate("a")
    await house.ingest(person(1, "a"), person(2, "a"))
    await house.run()

    await house.delete()
    house.pass_time(1000)
    await house.run()

    assert len(house.partner.messages) == 1
    sums = house.rows(
        "SELECT sum(accepted), sum(withheld) FROM ledger_deltas WHERE dataflow = :flow", flow=flow.dataflow
    )
    assert sums == [(2, 2)]
    assert house.rows("SELECT * FROM changes") == house.rows("SELECT * FROM lanes") == []


async def test_deleting_a_dataflow_while_a_message_is_under_way_harms_nothing(house):
    """The answer comes after the dataflow is gone: it is not recorded, and nothing is announced of it."""
    await house.activate("a")
    await house.ingest(person(1, "a"))
    arrived, answer = asyncio.Event(), asyncio.Event()
    deliver = house.partner.send

    async def slowly(request, **more):
        arrived.set()
        await answer.wait()
        return await deliver(request, **more)

    house.partner.send = slowly
    running = asyncio.ensure_future(house.run())
    await arrived.wait()
    await house.delete()
    answer.set()
    await running

    assert house.announced()["MessageDelivered"] == 0
    assert house.rows("SELECT sum(accepted), sum(withheld), sum(delivered) FROM ledger_deltas") == [(1, 1, 0)]


async def test_an_unmapped_audience_is_told_no_more(house):
    await house.activate("a", "b")
    await house.ingest(person(1, "a"), person(2, "b"))

    await house.unmap_audience(0)
    await house.run_out()

    assert house.partner.knows() == {("2", "b")}
    balance = await house.balance()
    assert (balance["withheld"], balance.get("pending", 0)) == (1, 0)


# -- configuration that changes -----------------------------------------------------------------------------------


async def test_a_changed_template_is_used_from_the_next_claim_on(house):
    house.partner.answers = [503]
    await house.activate("a")
    await house.ingest(person(1, "a"))
    await house.run()

    changed = BODY.replace('{"message"', '{"new": true, "message"')
    server = house.server_document(changed)
    await authoring.save(
        house.store, house.clock, house.keyring, house.caller, authoring.SERVER, server, id_=house.servers["flow"]
    )
    await house.wake_all()
    await house.run_out()

    assert [message.get("new", False) for _, _, message in house.partner.messages] == [False, True]
    assert len(set(house.partner.ids)) == 2


async def test_a_lower_limit_holds_for_what_waits_for_a_retry(house):
    house.partner.answers = [503]
    await house.activate("a", most=10)
    await house.ingest(*[person(n, "a") for n in range(10)])
    await house.run()

    document = house.destination_document(most=4)
    await authoring.save(
        house.store,
        house.clock,
        house.keyring,
        house.caller,
        authoring.DESTINATION,
        document,
        id_=house.destinations["flow"],
    )
    await house.wake_all()
    await house.run_out()

    assert [len(message["people"]) for _, _, message in house.partner.messages] == [10, 4, 4, 2]
    assert await house.balance() == {"accepted": 10, "delivered": 10, "messages": 3}


# -- processes and faults -----------------------------------------------------------------------------------------


async def test_what_a_lost_process_had_under_way_goes_again_with_the_same_id(house):
    await house.activate("a")
    await house.ingest(person(1, "a"))
    sent = asyncio.Event()

    async def die(request, **more):
        del request, more
        sent.set()
        await asyncio.Event().wait()

    deliver, house.partner.send = house.partner.send, die
    lost = asyncio.ensure_future(house.run())
    await sent.wait()
    ((before,),) = house.rows("SELECT claim_group FROM groups")
    lost.cancel()
    await asyncio.gather(lost, return_exceptions=True)

    house.partner.send = deliver
    await house.open()
    await house.run()

    assert before < 2 << 32
    assert house.partner.told() == [("1", "a", "realized")]
    assert await house.balance() == {"accepted": 1, "delivered": 1, "messages": 1}


async def test_a_store_that_fails_a_claim_forgets_no_dataflow(house, monkeypatch):
    """What was found to have nothing more waiting was found in a transaction that never was."""
    await house.activate("a")
    await house.open()
    await house.run()
    await house.ingest(person(1, "a"))
    write = house.store.write

    async def fail_once(work):
        def rolled_back(tx):
            work(tx)
            raise StoreUnavailable("the disk is full")

        monkeypatch.setattr(house.store, "write", write)
        return await write(rolled_back)

    monkeypatch.setattr(house.store, "write", fail_once)
    monkeypatch.setattr(delivery, "STORE_PAUSE", 0.0)

    await house.run()

    assert house.partner.told() == [("1", "a", "realized")]


async def test_a_partner_that_hangs_holds_up_no_other(house):
    await house.activate("a", name="hanging")
    await house.activate("a", name="quick")
    quick, answer = asyncio.Event(), asyncio.Event()
    deliver, pools = house.partner.send, []

    async def hang(request, *, deadline, pool):
        pools.append(pool)
        if pool == pools[0]:
            await answer.wait()
        response = await deliver(request, deadline=deadline, pool=pool)
        if pool != pools[0]:
            quick.set()
        return response

    house.partner.send = hang
    await house.ingest(person(1, "a"))
    running = asyncio.ensure_future(house.run())
    async with asyncio.timeout(10):
        await quick.wait()
    answer.set()
    await running

    assert len(house.partner.messages) == 2


async def test_without_anything_to_do_nothing_is_done(house):
    await house.activate("a")

    await house.run()

    assert house.partner.messages == []
    assert await house.balance() == {}


def test_the_partner_of_these_tests_answers_in_order():
    assert Partner([503]).default == 200
