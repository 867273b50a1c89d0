"""Alerts about exports: one that takes too long, one that failed, people who are left out; and news of the others."""

import pytest

from headrace.services.alerts import subscribing
from headrace.services.alerts.conditions import Around, look
from headrace.store import alerts, runs
from unit.services.exports import told
from unit.services.exports.filing import activate_files
from unit.services.exports.test_asking import ask

MINUTES = 60


@pytest.fixture
async def filed(house):
    """A house with a dataflow that writes two audiences."""
    await activate_files(house, "a", "b")
    return house


def met(house, *alerts_):
    """What is wrong of some kinds, with the reason."""
    seen = house.store.read_now(lambda tx: look(tx, Around(house.clock.now(), "-", 10**12, 1, {})))
    flow = house.flows["flow"]
    return {c.key[1]: c.reason for c in seen.conditions if c.is_met and c.key[1] in alerts_ and c.key[2] == flow}


async def run_of(house, audience):
    ((asked),) = await ask(house, audience)
    return asked.run


async def test_an_export_that_does_not_end_is_late_with_all_its_tries(filed):
    run = await run_of(filed, "a")
    told.begin(filed, run)
    filed.pass_time(100 * MINUTES)
    assert met(filed, "flow-run-delay") == {}
    told.fail(filed, run)
    await filed.runs.retry(filed.caller, run.run)
    filed.pass_time(51 * MINUTES)
    assert met(filed, "flow-run-delay") == {"flow-run-delay": "an export has not ended for 151 minutes"}
    assert met(filed, "backlog-age") == {}
    await filed.switch(False)
    assert met(filed, "flow-run-delay") == {}


async def test_a_failure_of_one_audience_stays_until_that_one_succeeds(filed):
    failed = await run_of(filed, "a")
    told.fail(filed, failed)
    filed.pass_time(1)
    told.publish(filed, await run_of(filed, "b"))
    said = f"the run {failed.run} failed: the storage has no room"
    assert met(filed, "flow-run-failure") == {"flow-run-failure": said}

    filed.pass_time(1)
    told.publish(filed, await filed.runs.retry(filed.caller, failed.run))
    assert met(filed, "flow-run-failure") == {}


async def test_too_many_people_without_a_row(filed):
    told.publish(filed, await run_of(filed, "a"), rows=170, excluded={"missing-field": 20, "consent": 10})
    reason = "15 % of what the last export was about has no row in its files"
    assert met(filed, "activation-skip-rate-exceeded") == {"activation-skip-rate-exceeded": reason}

    filed.pass_time(1)
    told.publish(filed, await run_of(filed, "a"), rows=200, excluded={"duplicate": 10})
    assert met(filed, "activation-skip-rate-exceeded") == {}
    filed.pass_time(1)
    told.publish(filed, await run_of(filed, "b"), rows=5, excluded={"duplicate": 10})
    assert met(filed, "activation-skip-rate-exceeded") == {}  # Fifteen people are too few to say.


async def test_what_begins_and_succeeds_is_news(filed):
    document = {"alerts": ["flow-run-start", "flow-run-success"], "mail": "ops@example.com"}
    await subscribing.subscribe(filed.store, filed.clock, filed.keyring, filed.caller, document)
    before = filed.clock.now() - 1
    run = await run_of(filed, "a")
    told.begin(filed, run)
    told.publish(filed, run)
    found = filed.store.read_now(lambda tx: alerts.runs_between(tx, [filed.caller.number], before, filed.clock.now()))
    flow = filed.flows["flow"]
    assert found == [(1, run.run, flow, "began"), (1, run.run, flow, "succeeded")]


async def test_a_partner_that_is_not_told_of_its_files_is_an_alert_once_nobody_tries_again(filed):
    """Notices are runs of their own, which are tried again for most of a day."""
    export = await run_of(filed, "a")
    told.publish(filed, export)
    (number,) = export.subject["audiences"]

    def notice(retry_of=None):
        subject = {"target": export.subject["target"], "export": export.run, "audience": number, "of": export.run}
        subject["notifies"] = export.subject["dataflow"]
        now = filed.clock.now()
        return filed.store.write_now(
            lambda tx: runs.ask(tx, export.tenant, "notify", subject, "a", now, retry_of=retry_of)
        )

    first = notice()
    second = notice(retry_of=first.run)
    told.fail(filed, first, "the partner has no room")
    assert met(filed, "flow-run-failure") == {}
    filed.pass_time(1)
    told.fail(filed, second, "the partner has no room")
    said = f"the run {second.run} failed: the partner has no room"
    assert met(filed, "flow-run-failure") == {"flow-run-failure": said}
    filed.pass_time(1)
    now, third = filed.clock.now(), notice(retry_of=second.run)
    filed.store.write_now(lambda tx: runs.end(tx, third.run, "succeeded", now))
    assert met(filed, "flow-run-failure") == {}
