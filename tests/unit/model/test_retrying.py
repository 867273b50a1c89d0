"""What is refused of a declaration of retries, each beside what is right."""

import pytest

from headrace.model.reading import examine
from headrace.model.retrying import LONGEST_STEP, MOST_STEPS, Retrying


def problems(document):
    return [f"{problem.code} {problem.pointer}" for problem in examine(Retrying, document).problems]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"policy": "headrace"},
        {"policy": "best-effort"},
        {"policy": "configurable"},
        {"steps": []},
        {"steps": [1]},
        {"steps": ["15", 30, LONGEST_STEP]},
        {"policy": "headrace", "steps": [60] * MOST_STEPS},
    ],
)
def test_what_is_right(document):
    assert problems(document) == []


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"policy": "BEST_EFFORT"}, "not-allowed /policy"),
        ({"policy": "configurable", "steps": [60]}, "has-no-effect /steps"),
        ({"steps": [60] * (MOST_STEPS + 1)}, "invalid /steps"),
        ({"steps": [60, 0]}, "invalid /steps/1"),
        ({"steps": [LONGEST_STEP + 1]}, "invalid /steps/0"),
        ({"steps": [1.5]}, "invalid /steps/0"),
        ({"tries": 3}, "unknown-field /tries"),
    ],
)
def test_what_is_refused(document, problem):
    assert problems(document) == [problem]
