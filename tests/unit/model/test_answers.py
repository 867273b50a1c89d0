"""What is refused of a declaration of answers, each beside what is right."""

import pytest

from headrace.model.answers import Answers
from headrace.model.reading import examine

RIGHT = {"path": "results", "success": {"path": "status", "values": ["ok"]}}
BY_ID = {**RIGHT, "by": "id", "id": "who", "entryId": "identityMap.email[0].id"}


def problems(document):
    return [f"{problem.code} {problem.pointer}" for problem in examine(Answers, document).problems]


@pytest.mark.parametrize(
    "document",
    [
        {"results": RIGHT},
        {"results": BY_ID},
        {"results": {"path": "$", "names": "failures"}},
        {"counts": {"failed": "a.b[0].c"}},
        {"results": RIGHT, "counts": {"failed": "bad"}},
    ],
)
def test_what_is_right(document):
    assert problems(document) == []


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({}, "missing-field /results"),
        ({"results": {"path": "results"}}, "missing-field /results/success"),
        ({"results": {**RIGHT, "by": "id", "id": "who"}}, "missing-field /results/entryId"),
        ({"results": {**RIGHT, "by": "id", "entryId": "a"}}, "missing-field /results/id"),
        ({"results": {**RIGHT, "path": "a..b"}}, "invalid-path /results/path"),
        ({"results": {**RIGHT, "success": {"path": "a[x]"}}}, "invalid-path /results/success/path"),
        ({"results": {**RIGHT, "reason": "$.a["}}, "invalid-path /results/reason"),
        ({"counts": {"failed": "[0]"}}, "invalid-path /counts/failed"),
    ],
)
def test_what_is_refused(document, problem):
    assert problems(document) == [problem]
