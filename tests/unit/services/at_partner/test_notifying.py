"""Telling a partner that an export's files have arrived: at least once, in vain for a day at the most."""

import pytest

from headrace.services import targets
from headrace.services.at_partner import notifying
from headrace.services.at_partner.notifying import KIND, MOST_TRIES, Notices
from headrace.services.checks import AUDIENCE_TEMPLATE
from headrace.store import documents

EVENT = {
    "url": "https://partner.example/audiences",
    "httpMethod": "POST",
    "requestBody": {"json": {"name": "{{ destination.name }}", "ref": "{{ export.id }}"}},
    "responseErrorFields": [{"name": "message", "value": "{{ error.message }}"}],
}


@pytest.fixture
async def told(branch):
    """A house with a connection whose template has `notify`, which no destination that sends messages can have yet."""
    await branch.author()
    branch.runs.register(KIND, Notices(branch.store, branch.clock, branch.partners).carry)
    set_notify(branch, EVENT)
    return branch


def set_notify(branch, event):
    def work(tx):
        known = documents.get(tx, branch.caller.number, AUDIENCE_TEMPLATE, branch.templates["flow"])
        document = {**known.document, "metadataTemplate": {**known.document["metadataTemplate"], "notify": event}}
        documents.replace(tx, branch.caller.number, AUDIENCE_TEMPLATE, known, document, 1, "client:a", "replace")

    branch.store.write_now(work)


def ask(branch):
    about = (branch.targets["flow"], "export-7", "client:a", branch.clock.now())
    return branch.store.write_now(lambda tx: notifying.notify(tx, branch.caller.tenant, *about))


def states(branch):
    return branch.rows("SELECT state, reason FROM runs ORDER BY due_at")


async def test_the_partner_is_told_of_the_export(told):
    ask(told)
    await told.carry_runs()
    assert states(told) == [("succeeded", None)]
    assert [kept.ref for kept in told.book.kept.values()] == ["export-7"]


async def test_a_template_without_notify_asks_for_nothing(told):
    set_notify(told, None)
    assert ask(told) is None


async def test_a_refusal_is_kept_in_the_run_and_the_next_one_waits(told):
    told.book.fail("POST", 422)
    ask(told)
    await told.carry_runs()
    await told.carry_runs()
    assert states(told) == [("failed", "Lists: not now"), ("asked", None)]

    told.pass_time(60)
    await told.carry_runs()
    assert [state for state, _ in states(told)] == ["failed", "succeeded"]


async def test_it_is_given_up_after_a_day(told):
    told.book.fail("POST", *[422] * (MOST_TRIES + 1))
    ask(told)
    for _ in range(MOST_TRIES + 2):
        await told.carry_runs()
        told.pass_time(3600)
    assert [state for state, _ in states(told)] == ["failed"] * MOST_TRIES


async def test_a_step_that_is_done_twice_asks_for_one_run(told):
    run, notices = ask(told), Notices(told.store, told.clock, told.partners)
    await notices._ask_again(run)
    await notices._ask_again(run)
    assert len(states(told)) == 2


async def test_a_connection_that_is_gone_is_not_told_of(told):
    ask(told)
    await targets.delete_target(told.store, told.clock, told.caller, told.targets["flow"])
    await told.carry_runs()
    assert states(told) == [("succeeded", None)]
    assert told.book.asked == []
