"""What is told of one person: what happened, what is open, and why."""

from collections import Counter
from dataclasses import replace

import pyarrow as pa
import pytest

from headrace.batch import members
from headrace.errors import NotFound
from headrace.services import flow_runs, monitoring, tracing
from headrace.services.exports.asking import export_now
from headrace.services.keeping import Kept, fold, forget
from headrace.store import exports, hours, ledger
from headrace.store.history import DAY
from headrace.store.hours import HOUR
from unit.services.exports import told
from unit.services.exports.filing import activate_files
from unit.services.house import START, person
from unit.services.test_lives import POLICIES, live


async def trace(house, key="crmId:1", **given):
    return await tracing.of_person(house.store, house.caller, key, **{"last_day": house.clock.now() // DAY, **given})


async def kinds(house, key="crmId:1"):
    found = await trace(house, key)
    return [(item.fate.kind, item.told) for _, item in reversed(found.events)]


async def test_what_a_partner_got_about_a_person(house):
    await house.activate("a")
    await house.ingest(person(1, "a"))
    await house.run()
    house.pass_time(60)
    await house.ingest(person(1, a=False, minute=5))
    await house.run()

    found = await trace(house)

    assert await kinds(house) == [("accepted", None), ("sent", "realized"), ("accepted", None), ("sent", "exited")]
    sent = [item.fate for _, item in found.events if item.fate.kind == "sent"]
    assert [fate.message for fate in reversed(sent)] == house.partner.ids
    assert {found.audiences[item.audience].id for _, item in found.events} == {"a"}
    assert [(flow.pending, flow.parked) for flow in found.dataflows] == [([], [])]


async def test_why_a_change_waits(house):
    await house.activate("a")
    await house.switch(False)
    await house.ingest(person(1, "a"))
    (disabled,) = (await trace(house)).dataflows[0].pending
    await house.switch(True)
    (waits,) = (await trace(house)).dataflows[0].pending
    house.partner.answers = [503]
    await house.run()
    (retried,) = (await trace(house)).dataflows[0].pending

    assert (disabled.why, disabled.since) == ("disabled", house.clock.now())
    assert waits.why == "waits"
    assert (retried.why, retried.reason) == ("retried", "the partner answered 503")
    assert retried.retry_at == house.clock.now() + 10_000


async def test_what_is_parked_is_shown_with_its_reason(house):
    await house.activate("a")
    house.partner.answers = [400]
    await house.ingest(person(1, "a"))
    await house.run()

    (parked,) = (await trace(house)).dataflows[0].parked

    assert (parked.code, parked.reason) == ("status-400", "the partner answered 400")
    assert (await kinds(house))[-1] == ("parked", None)


async def test_nobody_is_told_of_who_is_not_there(house):
    await house.activate("a")
    with pytest.raises(NotFound, match="nobody with this key"):
        await trace(house, "crmId:9")
    await house.ingest(person(1, "a"))
    with pytest.raises(NotFound, match="no dataflow 'x'"):
        await trace(house, dataflow="x")


async def test_one_who_was_erased_has_no_history_and_nobody_inherits_it(house):
    await house.activate("a")
    await house.ingest(person(1, "a"))
    await house.run()
    await house.erase("crmId:1")

    with pytest.raises(NotFound):
        await trace(house)
    await house.ingest(person(2, "a"))
    assert await kinds(house, "crmId:2") == [("accepted", None)]


async def test_a_long_history_is_told_in_parts(house, monkeypatch):
    monkeypatch.setattr(tracing, "MOST_DAYS", 2)
    await house.activate("a")
    for day in range(5):
        await house.ingest(person(1, a=day % 2 == 0, minute=day))
        await house.run()
        house.pass_time(DAY // 1000)
    parts, following = [], house.clock.now() // DAY
    while following is not None:
        found = await trace(house, last_day=following)
        parts.append(len(found.events))
        following = found.next_day

    assert parts == [4, 4, 2]


async def test_days_and_hours_go_when_they_are_old(house):
    await house.activate("a")
    await house.ingest(person(1, "a"))
    await house.run()
    await fold(house.store)
    later = house.clock.now() + 3 * DAY

    await forget(house.store, later, Kept(hours=9, history=9))
    assert len((await trace(house)).events) == 2
    await forget(house.store, later, Kept(hours=9, history=2))
    assert (await trace(house)).events == []
    assert len(house.rows("SELECT 1 FROM ledger_hours")) > 0
    await forget(house.store, later, Kept(hours=2, history=2))
    assert house.rows("SELECT 1 FROM ledger_hours") == []
    assert (await house.balance())["delivered"] == 1


# -- hours as runs ------------------------------------------------------------------------------------------------


async def test_an_hour_is_a_run(house):
    flow = await house.activate("a")
    house.partner.answers = [200, 400]
    await house.ingest(person(1, "a"), person(2, "a"))
    await house.run()
    await house.ingest(person(3, "a"))
    await house.run()

    (open_,) = await flow_runs.listing(house.store, house.caller, house.clock.now())
    (over,) = await flow_runs.listing(house.store, house.caller, house.clock.now() + HOUR, flow.id)

    records = over["metrics"]["recordSummary"]
    assert (records["inputRecordCount"], records["outputRecordCount"], records["failedRecordCount"]) == (3, 2, 1)
    assert records["failedInfo"] == [{"code": "status-400", "message": "status-400", "count": 1, "type": "Error"}]
    assert records["sourceSummaries"][0]["entitySummaries"] == [
        {"id": "segment:a", "inputRecordCount": 3, "skippedRecordCount": 0}
    ]
    assert open_["metrics"]["statusSummary"]["status"] == "processing"
    assert over["metrics"]["statusSummary"]["status"] == "success"
    began = START // HOUR * HOUR
    assert over["metrics"]["durationSummary"] == {"startedAtUTC": began, "completedAtUTC": began + HOUR}
    ours = over["x-headrace"]
    assert (ours["profilesReceived"], ours["identitiesActivated"], ours["activationRate"]) == (3, 2, 0.6667)
    assert await flow_runs.get(house.store, house.caller, over["id"], house.clock.now() + HOUR) == over


async def test_an_hour_of_refusals_alone_failed(house):
    await house.activate("a")
    house.partner.default = 400
    await house.ingest(person(1, "a"))
    await house.run()

    (run,) = await flow_runs.listing(house.store, house.caller, house.clock.now() + HOUR)

    assert run["metrics"]["statusSummary"]["status"] == "failed"


async def test_hours_are_those_of_the_sandbox_and_the_dataflow(house):
    flow = await house.activate("a")
    await house.ingest(person(1, "a"))

    with pytest.raises(NotFound):
        await flow_runs.get(house.store, house.caller, f"{flow.id}.2026010101", house.clock.now())
    assert await flow_runs.listing(house.store, house.caller, house.clock.now(), "another") == []


# -- everything together ------------------------------------------------------------------------------------------


async def check(house):
    """Hold the history against the ledger, the rows, and what the partner received."""
    tenant = house.caller.number
    changes = {*house.rows("SELECT dataflow, profile, audience, seq FROM changes")}
    days = [day for (day,) in house.rows("SELECT DISTINCT day FROM history")]
    everybody = [
        number for (number,) in house.rows("SELECT profile FROM profiles UNION SELECT profile FROM erased_people")
    ]
    counted, sent_to = Counter(), Counter()
    for profile in everybody:
        events = [
            item
            for day in days
            for item in house.store.read_now(
                lambda tx, day=day, who=profile: tracing.history.of_person(tx, tenant, 1, who, day)
            )
        ]
        for item in events:
            counted[item.fate.kind] += 1
            if item.fate.kind == "sent":
                sent_to[item.fate.message] += 1
            if item.fate.kind == "accepted" and (1, profile, item.audience, item.seq) not in changes:
                ends = [
                    one
                    for one in events
                    if one.fate.kind in ("superseded", "withheld", "sent", "parked")
                    and (one.audience == item.audience or one.fate.kind == "sent")
                    and one.seq >= item.seq
                ]
                assert ends, (profile, item)
    balance = await house.balance()
    assert counted["accepted"] == balance["accepted"]
    assert counted["superseded"] == balance.get("superseded", 0)
    assert counted["withheld"] == balance.get("withheld", 0)
    sums = Counter()
    for hour in house.store.read_now(lambda tx: hours.latest(tx, tenant, 10_000)):
        sums.update(hour.sums())
    assert all(sums[column] == balance.get(column, 0) for column in ledger.COLUMNS)
    taken = {message["message"] for answer, _, message in house.partner.messages if answer == 200}
    assert {*sent_to} == taken


@pytest.mark.parametrize("policy", POLICIES)
async def test_the_history_of_random_lives_is_what_the_partner_received(house, policy):
    await live(house, 4, policy, rounds=40)

    await check(house)
    assert (await monitoring.verify(house.store, house.caller)) == (1, [])


async def test_in_the_files_of_which_audiences_somebody_is(house):
    await activate_files(house, "a", "b", "c")
    await house.ingest(person(1, "a"), person(2, "a"))
    first, second, _ = await export_now(house.store, house.clock, house.caller, {house.flows["flow"]: None})
    assert (await trace(house)).dataflows[0].files == []

    for asked, people in ((first, (1,)), (second, (2,))):
        counted = replace(asked.run, subject={**asked.run.subject, "besides": False})
        told.publish(house, counted, people=people)
    shown = [(3, members.packed(pa.array([1])))]
    for audience, blocks in shown:
        both = [(block, packed, packed) for block, packed in blocks]
        house.store.write_now(lambda tx, a=audience, b=both: exports.show(tx, house.caller.number, 1, a, b))

    (found,) = (await trace(house)).dataflows
    assert [(item.audience, item.is_member, item.is_perhaps) for item in found.files] == [
        (1, True, False),
        (2, False, False),
        (3, False, True),
    ]
    assert [item.published.run if item.published else None for item in found.files] == [
        first.run.run,
        second.run.run,
        None,
    ]
