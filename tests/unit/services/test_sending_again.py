"""Sending again: whoever is a member now leaves once more, once a day at the most."""

import pytest

from headrace.errors import Conflict, NotFound, TooSoon
from headrace.model.destination import Destination
from headrace.services import backfilling
from headrace.services.sending_again import Chosen, NotCarried, refuse_files, send_again
from headrace.store import audit
from unit.services.house import person

A_DAY = 24 * 3600


@pytest.fixture
async def sent(house, monkeypatch):
    """A dataflow whose audiences were sent yesterday: seven members of one, one of the other, one who left."""
    monkeypatch.setattr(backfilling, "STEP", 3)
    await house.activate("a", "b")
    await house.ingest(*[person(n, "a") for n in range(7)], person(8, "b"), person(9, "a"))
    await house.run()
    await house.ingest(person(9, a=False, minute=1))
    await house.run()
    house.partner.messages.clear()
    house.pass_time(A_DAY)
    return house


async def again(house, *ids):
    chosen = [Chosen("ups", id_) for id_ in ids] or None
    return await send_again(house.store, house.clock, house.caller, house.flows["flow"], chosen)


async def test_all_members_of_an_audience_are_sent_once_more(sent):
    (run,) = await again(sent, "a")
    await sent.backfill()
    await sent.run()

    assert sorted(sent.partner.told()) == [(str(n), "a", "realized") for n in range(7)]
    assert run.subject["reason"] == "again"
    assert run.actor == sent.caller.actor


async def test_without_a_choice_all_audiences_are_sent(sent):
    assert len(await again(sent)) == 2
    await sent.backfill()
    await sent.run()

    assert {audience for _, audience, _ in sent.partner.told()} == {"a", "b"}


async def test_who_is_about_to_be_told_of_is_not_told_twice(sent):
    await again(sent, "a")
    await sent.ingest(person(100, "a"))
    await sent.backfill()
    await sent.run()

    assert [who for who, _, _ in sent.partner.told()].count("100") == 1


async def test_what_is_being_sent_is_not_sent_again_meanwhile(sent):
    (run,) = await again(sent, "a")

    with pytest.raises(Conflict, match=run.run):
        await again(sent, "a")


async def test_an_audience_is_sent_again_once_a_day(sent):
    await again(sent, "a")
    await sent.backfill()
    sent.pass_time(A_DAY - 10)

    with pytest.raises(TooSoon, match="sent again less than 24 hours ago: again from 2026-") as refused:
        await again(sent)
    assert refused.value.seconds == 10

    sent.pass_time(10)
    assert len(await again(sent, "a")) == 1


async def test_an_audience_is_not_sent_again_within_a_day_of_being_mapped(sent):
    await sent.map_audience("c")
    await sent.backfill()

    with pytest.raises(TooSoon, match="'c' was mapped less than"):
        await again(sent, "c")
    with pytest.raises(TooSoon):
        await again(sent)
    assert sent.rows("SELECT run FROM runs WHERE actor = :me", me=sent.caller.actor) == []


async def test_what_was_given_up_does_not_count(sent):
    (run,) = await again(sent, "a")
    await sent.runs.cancel(sent.caller, run.run)

    assert len(await again(sent, "a")) == 1


async def test_what_is_not_sent_cannot_be_sent_again(sent):
    with pytest.raises(NotFound, match="does not send the audience 'z'"):
        await again(sent, "z")
    with pytest.raises(NotFound, match="no dataflow"):
        await send_again(sent.store, sent.clock, sent.caller, "another")


async def test_it_stands_in_the_audit(sent):
    await again(sent, "a")

    entries = sent.store.read_now(lambda tx: audit.latest(tx, sent.caller.number, 1))
    assert (entries[0].action, entries[0].details) == ("activate-now", {"audiences": ["a"]})


def test_for_files_there_is_the_schedule():
    refuse_files(Destination.model_construct(batch_config=None))
    with pytest.raises(NotCarried, match="schedule"):
        refuse_files(Destination.model_construct(batch_config=object()))
