"""What is refused of limits, each beside what is right."""

import pytest

from headrace.model.destination_server import HttpExtension
from headrace.model.pacing import RateLimit
from headrace.model.reading import examine

#: Codes that the rows below produce.
COVERED = ("limits-two-things", "limited-twice")
SECOND = {"requests": 10, "per": "second"}


def problems(document):
    return [f"{problem.code} {problem.pointer}" for problem in examine(HttpExtension, document).problems]


@pytest.mark.parametrize(
    "document",
    [
        {"rateLimits": []},
        {"rateLimits": [SECOND, {"requests": 500, "per": "minute"}, {"profiles": 1000, "per": "second"}]},
        {"rateLimits": [SECOND], "concurrency": {"most": 1}},
    ],
)
def test_what_is_right(document):
    assert problems(document) == []


@pytest.mark.parametrize(
    ("document", "code", "pointer"),
    [
        ({"rateLimits": [{"per": "second"}]}, "missing-field", "/rateLimits/0/requests"),
        ({"rateLimits": [{"requests": 5}]}, "missing-field", "/rateLimits/0/per"),
        ({"rateLimits": [{"requests": 5, "per": "week"}]}, "not-allowed", "/rateLimits/0/per"),
        ({"rateLimits": [{"requests": 0, "per": "day"}]}, "invalid", "/rateLimits/0/requests"),
        ({"rateLimits": [{**SECOND, "profiles": 10}]}, "limits-two-things", "/rateLimits/0/profiles"),
        ({"rateLimits": [SECOND, {**SECOND, "requests": 20}]}, "limited-twice", "/rateLimits/1"),
        ({"concurrency": {"most": 0}}, "invalid", "/concurrency/most"),
    ],
)
def test_what_is_refused(document, code, pointer):
    assert problems(document) == [f"{code} {pointer}"]


def test_a_message_larger_than_a_limit_takes_all_of_it():
    assert RateLimit(profiles=10, per="day").cost(40) == 10
    assert RateLimit(requests=10, per="day").cost(40) == 1
