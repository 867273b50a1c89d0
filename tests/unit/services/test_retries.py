"""By which policy a message is sent again, and what keeps a dataflow from sending anything."""

import pytest

from headrace.connect.transport import Unanswered
from headrace.services import activation
from unit.services.house import STEPS, House, person
from unit.services.signed_in import Partnership, activate, client_credentials

BEARER, BASIC = {"authType": "BEARER"}, {"authType": "BASIC"}


async def waits_until_parked(house):
    """Let a partner that is never well be tried; return the seconds between the tries."""
    times = []
    await house.run()
    for _ in range(10):
        if house.parked():
            return times
        before = house.clock.at
        (due,) = house.rows("SELECT min(due) FROM groups")[0]
        house.clock.at = due - 1
        count = len(house.partner.messages)
        await house.run()
        assert len(house.partner.messages) == count
        house.clock.at = due
        await house.run()
        times.append((due - before) / 1000)
    raise AssertionError("it is not given up")


@pytest.mark.parametrize(
    ("retry", "failure", "expected"),
    [
        (None, 503, [*STEPS]),
        ({"policy": "headrace"}, 503, [*STEPS]),
        ({"steps": [5, 50]}, 503, [5, 50]),
        ({"policy": "best-effort"}, 403, [15, 30]),
        ({"policy": "best-effort"}, Unanswered("cut off"), [15, 30]),
        ({"policy": "best-effort"}, 501, []),
        ({"policy": "configurable"}, 500, []),
    ],
    ids=str,
)
async def test_a_message_is_sent_again_by_the_policy_and_parked_in_the_end(house, retry, failure, expected):
    house.partner.default = failure
    await house.activate("a", retry=retry)
    await house.ingest(person(1, "a"))

    assert await waits_until_parked(house) == expected
    assert await house.balance() == {"accepted": 1, "parked": 1}


async def test_by_the_policy_for_large_messages_it_is_sent_again_after_half_an_hour(house):
    house.partner.answers = [420]
    await house.activate("a", retry={"policy": "configurable"})
    await house.ingest(person(1, "a"))
    await house.run()
    house.pass_time(1799)
    await house.run()
    assert house.partner.statuses == [420]

    house.pass_time(1)
    await house.run()

    assert house.partner.statuses == [420, 200]


async def test_a_partner_that_is_gone_holds_the_dataflow_and_loses_nothing(house):
    house.partner.default = 410
    await house.activate("a", most=1)
    await house.ingest(*(person(number, "a") for number in range(3)))
    await house.run()
    tried = len(house.partner.messages)
    house.pass_time(100_000)
    await house.run()

    assert await house.state() == ("held", "the partner answered 410 (gone)")
    assert len(house.partner.messages) == tried
    assert house.announced()["DataflowHeld"] == 1
    assert await house.balance() == {"accepted": 3, "pending": 3}

    house.partner.default = 200
    await house.switch(on=True)
    house.pass_time(1)
    await house.run()
    assert await house.balance() == {"accepted": 3, "delivered": 3, "messages": 3}


async def test_where_nobody_signs_in_a_403_is_a_refusal_like_any_other(house):
    house.partner.default = 403

    await house.activate("a")
    await house.ingest(person(1, "a"))
    await house.run()

    assert house.parked() == [("crmId:1", "a", "status-403")]
    assert (await house.state())[0] == "enabled"


# -- forbidden, although somebody signs in -----------------------------------------------------------------------------


@pytest.fixture
def partner():
    return Partnership()


@pytest.fixture
def signed_in(tmp_path, lend_database, partner):
    with lend_database() as database_url:
        built = House(tmp_path, partner, database_url)
        yield built
        built.close()


async def state(house):
    (flow,) = await activation.listing(house.store, house.caller)
    return flow.state, flow.reason


async def test_another_token_is_tried_where_the_partner_forbids_it(signed_in, partner):
    await activate(signed_in, "a", way=client_credentials())
    partner.forbids = 1
    await signed_in.ingest(person(1, "a"))

    await signed_in.run()

    assert partner.statuses == [403, 200]
    assert len(partner.token_requests) == 2
    assert await signed_in.balance() == {"accepted": 1, "delivered": 1, "messages": 1}


async def test_what_is_forbidden_with_another_token_too_holds_the_dataflow(signed_in, partner):
    await activate(signed_in, "a", way=client_credentials())
    partner.forbids = 10
    await signed_in.ingest(person(1, "a"))

    await signed_in.run()
    signed_in.pass_time(10_000)
    await signed_in.run()

    assert partner.statuses == [403, 403]
    assert len(partner.token_requests) == 2
    assert (await state(signed_in))[0] == "held"
    assert await signed_in.balance() == {"accepted": 1, "pending": 1}


@pytest.mark.parametrize("way", [BEARER, BASIC], ids=lambda way: way["authType"])
async def test_what_is_forbidden_without_another_token_holds_the_dataflow_at_once(signed_in, partner, way):
    await activate(signed_in, "a", way=way)
    partner.takes_nothing = False
    partner.send = _forbidding(partner)
    await signed_in.ingest(person(1, "a"))

    await signed_in.run()

    assert await state(signed_in) == (
        "held",
        "the partner answered 403 (forbidden) to what the account is signed in with",
    )
    assert await signed_in.balance() == {"accepted": 1, "pending": 1}


def _forbidding(partner):
    send = partner.send

    async def forbid(request, **how):
        response = await send(request, **how)
        return type(response)(403)

    return forbid


async def test_a_message_that_serves_as_the_probe_is_parked_at_last(house):
    """Nobody waits for ever because the partner is asked by their message whether it is back."""
    await house.activate("a", retry={"policy": "configurable"})
    house.partner.default = 503
    await house.ingest(person(1, "a"))

    for _ in range(110):
        await house.run()
        house.pass_time(1801)

    assert [code for (code,) in house.rows("SELECT code FROM parked")] == ["retries-exhausted"]
