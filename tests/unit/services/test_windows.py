"""Audiences with dates: nothing is told before the first, and nothing from the last on."""

import pytest

from headrace.model.flow import Flow
from headrace.model.reading import examine
from headrace.services import backfilling
from headrace.services.activations import standing
from headrace.services.at_partner.taking_part import turn_of
from headrace.services.turning import turn
from headrace.services.windows import Window
from headrace.store.dataflows import Mapped
from unit.services.house import START, person

COVERED = ("not-a-date", "ends-too-early")
DAY = 24 * 3600
#: The house stands on 2026-03-20.
SELECTOR = "/transformations/0/params/segmentSelectors/selectors/0/value/schedule"


async def dated(house, start=None, end=None):
    """Give the audience of a dataflow dates."""
    dates = {name: value for name, value in (("startDate", start), ("endDate", end)) if value}
    await house.patch({"op": "add", "path": SELECTOR, "value": dates})


async def days_pass(house, days=1):
    house.pass_time(days * DAY)
    await turn(house.store, house.clock.now())
    await house.backfill()
    await house.run()


@pytest.fixture
async def planned(house, monkeypatch):
    """A dataflow whose audience is to be sent from the day after tomorrow on, for two days."""
    monkeypatch.setattr(backfilling, "STEP", 3)
    house.clock.at = START - START % (DAY * 1000) + 1000
    await house.activate("b")
    await house.map_audience("a")
    await house.patch({"op": "remove", "path": SELECTOR.removesuffix("/value/schedule")})
    await dated(house, "2026-03-22", "2026-03-24")
    await house.open()
    return house


async def test_nothing_is_told_before_an_audience_begins(planned):
    await planned.ingest(person(1, "a"), person(2, "a"))
    await days_pass(planned)

    assert planned.partner.messages == []
    assert await planned.balance() == {}


async def test_who_is_a_member_when_an_audience_begins_is_sent_then(planned):
    await planned.ingest(*[person(n, "a") for n in range(5)])
    await planned.ingest(person(4, a=False, minute=1))
    await days_pass(planned, 2)

    assert sorted(planned.partner.told()) == [(str(n), "a", "realized") for n in range(4)]
    await planned.ingest(person(0, a=False, minute=2))
    await planned.run()
    assert planned.partner.told()[-1] == ("0", "a", "exited")


async def test_nothing_is_told_from_the_day_on_that_an_audience_ends(planned):
    await planned.ingest(person(1, "a"), person(2, "a"))
    await days_pass(planned, 2)
    await days_pass(planned, 2)
    before = len(planned.partner.messages)

    await planned.ingest(person(1, a=False, minute=1), person(2, "a", city="Porto"), person(3, "a"))
    await planned.run()

    assert len(planned.partner.messages) == before


async def test_what_was_accepted_before_the_end_still_leaves(planned):
    await days_pass(planned, 2)
    await planned.ingest(person(1, "a"))
    await days_pass(planned, 2)

    assert planned.partner.told() == [("1", "a", "realized")]


async def test_an_audience_whose_end_is_moved_makes_up_for_what_was_missed(planned):
    await planned.ingest(person(1, "a"), person(2, "a"))
    await days_pass(planned, 2)
    await days_pass(planned, 2)
    await planned.ingest(person(1, a=False, minute=1), person(3, "a"))
    await dated(planned, "2026-03-22", "2026-04-24")
    await planned.backfill()
    await planned.run()

    assert planned.partner.knows() == {("2", "a"), ("3", "a")}


async def test_an_audience_whose_start_is_moved_off_waits_again(planned):
    await days_pass(planned, 2)
    await dated(planned, "2026-04-01")
    await planned.ingest(person(1, "a"))
    await planned.run()
    assert planned.partner.messages == []

    await days_pass(planned, 10)
    assert planned.partner.knows() == {("1", "a")}


async def test_others_of_the_dataflow_are_told_meanwhile(house):
    house.clock.at = START - START % (DAY * 1000) + 1000
    await house.activate("a", "b")
    await dated(house, end="2026-03-21")
    await house.ingest(person(1, "a", "b"))
    await house.run()
    await house.open()
    await days_pass(house, 1)

    await house.ingest(person(1, "b", a=False, minute=1, city="Porto"))
    await house.run()

    assert house.partner.told()[-1] == ("1", "b", "realized")


async def test_how_the_dates_stand_can_be_read(planned):
    async def states():
        (shown,) = await standing.listing(planned.store, planned.clock, planned.caller)
        return [(item["audience"], item["state"]) for item in shown["windows"]]

    seen = [await states()]
    for _ in range(2):
        await days_pass(planned, 2)
        seen.append(await states())

    assert seen == [[("a", "waiting")], [("a", "open")], [("a", "ended")]]


def said(**schedule):
    selector = {"type": "PLATFORM_SEGMENT", "value": {"id": "a", "schedule": schedule}}
    params = {"segmentSelectors": {"selectors": [selector]}}
    flow = {"name": "f", "sourceConnectionIds": ["s"], "targetConnectionIds": ["t"]}
    document = {**flow, "transformations": [{"name": "GeneralTransform", "params": params}]}
    return {(item.pointer, item.code) for item in examine(Flow, document).problems}


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        pytest.param({"startDate": "2026-03-01", "endDate": "2026-03-02"}, None, id="a day"),
        pytest.param({"startDate": "2026-03-01"}, None, id="no end"),
        pytest.param({"frequency": "DAILY"}, None, id="what is for files"),
        pytest.param({"startDate": "1 March"}, ("startDate", "not-a-date"), id="no date"),
        pytest.param({"endDate": "2026-02-30"}, ("endDate", "not-a-date"), id="a day that there is not"),
        pytest.param({"endDate": "2026-W09-1"}, ("endDate", "not-a-date"), id="a day of a week"),
        pytest.param({"endDate": 20260301}, ("endDate", "not-a-date"), id="a number"),
        pytest.param(
            {"startDate": "2026-03-01", "endDate": "2026-03-01"}, ("endDate", "ends-too-early"), id="no day at all"
        ),
    ],
)
def test_what_is_wrong_with_dates_is_said(schedule, expected):
    about_dates = {item for item in said(**schedule) if "/schedule/" in item[0]}

    assert about_dates == ({(f"{SELECTOR}/{expected[0]}", expected[1])} if expected else set())


PART, ENDED, LEAVING = Mapped(1, 1, 1, None, None), Mapped(1, 1, 1, 5, None), Mapped(1, 1, 1, None, {})
OPEN, SHUT = Window(), Window(end=5)


@pytest.mark.parametrize(
    ("row", "window", "may_join", "expected"),
    [
        pytest.param(None, OPEN, True, "join", id="takes no part, and may"),
        pytest.param(None, OPEN, False, "nothing", id="takes no part, and the partner does not have it"),
        pytest.param(None, SHUT, True, "nothing", id="takes no part, and its dates are over"),
        pytest.param(PART, OPEN, True, "nothing", id="takes part"),
        pytest.param(PART, OPEN, False, "nothing", id="takes part, and the partner makes it anew"),
        pytest.param(PART, SHUT, True, "end", id="takes part, and its dates are over"),
        pytest.param(ENDED, OPEN, True, "rejoin", id="has ended, and its dates were moved"),
        pytest.param(ENDED, SHUT, True, "nothing", id="has ended"),
        pytest.param(LEAVING, OPEN, True, "rejoin", id="is being left, and was chosen again"),
        pytest.param(LEAVING, OPEN, False, "nothing", id="is being left, and the partner does not have it"),
        pytest.param(LEAVING, SHUT, True, "nothing", id="is being left, and its dates are over"),
    ],
)
def test_the_table_of_taking_part(row, window, may_join, expected):
    assert turn_of(row, window, 10, may_join=may_join) == expected
