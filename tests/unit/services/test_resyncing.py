"""After a restore a partner is told of everybody as they are, and of nothing older than what it was told before."""

import pytest

from headrace.errors import Conflict
from headrace.services.backfilling import STANDS_BACK
from headrace.store import outbox, restored
from headrace.store.backup import aftermath
from headrace.store.erasures import Erasure, add
from unit.services.house import START, person


def restore(house):
    """Make of the house's store what a restore makes of a backup of this moment; return what the partner knows."""

    def work(tx):
        aftermath.begin_anew(tx, START - 1, house.clock.now(), "restored from a backup")
        for (tenant,) in tx.run("SELECT tenant FROM tenants").fetchall():
            tx.run("UPDATE tenants SET configuration = configuration + 1 WHERE tenant = :t", {"t": tenant})

    house.store.write_now(work)
    house.outbox = None


async def let_go(house):
    await house.switch(True)
    await house.carry_runs()
    house.pass_time(STANDS_BACK)
    await house.run()


async def test_everybody_is_told_again_as_they_are_under_ids_that_are_new(house):
    await house.activate("a", "b")
    await house.ingest(person(1, "a", "b"), person(2, "a"), person(3, a=False), person(4))
    await house.run()
    before, ids = house.partner.knows(), set(house.partner.ids)
    restore(house)
    await house.run()
    assert len(house.partner.messages) == len(ids)
    await house.ingest(person(2, minute=1, a=False))
    await let_go(house)

    assert house.partner.knows() == before - {("2", "a")}
    assert len(set(house.partner.ids)) == len(house.partner.ids) > len(ids)
    again = house.partner.told()[len(before) :]
    assert ("2", "a", "realized") not in again
    assert {("1", "a", "realized"), ("1", "b", "realized"), ("2", "a", "exited")} <= set(again)
    balance = await house.balance()
    assert balance["accepted"] == sum(
        count for state, count in balance.items() if state not in ("accepted", "messages")
    )
    assert "pending" not in balance


async def test_who_entered_and_left_since_the_backup_is_told_to_have_left(house):
    await house.activate("a")
    await house.ingest(person(1, minute=0, a=False), person(2))
    await house.run()
    restore(house)
    await house.ingest(person(1, minute=2, a=False), person(2, a=False), person(3, a=False))
    await let_go(house)

    assert sorted(house.partner.told()) == [(who, "a", "exited") for who in "123"]


async def test_what_waits_at_the_backup_leaves_as_it_is_now_and_once(house):
    await house.activate("a")
    await house.ingest(person(1, "a"))
    restore(house)
    await house.ingest(person(1, minute=1, a=False))
    await let_go(house)

    assert house.partner.told() == [("1", "a", "exited")]


async def test_whom_consent_withholds_leaves_only_where_the_partner_may_know_them(house):
    await house.activate("a")
    await house.consent()
    await house.carry_runs()
    yes, no = {"consents": {"email": {"val": "y"}}}, {"consents": {"email": {"val": "n"}}}
    await house.ingest(person(1, "a", **yes), person(2, "a", **no), person(3, **yes))
    await house.run()
    restore(house)
    await house.ingest(person(3, "a", minute=1, **no))
    told = len(house.partner.told())
    await let_go(house)

    assert sorted(house.partner.told()[told:]) == [("1", "a", "realized"), ("3", "a", "exited")]


async def test_one_that_is_stopped_on_the_way_begins_again_when_it_is_let_go(house):
    await house.activate("a")
    await house.ingest(person(1, "a"))
    await house.run()
    restore(house)
    await house.switch(True)
    await house.switch(False)
    await house.carry_runs()
    await house.run()
    assert house.partner.told() == [("1", "a", "realized")]
    assert house.store.read_now(lambda tx: restored.is_held(tx, house.caller.number, 1))

    await let_go(house)
    assert house.partner.told() == [("1", "a", "realized")] * 2


async def test_it_waits_for_the_outbox(house, monkeypatch):
    await house.activate("a")
    await house.ingest(person(1, "a"), person(2))
    restore(house)
    with monkeypatch.context() as patch:
        patch.setattr(outbox, "is_waiting", lambda *_: True)
        await house.switch(True)
        await house.carry_runs()
    assert house.rows("SELECT state FROM runs WHERE kind = 'resync' ORDER BY state") == [("asked",), ("succeeded",)]

    house.pass_time(1000)
    await house.carry_runs()
    house.pass_time(STANDS_BACK)
    await house.run()
    assert house.partner.told() == [("1", "a", "realized")]


async def test_nobody_is_told_of_before_those_are_removed_who_were_erased(house):
    await house.activate("a")
    await house.ingest(person(1, "a"))
    restore(house)
    number = house.caller.number
    asked = Erasure(number, "an-erasure", "asked", {"namespace": "", "id": ""}, "client:a", START)
    house.store.write_now(lambda tx: add(tx, asked))

    with pytest.raises(Conflict, match="being removed"):
        await house.switch(True)
    assert house.store.read_now(lambda tx: restored.is_held(tx, number, 1))
