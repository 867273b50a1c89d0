"""When files are due: each slot once, none skipped but counted, and the same whoever looks and whenever."""

from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from headrace.batch.schedule import (
    DAY,
    FOREVER,
    HOUR,
    Due,
    Schedule,
    begin,
    due,
    due_after,
    is_over,
    next_slot,
)
from headrace.model.batch import FREQUENCIES
from headrace.model.export import ExportSchedule, ScheduleParams
from headrace.model.problem import ConfigurationError
from headrace.model.reading import read

LONG_AGO = -(2**40)


def at(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def said(moment):
    return datetime.fromtimestamp(moment / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def schedule(frequency, start="2031-03-01", end=None, time="02:00", **more):
    document = {"frequency": frequency, "startDate": start, "endDate": end, "startTime": time, **more}
    return Schedule.of(read(ExportSchedule, {name: value for name, value in document.items() if value})[0])


def slots(plan, until="2032-03-01", most=400):
    """The slots of a schedule, one after the other, by asking for the next."""
    found, now = [], LONG_AGO
    while (moment := next_slot(plan, now)) is not None and moment < at(until) and len(found) < most:
        found.append(moment)
        now = moment
    return found


# -- slots ------------------------------------------------------------------------------------------------------------


def test_once_is_one_slot():
    assert [said(moment) for moment in slots(schedule("ONCE"))] == ["2031-03-01 02:00"]


def test_the_end_is_the_first_day_without_a_file():
    days = slots(schedule("DAILY", "2031-03-04", "2031-03-11"))

    assert [said(moment)[8:] for moment in days] == [f"{day:02} 02:00" for day in range(4, 11)]


def test_weeks_keep_their_weekday():
    weeks = slots(schedule("WEEKLY", end="2031-04-01"))

    assert [said(moment)[5:10] for moment in weeks] == ["03-01", "03-08", "03-15", "03-22", "03-29"]


def test_months_keep_their_day_and_shorter_ones_have_their_last():
    months = slots(schedule("MONTHLY", "2031-10-31"), "2032-06-01")

    assert [said(moment) for moment in months] == [
        f"{day} 02:00"
        for day in (
            "2031-10-31",
            "2031-11-30",
            "2031-12-31",
            "2032-01-31",
            "2032-02-29",
            "2032-03-31",
            "2032-04-30",
            "2032-05-31",
        )
    ]


@pytest.mark.parametrize("hours", [3, 6, 8, 12])
def test_hours_are_counted_from_the_start(hours):
    found = slots(schedule(f"EVERY_{hours}_HOURS", end="2031-03-03", time="05:30"))

    assert found == list(range(at("2031-03-01 05:30"), at("2031-03-03"), hours * HOUR))


def test_every_hour_is_every_hour():
    assert len(slots(schedule("EVERY_HOUR", end="2031-03-02", time="00:15"))) == 24


def test_what_files_need_is_asked_for():
    for document in ({}, {"frequency": "DAILY"}, {"frequency": "DAILY", "startDate": "2031-03-01"}):
        with pytest.raises(ConfigurationError, match="is missing"):
            Schedule.of(read(ExportSchedule, document)[0])


# -- what is due ------------------------------------------------------------------------------------------------------


def test_a_slot_is_due_from_its_moment_on_and_once():
    plan, slot = schedule("DAILY"), at("2031-03-01 02:00")
    mapped = begin(plan, at("2031-02-20"))

    assert due(plan, mapped, slot - 1) is None
    assert due(plan, mapped, slot) == Due(slot, 0, slot)
    assert due(plan, slot, slot + DAY - 1) is None


def test_what_was_missed_is_made_up_for_once_and_counted():
    plan = schedule("EVERY_6_HOURS")

    found = due(plan, at("2031-03-01 02:00"), at("2031-03-03 03:00"))

    assert found == Due(at("2031-03-03 02:00"), 7, at("2031-03-03 02:00"))
    assert due(plan, found.until, at("2031-03-03 07:59")) is None


def test_what_was_due_before_the_mapping_is_nobodys():
    plan, mapped = schedule("DAILY"), at("2031-03-05 10:00")

    assert due(plan, begin(plan, mapped), mapped) is None
    assert due(plan, begin(plan, mapped), at("2031-03-06 02:00")) == Due(
        at("2031-03-06 02:00"), 0, at("2031-03-06 02:00")
    )


def test_a_slot_at_the_moment_of_the_mapping_is_due():
    plan, slot = schedule("DAILY"), at("2031-03-05 02:00")

    assert due(plan, begin(plan, slot), slot) == Due(slot, 0, slot)


def test_a_single_export_whose_moment_has_passed_is_due_at_once():
    plan, mapped = schedule("ONCE"), at("2031-03-05 10:00")

    found = due(plan, begin(plan, mapped), mapped)

    assert found == Due(at("2031-03-01 02:00"), 0, FOREVER)
    assert due(plan, found.until, mapped + 400 * DAY) is None
    assert is_over(plan, found.until, mapped)


def test_once_the_end_has_come_nothing_is_written_and_all_is_counted():
    plan = schedule("DAILY", "2031-03-04", "2031-03-11")

    found = due(plan, at("2031-03-08 02:00"), at("2031-03-11"))

    assert found == Due(at("2031-03-10 02:00"), 2, at("2031-03-10 02:00"), has_lapsed=True)
    assert not is_over(plan, at("2031-03-08 02:00"), at("2031-03-11"))
    assert is_over(plan, found.until, at("2031-03-11"))
    assert next_slot(plan, at("2031-03-10 02:00")) is None


@pytest.mark.parametrize("frequency", ["MONTHLY", "WEEKLY", "DAILY", "EVERY_HOUR"])
def test_the_calendar_ends_and_nothing_fails_there(frequency):
    plan = schedule(frequency, "9999-12-31", time="23:30")

    assert next_slot(plan, plan.start) is None
    assert next_slot(plan, 0) == plan.start
    assert due(plan, 0, plan.start).slot == plan.start
    assert due(plan, FOREVER, FOREVER) is None
    assert next_slot(schedule(frequency, "0001-01-01"), 0) > 0


# -- laws -------------------------------------------------------------------------------------------------------------

PLANS = st.builds(
    lambda frequency, start, days, time: schedule(
        frequency, start.date().isoformat(), _end(frequency, start, days), f"{time // 60:02}:{time % 60:02}"
    ),
    st.sampled_from(FREQUENCIES),
    st.datetimes(datetime(2027, 1, 1), datetime(2033, 1, 1)),
    st.one_of(st.none(), st.integers(1, 400)),
    st.integers(0, 1439),
)


def _end(frequency, start, days):
    if frequency == "ONCE" or days is None:
        return None
    return datetime.fromtimestamp(start.replace(tzinfo=UTC).timestamp() + days * 86400, UTC).date().isoformat()


@given(PLANS, st.lists(st.integers(1, 60 * DAY), min_size=1, max_size=12), st.integers(-40 * DAY, 40 * DAY))
def test_no_slot_is_due_twice_and_none_is_skipped_but_counted(plan, pauses, offset):
    mapped = plan.start + offset
    until, now, exported, missed = begin(plan, mapped), mapped, [], 0
    for pause in pauses:
        now += pause
        found = due(plan, until, now)
        if found is not None:
            exported += [] if found.has_lapsed else [found.slot]
            missed += found.missed
            assert begin(plan, mapped) < found.slot <= now
            until = found.until
            assert due(plan, until, now) is None

    assert exported == sorted(set(exported))
    owed = plan.come(now) - plan.come(begin(plan, mapped))
    assert len(exported) + missed == owed


@given(PLANS, st.integers(-40 * DAY, 400 * DAY), st.integers(0, 400 * DAY), st.integers(0, 400 * DAY))
def test_who_looks_again_and_who_looks_only_now_see_the_same_last_slot(plan, mapped, first, second):
    mapped += plan.start
    looked, now = mapped + first, mapped + first + second
    until = begin(plan, mapped)
    one = due(plan, until, now)
    before = due(plan, until, looked)
    then = due(plan, before.until if before else until, now)
    assume(not (before and before.has_lapsed))

    last = then or before
    assert (one is None) == (last is None)
    if one is not None:
        assert (one.slot, one.until) == (last.slot, last.until)


@given(PLANS, st.integers(-40 * DAY, 400 * DAY))
def test_the_next_slot_is_the_one_that_is_due_next(plan, offset):
    now = plan.start + offset
    following = next_slot(plan, now)
    if following is None:
        assert plan.come(now) == plan.come(now + 10_000 * DAY)
    else:
        assert following > now
        assert plan.come(following - 1) == plan.come(now)
        assert plan.come(following) == plan.come(now) + 1
        assert due(plan, now, following).slot == following


@given(PLANS, st.integers(-40 * DAY, 400 * DAY))
def test_slots_are_counted_as_they_come(plan, offset):
    moment = plan.start + offset
    count = plan.come(moment)
    if count:
        assert plan.slot(count - 1) <= moment
    if plan.every != "once" and (plan.end is None or plan.slot(count) < plan.end):
        assert plan.slot(count) > moment


# -- evaluations ------------------------------------------------------------------------------------------------------


def after(frequency="DAILY", end="2031-03-11"):
    return schedule(
        frequency, "2031-03-04", None if frequency == "ONCE" else end, None, triggerType="AFTER_SEGMENT_EVAL"
    )


def test_a_file_follows_each_evaluation_between_start_and_end():
    plan, first, last = after(), at("2031-03-04"), at("2031-03-10 23:59")

    assert due_after(plan, begin(plan, 0), [first - 1], first) is None
    assert due_after(plan, begin(plan, 0), [first], first) == Due(first, 0, first)
    assert due_after(plan, first, [first], first + 1) is None
    assert due_after(plan, first, [first, first + 5, first + 9], first + 9) == Due(first + 9, 1, first + 9)
    assert due_after(plan, first, [first + 9], first + 8) is None, "it has not ended yet"
    assert due_after(plan, first, [last, at("2031-03-11")], last) == Due(last, 0, last)
    assert due_after(plan, first, [last], at("2031-03-11")) == Due(last, 1, last, has_lapsed=True)


def test_evaluations_before_the_mapping_do_not_count():
    plan, mapped = after(), at("2031-03-05 12:00")

    assert due_after(plan, begin(plan, mapped), [mapped - 1], mapped) is None


def test_a_single_export_follows_the_first_evaluation_alone():
    plan, first = after("ONCE"), at("2031-03-05 01:00")

    found = due_after(plan, begin(plan, 0), [first], first)

    assert found == Due(first, 0, FOREVER)
    assert due_after(plan, found.until, [first + DAY], first + DAY) is None


def test_evaluations_and_slots_are_not_mixed_up():
    assert due(after(), 0, at("2031-03-10")) is None
    assert next_slot(after(), 0) is None
    assert due_after(schedule("DAILY"), 0, [at("2031-03-05")], at("2031-03-06")) is None


# -- datasets ---------------------------------------------------------------------------------------------------------


def datasets(created="2031-01-31 08:00", **params):
    document = {"startTime": at("2031-02-01 10:20") // 1000, "interval": 3, "timeUnit": "hour", **params}
    return Schedule.of_datasets(read(ScheduleParams, document)[0], at(created))


def test_datasets_are_written_at_their_interval_for_six_months():
    plan = datasets()

    assert [said(moment)[11:] for moment in slots(plan)[:3]] == ["10:20", "13:20", "16:20"]
    assert said(plan.end) == "2031-07-31 08:00"
    assert said(datasets("2031-08-31 08:00").end) == "2032-02-29 08:00"


def test_datasets_are_written_until_the_end_that_is_said():
    plan = datasets(interval=1, timeUnit="day", endTime=at("2031-02-03 10:20") // 1000)

    assert [said(moment)[5:] for moment in slots(plan)] == ["02-01 10:20", "02-02 10:20"]


def test_datasets_are_written_whole_once():
    plan = datasets(interval=0, timeUnit="day")

    found = due(plan, begin(plan, at("2031-03-01")), at("2031-03-01"))

    assert found is not None
    assert found.until == FOREVER
    assert not found.has_lapsed


def test_datasets_need_an_interval():
    with pytest.raises(ConfigurationError, match="is missing"):
        Schedule.of_datasets(ScheduleParams(), 0)
