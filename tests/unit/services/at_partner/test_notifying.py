"""Telling a partner that an export's files have arrived: at least once, in vain for a day at the most."""

import orjson
import pytest

from headrace.services import targets
from headrace.services.at_partner import notifying
from headrace.services.at_partner.notifying import KIND, MOST_TRIES, Notices
from headrace.services.checks import AUDIENCE_TEMPLATE
from headrace.store import audiences, documents, runs

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


def ask(branch, progress=None):
    """The audience `a` was exported by a run, which is the first try."""
    tenant, target, now = branch.caller.tenant, branch.targets["flow"], branch.clock.now()

    def work(tx):
        number = audiences.number(tx, tenant.tenant, "ups", "a", "Movie lovers", now)
        subject = {"dataflow": "-", "audiences": [number], "slot": None, "moment": now}
        run = runs.ask(tx, tenant.tenant, "export", subject, "client:a", now, progress=progress)
        runs.end(tx, run.run, "succeeded", now)
        return notifying.notify(tx, tenant, target, "export-7", "client:a", now, number, run)

    return branch.store.write_now(work)


def states(branch):
    return branch.rows("SELECT state, reason FROM runs WHERE kind = 'notify' ORDER BY due_at")


async def test_the_partner_is_told_of_the_export(told):
    ask(told)
    await told.carry_runs()
    assert states(told) == [("succeeded", None)]
    assert [kept.ref for kept in told.book.kept.values()] == ["export-7"]


async def test_the_partner_is_told_of_which_audience_and_which_files(told):
    body = {
        "about": "{{ segment.id }}, {{ segment.name }}, {{ segment.alias }}, {{ segment.namespace }}",
        "rows": "{{ export.rows }}",
        "at": "{{ export.moment }}",
        "files": "{% for file in export.files %}{{ file.name }} {{ file.bytes }} {{ file.sha256 }};{% endfor %}",
    }
    set_notify(told, {**EVENT, "requestBody": {"json": {"name": "n", "ref": "r", **body}}})
    file = {"path": "out/a/a_1.csv", "rows": 3, "bytes": 70, "sha256": "5e"}
    ask(told, {"rows": 3, "files": [file, {**file, "path": "out/a/a_2.csv"}]})
    await told.carry_runs()
    sent = orjson.loads(told.partner.requests[-1].body)
    assert sent["about"] == "a, Movie lovers, , ups"
    assert (sent["rows"], sent["at"]) == ("3", "2026-03-20T09:46:40.000000Z")
    assert sent["files"] == "a_1.csv 70 5e;a_2.csv 70 5e;"


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
