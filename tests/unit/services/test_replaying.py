"""Parked changes: replayed as people are now, or discarded; and what is kept of what was sent."""

import pytest

from headrace.connect.transport import Unanswered
from headrace.errors import Conflict, NotFound
from headrace.services import authoring, replaying, replays
from headrace.services.delivery import REFUSALS_TO_HOLD
from headrace.services.replays import Wanted
from headrace.store import parked_messages, runs, withheld
from unit.services.house import BODY, person


async def parked(house, *people, answer=400, audiences=("a",), **policy):
    """A dataflow that has parked what it was to tell of some people."""
    await house.activate(*audiences, **({"most": 1} | policy))
    house.partner.default = answer
    await house.ingest(*(people or [person(1, "a")]))
    await house.run_out()
    house.partner.default = 200
    house.partner.messages.clear()


async def listed(house, **more):
    wanted = Wanted(**more)
    return await replays.listing(house.store, house.live, house.caller, house.flows["flow"], wanted, 1000, None)


async def states(house):
    return {run.kind: (run.state, run.progress) for run in house.store.read_now(lambda tx: runs.latest(tx, 1, 100))}


async def reasons(house):
    return dict(house.store.read_now(lambda tx: withheld.counts(tx, 1, 1)))


# -- replaying --------------------------------------------------------------------------------------------------------


async def test_what_was_parked_is_sent_again_and_counted_once(house):
    await parked(house)
    assert await house.balance() == {"accepted": 1, "parked": 1}

    asked = await house.ask()
    await house.carry_replays()
    assert await house.balance() == {"accepted": 1, "pending": 1}
    await house.run()

    assert house.partner.told() == [("1", "a", "realized")]
    assert await house.balance() == {"accepted": 1, "delivered": 1, "messages": 1}
    assert (asked.changes, asked.unchanged, asked.waits_for) == (1, 1, None)
    _, progress = (await states(house))["replay"]
    assert progress["requeued"] == progress["looked"] == progress["of"] == 1
    assert progress["share"] == 1.0
    assert house.rows("SELECT 1 FROM parked_messages") == house.rows("SELECT 1 FROM parked_people") == []


async def test_a_replay_sends_the_state_that_there_is_now(house):
    await parked(house, person(1, "a", city="Lisbon"))
    await house.switch(False)
    await house.ingest(person(1, "a", city="Porto", minute=1))
    await house.switch(True)

    await house.replay()

    ((_, _, message),) = house.partner.messages
    assert message["people"][0]["attributes"]["city"]["value"] == "Porto"
    assert "pending" not in await house.balance()


async def test_what_is_refused_again_is_parked_again_under_another_number_and_not_replayed_for_ever(house):
    await parked(house)
    (first,) = await listed(house)
    house.partner.default = 400

    await house.replay()
    await house.carry_replays()

    (second,) = await listed(house)
    assert second.change.number > first.change.number
    assert len(house.partner.messages) == 1
    assert await house.balance() == {"accepted": 1, "parked": 1}


async def test_what_a_newer_message_has_told_is_superseded(house):
    await parked(house, person(1, "a", city="Lisbon"))
    await house.ingest(person(1, "a", city="Porto", minute=1))
    await house.run()
    assert house.partner.told() == [("1", "a", "realized")]

    await house.replay()

    assert len(house.partner.messages) == 1
    assert await house.balance() == {"accepted": 2, "delivered": 1, "superseded": 1, "messages": 1}


async def test_what_a_newer_change_is_about_to_tell_is_superseded(house):
    await parked(house, person(1, "a"))
    house.partner.default = 503
    await house.ingest(person(1, a=False, minute=1))
    await house.run()

    await house.replay()

    assert await house.balance() == {"accepted": 2, "superseded": 1, "pending": 1}


async def test_somebody_who_has_left_meanwhile_is_not_told_of(house):
    await parked(house, person(1, "a"), person(2, "b"), audiences=("a", "b"))
    await house.ingest(person(1, a=False, minute=1))
    await house.run_out()
    told = house.partner.told()

    await house.replay(profile="crmId:1")

    assert house.partner.told() == told
    assert (await house.balance())["superseded"] == 1


async def test_a_refused_exit_is_told_by_a_replay(house):
    await house.activate("a")
    await house.ingest(person(1, "a"))
    await house.run()
    house.partner.default = 400
    await house.ingest(person(1, a=False, minute=1))
    await house.run_out()
    house.partner.default = 200

    await house.replay()

    assert house.partner.knows() == set()
    assert await house.balance() == {"accepted": 2, "delivered": 2, "messages": 2}


async def test_whoever_has_withdrawn_consent_is_withheld(house):
    await parked(house, person(1, "a", consents={"email": {"val": "y"}}))
    await house.ingest(person(1, "a", minute=1, consents={"email": {"val": "n"}}))
    await house.run()
    house.partner.messages.clear()
    await house.consent()

    await house.replay()

    assert house.partner.messages == []
    assert await reasons(house) == {"consent: email": 1}


async def test_what_is_not_mapped_any_more_is_withheld(house):
    await parked(house, person(1, "a"), audiences=("a", "b"))
    await house.unmap_audience(0)

    await house.replay()

    assert house.partner.messages == []
    assert await reasons(house) == {"not-mapped": 1}
    assert await house.balance() == {"accepted": 1, "withheld": 1}


async def test_only_the_lane_that_has_not_told_it_tells_it(house):
    body = '{"people": "{% for who in input.profiles %}{{ who.identityMap.email[0].id }},{% endfor %}"}'
    await house.activate("a", split=True, most=1, mapping=(("identityMap.Email", "identityMap.email"),), body=body)
    house.partner.default = lambda request: 400 if b"bad" in request.body else 200
    await house.ingest(person(1, "a", email=["good", "bad"]))
    await house.run_out()
    assert (await house.balance())["parked"] == 1
    house.partner.default = 200
    house.partner.messages.clear()

    await house.replay()

    assert [message["people"] for _, _, message in house.partner.messages] == ["bad,"]
    assert await house.balance() == {"accepted": 1, "delivered": 1, "messages": 2}


async def test_an_attribute_change_is_replayed(house):
    await house.activate("a")
    await house.ingest(person(1, "a", city="Lisbon"))
    await house.run()
    house.partner.default = 400
    await house.ingest(person(1, "a", city="Porto", minute=1))
    await house.run_out()
    house.partner.default = 200

    await house.replay()

    assert house.partner.messages[-1][2]["people"][0]["attributes"]["city"]["value"] == "Porto"
    assert await house.balance() == {"accepted": 2, "delivered": 2, "messages": 2}


async def test_a_dataflow_that_was_held_is_mended_and_replayed_with_one_call(house):
    house.partner.default = 404
    await house.activate("a", most=1)
    await house.ingest(*(person(number, "a") for number in range(REFUSALS_TO_HOLD + 20)))
    await house.run_out()
    assert (await house.state())[0] == "held"
    house.partner.default = 200
    document = house.server_document(BODY + " ")
    where = {"id_": house.servers["flow"]}
    await authoring.save(house.store, house.clock, house.keyring, house.caller, authoring.SERVER, document, **where)
    await house.wake_all()

    waiting = await house.ask(numbers=(1,))
    asked = await house.replay(resume=True)

    assert "held" in waiting.waits_for
    assert asked.waits_for is None
    assert (asked.changes, asked.unchanged) == (REFUSALS_TO_HOLD, 0)
    assert (await house.state())[0] == "enabled"
    assert (await house.balance())["delivered"] == REFUSALS_TO_HOLD + 20


async def test_a_replay_waits_while_the_dataflow_is_paused_or_enough_waits(house, monkeypatch):
    await parked(house, *(person(number, "a") for number in range(5)))
    monkeypatch.setattr(replaying, "STEP", 2)
    monkeypatch.setattr(replaying, "MOST_WAITING", 2)
    await house.switch(False)
    await house.ask()
    assert await house.carry_replays() == 0

    await house.switch(True)
    assert await house.carry_replays() == 1
    assert house.replayer.is_held_up
    await house.run()
    assert await house.carry_replays() == 1
    await house.run()
    await house.carry_replays()
    await house.run()

    assert (await house.balance())["delivered"] == 5


async def test_what_is_replayed_stands_back_behind_what_happens(house):
    await parked(house, *(person(number, "a") for number in range(3)))
    await house.ask()
    await house.carry_replays()
    await house.ingest(person(9, "a"))

    await house.run()

    assert next(who for who, _, _ in house.partner.told()) == "9"


async def test_a_replay_that_is_cancelled_leaves_the_rest_parked(house, monkeypatch):
    await parked(house, *(person(number, "a") for number in range(5)))
    monkeypatch.setattr(replaying, "STEP", 2)
    asked = await house.ask()
    await house.replayer.step()

    await house.runs.cancel(house.caller, asked.run.run)
    await house.carry_replays()
    await house.run()

    assert await house.balance() == {"accepted": 5, "delivered": 2, "parked": 3, "messages": 2}


# -- discarding -------------------------------------------------------------------------------------------------------


async def test_what_is_discarded_is_withheld_for_good(house):
    await parked(house, person(1, "a"), person(2, "a"))

    await house.ask("discard", reason="they are test people", profile="crmId:1")
    await house.carry_replays()
    await house.replay()

    assert house.partner.told() == [("2", "a", "realized")]
    assert await house.balance() == {"accepted": 2, "delivered": 1, "withheld": 1, "messages": 1}
    assert await reasons(house) == {"discarded": 1}
    entries = house.rows("SELECT action, details FROM audit WHERE noun = 'dataflow' AND action LIKE '%-parked'")
    assert [action for action, _ in entries] == ["discard-parked", "replay-parked"]
    assert "they are test people" in str(entries[0][1])


async def test_a_deleted_dataflow_ends_its_replays_and_keeps_no_message(house):
    await parked(house)
    asked = await house.ask()

    await house.delete()
    await house.carry_replays()

    assert house.store.read_now(lambda tx: runs.get(tx, asked.run.run)).state == "cancelled"
    assert house.rows("SELECT 1 FROM parked_messages") == []


async def test_not_more_than_so_many_wait(house, monkeypatch):
    monkeypatch.setattr(replays, "MOST_RUNS", 1)
    await parked(house)
    await house.ask()

    with pytest.raises(Conflict):
        await house.ask("discard", reason="because")


# -- which ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, {"1", "2", "3"}),
        ({"code": "status-400"}, {"1", "3"}),
        ({"code": "status-404"}, {"2"}),
        ({"audience": ("ups", "b")}, {"3"}),
        ({"audience": ("ups", "a"), "code": "status-400"}, {"1"}),
        ({"profile": "crmId:2"}, {"2"}),
        ({"profile": "crmId:0\0"}, set()),
        ({"until": 1}, set()),
        ({"since": 1}, {"1", "2", "3"}),
        ({"numbers": (1,)}, {"1"}),
        ({"message": "none"}, set()),
    ],
)
async def test_what_meets_every_condition_is_meant(house, wanted, found):
    await house.activate("a", "b", most=1)
    house.partner.answers = [400, 404, 400]
    for number, audience in ((1, "a"), (2, "a"), (3, "b")):
        await house.ingest(person(number, audience))
        await house.run()
    house.partner.messages.clear()

    assert {item.change.profile.removeprefix("crmId:") for item in await listed(house, **wanted)} == found
    asked = await house.replay(**wanted)
    assert asked.changes == len(found)
    assert {who for who, _, _ in house.partner.told()} == found


async def test_an_audience_that_nobody_knows_is_said(house):
    await parked(house)

    with pytest.raises(NotFound):
        await listed(house, audience=("ups", "absent"))


async def test_they_are_counted_by_code(house):
    house.partner.default = 404
    await parked(house, person(1, "a"), person(2, "a"), answer=404)
    house.partner.answers = [400]
    await house.ingest(person(3, "a"))
    await house.run()

    counted = await replays.counts(house.store, house.live, house.caller, house.flows["flow"], Wanted())

    assert [(item.of_code.code, item.of_code.changes, item.reason) for item in counted] == [
        ("status-404", 2, "the partner answered 404"),
        ("status-400", 1, "the partner answered 400"),
    ]


# -- what is kept -----------------------------------------------------------------------------------------------------


async def test_what_may_have_arrived_is_taken_back_when_the_person_leaves(house):
    await house.activate("a")
    house.partner.default = Unanswered("no answer")
    await house.ingest(person(1, "a"))
    await house.run_out()
    assert await house.balance() == {"accepted": 1, "parked": 1}
    house.partner.default = 200
    await house.consent()

    await house.carry_runs()
    await house.run()

    assert house.partner.told() == [("1", "a", "exited")]


async def test_what_certainly_did_not_arrive_leaves_nothing_to_take_back(house):
    await parked(house)

    assert house.rows("SELECT 1 FROM lanes") == []


async def test_what_is_kept_is_bounded_and_forgotten(house, monkeypatch):
    monkeypatch.setattr(parked_messages, "MOST", 2)
    await parked(house, *(person(number, "a") for number in range(5)))
    assert len(house.rows("SELECT 1 FROM parked_messages")) == len(house.rows("SELECT 1 FROM parked_people")) == 2

    house.store.write_now(lambda tx: parked_messages.forget_old(tx, house.clock.now() + 1))

    assert house.rows("SELECT 1 FROM parked_messages") == house.rows("SELECT 1 FROM parked_people") == []
    assert (await house.balance())["parked"] == 5
