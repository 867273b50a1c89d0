"""No point without its place in the code, and no place without a test that dies there."""

import re
from pathlib import Path

import headrace
from headrace.crashpoints import POINTS

TESTS = Path(__file__).parents[1]
#: Points that are passed at partners and at people only: whose tests have what answers there.
ELSEWHERE = (
    "acceptance/test_death_at_the_partner.py",
    "acceptance/test_death_while_revoking.py",
    "acceptance/test_death_while_evaluating.py",
    "acceptance/test_death_while_alerting.py",
    "integration/connect/test_renewing.py",
)


def test_every_point_that_is_registered_is_a_place_in_the_code_and_the_other_way_round():
    source = Path(headrace.__file__).parent
    place = re.compile(r'\b(?:crashpoint|is_reached)\("(\w+)"\)')
    called = {name for file in source.rglob("*.py") for name in place.findall(file.read_text())}

    assert sorted(called) == sorted(POINTS)


def test_every_point_is_one_at_which_a_test_has_a_process_die():
    here = [file for file in Path(__file__).parent.glob("test_*.py") if file.name != Path(__file__).name]
    texts = [file.read_text() for file in (*here, *(TESTS / name for name in ELSEWHERE))]
    named = {name for text in texts for name in re.findall(r'"(\w+)(?::\d+)?"', text)}

    assert set(POINTS) <= named
