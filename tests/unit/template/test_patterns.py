import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.template.patterns import finder, literal_of, split_text
from headrace.template.values import RenderError


@given(st.text(alphabet="ab,.|", max_size=20), st.sampled_from([",", r"\.", r"\|", "[ab]", "a+", ",|b"]))
def test_all_pieces_with_a_negative_limit_are_what_python_gives(text: str, pattern: str) -> None:
    assert split_text(text, pattern, -1, 1000) == re.split(pattern, text)


@given(st.text(alphabet="ab,", max_size=20), st.integers(1, 5))
def test_a_limit_is_the_largest_number_of_pieces(text: str, limit: int) -> None:
    pieces = split_text(text, ",", limit, 1000)
    assert len(pieces) <= limit
    assert ",".join(pieces) == text


@pytest.mark.parametrize("pattern", ["(", "[", "a{2000}", "(?<name", "*", "(?=", "\\"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(RenderError):
        finder(pattern)


def test_linear_patterns_do_not_backtrack() -> None:
    assert split_text("a" * 5000 + "b", "(a+)+$", 0, 10) == ["a" * 5000 + "b"]


def test_look_around_and_references_are_understood() -> None:
    assert split_text("aXXbYYc", r"(.)\1", 0, 10) == ["a", "b", "c"]
    assert split_text("a1b2", "(?<=[0-9])", 0, 10) == ["a1", "b2"]


def test_plain_characters_need_no_engine() -> None:
    assert [literal_of(pattern) for pattern in (";", r"\|", "é", "a", ".", "ab", r"\d")] == [
        ";",
        "|",
        "é",
        "a",
        None,
        None,
        None,
    ]
