import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.template.engine import compile_template
from headrace.template.limits import Limits, Meter
from headrace.template.patterns import finder, literal_of, split_text
from headrace.template.values import RenderError


def pieces_of(text: str, pattern: str, limit: int) -> list[str]:
    return split_text(Meter(Limits(), compile_template.__code__), text, pattern, limit)


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [("a,b,,", 0, ["a", "b"]), ("a,b,,", -1, ["a", "b", "", ""]), ("a,b,c", 2, ["a", "b,c"])],
)
def test_empty_pieces_at_the_end_are_kept_with_a_limit_only(text: str, limit: int, expected: list[str]) -> None:
    assert pieces_of(text, ",", limit) == expected


def test_all_patterns_that_backtrack_share_the_time_of_a_rendering() -> None:
    meter = Meter(Limits(), compile_template.__code__)
    meter.backtracking = 0.0
    with pytest.raises(RenderError, match="take too long"):
        split_text(meter, "a" * 40 + "b", "(?!x)(a|aa|a?)+$", 0)


def test_what_a_pattern_costs_depends_on_the_rendering_alone() -> None:
    spent = []
    for _ in range(2):
        meter = Meter(Limits(), compile_template.__code__)
        for _ in range(3):
            split_text(meter, "a1b2", "[a-z][0-9]+", 0)
        spent.append(meter.steps)
    assert spent[0] == spent[1] < Limits().steps - 100


@given(st.text(alphabet="ab,.|", max_size=20), st.sampled_from([",", r"\.", r"\|", "[ab]", "a+", ",|b"]))
def test_all_pieces_with_a_negative_limit_are_what_python_gives(text: str, pattern: str) -> None:
    assert pieces_of(text, pattern, -1) == re.split(pattern, text)


@given(st.text(alphabet="ab,", max_size=20), st.integers(1, 5))
def test_a_limit_is_the_largest_number_of_pieces(text: str, limit: int) -> None:
    pieces = pieces_of(text, ",", limit)
    assert len(pieces) <= limit
    assert ",".join(pieces) == text


@pytest.mark.parametrize("pattern", ["(", "[", "a{2000}", "(?<name", "*", "(?=", "\\"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(RenderError):
        finder(pattern)


def test_linear_patterns_do_not_backtrack() -> None:
    assert pieces_of("a" * 5000 + "b", "(a+)+$", 0) == ["a" * 5000 + "b"]


def test_look_around_and_references_are_understood() -> None:
    assert pieces_of("aXXbYYc", r"(.)\1", 0) == ["a", "b", "c"]
    assert pieces_of("a1b2", "(?<=[0-9])", 0) == ["a1", "b2"]


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
