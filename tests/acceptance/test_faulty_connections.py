"""However a connection to a partner fails: nothing is lost, nothing comes out of order, nothing is said to be delivered
that was not."""

import time

import pytest

from headrace.testkit.faults import Schedule, read
from support import eventually

from .faulty import crossing

PEOPLE = 12

#: A fault; whether the partner receives requests meanwhile; whether one may be delivered meanwhile.
FAULTS = [
    pytest.param("back.latency seconds=0.1 jitter=0.05", True, True, id="late"),
    pytest.param("back.latency seconds=30", True, False, id="later than the deadline"),
    pytest.param("to.bandwidth rate=10000", True, True, id="little bandwidth"),
    pytest.param("back.drip every=0.001", True, True, id="byte for byte"),
    pytest.param("to.drip every=0.1", False, False, id="byte for byte, longer than the deadline"),
    pytest.param("back.cut after=0", True, False, id="cut before the answer"),
    pytest.param("back.cut after=20", True, False, id="cut within the answer"),
    pytest.param("to.cut after=100", False, False, id="cut within the request"),
    pytest.param("both.cut", False, False, id="cut at once"),
    pytest.param("back.reset after=0", True, False, id="reset before the answer"),
    pytest.param("back.reset after=20", True, False, id="reset within the answer"),
    pytest.param("to.reset after=100", False, False, id="reset within the request"),
    pytest.param("both.reset", False, False, id="reset at once"),
    pytest.param("both.blackhole", False, False, id="silence"),
    pytest.param("back.blackhole after=20", True, False, id="silence within the answer"),
    pytest.param("refuse", False, False, id="refused"),
    pytest.param("back.half-close after=20", True, False, id="half closed within the answer"),
    pytest.param("to.half-close after=100", False, False, id="half closed within the request"),
    pytest.param("back.garbage after=0", True, False, id="garbage before the answer"),
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A Headrace for all faults, one after the other, each with people of its own."""
    with crossing(tmp_path_factory.mktemp("crossing")) as crossed:
        yield crossed


@pytest.fixture
def here(shared):
    """The shared one; after a test that failed it is spoiled no longer."""
    yield shared
    shared.proxy.clear()


@pytest.mark.parametrize(("line", "arrives", "is_delivered"), FAULTS)
def test_a_fault_costs_time_and_nothing_else(here, line, arrives, is_delivered):
    first, later = here.next_history(PEOPLE)
    before, count, repeated = here.ledger(), here.partner.count, here.repeated()
    here.proxy.both.reset().off()  # No connection is open any more.
    switch = here.proxy.switch_on(read(line))
    here.send(first)
    if is_delivered:
        eventually("the partner has heard of everybody", lambda: here.partner.count >= count + PEOPLE)
    elif arrives:
        eventually("the partner has heard of some twice", lambda: here.partner.count > count + PEOPLE)
    else:
        attempts = here.retried()
        eventually("it is tried again", lambda: here.retried() > attempts + PEOPLE)
        assert here.partner.count == count
    if not is_delivered:
        assert here.ledger()["delivered"] == before["delivered"]
    here.send(later)
    assert switch.struck or line == "refuse"
    switch.off()

    here.check_everything()
    assert (here.repeated() > repeated) == (arrives and not is_delivered)


def test_a_request_that_is_spoiled_on_its_way_is_refused_and_parked_with_the_reason(here):
    first, _ = here.next_history(PEOPLE)
    with here.proxy.to.garbage(after=0) as switch:
        here.proxy.both.reset().off()
        here.send(first)
        eventually("the changes are parked", here.parked)
        here.check_everything(may_park=True)

    assert switch.struck
    assert {change["code"] for change in here.parked()} == {"status-400"}


#: Schedules of a campaign, and how long each lasts, in seconds.
SEEDS = range(2026, 2036)
LASTS = 3.0


@pytest.mark.campaign
@pytest.mark.parametrize("seed", SEEDS)
def test_no_schedule_of_faults_loses_anything(tmp_path, seed):
    schedule = Schedule.random(seed, LASTS, steps=10)
    with crossing(tmp_path, ("moviestar", "lighthouse")[seed % 2]) as here:
        playing = here.proxy.begin(schedule)
        first, later = here.next_history(90)
        states = first + later
        for start in range(0, len(states), 6):
            here.send(states[start : start + 6])
            time.sleep(LASTS / 25)
        playing.result()

        here.check_everything(may_park=True)
        assert {change["code"] for change in here.parked()} <= {"status-400"}, str(schedule)
