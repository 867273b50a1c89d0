"""``headrace demo``: what it shows is true, and a run in which something was lost does not pass."""

import contextlib
import io
import re
from collections import deque
from dataclasses import replace

import pytest
from rich.console import Console

from headrace.cli.demo import SCRIPTS, TOKEN, connect, deliver, report
from headrace.testkit.oracle import told_by_lighthouse
from headrace.testkit.partner import Partner
from support import in_process, run

PEOPLE = 60
ROW = re.compile(r"^ *(moviestar|lighthouse) +([\d,]+) +([\d,]+) +([\d,]+) +([\d,]+) +([\d,]+) +(\S+)", re.MULTILINE)


def test_the_demo_ends_well_and_its_table_balances(tmp_path):
    ran = run(tmp_path, "demo", "--exit", "--profiles", "300")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    rows = {name: [int(number.replace(",", "")) for number in numbers] for name, *numbers, _ in ROW.findall(ran.stdout)}
    assert set(rows) == {"moviestar", "lighthouse"}
    for accepted, delivered, superseded, parked, messages in rows.values():
        assert accepted == delivered + superseded + parked
        assert 0 < messages <= delivered
    assert rows["moviestar"][3] > 0
    assert "moviestar answered 1 x 400; parked: " in ran.stdout
    assert "lighthouse answered 1 x 503; the message was sent again and taken." in ran.stdout
    assert "300 people in " in ran.stdout
    assert TOKEN not in ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def arrived(tmp_path_factory):
    """The demo's own steps up to its report, in this process."""
    with contextlib.ExitStack() as stack:
        partners = {name: stack.enter_context(Partner.in_thread(SCRIPTS[name], token=TOKEN)) for name in SCRIPTS}
        allow = ",".join(partner.origin for partner in partners.values())
        headrace = stack.enter_context(
            in_process(tmp_path_factory.mktemp("demo"), egress_allow=allow, retry_steps="0.1,0.1")
        )
        connected = [connect(headrace.client, name, partner) for name, partner in partners.items()]
        truth, seconds = deliver(Console(file=io.StringIO()), headrace.client, connected, PEOPLE)

        def loses() -> tuple[bool, str]:
            shown = Console(file=io.StringIO(), width=200)
            lost = report(shown, headrace.client, connected, truth, PEOPLE, seconds)
            return lost, shown.file.getvalue()

        yield connected, truth, loses


@pytest.fixture
def delivered(arrived):
    """What has arrived, and the truth, as a test may falsify them: afterwards they are what they were."""
    connected, truth, _ = arrived
    received, members = [arrival.partner.received for arrival in connected], truth.members
    for arrival, was in zip(connected, received, strict=True):
        arrival.partner.received = deque(was)
    yield arrived
    truth.members = members
    for arrival, was in zip(connected, received, strict=True):
        arrival.partner.received = was


def taken(partner):
    return [request for request in partner.received if request.answered == 200]


def test_a_run_in_which_everything_arrived_passes(delivered):
    *_, loses = delivered

    lost, shown = loses()

    assert not lost, shown
    assert shown.count(" yes") == 2


@pytest.mark.parametrize("number", [0, 1], ids=SCRIPTS)
def test_a_message_that_did_not_arrive_is_a_loss(delivered, number):
    connected, _, loses = delivered
    partner = connected[number].partner
    last = taken(partner)[-1]
    partner.received = deque(request for request in partner.received if request is not last)

    lost, shown = loses()

    assert lost
    assert "the partner was not told" in shown.replace("\n", " ")


def test_a_message_that_was_not_taken_does_not_count_as_told(delivered):
    connected, _, loses = delivered
    partner = connected[0].partner
    partner.received = deque(replace(request, answered=500) for request in partner.received)

    assert loses()[0]


def test_a_person_nobody_sent_is_a_loss_too(delivered):
    connected, truth, loses = delivered
    invented = taken(connected[1].partner)[0].json()["members"][0]["customer"]
    truth.members = {pair: member for pair, member in truth.members.items() if pair[0] != invented}

    lost, shown = loses()

    assert lost
    assert "was never in" in shown.replace("\n", " ")


def test_an_older_state_that_came_last_is_a_loss(delivered):
    connected, truth, loses = delivered
    partner = connected[1].partner
    gone = {pair for pair, is_member in truth.members.items() if not is_member}
    first = next(
        request
        for request in taken(partner)
        if any(is_member and pair in gone for pair, is_member in told_by_lighthouse(request).items())
    )
    partner.received.append(first)

    assert loses()[0]
