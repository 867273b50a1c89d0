"""What is told of a partner that was not reached: one text at one moment, and the audit where it was blocked."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.connect.transport import NotReached, NotSent, Unanswered
from headrace.errors import EgressError, TargetBlocked
from headrace.events import PartnerUnreached
from headrace.model.http import Request
from headrace.services.reaching import HOUR, MOST_AN_HOUR, BlockedTargets, Errand, Reaching
from headrace.store import audit
from unit.services.house import Clock, person

URL = "https://canary.internal:8443/path?secret=1"
ERRAND = Errand(1, "client:somebody", "account", "a1")
REASONS = [
    TargetBlocked("'https://canary.internal:8443' is not on the public internet"),
    NotReached("'https://canary.internal:8443' refused the connection."),
    NotReached("'https://canary.internal:8443' did not accept a connection in time."),
    NotReached("The name 'canary.internal' was not resolved within 5 seconds."),
]


class Failing:
    """A transport that fails after a while."""

    def __init__(self, clock, error, seconds=0.0):
        self.clock, self.error, self.seconds = clock, error, seconds

    async def send(self, request, *, deadline, pool):
        del request, deadline, pool
        self.clock.at += int(self.seconds * 1000)
        raise self.error


class Unwritten:
    """An audit that nobody reads."""

    async def note(self, errand, target):
        pass


def told(error, seconds=0.0, told_after=10.0, deadline=30.0, url=URL, blocked=None, announce=lambda _: None):
    """Return what somebody is told, and after how many milliseconds."""
    clock = Clock()
    began = clock.at

    async def sleep(wait):
        clock.at += round(wait * 1000)

    made = Reaching(
        Failing(clock, error, seconds), blocked or Unwritten(), clock, announce, told_after=told_after, sleep=sleep
    )
    with pytest.raises(type(error) if type(error) in (EgressError, NotSent, Unanswered) else NotReached) as raised:
        asyncio.run(made.transport_for(ERRAND).send(Request("GET", url), deadline=deadline, pool="p"))
    return raised.value, clock.at - began


@given(
    st.sampled_from(REASONS),
    st.sampled_from(REASONS),
    st.floats(0, 10),
    st.floats(0, 10),
    st.floats(10, 60),
    st.floats(10, 120),
)
def test_no_two_reasons_can_be_told_apart(one, other, after, later, told_after, deadline):
    first = told(one, after, told_after, deadline)
    second = told(other, later, told_after, deadline)

    assert type(first[0]) is type(second[0])
    assert (first[0].code, first[0].message) == (second[0].code, second[0].message)
    assert abs(first[1] - second[1]) <= 1, "a millisecond is this clock's own"
    assert abs(first[1] / 1000 - min(told_after, deadline)) <= 0.002


def test_the_text_names_the_target_and_the_way_out_and_nothing_else_of_the_url():
    error, _ = told(REASONS[0])

    assert "'https://canary.internal:8443' was not reached" in error.message
    assert "HEADRACE_EGRESS_ALLOW=https://canary.internal:8443" in error.message
    assert "secret" not in error.message


def test_the_reason_is_in_the_log():
    events = []

    told(REASONS[1], announce=events.append)

    (event,) = events
    assert isinstance(event, PartnerUnreached)
    assert (event.target, event.id, event.actor) == ("https://canary.internal:8443", "a1", "client:somebody")
    assert event.reason == REASONS[1].message


@pytest.mark.parametrize(
    "error",
    [EgressError("is called over https only"), NotSent("its certificate was refused"), Unanswered("too late")],
    ids=lambda error: type(error).__name__,
)
def test_what_tells_nothing_of_a_network_is_told_as_it_is_and_at_once(error):
    assert told(error) == (error, 0)


def test_a_url_that_is_none_is_told_as_that():
    error = EgressError("This is not a URL: write it as https://host/path.")

    assert told(error, url="canary") == (error, 0)


# -- the audit -------------------------------------------------------------------------------------------------------


def entries(house):
    """What the audit says of blocked targets, oldest first."""
    found = house.store.read_now(lambda tx: audit.latest(tx, 1, 1000))
    return [entry for entry in reversed(found) if entry.action == "blocked"]


def errand(house, actor="client:somebody", id_="a1"):
    return Errand(house.caller.number, actor, "account", id_)


async def test_a_blocked_target_is_in_the_audit_as_it_was_written(house):
    await BlockedTargets(house.store, house.clock).note(errand(house), "https://canary.internal:8443")

    (entry,) = entries(house)
    assert (entry.actor, entry.noun, entry.id) == ("client:somebody", "account", "a1")
    assert entry.details == {"target": "https://canary.internal:8443"}
    assert house.store.read_now(lambda tx: audit.first_break(tx, 1)) is None


async def test_it_is_there_once_an_hour_for_each_who_asks_each_account_and_each_target(house):
    blocked = BlockedTargets(house.store, house.clock)
    house.clock.at = house.clock.at // HOUR * HOUR
    several = [
        (errand(house), "https://a:443"),
        (errand(house), "https://b:443"),
        (errand(house, id_="a2"), "https://a:443"),
        (errand(house, "headrace"), "https://a:443"),
    ]

    for one in several * 3:
        await blocked.note(*one)
    assert len(entries(house)) == len(several)
    house.clock.at += HOUR
    await blocked.note(*several[0])
    assert len(entries(house)) == len(several) + 1


async def test_nobody_can_fill_the_audit(house):
    blocked = BlockedTargets(house.store, house.clock)

    for port in range(1, MOST_AN_HOUR + 50):
        await blocked.note(errand(house), f"https://a:{port}")

    assert len(entries(house)) == MOST_AN_HOUR


async def test_messages_to_a_blocked_target_wait_and_are_in_the_audit_once(house):
    await house.activate("a")
    house.partner.default = REASONS[0]
    await house.ingest(person(1, "a"))

    for _ in range(4):
        await house.run()
        house.pass_time(15)

    assert set(house.partner.statuses) == {"TargetBlocked"}
    assert len(house.partner.statuses) > 1
    (entry,) = entries(house)
    assert (entry.actor, entry.noun) == ("headrace", "target-connection")
    assert entry.details == {"target": "https://partner.example:443"}
