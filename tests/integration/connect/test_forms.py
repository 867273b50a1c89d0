"""However a URL is written, what is inside hears nothing of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .forms import FORMS, LOOPBACK, TRIES, Canaries

UNSHARE = ["unshare", "--net"]


@pytest.mark.parametrize("door", [pytest.param(door, id=f"{door}, {len(FORMS)} forms") for door in TRIES])
async def test_no_form_of_a_url_leads_inside(door, record_property):
    record_property("forms", len(FORMS))
    canaries = Canaries()

    async with canaries.listening([*LOOPBACK, "::1"]):
        got_through = await TRIES[door]()

    assert got_through == {}
    assert canaries.heard == []
    assert len(canaries.places) >= 20


def test_there_are_enough_forms():
    assert len(FORMS) == len(set(FORMS)) >= 500


def _can_make_a_network() -> bool:
    command = [*UNSHARE, "ip", "link", "set", "lo", "up"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not _can_make_a_network(), reason="this machine lets us make no network of our own")
def test_metadata_and_private_machines_that_really_answer_hear_nothing(record_property):
    program = Path(__file__).with_name("forms.py")
    ran = subprocess.run([*UNSHARE, sys.executable, program], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr

    found = json.loads(ran.stdout)
    record_property("forms", found["forms"])

    assert found["heard"] == []
    assert found["got through"] == {door: {} for door in TRIES}
    assert found["reachable"] == found["places"] >= 40
    assert found["a public address is dialled"] == [True, True]
    assert ["8.8.8.8", 443] in found["heard there"]
