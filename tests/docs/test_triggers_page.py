"""The page of triggers names tests that there are, and a test for each row."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "triggers.md").read_text(encoding="utf-8")
_TEST = re.compile(r"`(test_\w+)`")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "held by" not in line]


def _tests():
    folders = (ROOT / "tests" / "unit", ROOT / "tests" / "integration")
    texts = (file.read_text(encoding="utf-8") for folder in folders for file in folder.rglob("test_*.py"))
    return {name for text in texts for name in re.findall(r"def (test_\w+)\(", text)}


@pytest.mark.parametrize("row", ROWS)
def test_a_row_names_what_holds_it(row):
    assert _TEST.search(row.rsplit("|", 2)[1])


def test_the_tests_that_the_page_names_are_there():
    assert set(_TEST.findall(PAGE)) - _tests() == set()
