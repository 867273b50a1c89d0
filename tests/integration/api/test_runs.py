"""Runs and schedules, as the API shows and steers them."""

import pytest

from headrace.errors import PartnerError
from headrace.services import schedules
from headrace.store import runs
from support import eventually


@pytest.fixture(scope="module")
def house(headrace):
    """A Headrace that knows runs of two kinds."""

    async def count(run, steps):
        total = 0
        for number in run.subject["numbers"]:
            total += await steps.step(f"add {number}", lambda n=number: _value(n))
        await steps.note(total=total)

    async def fail(run, steps):
        await steps.step("call", _refuse)

    headrace.app.runs.register("count", count)
    headrace.app.runs.register("fail", fail)
    return headrace


async def _value(value):
    return value


async def _refuse():
    raise PartnerError("the partner is closed")


def ask(house, kind, due_at=None, **subject):
    run = house.app.store.write_now(lambda tx: runs.ask(tx, 1, kind, subject, "client:a", 0, due_at)).run
    house.app.runs.wake()
    return run


def ended(house, run):
    path = f"/runs/{run}"
    return eventually("the run ends", lambda: row if (row := house.api.get(path).json)["endedAt"] else None)


def test_a_run_is_carried_to_its_end(house):
    row = ended(house, ask(house, "count", numbers=[1, 2, 3]))

    assert (row["state"], row["progress"], row["reason"]) == ("succeeded", {"total": 6}, None)
    assert row["askedAt"] <= row["beganAt"] <= row["endedAt"]
    assert b'headrace_run_ended_total{kind="count",state="succeeded"}' in house.app.board.exposition()


def test_a_run_that_failed_says_why_and_can_be_tried_again_once(house):
    failed = ended(house, ask(house, "fail"))
    again = house.api.post(f"/runs/{failed['id']}/retry", {})

    assert (failed["state"], failed["reason"]) == ("failed", "the partner is closed")
    assert again.json["retryOf"] == failed["id"]
    assert house.api.post(f"/runs/{failed['id']}/retry", {}).status == 409
    assert ended(house, again.json["id"])["state"] == "failed"


def test_a_run_that_waits_can_be_cancelled_and_then_has_ended(house):
    run = ask(house, "count", due_at=4_000_000_000_000, numbers=[])
    cancelled = house.api.post(f"/runs/{run}/cancel", {})

    assert (cancelled.status, cancelled.json["state"]) == (200, "cancelled")
    assert house.api.post(f"/runs/{run}/cancel", {}).status == 409


def test_runs_are_listed_by_kind_and_state_page_by_page(house):
    for _ in range(3):
        house.api.post(f"/runs/{ask(house, 'rest', due_at=4_000_000_000_000)}/cancel", {})
    first = house.api.get("/runs?kind=rest&state=cancelled&limit=2").json
    rest = house.api.get(f"/runs?kind=rest&state=cancelled&limit=2&before={first['next']}").json

    assert len({run["id"] for run in first["items"] + rest["items"]}) == 3
    assert rest["next"] is None
    assert house.api.get("/runs?state=resting").status == 400
    assert house.api.get("/runs/nowhere").status == 404


def test_runs_are_listed_by_what_they_are_for(house):
    for target in ("one", "another", "third"):
        ask(house, "rest", due_at=4_000_000_000_000, target=target)
    found = house.api.get("/runs?kind=rest&target=one&target=third").json["items"]

    assert {run["subject"]["target"] for run in found} == {"one", "third"}
    assert house.api.get("/runs?kind=rest&target=none").json == {"items": [], "next": None}


def test_a_schedule_is_paused_resumed_triggered_and_backfilled(house):
    arguments = (1, "nightly", "count", {"numbers": [4]}, "0 3 * * *", "client:a", house.app.clock.now())
    house.app.store.write_now(lambda tx: schedules.add(tx, *arguments))
    api, path = house.api, "/schedules/nightly"

    assert "nightly" in [schedule["id"] for schedule in api.get("/schedules").json["items"]]
    assert api.post(f"{path}/pause", {}).json["pausedAt"] is not None
    assert api.post(f"{path}/resume", {}).json["pausedAt"] is None
    triggered = api.post(f"{path}/trigger", {}).json
    assert (triggered["schedule"], ended(house, triggered["id"])["progress"]) == ("nightly", {"total": 4})
    span = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-03T00:00:00Z"}
    filled = api.post(f"{path}/backfill", span).json["items"]
    assert [run["moment"] for run in filled] == ["2026-01-01T03:00:00.000000Z", "2026-01-02T03:00:00.000000Z"]
    assert api.post(f"{path}/backfill", span).json["items"] == []
    for run in filled:
        assert ended(house, run["id"])["state"] == "succeeded"


@pytest.mark.parametrize(
    "span",
    [
        pytest.param({}, id="none"),
        pytest.param({"from": "2026-01-01T00:00:00", "to": "2026-01-03T00:00:00Z"}, id="without a zone"),
        pytest.param({"from": "2026-01-03T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, id="backwards"),
        pytest.param([], id="a list"),
    ],
)
def test_a_span_that_is_none_is_refused(house, span):
    arguments = (1, f"s{hash(str(span))}", "rest", {}, "0 3 * * *", "client:a", house.app.clock.now())
    schedule = house.app.store.write_now(lambda tx: schedules.add(tx, *arguments)).schedule

    assert house.api.post(f"/schedules/{schedule}/backfill", span).status == 400
